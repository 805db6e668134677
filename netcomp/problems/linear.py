"""Losses over a linear model: f_i(x) = (1/m) Σ_j ℓ(⟨a_ij, x⟩, y_ij) + (l2/2)‖x‖².

A worker's f_i is the mean over its own rows and f the unweighted mean of the f_i.
Smoothness: ∇²f_i = (1/m) Σ_j ℓ''_ij a_ij a_ijᵀ + l2·I, hence L_i ≤ sup|ℓ''| · λ + l2
with λ = λ_max(A_iᵀA_i)/m, and λ ≤ max_j ‖a_ij‖². Where one x has the largest ℓ'' for all
rows (the logistic loss at 0, the squared loss anywhere) the first bound is the exact
constant. The other constants are in `linear_constants`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator

from netcomp.constants import Constant, Lazy, Rule, bound, exact
from netcomp.data import Dataset, Shard
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.problems import linear_constants as proved
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.checks import needed_rows, own_oracles
from netcomp.problems.losses import (
    LogisticLoss,
    NonconvexLogisticLoss,
    ScalarLoss,
    SquaredLoss,
)
from netcomp.problems.rows import LARGEST_MATRIX, Rows, mean_top_eigenvalue
from netcomp.problems.solvers import least_squares, logistic
from netcomp.roles import Array, Batch

__all__ = [
    "LeastSquares",
    "LinearOracle",
    "LinearProblem",
    "Logistic",
    "MarinaProgram",
    "NonconvexLogistic",
]

_RELATIVE = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?) ?\* ?L", re.IGNORECASE | re.ASCII)


def _l2_weight(value: float | str) -> float | str:
    """Check an l2: a number ≥ 0, or a multiple of L as text."""
    if isinstance(value, str):
        if not (found := _RELATIVE.fullmatch(value)) or not math.isfinite(float(found[1])):
            raise ValueError("must be a number, or a multiple of L as in '1e-6*L'")
    elif not 0.0 <= value < math.inf:
        raise ValueError("must be a finite number and not negative")
    return value


class LinearOracle(LocalOracle):
    """f_i of one shard. Arithmetic is in float64, results are in the dtype of x."""

    def __init__(self, problem: LinearProblem, shard: Shard) -> None:
        if isinstance(problem.l2, str):
            raise SpecError(
                "problem.l2", f"{problem.l2!r} is of all rows: settle the problem first"
            )
        self.problem = problem
        self.l2 = problem.l2
        self.design = Rows(shard.features, problem.bias)
        self.targets = shard.targets
        self.rows = shard.rows
        self.metric_names = problem.metric_names

    @property
    def dim(self) -> int:
        """The number of features, and one more with a bias."""
        return self.design.dim

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        point = x.astype(np.float64, copy=False)
        values = self.problem.scalar.value(self.design.times(point), self.targets)
        return float(values.mean()) + 0.5 * self.l2 * float(point @ point)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x) or the mean gradient of a batch of rows, shape (d,), dtype of x."""
        point = x.astype(np.float64, copy=False)
        design, targets = self.design, self.targets
        if batch is not None and (batch.replace or batch.size != self.rows):
            rows = batch.rows(self.rows)
            design, targets = design.take(rows), targets[rows]
        slopes = self.problem.scalar.slope(design.times(point), targets)
        gradient = design.transposed_times(slopes / design.count)
        if self.l2:
            gradient += self.l2 * point
        return gradient.astype(x.dtype, copy=False)

    def metrics(self, x: Array) -> Mapping[str, float]:
        """Return the share of rows with y⟨a, x⟩ > 0 as "accuracy", for a problem with labels.

        Where ⟨a, x⟩ = 0 nothing is predicted, which is wrong.
        """
        if not self.metric_names:
            return {}
        predictions = self.design.times(x.astype(np.float64, copy=False))
        return {"accuracy": float(np.mean(predictions * self.targets > 0))}

    def _constants(self) -> Mapping[str, Constant]:
        problem, rows, l2 = self.problem, self.design, self.l2
        curvatures, slopes = problem.scalar.curvatures, problem.scalar.slopes
        spectral = problem.smoothness == "spectral"
        rules: dict[str, Rule] = {
            "L": lambda: problem.smooth(proved.spread(rows, spectral=spectral), l2),
            "calL": lambda: proved.average_smoothness(rows, curvatures, spectral=spectral),
            "L_sample": lambda: proved.sample_smoothness(rows, curvatures, l2),
            "mu": lambda: problem.strong_convexity([rows], l2),
        }
        if slopes is not None:
            rules["sigma_sq"] = lambda: proved.sample_variance(rows, self.targets, slopes)
        return Lazy(rules)


