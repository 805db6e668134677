"""Real data sets that come with scikit-learn: nothing to download.

- `breast_cancer`: features standardised; label -1 (malignant) or +1 (benign).
- `diabetes`: features and regression targets standardised.
- `digits`: pixels of 8 x 8 images divided by 16 (so in [0, 1]); label +1 for the odd
  digits, -1 for the even ones.
- `digits-10`: the same pixels with the digits 0 … 9 as labels.
- `digits-pairs`: the pixels of `digits` and their products x_i·x_j, i ≤ j, d = 64 +
  2080 = 2144; the whole matrix is divided by one constant, the root of the mean
  squared row norm, so that a row has a norm of order 1. Labels as for `digits`.

Standardised means: mean 0 and variance 1 (of the population) over all rows; a
constant column becomes 0.

The digest is taken over the name and the arrays as scikit-learn ships them, not over
the transformed ones, whose last bits may differ between builds of numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset, digest_of
from netcomp.data.preprocess import standardised

__all__ = [
    "BUILTIN",
    "BuiltIn",
    "breast_cancer",
    "diabetes",
    "digits",
    "digits_pairs",
    "digits_ten",
]

_WHITE = 16.0  # the largest value of a pixel in scikit-learn's digits

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """How a built-in data set is loaded, and its size, known without doing so."""

    load: Callable[[], Dataset]
    rows: int
    features: int


def breast_cancer() -> Dataset:
    """Return the Wisconsin diagnostic breast cancer data, standardised, labels ±1."""
    raw, labels = _shipped("load_breast_cancer")
    targets = np.where(labels > 0, 1.0, -1.0)
    return Dataset(
        "breast_cancer", standardised(raw), targets, digest_of("breast_cancer", raw, labels)
    )


def diabetes() -> Dataset:
    """Return the diabetes regression data, features and targets standardised."""
    raw, progress = _shipped("load_diabetes", scaled=False)
    return Dataset(
        "diabetes", standardised(raw), standardised(progress), digest_of("diabetes", raw, progress)
    )


def digits() -> Dataset:
    """Return the 8 x 8 digits, pixels in [0, 1]; label +1 for odd digits, else -1."""
    raw, digit = _shipped("load_digits")
    return Dataset("digits", raw / _WHITE, _odd(digit), digest_of("digits", raw, digit))


def digits_ten() -> Dataset:
    """Return the 8 x 8 digits, pixels in [0, 1]; the label is the digit."""
    raw, digit = _shipped("load_digits")
    return Dataset("digits-10", raw / _WHITE, digit, digest_of("digits-10", raw, digit))


def digits_pairs() -> Dataset:
    """Return the digits' pixels and all their pairwise products, d = 2144."""
    raw, digit = _shipped("load_digits")
    pixels = raw / _WHITE
    first, second = np.triu_indices(pixels.shape[1])
    features = np.hstack([pixels, pixels[:, first] * pixels[:, second]])
    features /= np.sqrt(np.mean(np.sum(features**2, axis=1)))
    return Dataset("digits-pairs", features, _odd(digit), digest_of("digits-pairs", raw, digit))


BUILTIN: dict[str, BuiltIn] = {
    "breast_cancer": BuiltIn(breast_cancer, 569, 30),
    "diabetes": BuiltIn(diabetes, 442, 10),
    "digits": BuiltIn(digits, 1797, 64),
    "digits-10": BuiltIn(digits_ten, 1797, 64),
    "digits-pairs": BuiltIn(digits_pairs, 1797, 2144),
}
"""The built-in data sets by name."""


def _shipped(loader: str, **options: Any) -> tuple[_Array, _Array]:
    # Lazy: scikit-learn takes most of a second to import.
    from sklearn import datasets  # noqa: PLC0415

    features, targets = getattr(datasets, loader)(return_X_y=True, **options)
    return np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)


def _odd(digit: _Array) -> _Array:
    return np.where(digit % 2 == 1, 1.0, -1.0)
