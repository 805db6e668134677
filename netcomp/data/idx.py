"""idx files of unsigned bytes, the format of MNIST and its kin: images and their labels.

The header: two zero bytes, 8 (unsigned bytes), the number of dimensions, then each
dimension as a big-endian 32-bit integer; the bytes follow (Y. LeCun, C. Cortes,
C. J. C. Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import hashlib
import struct
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset
from netcomp.data.files import read_content
from netcomp.errors import DataError

__all__ = ["IMAGES", "LABELS", "load_idx"]

IMAGES = "images-idx3"
LABELS = "labels-idx1"
"""What the names of the two files of a pair differ in."""

_WHITE = 255.0
_BYTES = 8  # the code of unsigned bytes
_MOST = 3  # dimensions


def load_idx(images: Path, labels: Path) -> Dataset:
    """Read a pair of idx files, `.gz` or not.

    Features are (rows, pixels of an image), dense, pixels divided by 255 and so in [0, 1];
    targets are the labels as they are. The digest is of the unpacked images and then the
    unpacked labels. Raises `DataError` naming the file for one that is missing, damaged, of
    the wrong size or kind, or where the numbers of images and labels differ.
    """
    content = [read_content(path, text=False) for path in (images, labels)]
    pixels = _array(images, content[0])
    classes = _array(labels, content[1])
    if pixels.ndim < 2 or classes.ndim != 1:  # noqa: PLR2004 - a row is one image at least
        raise DataError(str(images), f"images {pixels.shape} and labels {classes.shape} are wanted")
    if len(pixels) != len(classes):
        raise DataError(str(labels), f"{len(classes)} labels for {len(pixels)} images")
    if not pixels.size:
        raise DataError(str(images), "the file holds no rows")
    digest = hashlib.sha256(content[0])
    digest.update(content[1])
    features = np.divide(pixels.reshape(len(pixels), -1), _WHITE, dtype=np.float64)
    return Dataset(
        images.name, features, classes.astype(np.float64), digest.hexdigest(), str(images)
    )


def _array(path: Path, content: bytes) -> NDArray[np.uint8]:
    dims = content[3] if len(content) > _MOST else 0
    start = 4 + 4 * dims
    if content[:3] != bytes([0, 0, _BYTES]) or not 1 <= dims <= _MOST or len(content) < start:
        raise DataError(
            str(path),
            f"no idx file of unsigned bytes: it begins with {content[:4].hex(' ') or 'nothing'}",
        )
    shape = struct.unpack(f">{dims}I", content[4:start])
    if len(content) - start != prod(shape):
        times = " × ".join(map(str, shape))
        raise DataError(
            str(path),
            f"{len(content) - start} bytes follow the header, which announces {times}"
            f" = {prod(shape)}",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
