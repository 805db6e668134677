"""Losses ℓ(z, y) of a prediction z = ⟨a, x⟩ and a target y, elementwise.

σ is the logistic function; targets of the logistic losses are ±1. Everything is
stable for predictions of any size: σ(t) is computed as exp(-log(1 + exp(-t))).
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogisticLoss", "NonconvexLogisticLoss", "ScalarLoss", "SquaredLoss"]

_Array = NDArray[np.float64]


class ScalarLoss(Protocol):
    """A loss with a bounded second derivative; arrays are float64 of shape (m,)."""

    curvature: ClassVar[float]
    """sup |∂²ℓ/∂z²|, exactly."""

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
    ∂ℓ/∂t = -2q²(1 - q) and ∂²ℓ/∂t² = 2q²(1 - q)(2 - 3q). The latter is extreme where
    12q² - 15q + 4 = 0, that is q = (15 ± √33)/24; the minus sign gives the larger
    modulus, 0.1540586 (the paper's program rounds it to 0.15405).
    """

    _steepest: ClassVar[float] = (15 - sqrt(33)) / 24
    curvature: ClassVar[float] = 2 * _steepest**2 * (1 - _steepest) * (2 - 3 * _steepest)

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return (1 - σ(yz))²."""
        return _sigmoid(-y * z) ** 2

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return -2y(1 - σ(yz))²σ(yz)."""
        t = y * z
        return -2.0 * y * _sigmoid(-t) ** 2 * _sigmoid(t)


class LogisticLoss:
    """ℓ(z, y) = log(1 + exp(-yz)), whose second derivative σ(1 - σ) is at most 1/4."""

    curvature: ClassVar[float] = 0.25

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return log(1 + exp(-yz))."""
        return np.logaddexp(0.0, -y * z)

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return -y(1 - σ(yz))."""
        return -y * _sigmoid(-y * z)


class SquaredLoss:
    """ℓ(z, y) = ½(z - y)², whose second derivative is 1."""

    curvature: ClassVar[float] = 1.0

    @staticmethod
    def value(z: _Array, y: _Array) -> _Array:
        """Return ½(z - y)²."""
        return 0.5 * (z - y) ** 2

    @staticmethod
    def slope(z: _Array, y: _Array) -> _Array:
        """Return z - y."""
        return z - y


def _sigmoid(t: _Array) -> _Array:
    return np.exp(-np.logaddexp(0.0, -t))
