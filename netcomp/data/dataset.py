"""A data set in memory and the piece of it that one worker holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import DataError

__all__ = ["MOST_ENTRIES", "Dataset", "Matrix", "Shard", "dense", "digest_of"]

Matrix: TypeAlias = Any
"""A float64 matrix of shape (rows, d): a numpy array, or CSR of scipy.sparse.

It is `Any` because scipy ships no annotations; scipy itself is not imported here.
"""

MOST_ENTRIES: Final = 2**27
"""The most entries of a matrix that is made, not read: 1 GiB of float64."""

_SHOWN = 5  # labels in a message: enough to recognise the set


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """The rows one worker holds: features (m, d) and targets (m,), both float64."""

    features: Matrix
    targets: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """The number m of rows."""
        return int(self.features.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """All rows of a data set, in the order of its file.

    `features` is (rows, d) and `targets` (rows,), both float64. `digest` is the
    SHA-256 of the content in hexadecimal: two ends with the same digest hold the
    same rows. Nobody writes to the arrays; loads are shared within a process.

    `source` is the path it was read from, empty where there is none, and `line_of` says
    in which line of it a row (from 0) stands. `partial` are the rows of one worker only,
    of a data set that nobody holds as a whole.
    """

    name: str
    features: Matrix
    targets: NDArray[np.float64]
    digest: str
    source: str = ""
    line_of: Callable[[int], int | None] | None = None
    partial: bool = False

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.features.shape[0])

    @property
    def dim(self) -> int:
        """The number d of features, without any bias column."""
        return int(self.features.shape[1])

    @property
    def sparse(self) -> bool:
        """Whether the features are CSR."""
        return not isinstance(self.features, np.ndarray)

    def take(self, rows: NDArray[np.int64]) -> Shard:
        """Return the given rows (indices from 0, in the order given).

        Consecutive rows share the memory of the data set, which is then held once.
        """
        if rows.size == 0 or np.any(np.diff(rows) != 1):
            return Shard(self.features[rows], self.targets[rows])
        block = slice(int(rows[0]), int(rows[-1]) + 1)
        return Shard(_consecutive(self.features, block), self.targets[block])

    def signed(self) -> Dataset:
        """Return the data set with its two labels as -1 (the smaller) and +1.

        This is decided over all rows, before sharding: a shard may hold one label
        only. Where only a worker's own rows are here, the labels must be -1 and +1
        already. Raises `DataError`, with the line of the first label too many, unless
        there are exactly two distinct labels.
        """
        labels, first = np.unique(self.targets, return_index=True)
        if self.partial:
            if not np.isin(labels, (-1.0, 1.0)).all():
                raise self.error(
                    "labels of a worker's own rows must be -1 and +1, or problem.positive must"
                    f" say which are +1; found {_listed(labels)}"
                )
            return self
        if labels.size != 2:  # noqa: PLR2004 - a binary problem has two classes
            hint = "; problem.classes or problem.positive says which are meant"
            raise self.error(
                "a logistic problem needs exactly two distinct labels,"
                f" found {labels.size} ({_listed(labels)}){hint if labels.size > 1 else ''}",
                row=int(np.sort(first)[2]) if labels.size > 1 else None,
            )
        return replace(self, targets=np.where(self.targets == labels[1], 1.0, -1.0))

    def error(self, reason: str, row: int | None = None) -> DataError:
        """Return the error of what is wrong with the data; `row` (from 0) is where, if known."""
        line = None if row is None or self.line_of is None else self.line_of(row)
        return DataError(self.source or self.name, reason, line)


def dense(matrix: Matrix) -> NDArray[Any]:
    """Return a matrix as an array: itself if it is one, else a new one of the same dtype."""
    array: NDArray[Any] = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return array


def digest_of(name: str, *arrays: NDArray[Any]) -> str:
    """Return the SHA-256, in hexadecimal, of a name and of arrays as float64."""
    content = hashlib.sha256(name.encode())
    for array in arrays:
        content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return content.hexdigest()


def _listed(labels: NDArray[np.float64]) -> str:
    more = ", …" if labels.size > _SHOWN else ""
    return ", ".join(f"{label:g}" for label in labels[:_SHOWN]) + more


def _consecutive(features: Matrix, block: slice) -> Matrix:
    """Return a view of rows; scipy's own slices of CSR are copies."""
    if isinstance(features, np.ndarray):
        return features[block]
    starts = features.indptr[block.start : block.stop + 1]
    inside = slice(int(starts[0]), int(starts[-1]))
    view = type(features)((starts.size - 1, features.shape[1]), dtype=features.dtype)
    # Set apart: given to the constructor, views of a much larger array would be copied.
    view.data, view.indices = features.data[inside], features.indices[inside]
    view.indptr = starts - starts[0]
    return view
