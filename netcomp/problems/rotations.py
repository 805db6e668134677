"""Random orthogonal matrices as products of Householder reflections, from a key.

U = H_1 H_2 ⋯ H_r, where H_k = I - 2v_k v_kᵀ leaves the first k - 1 coordinates alone and
maps a standard normal vector of the other d - k + 1 onto a coordinate axis. The first r
columns of U are then uniformly distributed orthonormal vectors, and for r = d - 1 the whole
matrix is (Haar), up to the signs of its columns: G. W. Stewart, "The Efficient Generation of
Random Orthogonal Matrices", SIAM J. Numer. Anal. 17 (1980).

The QR decomposition of a normal matrix has the same distribution, but what it returns
depends on the build of LAPACK. Here another last bit of a normal deviate turns U by as
little, and every product of reflections is orthogonal whatever its vectors are.

The product is kept as I - VTVᵀ (C. Bischof and C. Van Loan, "The WY Representation for
Products of Householder Matrices", 1987): V is d × r, T is r × r, and U x takes O(dr).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import copysign

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw, Purpose

__all__ = ["Rotation", "shared_rotation"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rotation:
    """The orthogonal matrix U = I - VTVᵀ; vectors are float64 of shape (d,)."""

    V: _Array
    T: _Array

    @classmethod
    def draw(cls, key: Draw, dim: int, reflections: int) -> Rotation:
        """Return the rotation of a key; 0 ≤ reflections < dim, none being the identity."""
        stream = key.stream(Purpose.INIT)
        V = np.zeros((dim, reflections))
        for k in range(reflections):
            v = V[k:, k]
            v[:] = stream.normals(dim - k)
            # The sign that does not cancel; H_k maps the normal vector onto the axis k.
            v[0] += copysign(float(np.linalg.norm(v)) or 1.0, v[0])
            v /= np.linalg.norm(v)
        # T⁻¹ + T⁻ᵀ = VᵀV says that U is orthogonal, and T is upper triangular.
        inverse = np.triu(V.T @ V, 1) + 0.5 * np.eye(reflections)
        return cls(V, np.asarray(np.linalg.inv(inverse), dtype=np.float64))

    def times(self, x: _Array) -> _Array:
        """Return U x."""
        product: _Array = x - self.V @ (self.T @ (self.V.T @ x))
        return product

    def transposed_times(self, x: _Array) -> _Array:
        """Return Uᵀx."""
        product: _Array = x - self.V @ (self.T.T @ (self.V.T @ x))
        return product


@lru_cache(maxsize=2)
def shared_rotation(key: Draw, dim: int, reflections: int) -> Rotation:
    """Return `Rotation.draw`, one copy for all the workers of a process."""
    return Rotation.draw(key, dim, reflections)
