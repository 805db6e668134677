"""Functions on which gradient descent with a biased compressor diverges.

From A. Beznosikov, S. Horváth, P. Richtárik, M. Safaryan, "On Biased Compression for
Distributed Learning", arXiv 2002.12410, section 5.2, Examples 1 and 2.

    f_j(x) = ⟨a_j, x⟩² + (w/2)‖x‖²,    x⁰ = t(1, …, 1), t > 0

where a_j is -b on a set I_j of d_1 coordinates and c on the other d_2 = d - d_1, and the I_j
are all d_1-subsets: n = C(d, d_1). With -b·d_1 + c·d_2 = 1 the gradients at t(1, …, 1) are
t(2a_j + w), and their d_1 largest elements stand at I_j if 2b - w > 2c + w. All of them
point away from the solution 0: a step of DCGD with top-d_1 multiplies the point by

    1 + η(2b - w) · C(d-1, d_1-1) / C(d, d_1) = 1 + η(2b - w) · d_1/d

since each coordinate lies in C(d-1, d_1-1) of the sets. Example 1 has d = n = 3, d_1 = 1,
b = 3, c = 2, w = ½: the factor is 1 + 11η/6. Example 2 has w = 1 and any b > c + 1.

Difference from the paper: Example 2 prints C(d, d_1-1), hence d_1/(d_2+1) in place of
d_1/d; that is the same for d_1 = 1 only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import comb, sqrt
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netcomp.constants import Constant, exact
from netcomp.data import Shard
from netcomp.draw import Draw
from netcomp.errors import SpecError
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.checks import own_oracles
from netcomp.problems.normals import add_noise
from netcomp.roles import Array, Batch

__all__ = ["DivergingProblem", "SpikeOracle", "Top1Diverges", "TopKDiverges"]

_MOST_SETS = 100_000  # as many as a spec may have workers


class SpikeOracle(LocalOracle):
    """f_j(x) = ⟨a, x⟩² + (w/2)‖x‖². Arithmetic is in float64, results in the dtype of x."""

    def __init__(self, a: NDArray[np.float64], w: float) -> None:
        self.a = a
        self.w = w

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.a.size

    def loss(self, x: Array) -> float:
        """Return f_j(x), x of shape (d,)."""
        point = x.astype(np.float64, copy=False)
        return float(self.a @ point) ** 2 + 0.5 * self.w * float(point @ point)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return 2⟨a, x⟩a + wx, shape (d,), in the dtype of x, whatever the batch."""
        point = x.astype(np.float64, copy=False)
        gradient = 2 * float(self.a @ point) * self.a + self.w * point
        if batch is not None:
            add_noise(gradient, batch, 0.0)
        return gradient.astype(x.dtype, copy=False)

    def _constants(self) -> dict[str, Constant]:
        return {"L": exact(2 * float(self.a @ self.a) + self.w), "mu": exact(self.w)}


