"""Quadratics with a rotated spectrum: f_i(x) = xᵀA_i x - y_iᵀx with A_i = QᵀD_i Q.

From A. Beznosikov, S. Horváth, P. Richtárik, M. Safaryan, "On Biased Compression for
Distributed Learning", arXiv 2002.12410, section 6.4 and Figure 7: d = 100, the elements of
the diagonal matrix D uniform in (1, κ), κ ∈ {10, 100, 1000}, Q the orthogonal factor of a
random matrix, the elements of y uniform in (0, 1); one worker.

There is no ½: ∇f_i(x) = 2A_i x - y_i, so L_i = 2 max D_i and mu_i = 2 min D_i. Qᵀ = U is
Haar (`netcomp.problems.rotations`). D is drawn exactly, not computed, so both ends hold the
same spectrum to the last bit. The condition number is that of the drawn D, below κ: with
d = 100 the least of the elements is about 1 + κ/100.

Differences from the paper: with more than one worker Q is theirs in common, so that the
mean A = QᵀD̄Q is known as exactly as its parts, while D_i and y_i may be each worker's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netcomp.constants import Constant, exact
from netcomp.data import MOST_ENTRIES, Shard
from netcomp.draw import Draw, Purpose
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.checks import own_oracles
from netcomp.problems.normals import add_noise
from netcomp.problems.rotations import Rotation, shared_rotation
from netcomp.problems.rows import mean_of
from netcomp.roles import Array, Batch

__all__ = ["QuadraticRotated", "RotatedOracle"]

# The parts of a problem have a key each (its sub-round), so that none repeats another.
_SPECTRUM, _VECTOR, _ROTATION = 0, 1, 2

_Array = NDArray[np.float64]


class RotatedOracle(LocalOracle):
    """f_i(x) = xᵀUDUᵀx - yᵀx. Arithmetic is in float64, results are in the dtype of x.

    `spectrum` is the diagonal of D and `vector` is y, both of shape (d,); `rotation` is U.
    """

    def __init__(self, rotation: Rotation, spectrum: _Array, vector: _Array) -> None:
        self.rotation = rotation
        self.spectrum = spectrum
        self.vector = vector

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.spectrum.size

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        point = x.astype(np.float64, copy=False)
        turned = self.rotation.transposed_times(point)
        return float(self.spectrum @ turned**2) - float(self.vector @ point)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return 2UDUᵀx - y, shape (d,), in the dtype of x, whatever the batch."""
        turned = self.rotation.transposed_times(x.astype(np.float64, copy=False))
        gradient = self.rotation.times(2 * self.spectrum * turned) - self.vector
        if batch is not None:
            add_noise(gradient, batch, 0.0)
        return gradient.astype(x.dtype, copy=False)

    def _constants(self) -> dict[str, Constant]:
        return {"L": exact(2 * self.spectrum.max()), "mu": exact(2 * self.spectrum.min())}


class QuadraticRotated(Problem):
    """min xᵀQᵀDQx - yᵀx: Figure 7 of Beznosikov et al. (section 6.4)."""

    needs_data: ClassVar[bool] = False
    summary: ClassVar[str] = "quadratics x^T Q^T D Q x - y^T x, spectrum uniform in (1, kappa)"

    dim: int = Field(default=100, ge=1)
    """The dimension d."""
    kappa: float = Field(default=10.0, ge=1, allow_inf_nan=False)
    """The upper end of the spectrum's range, whose lower end is 1."""
    spectra: Literal["shared", "own"] = "shared"
    """D: one for all workers, or one a worker."""
    linear: Literal["shared", "own"] = "shared"
    """y: one vector for all workers, or one a worker."""
    reflections: int | None = Field(default=None, ge=0)
    """Householder reflections Q is the product of: d - 1 unless told, which makes it Haar.

    Fewer are cheaper (a gradient takes O(d · reflections)) and turn fewer axes at random.
    """

    @model_validator(mode="after")
    def _check_rotation(self) -> Self:
        if self.reflections is not None and self.reflections >= self.dim:
            raise ValueError(f"reflections must be below dim, {self.dim}")
        if self.dim * self._turns > MOST_ENTRIES:
            raise ValueError(
                f"dim times reflections ({self._turns}) must be at most {MOST_ENTRIES}:"
                " give reflections"
            )
        return self

    @property
    def _turns(self) -> int:
        return self.dim - 1 if self.reflections is None else self.reflections

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> RotatedOracle:
        """Return f_i; `shard` is ignored."""
        rotation = shared_rotation(draw.shared().at(sub=_ROTATION), self.dim, self._turns)

        def uniforms(whose: Literal["shared", "own"], part: int) -> _Array:
            key = draw.shared() if whose == "shared" else draw.at(worker=worker)
            return key.at(sub=part).stream(Purpose.INIT).uniforms(self.dim)

        spectrum = 1 + (self.kappa - 1) * uniforms(self.spectra, _SPECTRUM)
        return RotatedOracle(rotation, spectrum, uniforms(self.linear, _VECTOR))

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return L = ‖2A‖ and mu of f, L_A = √2 max_i ‖2A_i - 2A‖, L_B = √2 (1/n) Σ ‖2A_i‖.

        A = QᵀD̄Q is the mean of the A_i (L_A, L_B: MARINA-P, Theorem 4.9); all are exact
        because the A_i commute. Where all are equal L_A = 0 and L_B = L (Theorem 4.5).
        """
        own = own_oracles(RotatedOracle, oracles)
        mean = _mean_spectrum(own)
        of_f = {"L": exact(2 * mean.max()), "mu": exact(2 * mean.min())}
        apart = max(float(np.abs(one.spectrum - mean).max()) for one in own)
        if apart == 0:
            return {**of_f, "L_A": exact(0.0), "L_B": of_f["L"]}
        size = sum(one.constants["L"].value for one in own) / len(own)
        return {**of_f, "L_A": exact(2 * sqrt(2) * apart), "L_B": exact(sqrt(2) * size)}

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum:
        """Return x* = ½A⁻¹y and f* = -¼ yᵀA⁻¹y with the means A, y."""
        own = own_oracles(RotatedOracle, oracles)
        y, rotation = mean_of(one.vector for one in own), own[0].rotation
        x = rotation.times(rotation.transposed_times(y) / (2 * _mean_spectrum(own)))
        return Optimum(x, exact(-0.5 * float(y @ x)))


def _mean_spectrum(oracles: Sequence[RotatedOracle]) -> _Array:
    """Return D̄; exactly D if all are equal, so that L_A is then 0."""
    first = oracles[0].spectrum
    return first + mean_of(one.spectrum - first for one in oracles)
