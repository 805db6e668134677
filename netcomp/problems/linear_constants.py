"""What is proved of losses over a linear model: the constants of f_i and of f.

With b_j the rows of a worker (bias column included), S_i the mean of its b_j b_jᵀ, s_j the
curvature or slope of its j-th loss somewhere, and μ_2 the l2 weight:

    ∇f_ij(x) - ∇f_ij(y) = s_j b_j b_jᵀu + μ_2 u,  u = x - y      (mean value theorem)
    ∇f_ij(x) = -s_j y_j b_j + μ_2 x                              (targets y_j = ±1)

The s_j lie in an `Interval` whatever x and y, and a variance over j or i is the square of a
seminorm in which what all share (μ_2) vanishes. So `Interval.bound` applies with these parts:

| constant | together: all s_j = 1 | apart: any s_j with modulus ≤ 1 |
|---|---|---|
| calL² (MARINA, Assumption 3.1) | λ_max(mean_j (b_j b_jᵀ - S_i)²) | λ_max(mean_j ‖b_j‖² b_j b_jᵀ) |
| sigma_sq (MARINA, Assumption 3.3) | mean_j ‖y_j b_j - mean‖² | mean_j ‖b_j‖² |
| L_pm² (Szlendak et al., arXiv 2110.03300, Definition 2) | λ_max(mean_i (S_i - S)²) | mean_i λ_i² |
| b_sq (NEOLITHIC, Assumption 5) | mean_i ‖(mean_j y_j b_j) - mean‖² | mean_i λ_i |

λ_i = λ_max(S_i). Last column, last two rows: -S_i ≤ mean_j s_j b_j b_jᵀ ≤ S_i, and
‖mean_j s_j y_j b_j‖² ≤ λ_i by Cauchy and Schwarz. With the squared loss all s_j are 1: calL and
L_pm are then attained.

MARINA's Assumption 3.1 bounds E‖Δ̃ - Δ‖², the variance of a minibatch's difference, by
(calL²/b')‖u‖². For b' samples drawn with replacement it is the variance of one over b', hence
the first row; without replacement it is (m - b')/(m - 1) times that, so calL holds as well. It is
at most the root mean square over j of sup|s|·‖b_j‖² (the trace bounds λ_max), which is at
most the paper's max_j L_ij, and by row norms it is that root mean square.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from netcomp.constants import Constant, bound, exact
from netcomp.problems.losses import Interval
from netcomp.problems.rows import (
    LARGEST_MATRIX,
    Rows,
    mean_of,
    positive_bottom,
    spectral_norm,
    top_of_variance,
)

__all__ = [
    "average_smoothness",
    "dissimilarity",
    "functional_apart",
    "functional_together",
    "hessian_variance",
    "sample_smoothness",
    "sample_variance",
    "spread",
    "strong_convexity",
]

_Array = NDArray[np.float64]


def spread(rows: Rows, *, spectral: bool) -> float:
    """Return λ_max(S_i), or max_j ‖b_j‖², which bounds it."""
    return rows.top_eigenvalue if spectral else float(rows.squared_norms().max())


def sample_smoothness(rows: Rows, curvatures: Interval, l2: float) -> Constant:
    """Return max_j L_ij = sup|s| · max_j ‖b_j‖² + l2, the smoothness of the worst sample.

    Attained where sup|s| is the largest curvature and not the modulus of a negative one.
    """
    return exact(curvatures.modulus * spread(rows, spectral=False) + l2)


def average_smoothness(rows: Rows, curvatures: Interval, *, spectral: bool) -> Constant:
    """Return ℒ_i of MARINA, Assumption 3.1; it holds with and without replacement."""
    if rows.count == 1:
        return exact(0.0)
    squares = rows.squared_norms()
    if not spectral:
        return bound(curvatures.modulus * sqrt(float(np.mean(squares**2))))
    if curvatures.low == curvatures.high:
        return exact(curvatures.bound(sqrt(rows.top_of_variance()), 0.0))
    together, apart = rows.top_of_variance(), rows.weighted_top(squares)
    return bound(curvatures.bound(sqrt(together), sqrt(apart)))


def sample_variance(rows: Rows, signs: _Array, slopes: Interval) -> Constant:
    """Return σ² of one sample's gradient at any x: (1/m) Σ_j ‖∇f_ij - ∇f_i‖² ≤ σ²."""
    if rows.count == 1:
        return exact(0.0)
    apart = float(rows.squared_norms().mean())
    mean = rows.mean_row(signs)
    together = max(apart - float(mean @ mean), 0.0)
    return bound(slopes.bound(sqrt(together), sqrt(apart)) ** 2)


def hessian_variance(shards: Sequence[Rows], curvatures: Interval, *, spectral: bool) -> Constant:
    """Return L_±: (1/n) Σ ‖∇f_i(x) - ∇f_i(y)‖² - ‖∇f(x) - ∇f(y)‖² ≤ L_±²‖x - y‖²."""
    if len(shards) == 1:
        return exact(0.0)
    point = curvatures.low == curvatures.high
    if point and spectral:
        return exact(curvatures.bound(sqrt(top_of_variance(shards)), 0.0))
    apart = sqrt(float(np.mean([spread(rows, spectral=spectral) ** 2 for rows in shards])))
    if not spectral:
        return bound(curvatures.modulus * apart)
    return bound(curvatures.bound(sqrt(top_of_variance(shards)), apart))


def dissimilarity(
    shards: Sequence[Rows], signs: Sequence[_Array], slopes: Interval, *, spectral: bool
) -> Constant:
    """Return b² of the workers' gradients at any x: (1/n) Σ ‖∇f_i - ∇f‖² ≤ b²."""
    if len(shards) == 1:
        return exact(0.0)
    own = [rows.mean_row(sign) for rows, sign in zip(shards, signs, strict=True)]
    mean = mean_of(own)
    together = float(np.mean([np.sum((one - mean) ** 2) for one in own]))
    apart = float(np.mean([spread(rows, spectral=spectral) for rows in shards]))
    return bound(slopes.bound(sqrt(together), sqrt(apart)) ** 2)


def strong_convexity(shards: Sequence[Rows], l2: float) -> Constant | None:
    """Return λ_min(S) + l2 of quadratics; None where that is within rounding of 0.

    Where neither too few rows nor eigenvalues (d ≤ 2000) tell λ_min, l2 is a bound.
    """
    dim = shards[0].dim
    if sum(rows.count for rows in shards) < dim:
        least = exact(l2)
    elif dim > LARGEST_MATRIX:
        least = bound(l2)
    else:
        least = exact(positive_bottom(mean_of(rows.moment() for rows in shards)) + l2)
    return least if least.value > 0 else None


def functional_apart(shards: Sequence[Rows]) -> float:
    """Return L_A = √2 max_i ‖S_i - S‖ of quadratics (MARINA-P, Theorem 4.9), d ≤ 2000."""
    # Two passes, one matrix at a time: n of them may not fit into memory.
    mean = mean_of(rows.moment() for rows in shards)
    return sqrt(2) * max(spectral_norm(rows.moment() - mean) for rows in shards)


def functional_together(shards: Sequence[Rows], l2: float) -> float:
    """Return L_B = √2 (1/n) Σ ‖S_i + l2·I‖ of quadratics (MARINA-P, Theorem 4.9)."""
    return sqrt(2) * float(np.mean([rows.top_eigenvalue + l2 for rows in shards]))
