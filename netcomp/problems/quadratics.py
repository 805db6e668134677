"""Quadratics that need no data: f_i(x) = ½ xᵀA_i x - b_iᵀx with A_i = c_i·M.

From K. Gruntkowska, A. Tyurin, P. Richtárik, "Improving the Worst-Case Bidirectional
Communication Complexity for Nonconvex Distributed Optimization under Function
Similarity" (MARINA-P and M3), NeurIPS 2024, arXiv:2402.06412, sections 4.3, F.1, F.3.

M is the identity or T = ¼ tridiag(-1, 2, -1), whose eigenvalues are
sin²(kπ / (2(d + 1))), k = 1..d. Only the numbers c_i and the vectors b_i are kept; a
product with T is three slices, O(d), and no matrix is ever made. Every number comes
from the run's key, so both ends hold the same problem.

Differences from the paper: the sign of b_i (the text prints +b_iᵀx; b_i is standard
normal or zero, so the distribution is the same, and the minimum solves Ax = b); the
matrix of Algorithm 3, illegible in our copy of the text, is taken to be T.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import cos, fsum, pi, sin, sqrt
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netcomp.constants import Constant, Lazy, Rule, exact
from netcomp.data import Shard
from netcomp.draw import MAX_BOUND, Draw, Purpose
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.checks import own_oracles
from netcomp.problems.normals import add_noise, dot, normal_vector, shared_normal_vector
from netcomp.problems.rows import mean_of
from netcomp.roles import Array, Batch

__all__ = [
    "QuadraticHeterogeneous",
    "QuadraticHomogeneous",
    "QuadraticOracle",
    "QuadraticProblem",
    "QuadraticScaledIdentity",
]

Linear = Literal["shared", "zero", "own"]

# The parts of a problem have a key each (its sub-round), so that none repeats another.
_FACTOR, _VECTOR, _START = 0, 1, 2

_WIDEST = 1e4  # sigma/v beyond which redrawing would hardly ever accept


class QuadraticOracle(LocalOracle):
    """f_i(x) = (c/2) xᵀMx - bᵀx; arithmetic in the dtype of x, sums in float64.

    Its samples are f_i(x) + ⟨ξ, x⟩ with ξ of standard deviation `noise` (`add_noise`). `factor`
    is c; `tridiagonal` says whether M is T or the identity. b is drawn when first needed and
    kept per dtype: a server that only wants constants never has it.
    """

    def __init__(
        self,
        dim: int,
        factor: float,
        *,
        tridiagonal: bool,
        linear: Linear,
        draw: Draw,
        noise: float = 0.0,
    ) -> None:
        self._dim = dim
        self.noise = noise
        self.factor = factor
        self.tridiagonal = tridiagonal
        self.linear = linear
        self.key = (draw.shared() if linear == "shared" else draw).at(sub=_VECTOR)
        self._own: dict[np.dtype[np.floating], Array] = {}

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self._dim

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        b = self.vector(x.dtype)
        # ¼ xᵀ tridiag(-1, 2, -1) x = ½ (‖x‖² - Σ x_k x_{k+1})
        form = 0.5 * (dot(x, x) - dot(x[1:], x[:-1])) if self.tridiagonal else dot(x, x)
        return 0.5 * self.factor * form - (0.0 if b is None else dot(b, x))

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return c·Mx - b, shape (d,), in the dtype of x; of a batch with its noise."""
        if self.tridiagonal:
            gradient = 2 * x
            gradient[1:] -= x[:-1]
            gradient[:-1] -= x[1:]
            gradient *= 0.25 * self.factor
        else:
            gradient = self.factor * x
        b = self.vector(x.dtype)
        if b is not None:
            gradient -= b
        if batch is not None:
            add_noise(gradient, batch, self.noise)
        return gradient

    def vector(self, dtype: np.dtype[np.floating]) -> Array | None:
        """Return b, shape (d,), in the given dtype and read-only; None if it is zero."""
        own = self._own.get(dtype)
        if own is None and self.linear != "zero":
            make = shared_normal_vector if self.linear == "shared" else normal_vector
            own = self._own[dtype] = make(self.key, self._dim, dtype)
        return own

    def extreme_eigenvalues(self) -> tuple[float, float]:
        """Return the least and the largest eigenvalue of M, in closed form."""
        if not self.tridiagonal:
            return 1.0, 1.0
        angle = pi / (2 * (self._dim + 1))
        return sin(angle) ** 2, cos(angle) ** 2

    def _constants(self) -> dict[str, Constant]:
        least, largest = self.extreme_eigenvalues()
        smoothness = exact(abs(self.factor) * largest)
        # The noise is the same at every point: a sample's gradient differs by as much as ∇f_i.
        constants = {
            "L": smoothness,
            "L_sample": smoothness,
            "calL": exact(0.0),
            "sigma_sq": exact(self.noise**2),
        }
        return constants | ({"mu": exact(self.factor * least)} if self.factor > 0 else {})


