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

import numpy as np
from numpy.typing import NDArray

from netcomp.data import Matrix, dense
from netcomp.draw import Draw, Purpose

__all__ = [
    "DENSE",
    "LARGEST_MATRIX",
    "Rows",
    "mean_of",
    "mean_top_eigenvalue",
    "positive_bottom",
    "spectral_norm",
    "top_of_variance",
]

DENSE = 512
"""Up to this size a dense eigenvalue solver is the faster one."""

LARGEST_MATRIX = 2000
"""The largest d of a d × d array of float64, which then takes 32 MB."""

_NOISE = 1e-14  # of a difference of two maps, relative to them

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
        product: _Array = self._turned @ r
        return np.concatenate([[r.sum()], product]) if self.bias else product

    @cached_property
    def _turned(self) -> Matrix:
        """Aᵀ in the memory of A: scipy copies a part of larger arrays whenever it transposes."""
        features = self.features
        if isinstance(features, np.ndarray):
            return features.T
        turned = type(features)(features.shape, dtype=features.dtype).T
        turned.data, turned.indices, turned.indptr = (
            features.data,
            features.indices,
            features.indptr,
        )
        return turned

    def moment_times(self, x: _Array) -> _Array:
        """Return Sx without making S."""
        return self.mean_row(self.times(x))

    def dense(self, block: slice) -> _Array:
        """Return some rows of B as a dense array of its own."""
        part = np.array(dense(self.features[block]))
        return np.hstack([np.ones((part.shape[0], 1)), part]) if self.bias else part

    def squared_norms(self) -> _Array:
        """Return ‖b_j‖² of every row, shape (m,)."""
        features = self.features
        if isinstance(features, np.ndarray):
            squares: _Array = np.einsum("jk,jk->j", features, features)
        else:
            # The pattern is shared: only the values are held twice.
            parts = (features.data**2, features.indices, features.indptr)
            squares = type(features)(parts, shape=features.shape) @ np.ones(features.shape[1])
        return squares + float(self.bias)

    def mean_row(self, weights: _Array) -> _Array:
        """Return (1/m) Σ_j w_j b_j, shape (d,)."""
        return self.transposed_times(weights) / self.count

    def moment(self, weights: _Array | None = None) -> _Array:
        """Return S, or (1/m) Σ_j w_j b_j b_jᵀ for weights ≥ 0, as a dense (d, d) array."""
        roots = np.ones(self.count) if weights is None else np.sqrt(weights)
        half = self.features if weights is None else _scaled(self.features, roots)
        gram = dense(half.T @ half)  # of one array: half the work
        if self.bias:
            total, sums = float(roots @ roots), half.T @ roots
            gram = np.block([[np.array([[total]]), sums[None]], [sums[:, None], gram]])
        return gram / self.count

    @cached_property
    def top_eigenvalue(self) -> float:
        """λ_max(S), to rounding, by the cheapest of three ways."""
        return self.weighted_top(None)

    def weighted_top(self, weights: _Array | None) -> float:
        """Return λ_max((1/m) Σ_j w_j b_j b_jᵀ) for weights ≥ 0, or λ_max(S)."""
        if self.dim <= min(self.count, DENSE):
            return float(np.linalg.eigvalsh(self.moment(weights))[-1])
        if self.count <= DENSE:
            # BBᵀ has the same positive eigenvalues as BᵀB.
            gram = dense(self.features @ self.features.T) + float(self.bias)
            if weights is not None:
                gram *= np.sqrt(np.multiply.outer(weights, weights))
            return float(np.linalg.eigvalsh(gram)[-1]) / self.count

        def product(x: _Array) -> _Array:
            along = self.times(x)
            return self.mean_row(along if weights is None else weights * along)

        return _extreme(product, self.dim, "LA")

    def top_of_variance(self) -> float:
        """Return λ_max((1/m) Σ_j (b_j b_jᵀ - S)²) to rounding."""
        squares = self.squared_norms()
        if self.dim <= DENSE:
            moment = self.moment()
            values = np.linalg.eigvalsh(self.moment(squares) - moment @ moment)
            return max(float(values[-1]), 0.0)

        def product(x: _Array) -> _Array:
            along = self.times(x)
            return self.mean_row(squares * along - self.times(self.mean_row(along)))

        noise = _NOISE * float(squares.max()) ** 2
        return max(_extreme(product, self.dim, "LA", noise), 0.0)


def positive_bottom(moment: _Array) -> float:
    """Return λ_min of a semidefinite (d, d) array, exactly 0 where within rounding of it."""
    values = np.linalg.eigvalsh(moment)
    noise = values.size * np.finfo(np.float64).eps * values[-1]
    return float(values[0]) if values[0] > noise else 0.0


def top_of_variance(shards: Sequence[Rows]) -> float:
    """Return λ_max((1/n) Σ_i (S_i - S)²), S the mean of the shards' S_i, to rounding."""
    dim = shards[0].dim
    if dim <= DENSE:
        # Two passes, one matrix at a time: n of them may not fit into memory.
        mean = mean_of(shard.moment() for shard in shards)
        apart = (shard.moment() - mean for shard in shards)
        return float(np.linalg.eigvalsh(mean_of(a @ a for a in apart))[-1])

    def product(x: _Array) -> _Array:
        mean = mean_of(shard.moment_times(x) for shard in shards)
        return mean_of(shard.moment_times(shard.moment_times(x) - mean) for shard in shards)

    noise = _NOISE * max(float(shard.squared_norms().max()) for shard in shards) ** 2
    return max(_extreme(product, dim, "LA", noise), 0.0)


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


def _extreme(
    product: Callable[[_Array], _Array], dim: int, which: str, noise: float = 0.0
) -> float:
    """Return one extreme eigenvalue of a symmetric map to rounding, by Lanczos.

    A map whose image of a random unit vector is no longer than `noise` is taken for zero.
    """
    # Lazy: a worker that restarts needs no eigenvalues.
    from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: PLC0415

    # The solver's own start vector is random; this one makes the result repeatable.
    start = Draw(seed=0).stream(Purpose.INIT).normals(dim)
    if np.linalg.norm(product(start)) <= noise * np.linalg.norm(start):
        return 0.0  # the zero map (equal shards compared), on which Lanczos breaks down
    operator = LinearOperator((dim, dim), matvec=product, dtype=np.float64)
    values = eigsh(operator, k=1, which=which, v0=start, return_eigenvectors=False)
    return float(values[0])


def _scaled(features: Matrix, weights: _Array) -> Matrix:
    """Return diag(w) A."""
    if isinstance(features, np.ndarray):
        return weights[:, None] * features
    values = features.data * np.repeat(weights, np.diff(features.indptr))
    return type(features)((values, features.indices, features.indptr), shape=features.shape)
