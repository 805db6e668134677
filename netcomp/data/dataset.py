"""A data set in memory and the piece of it that one worker holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import DataError

__all__ = ["Dataset", "Matrix", "Shard"]

Matrix: TypeAlias = Any
"""A float64 matrix of shape (rows, d): a numpy array, or CSR of scipy.sparse.

It is `Any` because scipy ships no annotations; scipy itself is not imported here.
"""


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
    """

    name: str
    features: Matrix
    targets: NDArray[np.float64]
    digest: str

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.features.shape[0])

    @property
    def dim(self) -> int:
        """The number d of features, without any bias column."""
        return int(self.features.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Shard:
        """Return the given rows (indices from 0, in the order given) as a copy."""
        return Shard(self.features[rows], self.targets[rows])

    def signed(self) -> Dataset:
        """Return the data set with its two labels as -1 (the smaller) and +1.

        This is decided over all rows, before sharding: a shard may hold one label
        only. Raises `DataError` unless there are exactly two distinct labels.
        """
        labels = np.unique(self.targets)
        if labels.size != 2:  # noqa: PLR2004 - a binary problem has two classes
            shown = ", ".join(f"{label:g}" for label in labels[:5])
            more = ", …" if labels.size > 5 else ""  # noqa: PLR2004 - enough to recognise the set
            raise DataError(
                self.name,
                "a logistic problem needs exactly two distinct labels,"
                f" found {labels.size} ({shown}{more})",
            )
        return replace(self, targets=np.where(self.targets == labels[1], 1.0, -1.0))
