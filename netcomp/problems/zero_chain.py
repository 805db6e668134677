"""The zero-chain function of the lower bounds, whole or dealt out link by link.

From Y. Carmon, J. C. Duchi, O. Hinder, A. Sidford, "Lower Bounds for Finding Stationary
Points I", Math. Program. 184 (2020), as in MARINA-P (arXiv:2402.06412, Appendix G.1, eq.
(36), and the proof of Theorem G.4) and in NEOLITHIC (arXiv 2206.03665, Lemmas 3 and 4,
Examples 1 and 2 of Appendix A.3):

    F_T(x) = -Ψ(1)Φ(x_1) + Σ_{j=2..T} [Ψ(-x_{j-1})Φ(-x_j) - Ψ(x_{j-1})Φ(x_j)]
    Ψ(z) = exp(1 - 1/(2z - 1)²) for z > ½, else 0;    Φ(z) = √e ∫_{-∞}^z exp(-t²/2) dt

The terms are the links j = 1..T. With prog(x) the last j where x_j ≠ 0, only link
prog(x) + 1 can make a gradient reach further than x does. Lemma G.1: F_T(0) - inf F_T ≤ 12T,
∇F_T is 152-Lipschitz, ‖∇F_T‖_∞ ≤ 23, and ‖∇F_T(x)‖ > 1 while prog(x) < T.

    f(x) = (Lλ²/152) F_T(x/λ),    f_i(x) = g (Lλ²/152) Σ_{links of i} (…)(x/λ)

where g is the number of parts the links are dealt into: the mean of the f_i is f.

The infimum is exact: each term is at least -sup Ψ · sup Φ = -e√(2πe), the first at least
-√(2πe), and all tend to that together as every x_j → ∞. It is not attained.

Smoothness. With g ≥ 2 no two links of a part share a coordinate, so ∇²F_i has blocks of a
link each, [Ψ''Φ, Ψ'Φ'; Ψ'Φ', ΨΦ''] up to signs (only one of Ψ(z), Ψ(-z) differs from 0).
Its rows sum to at most S = sup|Ψ''|√(2πe) + sup Ψ' · √e = 141.2, as supΨ · sup|Φ''| = e is
less. Hence L_i ≤ gSL/152; not much less, for sup|Ψ''|√(2πe) = 133.8 is approached.

Differences from the papers: Lemma 4 of NEOLITHIC says its h_1, h_2 (g = 2) are 152-smooth
too, by a bound (9) that its own numbers do not give; a link's ∂²/∂x_{j-1}² comes near
2 · 133.8, so that cannot be, and 2S is used. The theorems hold with another constant. The
factor n of f_i is illegible in our copy of MARINA-P and follows from f being the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import e, exp, pi, sqrt
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netcomp.constants import Constant, bound, exact
from netcomp.data import Shard
from netcomp.draw import MAX_BOUND, Draw, Purpose
from netcomp.errors import SpecError
from netcomp.problems.base import LocalOracle, Problem
from netcomp.problems.checks import check_samples, own_oracles
from netcomp.roles import Array, Batch

__all__ = ["GRADIENT_BOUND", "LINK_SMOOTHNESS", "SMOOTHNESS", "ZeroChain", "ZeroChainOracle"]

SMOOTHNESS = 152.0
"""l_1: ∇F_T is l_1-Lipschitz (Lemma G.1 of MARINA-P, L_0 of NEOLITHIC)."""

GRADIENT_BOUND = 23.0
"""γ_∞: ‖∇F_T(x)‖_∞ ≤ γ_∞ (Lemma G.1 of MARINA-P, G_∞ of NEOLITHIC)."""

_TOP = sqrt(2 * pi * e)  # sup Φ
# Ψ'' = 4(4s³ - 6s²)exp(1 - s), s = (2z - 1)⁻², is extreme where 2s² - 9s + 6 = 0.
_S = (9 + sqrt(33)) / 4
_BEND = 4 * (4 * _S**3 - 6 * _S**2) * exp(1 - _S)  # sup|Ψ''|; Ψ' ≤ √(54/e), Φ' ≤ √e

LINK_SMOOTHNESS = _BEND * _TOP + sqrt(54)
"""S: the gradient of a link, or of links without a common coordinate, is S-Lipschitz."""

_Array = NDArray[np.float64]


class ZeroChainOracle(LocalOracle):
    """f_i: the links part + 1, part + 1 + parts, … of the chain, times `parts`.

    Arithmetic is in float64, results are in the dtype of x. Cost O(d / parts) and a vector.
    """

    def __init__(self, problem: ZeroChain, part: int, parts: int) -> None:
        self.problem = problem
        self.part = part
        self.parts = parts
        # Link j + 1 ties x[j - 1] to x[j], counted from 0; the first has x[0] alone.
        first = part or parts
        self._tail = slice(first - 1, problem.dim - 1, parts)
        self._head = slice(first, problem.dim, parts)

    @property
    def dim(self) -> int:
        """The dimension d, which is the length T of the chain."""
        return self.problem.dim

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        z = x.astype(np.float64, copy=False) / self.problem.scale
        tail, head = z[self._tail], z[self._head]
        side = np.sign(tail)
        chain = -float((side * _psi(tail)[0]) @ _phi(side * head))
        if self.part == 0:
            chain -= float(_phi(z[:1])[0])
        return self._weight * self.problem.scale * chain

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x), shape (d,), in the dtype of x; of a batch as the problem says."""
        z = x.astype(np.float64, copy=False) / self.problem.scale
        tail, head = z[self._tail], z[self._head]
        value, slope = _psi(tail)
        gradient = np.zeros(self.dim)
        gradient[self._tail] -= slope * _phi(np.sign(tail) * head)
        gradient[self._head] -= value * _phi_slope(head)
        if self.part == 0:
            gradient[:1] -= _phi_slope(z[:1])
        gradient *= self._weight
        if batch is not None:
            self._pass_on(gradient, x, batch)
        return gradient.astype(x.dtype, copy=False)

    def _pass_on(self, gradient: _Array, x: Array, batch: Batch) -> None:
        """Let through what is ahead of x with the problem's chance, in place."""
        check_samples(batch)
        chance = self.problem.chance
        if chance < 1:
            passed = batch.draw.stream(Purpose.MINIBATCH).uniforms(batch.size) < chance
            behind = np.flatnonzero(x)
            gradient[behind[-1] + 1 if behind.size else 0 :] *= passed.mean() / chance

    @property
    def _weight(self) -> float:
        """The factor of ∇F_i(x/λ) in ∇f_i(x)."""
        return self.parts * self.problem.L * self.problem.scale / SMOOTHNESS

    def _constants(self) -> dict[str, Constant]:
        if self.part >= self.dim:
            return {"L": exact(0.0)}  # no link is left for this part
        smoothness = SMOOTHNESS if self.parts == 1 else self.parts * LINK_SMOOTHNESS
        constants = {"L": bound(self.problem.L * smoothness / SMOOTHNESS)}
        chance = self.problem.chance
        if chance < 1:
            ahead = self._weight * GRADIENT_BOUND
            constants["sigma_sq"] = bound(ahead**2 * (1 - chance) / chance)
        return constants