class LinearProblem(Problem):
    """The options all losses over a linear model share."""

    needs_data: ClassVar[bool] = True
    scalar: ClassVar[type[ScalarLoss]]
    attained: ClassVar[bool]
    """Whether at some x every row has the largest |ℓ''|, so that the spectral L is exact."""
    metric_names: ClassVar[tuple[str, ...]] = ()

    bias: bool = False
    """Put a column of ones in front of the features; x[0] is its weight."""
    l2: Annotated[float | str, AfterValidator(_l2_weight)] = 0.0
    """The weight of the regulariser (l2/2)‖x‖² (all coordinates, the bias too).

    A number, or a multiple of L as in "1e-6*L": L = sup|ℓ''| · max_j ‖a_j‖² over all rows of
    the data, which no worker alone knows, bias included and without the regulariser.
    """
    smoothness: Literal["spectral", "row-norm"] = "spectral"
    """How L_i is bounded: sup|ℓ''| times λ_max(A_iᵀA_i)/m, or times max_j ‖a_ij‖²."""

    def settled(self, data: Dataset) -> Self:
        """Return the problem with `l2` a number; `SpecError` where a worker has not all rows."""
        if not isinstance(self.l2, str):
            return self
        if data.partial:
            raise SpecError(
                "problem.l2", f"{self.l2!r} is relative to all rows, and each worker has its own"
            )
        multiple = float(self.l2.partition("*")[0])
        longest = proved.spread(Rows(data.features, self.bias), spectral=False)
        return self.model_copy(update={"l2": multiple * self.scalar.curvatures.modulus * longest})

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LinearOracle:
        """Return f_i over `shard`; `DataError` without rows or with unusable targets.

        `SpecError` while `l2` is relative: the problem must be `settled` first.
        """
        return LinearOracle(self, needed_rows(shard, worker))

    def joint(self, oracles: Sequence[LocalOracle]) -> Mapping[str, Constant]:
        """Return "L", "L_pm", and as far as known "mu" and "b_sq" of f = mean of the f_i.

        In the manner of `smoothness`. Spectral: L = sup|ℓ''| · λ_max(mean of A_iᵀA_i/m_i) + l2.
        By row norms: mean of the L_i, which bounds it.
        """
        return Lazy(self._joint_rules(own_oracles(LinearOracle, oracles)))

    def _joint_rules(self, own: Sequence[LinearOracle]) -> dict[str, Rule]:
        designs, l2, spectral = (
            [one.design for one in own],
            own[0].l2,
            self.smoothness == "spectral",
        )
        curvatures, slopes = self.scalar.curvatures, self.scalar.slopes

        def smoothness() -> Constant:
            if spectral:
                return self.smooth(mean_top_eigenvalue(designs), l2)
            return bound(sum(oracle.constants["L"].value for oracle in own) / len(own))

        rules: dict[str, Rule] = {
            "L": smoothness,
            "L_pm": lambda: proved.hessian_variance(designs, curvatures, spectral=spectral),
            "mu": lambda: self.strong_convexity(designs, l2),
        }
        if slopes is not None:
            signs = [oracle.targets for oracle in own]
            rules["b_sq"] = lambda: proved.dissimilarity(designs, signs, slopes, spectral=spectral)
        return rules

    def smooth(self, spread: float, l2: float) -> Constant:
        """Return sup|ℓ''| · spread + l2: exact where spread is an eigenvalue and it is attained."""
        value = self.scalar.curvatures.modulus * spread + l2
        return exact(value) if self.attained and self.smoothness == "spectral" else bound(value)

    def strong_convexity(self, shards: Sequence[Rows], l2: float) -> Constant | None:
        """Return mu of the mean of the shards' functions, where known and positive."""
        return None


