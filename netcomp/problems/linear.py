"""Losses over a linear model: f_i(x) = (1/m) Σ_j ℓ(⟨a_ij, x⟩, y_ij) + (l2/2)‖x‖².

A worker's f_i is the mean over its own rows and f the unweighted mean of the f_i.
Smoothness: ∇²f_i = (1/m) Σ_j ℓ''_ij a_ij a_ijᵀ + l2·I, hence L_i ≤ sup|ℓ''| · λ + l2
with λ = λ_max(A_iᵀA_i)/m, and λ ≤ max_j ‖a_ij‖². With the squared loss ℓ'' = 1 and the
first bound is the exact constant.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import sqrt
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from netcomp.constants import Constant, exact
from netcomp.data import Dataset, Shard
from netcomp.draw import Draw
from netcomp.errors import DataError
from netcomp.problems.base import LocalOracle, Problem
from netcomp.problems.losses import (
    LogisticLoss,
    NonconvexLogisticLoss,
    ScalarLoss,
    SquaredLoss,
)
from netcomp.problems.rows import Rows, mean_of, mean_top_eigenvalue, spectral_norm
from netcomp.roles import Array, Batch

__all__ = ["LeastSquares", "LinearOracle", "LinearProblem", "Logistic", "NonconvexLogistic"]

_LARGEST_MATRIX = 2000  # a d × d array of float64 then takes 32 MB


class LinearOracle(LocalOracle):
    """f_i of one shard. Arithmetic is in float64, results are in the dtype of x."""

    def __init__(self, problem: LinearProblem, shard: Shard) -> None:
        self.problem = problem
        self.design = Rows(shard.features, problem.bias)
        self.targets = shard.targets
        self.rows = shard.rows

    @property
    def dim(self) -> int:
        """The number of features, and one more with a bias."""
        return self.design.dim

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        point = x.astype(np.float64, copy=False)
        values = self.problem.scalar.value(self.design.times(point), self.targets)
        return float(values.mean()) + 0.5 * self.problem.l2 * float(point @ point)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x) or the mean gradient of a batch of rows, shape (d,), dtype of x."""
        point = x.astype(np.float64, copy=False)
        design, targets = self.design, self.targets
        if batch is not None and (batch.replace or batch.size != self.rows):
            rows = batch.rows(self.rows)
            design, targets = design.take(rows), targets[rows]
        slopes = self.problem.scalar.slope(design.times(point), targets)
        gradient = design.transposed_times(slopes / design.count)
        if self.problem.l2:
            gradient += self.problem.l2 * point
        return gradient.astype(x.dtype, copy=False)

    def _constants(self) -> dict[str, Constant]:
        problem = self.problem
        if problem.smoothness == "spectral":
            spread = self.design.top_eigenvalue
        else:
            spread = float(self.design.squared_norms().max())
        constants = {"L": exact(problem.scalar.curvature * spread + problem.l2)}
        mu = problem.strong_convexity(self)
        return {**constants, "mu": exact(mu)} if mu > 0 else constants


