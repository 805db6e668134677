"""Losses ℓ(z, y) of a prediction z = ⟨a, x⟩ and a target y, elementwise.

σ is the logistic function; targets of the logistic losses are ±1. Everything is
stable for predictions of any size: σ(±t) are 1/(1 + e) and e/(1 + e) with e = exp(-|t|).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "LogisticLoss", "NonconvexLogisticLoss", "ScalarLoss", "SquaredLoss"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers s that a derivative of a loss may be, exactly: `low` ≤ s ≤ `high`."""

    low: float
    high: float

    @property
    def modulus(self) -> float:
        """The largest |s|."""
        return max(abs(self.low), abs(self.high))

    def bound(self, together: float, apart: float) -> float:
        """Return a bound on N(Σ_j s_j v_j) over all s_j of the interval, for a seminorm N.

        `together` is N(Σ_j v_j), `apart` a bound on N(Σ_j e_j v_j) over all |e_j| ≤ 1: with
        s_j = middle + half · e_j the triangle inequality gives |middle| · together +
        half · apart. It is attained where the interval is a point.
        """
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        return abs(middle) * together + (half * apart if half else 0.0)


class ScalarLoss(Protocol):
    """A loss with a bounded second derivative; arrays are float64 of shape (m,)."""

    curvatures: ClassVar[Interval]
    """The range of ∂²ℓ/∂z², whatever the target."""
    slopes: ClassVar[Interval | None]
    """The range of -y ∂ℓ/∂z for targets y = ±1; None where it is unbounded."""

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return ℓ(z, y)."""
        ...

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return ∂ℓ/∂z."""
        ...


class NonconvexLogisticLoss:
    """ℓ(z, y) = (1 - σ(yz))².

    From E. Gorbunov, K. Burlachenko, Z. Li, P. Richtárik, "MARINA: Faster Non-Convex
    Distributed Learning with Compression", ICML 2021, eq. (11).

    With t = yz and q = 1 - σ(t) ∈ (0, 1): dq/dt = -q(1 - q), ℓ = q², hence
    -∂ℓ/∂t = 2q²(1 - q), at most 8/27 (q = 2/3), and ∂²ℓ/∂t² = 2q²(1 - q)(2 - 3q). The latter
    is extreme where 12q² - 15q + 4 = 0, that is q = (15 ± √33)/24; the minus sign gives the
    larger modulus, 0.1540586 (the paper's program rounds it to 0.15405).
    """

    _most: ClassVar[float] = (15 - sqrt(33)) / 24
    _least: ClassVar[float] = (15 + sqrt(33)) / 24
    curvatures: ClassVar[Interval] = Interval(
        2 * _least**2 * (1 - _least) * (2 - 3 * _least),
        2 * _most**2 * (1 - _most) * (2 - 3 * _most),
    )
    slopes: ClassVar[Interval | None] = Interval(0.0, 8 / 27)

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return (1 - σ(yz))²."""
        return _sigmoids(y * z)[1] ** 2

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return -2y(1 - σ(yz))²σ(yz)."""
        up, down = _sigmoids(y * z)
        return -2.0 * y * down**2 * up


class LogisticLoss:
    """ℓ(z, y) = log(1 + exp(-yz)), whose second derivative is σ(1 - σ)."""

    curvatures: ClassVar[Interval] = Interval(0.0, 0.25)
    slopes: ClassVar[Interval | None] = Interval(0.0, 1.0)

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return log(1 + exp(-yz))."""
        return np.logaddexp(0.0, -y * z)

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return -y(1 - σ(yz))."""
        return -y * _sigmoids(y * z)[1]

    @staticmethod
    def curvature(z: _Array) -> _Array:
        """Return ∂²ℓ/∂z², which does not depend on the target."""
        up, down = _sigmoids(z)
        return up * down


class SquaredLoss:
    """ℓ(z, y) = ½(z - y)², whose second derivative is 1."""

    curvatures: ClassVar[Interval] = Interval(1.0, 1.0)
    slopes: ClassVar[Interval | None] = None

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return ½(z - y)²."""
        return 0.5 * (z - y) ** 2

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return z - y."""
        return z - y


def _sigmoids(t: _Array) -> tuple[_Array, _Array]:
    """Return σ(t) and σ(-t), each to full relative precision, from one exponential."""
    small = np.exp(-np.abs(t))
    whole = 1.0 / (1.0 + small)
    part = small * whole
    positive = t >= 0
    return np.where(positive, whole, part), np.where(positive, part, whole)
