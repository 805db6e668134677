"""The rows of a shard as a linear map, and the spectra of its second moment.

With B the m × d matrix of rows (bias column included), the second moment is
S = BᵀB/m. Dense d × d or m × m matrices are made for constants only, never for a
gradient, and only up to `DENSE`; beyond that Lanczos iterations find the extreme
eigenvalue from matrix-vector products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.data import Matrix
from netcomp.draw import Draw, Purpose

__all__ = ["DENSE", "Rows", "mean_of", "mean_top_eigenvalue", "spectral_norm"]

DENSE = 512
"""Up to this size a dense eigenvalue solver is the faster one."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """The map x ↦ Bx of features A (m, k): B = A, or B = [1 A] with a bias.

    The column of ones is implied, so a sparse A stays sparse.
    """

    features: Matrix
    bias: bool

    @property
    def count(self) -> int:
        """The number m of rows."""
        return int(self.features.shape[0])

    @property
    def dim(self) -> int:
        """The number d of columns of B."""
        return int(self.features.shape[1]) + self.bias

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Return the map of these rows, in this order; one may come several times."""
        return Rows(self.features[rows], self.bias)

    def times(self, x: _Array) -> _Array:
        """Return Bx, shape (m,)."""
        product: _Array = self.features @ x[self.bias :]
        return product + x[0] if self.bias else product

    def transposed_times(self, r: _Array) -> _Array:
        """Return Bᵀr, shape (d,)."""
        product: _Array = self.features.T @ r
        return np.concatenate([[r.sum()], product]) if self.bias else product

    def moment_times(self, x: _Array) -> _Array:
        """Return Sx without making S."""
        return self.transposed_times(self.times(x)) / self.count

    def squared_norms(self) -> _Array:
        """Return ‖b_j‖² of every row, shape (m,)."""
        if isinstance(self.features, np.ndarray):
            squares: _Array = np.sum(self.features**2, axis=1)
        else:
            squares = np.asarray(self.features.multiply(self.features).sum(axis=1)).ravel()
        return squares + float(self.bias)

    def moment(self) -> _Array:
        """Return S as a dense (d, d) array."""
        gram = _dense(self.features.T @ self.features)
        if self.bias:
            sums = np.asarray(self.features.sum(axis=0)).ravel()
            gram = np.block([[np.array([[float(self.count)]]), sums[None]], [sums[:, None], gram]])
        return gram / self.count

    @cached_property
    def top_eigenvalue(self) -> float:
        """λ_max(S), to rounding, by the cheapest of three ways."""
        if self.dim <= min(self.count, DENSE):
            return float(np.linalg.eigvalsh(self.moment())[-1])
        if self.count <= DENSE:
            # BBᵀ has the same positive eigenvalues as BᵀB.
            gram = _dense(self.features @ self.features.T) + float(self.bias)
            return float(np.linalg.eigvalsh(gram)[-1]) / self.count
        return _extreme(self.moment_times, self.dim, "LA")

    def bottom_eigenvalue(self) -> float:
        """λ_min(S) from all eigenvalues, exactly 0 where it is within rounding of it."""
        if self.count < self.dim:
            return 0.0
        values = np.linalg.eigvalsh(self.moment())
        noise = self.dim * np.finfo(np.float64).eps * values[-1]
        return float(values[0]) if values[0] > noise else 0.0


def mean_top_eigenvalue(shards: Sequence[Rows]) -> float:
    """Return λ_max of the mean of the shards' S_i: each shard weighs the same."""
    dim = shards[0].dim
    if dim <= DENSE:
        return float(np.linalg.eigvalsh(mean_of(shard.moment() for shard in shards))[-1])

    def mean_moment_times(x: _Array) -> _Array:
        return mean_of(shard.moment_times(x) for shard in shards)

    return _extreme(mean_moment_times, dim, "LA")


def mean_of(arrays: Iterable[_Array]) -> _Array:
    """Return the mean of one array or more, keeping only the running sum of them."""
    total: _Array | float = 0.0
    count = 0
    for array in arrays:
        total = total + array
        count += 1
    return np.asarray(total) / count


def spectral_norm(symmetric: _Array) -> float:
    """Return the largest modulus of an eigenvalue of a dense symmetric (d, d) array."""
    if symmetric.shape[0] <= DENSE:
        return float(np.abs(np.linalg.eigvalsh(symmetric)).max())
    return abs(_extreme(lambda x: symmetric @ x, symmetric.shape[0], "LM"))


def _extreme(product: Callable[[_Array], _Array], dim: int, which: str) -> float:
    """Return one extreme eigenvalue of a symmetric map to rounding, by Lanczos."""
    # Lazy: a worker that restarts needs no eigenvalues.
    from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: PLC0415

    # The solver's own start vector is random; this one makes the result repeatable.
    start = Draw(seed=0).stream(Purpose.INIT).normals(dim)
    if not product(start).any():
        return 0.0  # the zero map (equal shards compared), on which Lanczos breaks down
    operator = LinearOperator((dim, dim), matvec=product, dtype=np.float64)
    values = eigsh(operator, k=1, which=which, v0=start, return_eigenvectors=False)
    return float(values[0])


def _dense(matrix: Any) -> _Array:
    dense: _Array = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return dense
