"""Splits that differ in their labels; no row is dropped, and shards have unequal sizes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netcomp.data.dataset import Dataset
from netcomp.data.splits.base import Rows, Split, SplitRule, check_enough, without_empty
from netcomp.data.splits.orders import random_order
from netcomp.draw import Draw, Purpose, Stream
from netcomp.errors import SpecError

__all__ = ["ByLabel", "Dirichlet", "log_gammas"]

_APART = 1 << 20  # sub-rounds that no other split uses


class ByLabel(SplitRule):
    """One label for each worker, or several labels, or a part of one.

    With C labels in increasing order, label c goes to the workers i ≡ c (mod C), in
    consecutive parts that differ by one row at most; if there are fewer workers than labels,
    worker i gets the labels c ≡ i (mod n).
    """

    summary: ClassVar[str] = "each worker rows of one label (of several, where labels are more)"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        check_enough(data.rows, workers)
        rows_of = _rows_by_label(data)
        parts: list[list[Rows]] = [[] for _ in range(workers)]
        for number, rows in enumerate(rows_of):
            owners = range(number, workers, len(rows_of)) or [number % workers]
            if rows.size < len(owners):
                label = data.targets[rows[0]]
                raise SpecError(
                    "problem.split",
                    f"by-label: {rows.size} rows of label {label:g} for {len(owners)} workers",
                )
            for owner, piece in zip(owners, np.array_split(rows, len(owners)), strict=True):
                parts[owner].append(piece)
        return Split(tuple(np.sort(np.concatenate(pieces)) for pieces in parts), 0)


class Dirichlet(SplitRule):
    """Shares of every label drawn from Dir(α, …, α) over the workers.

    The partition NEOLITHIC's Table 4 names without details; this is the usual one (M. Yurochkin
    et al., "Bayesian Nonparametric Federated Learning of Neural Networks", ICML 2019): per label
    c, shares q ~ Dir(α 1_n) cut its rows, in random order, at ⌊(q_1 + … + q_i) · rows⌋. As
    α → 0 a label goes to one worker, as α → ∞ all hold alike. Who got nothing gets one row of
    whoever has most. Order and shares of label c (from 0, in increasing order) come from
    `Purpose.SPLIT` in sub-rounds c and 2²⁰ + c.
    """

    summary: ClassVar[str] = "shares of each label drawn from a Dirichlet distribution"

    alpha: float = Field(gt=0)

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        check_enough(data.rows, workers)
        parts: list[list[Rows]] = [[] for _ in range(workers)]
        for number, rows in enumerate(_rows_by_label(data)):
            key = draw.shared()
            mixed = rows[random_order(rows.size, key.at(sub=number))]
            stream = key.at(sub=_APART + number).stream(Purpose.SPLIT)
            shares = _shares(stream, self.alpha, workers)
            cuts = np.floor(np.cumsum(shares)[:-1] * rows.size).astype(np.int64)
            for part, piece in zip(parts, np.split(mixed, cuts), strict=True):
                part.append(piece)
        return Split(without_empty([np.sort(np.concatenate(pieces)) for pieces in parts]), 0)


def log_gammas(stream: Stream, alpha: float, count: int) -> NDArray[np.float64]:
    """Return logarithms of `count` Gamma(α, 1) deviates.

    G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS
    2000: with a = α, or α + 1 for α < 1, d = a − 1/3 and c = 1/√(9d), a normal x and a uniform
    u are accepted where v = (1 + cx)³ > 0 and ln u < x²/2 + d − dv + d ln v; then dv ~ Gamma(a).
    For α < 1 the logarithm of another uniform, over α, is added, which is why these are
    logarithms: the deviates themselves underflow for small α. As many normals and uniforms are
    taken as are missing, until none is.
    """
    d = (alpha if alpha >= 1 else alpha + 1) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    found = np.empty(0)
    while found.size < count:
        x = stream.normals(count - found.size)
        u = 1.0 - stream.uniforms(count - found.size)  # in (0, 1]
        v = np.maximum(1 + c * x, 0.0) ** 3
        log_v = np.log(v, out=np.full_like(v, -np.inf), where=v > 0)
        kept = (v > 0) & (np.log(u) < x**2 / 2 + d - d * v + d * np.where(v > 0, log_v, 0.0))
        found = np.concatenate([found, np.log(d) + log_v[kept]])
    if alpha >= 1:
        return found
    boosted: NDArray[np.float64] = found + np.log(1.0 - stream.uniforms(count)) / alpha
    return boosted


def _shares(stream: Stream, alpha: float, workers: int) -> NDArray[np.float64]:
    logs = log_gammas(stream, alpha, workers)
    weights = np.exp(logs - logs.max())
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _rows_by_label(data: Dataset) -> list[Rows]:
    """Return the rows of each label, labels in increasing order; `SpecError` without labels."""
    if (data.targets != np.floor(data.targets)).any():
        raise SpecError(
            "problem.split", f"wants labels, and the targets of {data.name} are no whole numbers"
        )
    labels, numbers = np.unique(data.targets, return_inverse=True)
    order = np.argsort(numbers, kind="stable").astype(np.int64, copy=False)
    return list(np.split(order, np.cumsum(np.bincount(numbers, minlength=labels.size))[:-1]))
