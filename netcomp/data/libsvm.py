"""LIBSVM text files, plain or compressed, read by scikit-learn.

One row a line: `label index:value index:value …`, indices from 1 and increasing,
everything after `#` a comment (C.-C. Chang and C.-J. Lin, "LIBSVM: a library for
support vector machines", ACM TIST 2011). Whether a line is well formed is for
scikit-learn alone to say; its messages lack the line number, which is found by
bisection.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset, Matrix
from netcomp.errors import DataError

__all__ = ["load_libsvm"]

_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}


def load_libsvm(path: Path) -> Dataset:
    """Read a LIBSVM text file (`.gz` and `.bz2` are unpacked) into CSR float64.

    The digest is of the unpacked text, so that a packed copy counts as the same
    data. Raises `DataError`, with the line where there is one, if the file is
    missing, damaged, empty, malformed or holds a value that is not finite.
    """
    content = _read(path)
    try:
        features, targets = _parse(content)
    except (ValueError, OverflowError):
        raise _located(path, content) from None
    if not _finite(features, targets):
        raise _located(path, content)
    if targets.size == 0:
        raise DataError(str(path), "the file holds no rows")
    if features.nnz == 0:
        raise DataError(str(path), "no row of the file has a feature")
    return Dataset(path.name, features, targets, hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    unpack = _UNPACK.get(path.suffix)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(str(path), "there is no such file") from None
    except OSError as error:
        raise DataError(str(path), f"cannot be read: {error.strerror}") from error
    try:
        return raw if unpack is None else unpack(raw)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(str(path), f"damaged {path.suffix} file: {error}") from error


def _parse(content: bytes) -> tuple[Matrix, NDArray[np.float64]]:
    # Lazy: scikit-learn takes most of a second to import.
    from sklearn.datasets import load_svmlight_file  # noqa: PLC0415

    features, targets = load_svmlight_file(BytesIO(content), dtype=np.float64, zero_based=False)
    return features, np.asarray(targets, dtype=np.float64)


def _finite(features: Matrix, targets: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(features.data).all() and np.isfinite(targets).all())


def _complaint(lines: Sequence[bytes]) -> str | None:
    """Return what is wrong somewhere in these lines, None if nothing is."""
    try:
        features, targets = _parse(b"\n".join(lines))
    except (ValueError, OverflowError) as error:
        return str(error)
    return None if _finite(features, targets) else "a value that is not finite"


def _located(path: Path, content: bytes) -> DataError:
    """Return the error of the first bad line of content known to hold one.

    Lines are judged independently of each other, so halving the range (the left
    half first) needs O(size of the file) time in all.
    """
    lines = content.split(b"\n")
    first, end = 0, len(lines)
    while end - first > 1:
        middle = (first + end) // 2
        if _complaint(lines[first:middle]) is None:
            first = middle
        else:
            end = middle
    reason = _complaint(lines[first:end])
    return DataError(str(path), f"not LIBSVM text: {reason}", line=first + 1)