class ZeroChain(Problem):
    """f = (Lλ²/152) F_T(x/λ): the function no method with few coordinates a round gets down."""

    needs_data: ClassVar[bool] = False
    summary: ClassVar[str] = "the zero-chain function of the lower bounds, split over the workers"

    dim: int = Field(default=100, ge=1, le=MAX_BOUND)
    """The dimension d, which is the length T of the chain."""
    division: Literal["workers", "halves", "whole"] = "workers"
    """Whose the links are: `workers` deals them out in turn (MARINA-P, G.2); `halves` gives
    those of odd number to the first half of the workers and the others to the second
    (NEOLITHIC, Example 2); `whole` gives everybody all (NEOLITHIC, Example 1)."""
    L: float = Field(default=SMOOTHNESS, gt=0, allow_inf_nan=False)
    """L of f. With the default and scale 1, f = F_T."""
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """λ: ‖∇f(x)‖ > Lλ/152 while the last coordinate of x is 0."""
    chance: float = Field(default=1.0, gt=0, le=1)
    """The probability p that a sample's gradient reaches beyond prog(x), and is 1/p times as
    large there (NEOLITHIC, Example 1, the oracle before (11)); 1 makes batches exact."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> ZeroChainOracle:
        """Return f_i; raises `SpecError` for halves of an odd number of workers."""
        if self.division == "workers":
            return ZeroChainOracle(self, worker, workers)
        if self.division == "whole":
            return ZeroChainOracle(self, 0, 1)
        if workers % 2:
            raise SpecError("cluster.workers", f"must be even for two halves, not {workers}")
        return ZeroChainOracle(self, int(worker >= workers // 2), 2)

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return "L" of f, the option `L`."""
        own_oracles(ZeroChainOracle, oracles)
        return {"L": bound(self.L)}

    def minimum(self, oracles: Sequence[LocalOracle]) -> float:
        """Return inf f, which f comes as near as one likes to but does not attain."""
        return -self.L * self.scale**2 / SMOOTHNESS * _TOP * (1 + e * (self.dim - 1))


def _psi(z: _Array) -> tuple[_Array, _Array]:
    """Return Ψ(|z|) and Ψ'(|z|)."""
    # Below 0.01 both are 0 in float64, and the powers would overflow.
    inverse = 1 / np.maximum(2 * np.abs(z) - 1, 0.01)
    value = np.exp(1 - inverse**2)
    return value, 4 * inverse**3 * value


def _phi(z: _Array) -> _Array:
    """Return Φ(z)."""
    # Lazy: scipy takes a while to import, and only this problem needs it.
    from scipy.special import ndtr  # noqa: PLC0415

    distribution: NDArray[Any] = ndtr(z)
    return _TOP * distribution


def _phi_slope(z: _Array) -> _Array:
    """Return Φ'(z)."""
    return np.exp(0.5 - 0.5 * np.clip(z, -40, 40) ** 2)  # 0 from 40 on, where z² may overflow
