"""Small problems that satisfy the theorems' assumptions with constants known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from netcomp.constants import Constant, Constants, exact
from netcomp.data import equal, load
from netcomp.draw import Draw
from netcomp.problems import LocalOracle, Logistic
from netcomp.roles import Array, Batch

__all__ = ["Diagonal", "Setup", "diagonal", "logistic"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Setup:
    """f_1, …, f_n, the constants of f, a start and where f is least."""

    oracles: tuple[LocalOracle, ...]
    constants: Constants
    x0: _Array
    solution: _Array

    @property
    def d(self) -> int:
        """The dimension."""
        return self.x0.size

    @property
    def n(self) -> int:
        """The number of workers."""
        return len(self.oracles)

    @cached_property
    def least(self) -> float:
        """f*."""
        return self.loss(self.solution)

    def loss(self, x: Array) -> float:
        """Return f(x)."""
        return float(np.mean([oracle.loss(x) for oracle in self.oracles]))

    def gap(self, x: Array) -> float:
        """Return f(x) − f*."""
        return self.loss(x) - self.least

    def gradients(self, x: Array) -> _Array:
        """Return the ∇f_i(x), shape (n, d)."""
        return np.stack([oracle.gradient(x) for oracle in self.oracles])

    def constant(self, name: str) -> float:
        """Return a constant's value."""
        return self.constants.need(name, "a bound")


class Diagonal(LocalOracle):
    """f_i(x) = ½ Σ_k a_k x_k² − ⟨b, x⟩, a and b of shape (d,)."""

    def __init__(self, a: _Array, b: _Array) -> None:
        self.a = a
        self.b = b

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.a.size

    def loss(self, x: Array) -> float:
        """Return f_i(x)."""
        return float(0.5 * (self.a @ x**2) - self.b @ x)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:  # noqa: ARG002 — exact
        """Return ax − b, whatever the batch."""
        return self.a * x - self.b

    def _constants(self) -> dict[str, Constant]:
        return {"L": exact(np.abs(self.a).max())}


def diagonal(spectra: Sequence[_Array], vectors: Sequence[_Array], start: _Array) -> Setup:
    """Return quadratics with diagonal A_i, whose constants are maxima of their elements.

    The start is x* + `start`. L_A and L_B are those of MARINA-P Thm 4.9, of equal A_i those of
    Thm 4.5.
    """
    oracles = tuple(Diagonal(a, b) for a, b in zip(spectra, vectors, strict=True))
    a = np.stack(spectra)
    mean = a.mean(axis=0)
    apart = a - mean
    alike = not apart.any()
    joint = {
        "L": np.abs(mean).max(),
        "mu": mean.min(),
        "L_A": sqrt(2) * np.abs(apart).max(),
        "L_B": np.abs(mean).max() if alike else sqrt(2) * np.abs(a).max(axis=1).mean(),
        "L_pm": sqrt((apart**2).mean(axis=0).max()),
    }
    known = {name: exact(float(value)) for name, value in joint.items()}
    constants = Constants.gather([oracle.constants for oracle in oracles], known, {})
    solution = np.stack(vectors).mean(axis=0) / mean
    return Setup(oracles, constants, solution + start, solution)


def logistic(data: str, n: int, l2: float) -> Setup:
    """Return logistic regression with l2 on a built-in data set in n equal parts, from zero."""
    problem = Logistic(l2=l2)
    rows = problem.prepare(load(data, []))
    parts = equal(rows.rows, n).parts
    oracles = [problem.oracle(rows.take(part), i, n, Draw(0)) for i, part in enumerate(parts)]
    found = problem.optimum(oracles)
    if found is None:
        raise ValueError(f"f* is not known of logistic regression with l2 = {l2}")
    local = [oracle.constants for oracle in oracles]
    constants = Constants.gather(local, problem.joint(oracles), {})
    return Setup(tuple(oracles), constants, np.zeros(oracles[0].dim), found.x)