class DivergingProblem(Problem):
    """What the two examples share: all d_1-subsets, the start, the constants of f."""

    needs_data: ClassVar[bool] = False

    t: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """The start is t(1, …, 1)."""

    @abstractmethod
    def shape(self) -> tuple[int, int, float, float]:
        """Return d, d_1, b and w."""

    def growth(self, step_size: float) -> float:
        """Return by what a step of DCGD with top-d_1 multiplies the point."""
        d, d1, b, w = self.shape()
        return 1 + step_size * (2 * b - w) * d1 / d

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> SpikeOracle:
        """Return f_j, j = `worker` mod C(d, d_1); the subsets are in lexicographic order.

        Raises `SpecError` unless the number of workers is a multiple of C(d, d_1), with
        which f is the same.
        """
        d, d1, b, w = self.shape()
        sets = comb(d, d1)
        if workers % sets:
            raise SpecError(
                "cluster.workers", f"must be a multiple of C({d}, {d1}) = {sets}, not {workers}"
            )
        a = np.full(d, (1 + b * d1) / (d - d1))
        a[_subset(worker % sets, d, d1)] = -b
        return SpikeOracle(a, w)

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return the exact L and mu of f, and L_A, L_B (MARINA-P, Theorem 4.9).

        The mean of the a_j a_jᵀ has by symmetry the eigenvalue 1/d along (1, …, 1), because
        ⟨a_j, (1, …, 1)⟩ = 1, and α = (‖a_j‖² - 1/d)/(d - 1) across. What a_j a_jᵀ differs
        by has in the plane of a_j and (1, …, 1) the trace (d - 2)α and the determinant
        -α(d - 1)/d, and is -α elsewhere.
        """
        one = own_oracles(SpikeOracle, oracles)[0]
        d, w = one.dim, one.w
        alpha = (float(one.a @ one.a) - 1 / d) / (d - 1)
        trace = (d - 2) * alpha
        apart = (trace + sqrt(trace**2 + 4 * alpha * (d - 1) / d)) / 2
        return {
            "L": exact(2 * max(alpha, 1 / d) + w),
            "mu": exact(2 * min(alpha, 1 / d) + w),
            "L_A": exact(2 * sqrt(2) * apart),
            "L_B": exact(sqrt(2) * one.constants["L"].value),
        }

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return t(1, …, 1)."""
        return np.full(dim, self.t)

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum:
        """Return 0, where f is 0."""
        return Optimum(np.zeros(own_oracles(SpikeOracle, oracles)[0].dim), exact(0.0))


class Top1Diverges(DivergingProblem):
    """Example 1: three functions of three variables; top-1 multiplies x by 1 + 11η/6."""

    summary: ClassVar[str] = "Example 1 of Beznosikov et al.: top-1 diverges (3 workers, d = 3)"

    def shape(self) -> tuple[int, int, float, float]:
        """Return d = 3, d_1 = 1, b = 3 and w = ½."""
        return 3, 1, 3.0, 0.5


class TopKDiverges(DivergingProblem):
    """Example 2: C(d, d_1) functions on which top-d_1 diverges."""

    summary: ClassVar[str] = "Example 2 of Beznosikov et al.: top-d1 diverges, C(d, d1) workers"

    dim: int = Field(default=5, ge=3, le=_MOST_SETS)
    """The dimension d."""
    d1: int = Field(default=2, ge=1)
    """How many coordinates the compressor keeps, below d/2."""
    b: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """-b is the value on I_j: d_2 + d_2/d_1 unless told; more than 1 + c = 1 + (1 + b d_1)/d_2."""

    @model_validator(mode="after")
    def _check_example(self) -> Self:
        if 2 * self.d1 >= self.dim:
            raise ValueError(f"d1 must be below half of dim, {self.dim}")
        if comb(self.dim, self.d1) > _MOST_SETS:
            raise ValueError(f"C(dim, d1) workers must be at most {_MOST_SETS}")
        # b > c + 1 with c = (1 + b d_1)/d_2, solved for b.
        least = (self.dim - self.d1 + 1) / (self.dim - 2 * self.d1)
        if self.b is not None and self.b <= least:
            raise ValueError(f"b must be above {least:g}")
        return self

    def shape(self) -> tuple[int, int, float, float]:
        """Return d, d_1, b and w = 1."""
        d2 = self.dim - self.d1
        return self.dim, self.d1, d2 + d2 / self.d1 if self.b is None else self.b, 1.0


def _subset(index: int, d: int, size: int) -> list[int]:
    """Return the `size`-subset of 0..d-1 that is the `index`-th in lexicographic order."""
    chosen: list[int] = []
    element = 0
    while len(chosen) < size:
        beginning_here = comb(d - element - 1, size - len(chosen) - 1)
        if index < beginning_here:
            chosen.append(element)
        else:
            index -= beginning_here
        element += 1
    return chosen