class QuadraticProblem(Problem):
    """What the quadratics share: exact joint constants, the exact minimum, noise."""

    needs_data: ClassVar[bool] = False

    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The standard deviation of one sample's gradient: E‖ξ‖² = noise²; 0 has none."""

    @abstractmethod
    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> QuadraticOracle:
        """Return f_i; `shard` is ignored."""

    def joint(self, oracles: Sequence[LocalOracle]) -> Mapping[str, Constant]:
        """Return L = ‖A‖, L_A = √2 max_i ‖A_i - A‖, L_B = √2 (1/n) Σ ‖A_i‖, all exact.

        A is the mean of the A_i (Theorem 4.9). L_pm² = λ_max((1/n) Σ (A_i - A)²), mu = λ_min(A)
        where that is positive, and b_sq = (1/n) Σ ‖b_i - b‖² where the A_i are equal.
        """
        return Lazy(self._joint_rules(own_oracles(QuadraticOracle, oracles)))

    def _joint_rules(self, own: Sequence[QuadraticOracle]) -> dict[str, Rule]:
        mean = _mean_factor(own)
        least, norm = own[0].extreme_eigenvalues()
        apart = [oracle.factor - mean for oracle in own]
        size = fsum(abs(oracle.factor) for oracle in own) / len(own)
        rules: dict[str, Rule] = {
            "L": lambda: exact(abs(mean) * norm),
            "L_A": lambda: exact(sqrt(2) * max(map(abs, apart)) * norm),
            "L_B": lambda: exact(sqrt(2) * size * norm),
            "L_pm": lambda: exact(sqrt(fsum(a * a for a in apart) / len(own)) * norm),
            "mu": lambda: exact(mean * least) if mean > 0 else None,
        }
        return rules if any(apart) else rules | {"b_sq": lambda: exact(_vectors_apart(own))}

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum | None:
        """Return A⁻¹b and -½ bᵀA⁻¹b with the means A, b; None unless A is positive definite."""
        own = own_oracles(QuadraticOracle, oracles)
        factor = _mean_factor(own)
        if factor <= 0:
            return None
        b = _mean_vector(own)
        x = (_solve(b) if own[0].tridiagonal else b) / factor
        return Optimum(x, exact(-0.5 * dot(b, x)))


class QuadraticHomogeneous(QuadraticProblem):
    """All f_i are equal: A_i = scale·T, b standard normal (section 4.3, eq. (8))."""

    summary: ClassVar[str] = "the same tridiagonal quadratic at every worker"

    dim: int = Field(default=300, ge=1, le=MAX_BOUND)
    """The dimension d."""
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """The factor of T."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> QuadraticOracle:
        """Return f_i, the same for every worker."""
        return QuadraticOracle(
            self.dim,
            self.scale,
            tridiagonal=True,
            linear="shared",
            draw=draw.shared(),
            noise=self.noise,
        )

    def _joint_rules(self, own: Sequence[QuadraticOracle]) -> dict[str, Rule]:
        """Return the rules with L_B = ‖A‖ (Theorem 4.5, tighter than 4.9 by √2)."""
        return super()._joint_rules(own) | {"L_B": lambda: own[0].constants["L"]}


class QuadraticHeterogeneous(QuadraticProblem):
    """A_i = (v + ξ_i)·T, ξ_i ~ N(0, sigma²) within [-v, v], own b_i (F.3, Algorithm 3)."""

    summary: ClassVar[str] = "tridiagonal quadratics (v + xi_i) T of tunable heterogeneity"

    dim: int = Field(default=300, ge=1, le=MAX_BOUND)
    """The dimension d."""
    v: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """The centre of the factors, v_l of Algorithm 3."""
    sigma: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    """The standard deviation before truncation, σ_k of Algorithm 3; 0 makes all A_i equal."""

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        if self.sigma > _WIDEST * self.v:
            raise ValueError(f"sigma must be at most {_WIDEST:g} times v")
        return self

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> QuadraticOracle:
        """Return f_i with the factor and the vector of this worker's key."""
        own = draw.at(worker=worker)
        factor = self.v + self._deviation(own.at(sub=_FACTOR))
        return QuadraticOracle(
            self.dim, factor, tridiagonal=True, linear="own", draw=own, noise=self.noise
        )

    def _deviation(self, draw: Draw) -> float:
        """Return ξ_i: the first of the worker's normals that lies in [-v, v]."""
        if self.sigma == 0:
            return 0.0
        stream = draw.stream(Purpose.INIT)
        count = 16  # of which mostly the first will do; doubled while none does
        while True:
            drawn = self.sigma * stream.normals(count)
            inside = drawn[np.abs(drawn) <= self.v]
            if inside.size:
                return float(inside[0])
            count *= 2


