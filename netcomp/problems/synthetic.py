"""Least squares and logistic regression over rows each worker draws for itself.

From X. Huang, Y. Chen, W. Yin, K. Yuan, "Lower Bounds and Nearly Optimal Algorithms in
Distributed Learning with Communication Compression" (NEOLITHIC), arXiv 2206.03665, section
5.1: d = 30, n = 32, M = 1000 rows a worker, standard normal; a solution x_i* ~ N(0, I) of
each worker's own; b_i = A_i x_i* + s_i with s_i ~ N(0, 0.01·I), or labels that are 1 with
probability σ(⟨h, x_i*⟩), else -1.

Here x_i* = √(1 - h)·x° + √h·v_i with x° shared and all standard normal: N(0, I) for every
heterogeneity h in [0, 1]; 1 is the paper's, with 0 all workers have one solution.

Differences from the paper: its least squares are sums over the rows, ½‖A_i x - b_i‖², ours
means, so that f_i is the mean over its samples as in its logistic regression: step sizes
are M times the paper's. Misprints there: b_i is in R^M, not R^d, and the probability of a
label cannot depend on the label.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netcomp.constants import Constant
from netcomp.data import Shard
from netcomp.draw import MAX_BOUND, Draw, Purpose
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.linear import LeastSquares, LinearOracle, LinearProblem, Logistic
from netcomp.problems.normals import normal_vector

__all__ = ["SyntheticLeastSquares", "SyntheticLogistic", "SyntheticProblem"]

# The parts of a worker's data have a key each (its sub-round), so that none repeats another.
_COMMON, _OWN, _ROWS, _TARGETS = 0, 1, 2, 3

_Array = NDArray[np.float64]


class SyntheticProblem(Problem):
    """Rows from the run's key, handed to a linear model."""

    needs_data: ClassVar[bool] = False

    dim: int = Field(default=30, ge=1, le=MAX_BOUND)
    """The dimension d."""
    rows: int = Field(default=1000, ge=1, le=MAX_BOUND)
    """Rows of each worker, M."""
    heterogeneity: float = Field(default=1.0, ge=0, le=1)
    """h: the share of the variance of x_i* that is the worker's own."""
    l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The weight of the regulariser (l2/2)‖x‖²."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LinearOracle:
        """Return f_i over rows of this worker's key; `shard` is ignored."""
        return self.model().oracle(self.data(worker, draw), worker, workers, draw)

    def data(self, worker: int, draw: Draw) -> Shard:
        """Return the rows of a worker with their targets."""
        own = draw.at(worker=worker)
        features = normal_vector(own.at(sub=_ROWS), self.rows * self.dim, np.float64)
        matrix = features.reshape(self.rows, self.dim)
        predictions = matrix @ self.solution(worker, draw)
        return Shard(matrix, self.targets(predictions, own.at(sub=_TARGETS)))

    def solution(self, worker: int, draw: Draw) -> _Array:
        """Return x_i*, with which the targets of a worker are made."""
        common = normal_vector(draw.shared().at(sub=_COMMON), self.dim, np.float64)
        own = normal_vector(draw.at(worker=worker, sub=_OWN), self.dim, np.float64)
        solution: _Array = sqrt(1 - self.heterogeneity) * common + sqrt(self.heterogeneity) * own
        return solution

    def joint(self, oracles: Sequence[LocalOracle]) -> Mapping[str, Constant]:
        """Return the constants of f that the linear model gives."""
        return self.model().joint(oracles)

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum | None:
        """Return x* and f* where the linear model knows them."""
        return self.model().optimum(oracles)

    @abstractmethod
    def model(self) -> LinearProblem:
        """Return the linear model the rows are for."""

    @abstractmethod
    def targets(self, predictions: _Array, key: Draw) -> _Array:
        """Return targets of shape (rows,) drawn around ⟨a_ij, x_i*⟩."""


class SyntheticLeastSquares(SyntheticProblem):
    """f_i(x) = (1/2M)‖A_i x - b_i‖² with b_i = A_i x_i* and white noise."""

    summary: ClassVar[str] = "least squares over normal rows, each worker with its own solution"

    noise: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """The standard deviation of b_i around A_i x_i*: the paper's variance is 0.01."""

    def model(self) -> LeastSquares:
        """Return least squares with this `l2`."""
        return LeastSquares(l2=self.l2)

    def targets(self, predictions: _Array, key: Draw) -> _Array:
        """Return the predictions and noise."""
        return predictions + self.noise * normal_vector(key, predictions.size, np.float64)


class SyntheticLogistic(SyntheticProblem):
    """f_i(x) = (1/M) Σ log(1 + exp(-y⟨a, x⟩)), y = 1 with probability σ(⟨a, x_i*⟩)."""

    summary: ClassVar[str] = "logistic loss over normal rows, each worker with its own solution"

    def model(self) -> Logistic:
        """Return the logistic problem with this `l2`."""
        return Logistic(l2=self.l2)

    def targets(self, predictions: _Array, key: Draw) -> _Array:
        """Return labels ±1."""
        chances = np.exp(-np.logaddexp(0.0, -predictions))
        drawn = key.stream(Purpose.INIT).uniforms(predictions.size)
        return np.where(drawn < chances, 1.0, -1.0)
