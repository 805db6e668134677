"""Where a loss over a linear model is least: exactly for least squares, by Newton for logistic.

f(x) = (1/n) Σ_i (1/m_i) Σ_j ℓ(⟨b_ij, x⟩, y_ij) + (l2/2)‖x‖²: each worker weighs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from netcomp.constants import estimated, exact
from netcomp.problems.base import Optimum
from netcomp.problems.losses import LogisticLoss
from netcomp.problems.rows import Rows, mean_of

__all__ = ["LARGEST_SYSTEM", "SMALL_GRADIENT", "least_squares", "logistic"]

LARGEST_SYSTEM = 5_000_000
"""The most numbers of a dense matrix made to solve for x*: 40 MB."""

SMALL_GRADIENT = 1e-10
"""‖∇f(x)‖ at which an x is taken for x*."""

_STEPS = 200
_BLOCK = 1000
_HALVINGS = 40
_ENOUGH_DECREASE = 1e-4
_ROUNDING = 1e-14
_SHIFT = 1e-12

_Array = NDArray[np.float64]


def least_squares(shards: Sequence[Rows], targets: Sequence[_Array], l2: float) -> Optimum | None:
    """Return the shortest minimiser of ½(⟨b, x⟩ - y)², None where the system is too large.

    [√w_i B_i, √w_i y_i] is folded by QR, a block of rows at a time, into a triangle of at most
    d + 1 rows, which has the same minimisers and values; w_i = 1/(n m_i).
    """
    # Lazy: only a report of the optimality gap asks for it.
    from scipy.linalg import lstsq  # noqa: PLC0415

    dim = shards[0].dim
    kept = min(sum(rows.count for rows in shards), dim + 1) + (dim if l2 else 0)
    if kept * (dim + 1) > LARGEST_SYSTEM:
        return None
    system = np.zeros((0, dim + 1))
    for rows, own in zip(shards, targets, strict=True):
        weight = 1.0 / sqrt(len(shards) * rows.count)
        for start in range(0, rows.count, _BLOCK):
            block = slice(start, start + _BLOCK)
            part = weight * np.hstack([rows.dense(block), own[block, None]])
            system = np.vstack([system, part])
            if system.shape[0] > dim + 1:
                system = np.asarray(np.linalg.qr(system, mode="r"))
    if l2:
        ridge = np.hstack([sqrt(l2) * np.eye(dim), np.zeros((dim, 1))])
        system = np.vstack([system, ridge])
    noise = max(system.shape) * np.finfo(np.float64).eps
    x = lstsq(system[:, :-1], system[:, -1], cond=noise, lapack_driver="gelsy")[0]
    residual = system[:, :-1] @ x - system[:, -1]
    return Optimum(x, exact(0.5 * float(residual @ residual)))


def logistic(shards: Sequence[Rows], targets: Sequence[_Array], l2: float) -> Optimum | None:
    """Return x* of log(1 + exp(-y⟨b, x⟩)) to ‖∇f‖ ≤ `SMALL_GRADIENT`, None where d is too large.

    Newton's method, steps halved until f falls; None too where that does not get there.
    """
    dim = shards[0].dim
    if dim * dim > LARGEST_SYSTEM:
        return None
    f = _Mean(shards, targets, l2)
    x = np.zeros(dim)
    for _ in range(_STEPS):
        value, gradient, products = f.at(x)
        if np.linalg.norm(gradient) <= SMALL_GRADIENT:
            return Optimum(x, estimated(value))
        hessian = f.hessian(products)
        # Makes a singular Hessian solvable; more would slow down where it only nearly is one.
        hessian += _SHIFT * np.trace(hessian) / dim * np.eye(dim)
        step = np.linalg.solve(hessian, gradient)
        fall = _ENOUGH_DECREASE * float(gradient @ step)
        length = 1.0
        for _ in range(_HALVINGS):
            if f.value(x - length * step) <= value - length * fall + _ROUNDING * abs(value):
                break
            length /= 2
        x = x - length * step
    return None


class _Mean:
    """f with its derivatives over all the data."""

    def __init__(self, shards: Sequence[Rows], targets: Sequence[_Array], l2: float) -> None:
        self.parts = list(zip(shards, targets, strict=True))
        self.l2 = l2

    def value(self, x: _Array) -> float:
        means = [float(LogisticLoss.value(rows.times(x), y).mean()) for rows, y in self.parts]
        return float(np.mean(means)) + 0.5 * self.l2 * float(x @ x)

    def at(self, x: _Array) -> tuple[float, _Array, list[_Array]]:
        """Return f(x), ∇f(x) and the products B_i x."""
        products = [rows.times(x) for rows, _ in self.parts]
        paired = list(zip(self.parts, products, strict=True))
        values = [float(LogisticLoss.value(z, y).mean()) for (_, y), z in paired]
        gradient = mean_of(rows.mean_row(LogisticLoss.slope(z, y)) for (rows, y), z in paired)
        value = float(np.mean(values)) + 0.5 * self.l2 * float(x @ x)
        return value, gradient + self.l2 * x, products

    def hessian(self, products: Sequence[_Array]) -> _Array:
        """Return ∇²f(x), shape (d, d), from the products B_i x."""
        paired = zip(self.parts, products, strict=True)
        hessian = mean_of(rows.moment(LogisticLoss.curvature(z)) for (rows, _), z in paired)
        return hessian + self.l2 * np.eye(hessian.shape[0])