class QuadraticScaledIdentity(QuadraticProblem):
    """A_i = (1 + ξ_i)·I, ξ_i ~ N(0, variance) (section F.1); no matrix, any dimension."""

    summary: ClassVar[str] = "close-to-homogeneous quadratics (1 + xi_i) I, any dimension"

    dim: int = Field(default=1000, ge=1, le=MAX_BOUND)
    """The dimension d."""
    variance: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    """The variance of ξ_i; the paper has 0.01."""
    linear: Linear = "shared"
    """b_i: one standard normal vector for all, zero, or one a worker (F.1 does not say)."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> QuadraticOracle:
        """Return f_i with the factor of this worker's key."""
        own = draw.at(worker=worker)
        xi = sqrt(self.variance) * float(own.at(sub=_FACTOR).stream(Purpose.INIT).normals(1)[0])
        return QuadraticOracle(
            self.dim, 1 + xi, tridiagonal=False, linear=self.linear, draw=own, noise=self.noise
        )

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return zeros, or a standard normal vector if b = 0: there zero is the optimum."""
        if self.linear != "zero":
            return np.zeros(dim)
        return np.array(normal_vector(draw.shared().at(sub=_START), dim, np.float64))


def _mean_factor(oracles: Sequence[QuadraticOracle]) -> float:
    """Return the mean of the c_i; exactly c if all are equal, so that L_A is then 0."""
    first = oracles[0].factor
    return first + fsum(oracle.factor - first for oracle in oracles) / len(oracles)


def _mean_vector(oracles: Sequence[QuadraticOracle]) -> NDArray[np.float64]:
    """Return the mean of the b_i, exactly b if all have the same array."""
    first = oracles[0].vector(np.dtype(np.float64))
    if oracles[0].linear != "own" or first is None:
        return np.zeros(oracles[0].dim) if first is None else np.array(first)
    return mean_of(_vectors(oracles))


def _vectors(oracles: Sequence[QuadraticOracle]) -> Iterator[NDArray[np.float64]]:
    """Yield the b_i one at a time, not kept: n of them may not fit into memory."""
    for oracle in oracles:
        yield np.asarray(normal_vector(oracle.key, oracle.dim, np.float64))


def _vectors_apart(oracles: Sequence[QuadraticOracle]) -> float:
    """Return (1/n) Σ ‖b_i - b‖² with b the mean of the b_i."""
    if oracles[0].linear != "own":
        return 0.0
    mean = mean_of(_vectors(oracles))
    return fsum(dot(b - mean, b - mean) for b in _vectors(oracles)) / len(oracles)


def _solve(b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return T⁻¹b in O(d)."""
    if b.size == 1:
        return 2 * b  # T = ½, and the banded solver wants an off-diagonal
    # Lazy: only a report of the optimality gap asks for it.
    from scipy.linalg import solveh_banded  # noqa: PLC0415

    bands = np.full((2, b.size), 0.5)
    bands[0] = -0.25
    solution: NDArray[np.float64] = solveh_banded(bands, b)
    return solution
