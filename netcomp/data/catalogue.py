"""The published data sets netcomp knows: files, addresses, digests, and whose they are.

A set is here only if every file of it has been compared with its published figures, so that a
copy can be verified; files from anywhere else are named by their paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

__all__ = ["CATALOGUE", "Known", "Remote"]

_LIBSVM = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_UCI = "UCI repository, LIBSVM's copy; CC BY 4.0"
_DIGITS = "LeCun, Cortes, Burges; CC BY-SA 3.0"


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as it is published: its address, size in bytes and SHA-256 in hexadecimal."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePosixPath(self.url).name


@dataclass(frozen=True, slots=True)
class Known:
    """A published data set: one LIBSVM file, or the images and the labels of an idx pair.

    `digest` is that of the `Dataset`. The files lie in the folder `below` one that is looked
    through, or in that one itself.
    """

    name: str
    files: tuple[Remote, ...]
    digest: str
    rows: int
    features: int
    origin: str
    below: str = ""


def _libsvm(name: str, shape: tuple[int, int], size: int, sha256: str, origin: str) -> Known:
    files = (Remote(_LIBSVM + name, size, sha256),)
    return Known(name, files, sha256, *shape, origin)


def _mnist(name: str, rows: int, files: tuple[Remote, Remote], digest: str) -> Known:
    return Known(name, files, digest, rows, 784, _DIGITS, below="mnist")


_SETS: Final = (
    _libsvm(
        "mushrooms",
        (8124, 112),
        887_834,
        "eb26424a54203ca9e8956ff3e5b10e613dfc3587f65d21bdbdbc28020fd995e0",
        _UCI,
    ),
    _libsvm(
        "a9a",
        (32_561, 123),
        2_329_875,
        "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
        _UCI,
    ),
    _libsvm(
        "w8a",
        (49_749, 300),
        3_478_238,
        "6a9fa8fd5f524303240a5db07d4b3d4a51e8b7b4b20a914105d8e3e8c81640f2",
        "J. Platt, LIBSVM's copy; no licence known",
    ),
    _libsvm(
        "phishing",
        (11_055, 68),
        3_620_168,
        "0cf66ef36604c393da9359b2e5d894a2df8aee31fd184633cefa138add2ef08a",
        _UCI,
    ),
    _mnist(
        "mnist",
        60_000,
        (
            Remote(
                _MNIST + "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Remote(
                _MNIST + "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
        ),
        "c5097fdd51cfdbe7695fd9df3612695696864b5c424f58d843ffdc5d335e9914",
    ),
    _mnist(
        "mnist-test",
        10_000,
        (
            Remote(
                _MNIST + "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Remote(
                _MNIST + "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        "18489308deedfe2f7bd3a11e599a597126f161d991b1ffcffb71642aa76f7f62",
    ),
)

CATALOGUE: Final[dict[str, Known]] = {known.name: known for known in _SETS}
"""The known data sets by name."""
