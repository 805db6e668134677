"""A linear autoencoder: f(D, E) = (1/m) Σ ‖DEa_j - a_j‖² + (λ/2)‖DE - I‖_F².

From MARINA-P (K. Gruntkowska, A. Tyurin, P. Richtárik, NeurIPS 2024, arXiv:2402.06412),
section F.2 and Figure 3: D ∈ R^{d_f × d_e}, E ∈ R^{d_e × d_f}, d_f = 784 pixels of MNIST,
d_e = 16, λ = 0.001, so d = 2·784·16 = 25,088; n = 100 workers with random parts.

x holds D and then E, each row by row. With codes z_j = Ea_j and w_j = Dᵀ(Dz_j - a_j) the
gradients are

    ∇_D f = (2/m) (D Σ z_j z_jᵀ - Σ a_j z_jᵀ) + λ(D EEᵀ - Eᵀ)
    ∇_E f = (2/m) Σ w_j a_jᵀ                  + λ(DᵀD E - Dᵀ)

that is two products with the rows, [Eᵀ D] on their right and [z w] on their left, and
otherwise d_e × d_e matrices: DE is never made. The worker keeps its rows as they are.

Least value. f depends on W = DE alone, any matrix of rank d_e: with M = S + (λ/2)I and S
the second moment of all rows (the mean of the workers' own), f = ‖(W - I)M^{1/2}‖_F²; of
rank d_e the nearest to M^{1/2} leaves its smallest eigenvalues (Eckart and Young), so

    f* = Σ_{k > d_e} (λ_k(S) + λ/2),    λ_1 ≥ λ_2 ≥ … the eigenvalues of S.

f is quartic: its gradient is not Lipschitz, and no constant of the theorems is known. A run
needs a step size. The paper does not give its starting point; zero is stationary. Here it
is normal of variance 2/(d_f + d_e) (X. Glorot, Y. Bengio, "Understanding the Difficulty of
Training Deep Feedforward Neural Networks", AISTATS 2010, eq. (16)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netcomp.constants import Constant
from netcomp.data import Matrix, Shard, dense
from netcomp.draw import Draw
from netcomp.problems.base import LocalOracle, Problem
from netcomp.problems.checks import needed_rows, own_oracles
from netcomp.problems.normals import normal_vector
from netcomp.problems.rows import LARGEST_MATRIX, mean_of
from netcomp.roles import Array, Batch

__all__ = ["Autoencoder", "AutoencoderOracle"]

_BLOCK = 2048  # rows handled at a time: what is made of them stays small


class AutoencoderOracle(LocalOracle):
    """f_i over the rows of one shard, float32 or float64, dense or CSR.

    Gradients are computed in float32 where both rows and x are that, else in float64, and
    returned in the dtype of x.
    """

    def __init__(self, problem: Autoencoder, features: Matrix) -> None:
        self.problem = problem
        self.features = features
        self.rows = int(features.shape[0])
        self.width = int(features.shape[1])

    @property
    def dim(self) -> int:
        """The dimension d = 2 d_f d_e."""
        return 2 * self.width * self.problem.encoding

    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,)."""
        D, E = self._matrices(x.astype(np.float64, copy=False))
        total = 0.0
        for block in _blocks(self.features):
            apart = (block @ E.T) @ D.T - dense(block)
            total += float(np.vdot(apart, apart))
        return total / self.rows + 0.5 * self.problem.penalty * self._distance(D, E)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x) or the mean gradient of a batch of rows, shape (d,), dtype of x."""
        features = self.features
        if batch is not None and (batch.replace or batch.size != self.rows):
            features = features[batch.rows(self.rows)]
        D, E = self._matrices(x.astype(np.result_type(x.dtype, features.dtype), copy=False))
        gram, size = D.T @ D, self.problem.encoding
        codes = np.zeros((size, size), dtype=D.dtype)
        sums = np.zeros((self.width, 2 * size), dtype=D.dtype)  # Σ a_j [z_jᵀ w_jᵀ]
        for block in _blocks(features):
            products = block @ np.hstack([E.T, D])
            z = products[:, :size]
            products[:, size:] *= -1
            products[:, size:] += z @ gram
            codes += z.T @ z
            sums += block.T @ products
        sums *= 2 / features.shape[0]
        penalty = self.problem.penalty
        of_D = D @ (2 / features.shape[0] * codes + penalty * (E @ E.T))
        of_D -= sums[:, :size] + penalty * E.T
        of_E = sums[:, size:].T + penalty * (gram @ E - D.T)
        return np.concatenate([of_D.ravel(), of_E.ravel()]).astype(x.dtype, copy=False)

    def moment(self) -> NDArray[np.float64]:
        """Return (1/m) Σ a_j a_jᵀ, shape (d_f, d_f)."""
        total = np.zeros((self.width, self.width))
        for block in _blocks(self.features):
            part = dense(block).astype(np.float64, copy=False)
            total += part.T @ part
        return total / self.rows

    def _matrices(self, x: Array) -> tuple[Array, Array]:
        """Return D and E, views of x."""
        half = self.dim // 2
        return (
            x[:half].reshape(self.width, self.problem.encoding),
            x[half:].reshape(self.problem.encoding, self.width),
        )

    def _distance(self, D: Array, E: Array) -> float:
        """Return ‖DE - I‖_F² = tr(DᵀD EEᵀ) - 2 tr(ED) + d_f."""
        distance = float(np.vdot(D.T @ D, E @ E.T)) - 2 * float(np.vdot(D.T, E)) + self.width
        # No matrix of rank d_e is nearer to I; rounding alone may say so.
        return max(distance, self.width - self.problem.encoding, 0.0)

    def _constants(self) -> dict[str, Constant]:
        return {}


class Autoencoder(Problem):
    """min f(D, E) over rows of any data set; its targets are not looked at."""

    needs_data: ClassVar[bool] = True
    summary: ClassVar[str] = "linear autoencoder ||D E a - a||^2 with a penalty on D E - I"

    encoding: int = Field(default=16, ge=1)
    """The size d_e of a code."""
    penalty: float = Field(default=0.001, ge=0, allow_inf_nan=False)
    """λ, the weight of ½‖DE - I‖_F²."""

    def oracle(
        self, shard: Shard | None, worker: int, workers: int, draw: Draw
    ) -> AutoencoderOracle:
        """Return f_i over the features of `shard`; `DataError` without rows."""
        return AutoencoderOracle(self, needed_rows(shard, worker).features)

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return nothing: ∇f is not Lipschitz."""
        own_oracles(AutoencoderOracle, oracles)
        return {}

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return D and E normal of variance 2/(d_f + d_e), the same for all workers."""
        deviation = sqrt(2 / (dim / (2 * self.encoding) + self.encoding))
        return np.asarray(deviation * normal_vector(draw.shared(), dim, np.float64), np.float64)

    def minimum(self, oracles: Sequence[LocalOracle]) -> float | None:
        """Return f* from all eigenvalues of the second moment; None where d_f > 2000."""
        own = own_oracles(AutoencoderOracle, oracles)
        width = own[0].width
        left = max(width - self.encoding, 0)
        if width > LARGEST_MATRIX:
            return None
        smallest = np.linalg.eigvalsh(mean_of(one.moment() for one in own))[:left]
        return float(np.maximum(smallest, 0).sum()) + 0.5 * self.penalty * left


def _blocks(features: Matrix) -> Iterator[Matrix]:
    """Yield the rows some at a time, as views where they are dense."""
    for start in range(0, features.shape[0], _BLOCK):
        yield features[start : start + _BLOCK]
