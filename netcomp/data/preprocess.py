"""What is done to a data set before it is split: nothing unless asked for.

In this order: `features` widens it, `classes` keeps the rows of some labels, `standardise`
scales the columns over all rows kept; after the split has been decided on those rows and
labels, `positive` turns labels into -1 and +1. Bias columns are the problems' own, and come in
front of what is standardised here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import MOST_ENTRIES, Dataset, Matrix, dense

__all__ = ["Preparation", "standardised"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Preparation:
    """The options of a spec's `[problem]` that change data.

    `standardise`: True gives every column mean 0 and variance 1 (of the population) over all
    rows, and makes sparse data dense; "scale" only divides by the deviation, and keeps zeros.
    A constant column becomes 0, or stays as it is with "scale".
    """

    features: int | None = None
    classes: tuple[float, ...] | None = None
    standardise: Literal[False, True, "scale"] = False
    positive: tuple[float, ...] | None = None

    def rows(self, data: Dataset) -> Dataset:
        """Return the rows that are to be split, with their labels as they are.

        Raises `DataError` where the data have more features than asked for, no row of a class
        asked for, or too many entries to be made dense.
        """
        if self.features is not None:
            data = _widened(data, self.features)
        if self.classes is not None:
            data = _of_classes(data, self.classes)
        if self.standardise:
            data = _scaled(data, centre=self.standardise is True)
        return data

    def signs(self, data: Dataset) -> Dataset:
        """Return the data with the labels in `positive` as +1 and all others as -1.

        Raises `DataError` if that leaves one label only, unless the rows are one worker's.
        """
        if self.positive is None:
            return data
        chosen = np.isin(data.targets, self.positive)
        if not data.partial and (chosen.all() or not chosen.any()):
            which = "every" if chosen.all() else "no"
            raise data.error(f"{which} row has a label of problem.positive {[*self.positive]}")
        return replace(data, targets=np.where(chosen, 1.0, -1.0))

    def steps(self) -> list[str]:
        """Return what is done, in a few words each."""
        steps = {
            f"features = {self.features}": self.features is not None,
            f"classes = {[*(self.classes or ())]}": self.classes is not None,
            f"standardise = {self.standardise}": self.standardise is not False,
            f"positive = {[*(self.positive or ())]}": self.positive is not None,
        }
        return [step for step, done in steps.items() if done]

    def digest(self, data: Dataset) -> str:
        """Return the digest of `data` prepared like this: its own where nothing is done."""
        if not self.steps():
            return data.digest
        return hashlib.sha256(" ".join([data.digest, *self.steps()]).encode()).hexdigest()


def standardised(values: _Array) -> _Array:
    """Return columns (or one column) with mean 0 and variance 1; a constant one becomes 0."""
    scaled: _Array = values - values.mean(axis=0)
    deviation = scaled.std(axis=0)
    # The mean of equal values may miss them by a rounding, which must not be blown up.
    constant = values.max(axis=0) == values.min(axis=0)
    scaled /= np.where(deviation > 0, deviation, 1.0)
    scaled[..., constant] = 0.0
    return scaled


def _widened(data: Dataset, features: int) -> Dataset:
    if features < data.dim:
        raise data.error(f"has {data.dim} features where problem.features is {features}")
    if features == data.dim:
        return data
    if data.sparse:
        widened = data.features.copy()
        widened.resize(data.rows, features)
    else:
        widened = np.pad(data.features, ((0, 0), (0, features - data.dim)))
    return replace(data, features=widened)


def _of_classes(data: Dataset, classes: tuple[float, ...]) -> Dataset:
    for label in classes:
        if not data.partial and not (data.targets == label).any():
            raise data.error(f"no row has the label {label:g} of problem.classes")
    kept = np.flatnonzero(np.isin(data.targets, classes))
    shard = data.take(kept)
    line_of = None if data.line_of is None else partial(_line_of_kept, data.line_of, kept)
    return replace(data, features=shard.features, targets=shard.targets, line_of=line_of)


def _line_of_kept(
    line_of: Callable[[int], int | None], kept: NDArray[np.int64], row: int
) -> int | None:
    return line_of(int(kept[row]))


def _scaled(data: Dataset, *, centre: bool) -> Dataset:
    if not centre:
        return replace(data, features=_by_deviation(data.features))
    if data.sparse and data.rows * data.dim > MOST_ENTRIES:
        raise data.error(
            f"standardised, {data.rows} × {data.dim} features are no longer sparse and take"
            f" {data.rows * data.dim * 8 / 2**30:.1f} GiB;"
            ' problem.standardise = "scale" keeps the zeros'
        )
    return replace(data, features=standardised(dense(data.features)))


def _by_deviation(features: Matrix) -> Matrix:
    if isinstance(features, np.ndarray):
        deviation = features.std(axis=0)
        constant = features.max(axis=0) == features.min(axis=0)
        return features / np.where(constant | (deviation == 0), 1.0, deviation)
    count, columns = features.shape
    mean = np.asarray(features.sum(axis=0)).ravel() / count
    stored = np.bincount(features.indices, minlength=columns)
    apart = np.bincount(
        features.indices, (features.data - mean[features.indices]) ** 2, minlength=columns
    )
    deviation = np.sqrt((apart + (count - stored) * mean**2) / count)
    constant = (features.max(axis=0) - features.min(axis=0)).toarray().ravel() == 0
    scaled = features.copy()
    scaled.data /= np.where(constant | (deviation == 0), 1.0, deviation)[scaled.indices]
    return scaled