class _Classification(LinearProblem):
    """A loss for targets ±1."""

    metric_names: ClassVar[tuple[str, ...]] = ("accuracy",)

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
    attained: ClassVar[bool] = False


class MarinaProgram(NonconvexLogistic):
    """`NonconvexLogistic` as the published program of MARINA's experiments sets it.

    A bias column in front of the features; (l2/2)‖x‖² with l2 = 1e-6 L; L_i = sup|ℓ''| max_j
    ‖a_ij‖² + l2. The paper's eq. (11) has neither bias nor regulariser. In the program L = max L_i
    over the workers' rows; here the maximum is over all rows of the data, because it must not
    depend on the split: the same number unless one of the rows that are left out is the longest.
    """

    summary: ClassVar[str] = "nonconvex-logistic as the program of MARINA's experiments sets it"

    bias: bool = True
    l2: Annotated[float | str, AfterValidator(_l2_weight)] = "1e-6*L"
    smoothness: Literal["spectral", "row-norm"] = "row-norm"


class Logistic(_Classification):
    """ℓ = log(1 + exp(-y⟨a, x⟩))."""

    summary: ClassVar[str] = "binary classification, logistic loss log(1 + exp(-y<a,x>))"
    scalar: ClassVar[type[ScalarLoss]] = LogisticLoss
    attained: ClassVar[bool] = True

    def strong_convexity(self, shards: Sequence[Rows], l2: float) -> Constant | None:
        """Return l2, exactly the infimum: σ(1 - σ) vanishes at both ends."""
        return exact(l2) if l2 > 0 else None

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum | None:
        """Return x* and f* by Newton's method, `estimated`; None where it does not converge.

        Separable data without regulariser have no x*, because f falls to 0 along a ray: x is
        then a point far out where ∇f is small enough.
        """
        own = own_oracles(LinearOracle, oracles)
        return logistic([one.design for one in own], [one.targets for one in own], own[0].l2)


class LeastSquares(LinearProblem):
    """ℓ = ½(⟨a, x⟩ - y)², a quadratic with A_i = X_iᵀX_i/m + l2·I."""

    summary: ClassVar[str] = "linear regression, squared loss (1/2)(<a,x> - y)^2"
    scalar: ClassVar[type[ScalarLoss]] = SquaredLoss
    attained: ClassVar[bool] = True

    def strong_convexity(self, shards: Sequence[Rows], l2: float) -> Constant | None:
        """Return λ_min(A); its bound l2 where it would take more than 2000 eigenvalues."""
        return proved.strong_convexity(shards, l2)

    def _joint_rules(self, own: Sequence[LinearOracle]) -> dict[str, Rule]:
        """Return the rules of every linear model and, for d ≤ 2000, of "L_A" and "L_B"."""
        rules, designs, l2 = super()._joint_rules(own), [one.design for one in own], own[0].l2
        if designs[0].dim <= LARGEST_MATRIX:
            rules["L_A"] = lambda: exact(proved.functional_apart(designs))
            rules["L_B"] = lambda: exact(proved.functional_together(designs, l2))
        return rules

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum | None:
        """Return x*, the shortest of several, and f*: exact, None where too dear."""
        own = own_oracles(LinearOracle, oracles)
        return least_squares([one.design for one in own], [one.targets for one in own], own[0].l2)