class LinearProblem(Problem):
    """The options all losses over a linear model share."""

    needs_data: ClassVar[bool] = True
    scalar: ClassVar[type[ScalarLoss]]

    bias: bool = False
    """Put a column of ones in front of the features; x[0] is its weight."""
    l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The weight of the regulariser (l2/2)‖x‖² (all coordinates, the bias too)."""
    smoothness: Literal["spectral", "row-norm"] = "spectral"
    """How L_i is bounded: sup|ℓ''| times λ_max(A_iᵀA_i)/m, or times max_j ‖a_ij‖²."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LinearOracle:
        """Return f_i over `shard`; `DataError` without rows or with unusable targets."""
        if shard is None or shard.rows == 0:
            raise DataError(f"shard of worker {worker}", "this problem needs rows of a data set")
        return LinearOracle(self, shard)

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return "L" of f = mean of the f_i, in the manner of `smoothness`.

        Spectral: sup|ℓ''| · λ_max(mean of A_iᵀA_i/m_i) + l2. By row norms: mean of
        the L_i, which bounds it.
        """
        own = _linear(oracles)
        if self.smoothness == "row-norm":
            return {"L": exact(sum(oracle.constants["L"].value for oracle in own) / len(own))}
        top = mean_top_eigenvalue([oracle.design for oracle in own])
        return {"L": exact(self.scalar.curvature * top + self.l2)}

    @abstractmethod
    def strong_convexity(self, oracle: LinearOracle) -> float:
        """Return mu of f_i where it is known and positive, else 0."""


class _Classification(LinearProblem):
    """A loss for targets ±1."""

    def prepare(self, data: Dataset) -> Dataset:
        """Return the data with its two labels as -1 (the smaller) and +1."""
        return data.signed()

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LinearOracle:
        """Return f_i over a shard of prepared data; `DataError` if targets are not ±1."""
        if shard is not None and not np.all(np.abs(shard.targets) == 1.0):
            raise DataError(
                f"shard of worker {worker}", "the labels must be -1 and +1: prepare the data first"
            )
        return super().oracle(shard, worker, workers, draw)


class NonconvexLogistic(_Classification):
    """ℓ = (1 - σ(y⟨a, x⟩))²: the experiments of MARINA, eq. (11)."""

    summary: ClassVar[str] = "binary classification, non-convex loss (1 - sigma(y<a,x>))^2"
    scalar: ClassVar[type[ScalarLoss]] = NonconvexLogisticLoss

    def strong_convexity(self, oracle: LinearOracle) -> float:
        """Return 0."""
        return 0.0


class Logistic(_Classification):
    """ℓ = log(1 + exp(-y⟨a, x⟩))."""

    summary: ClassVar[str] = "binary classification, logistic loss log(1 + exp(-y<a,x>))"
    scalar: ClassVar[type[ScalarLoss]] = LogisticLoss

    def strong_convexity(self, oracle: LinearOracle) -> float:
        """Return l2, exactly the infimum: σ(1 - σ) vanishes at both ends."""
        return self.l2


class LeastSquares(LinearProblem):
    """ℓ = ½(⟨a, x⟩ - y)², a quadratic with A_i = X_iᵀX_i/m + l2·I."""

    summary: ClassVar[str] = "linear regression, squared loss (1/2)(<a,x> - y)^2"
    scalar: ClassVar[type[ScalarLoss]] = SquaredLoss

    def strong_convexity(self, oracle: LinearOracle) -> float:
        """Return λ_min(A_i); unknown, hence 0, where it takes more than 2000 eigenvalues."""
        if min(oracle.rows, oracle.dim) > _LARGEST_MATRIX:
            return 0.0
        return oracle.design.bottom_eigenvalue() + self.l2

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return "L" and, for d ≤ 2000, "L_A" and "L_B".

        L_A = √2 max_i ‖A_i - A‖, L_B = √2 (1/n) Σ ‖A_i‖ with A the mean of the A_i
        (K. Gruntkowska, A. Tyurin, P. Richtárik, "Improving the Worst-Case
        Bidirectional Communication Complexity for Nonconvex Distributed Optimization
        under Function Similarity", NeurIPS 2024, Theorem 4.9).
        """
        constants = super().joint(oracles)
        designs = [oracle.design for oracle in _linear(oracles)]
        if designs[0].dim > _LARGEST_MATRIX:
            return constants
        # Two passes, one matrix at a time: n of them may not fit into memory.
        mean = mean_of(design.moment() for design in designs)
        apart = max(spectral_norm(design.moment() - mean) for design in designs)
        norms = [design.top_eigenvalue + self.l2 for design in designs]
        mean_norm = sum(norms) / len(norms)
        return {**constants, "L_A": exact(sqrt(2) * apart), "L_B": exact(sqrt(2) * mean_norm)}


def _linear(oracles: Sequence[LocalOracle]) -> list[LinearOracle]:
    own = [oracle for oracle in oracles if isinstance(oracle, LinearOracle)]
    if not own or len(own) != len(oracles):
        raise TypeError("joint constants need the oracles of all workers, all of this problem")
    return own
