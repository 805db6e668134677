"""Standard normal vectors of any length, made in blocks so that memory stays small.

The recipe: consecutive `Stream.normals` of `BLOCK` numbers each, from one
`Purpose.INIT` stream, every block rounded to the dtype asked for.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import DTypeLike

from netcomp.draw import Draw, Purpose
from netcomp.roles import Array

__all__ = ["BLOCK", "dot", "normal_vector", "shared_normal_vector"]

BLOCK = 65_536
"""Numbers handled at a time: half a megabyte in float64."""


def normal_vector(draw: Draw, dim: int, dtype: DTypeLike) -> Array:
    """Return the standard normal vector of a key, shape (dim,), read-only."""
    stream = draw.stream(Purpose.INIT)
    vector: Array = np.empty(dim, dtype=dtype)
    for start in range(0, dim, BLOCK):
        part = vector[start : start + BLOCK]
        part[:] = stream.normals(part.size)
    vector.setflags(write=False)
    return vector


@lru_cache(maxsize=4)
def shared_normal_vector(draw: Draw, dim: int, dtype: np.dtype[np.floating]) -> Array:
    """Return `normal_vector`, one copy for all the workers of a process."""
    return normal_vector(draw, dim, dtype)


def dot(left: Array, right: Array) -> float:
    """Return ⟨left, right⟩ summed in float64 whatever the dtypes, block by block."""
    total = 0.0
    for start in range(0, left.size, BLOCK):
        block = slice(start, start + BLOCK)
        total += float(left[block].astype(np.float64) @ right[block].astype(np.float64))
    return total
