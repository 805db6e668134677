"""Standard normal vectors of any length, made in blocks so that memory stays small.

The recipe: consecutive `Stream.normals` of `BLOCK` numbers each, from one
`Purpose.INIT` stream, every block rounded to the dtype asked for.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import DTypeLike

from netcomp.draw import Draw, Purpose
from netcomp.problems.checks import check_samples
from netcomp.roles import Array, Batch

__all__ = ["BLOCK", "add_noise", "dot", "normal_vector", "shared_normal_vector"]

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


def add_noise(gradient: Array, batch: Batch, noise: float) -> None:
    """Add to a gradient the mean error of a batch of samples of a function without rows.

    One sample's error ξ is Gaussian with E ξ = 0 and E‖ξ‖² = `noise`², the same for every point,
    so a difference of two gradients over one batch has none. `gradient` has shape (d,) and is
    changed in place. Raises `ValueError` for a batch of no samples.
    """
    check_samples(batch)
    if noise == 0:
        return
    stream = batch.draw.stream(Purpose.MINIBATCH)
    deviation = noise / sqrt(gradient.size) / sqrt(batch.size)
    for start in range(0, gradient.size, BLOCK):
        part = gradient[start : start + BLOCK]
        part += (deviation * stream.normals(part.size)).astype(gradient.dtype, copy=False)


def dot(left: Array, right: Array) -> float:
    """Return ⟨left, right⟩ summed in float64 whatever the dtypes, block by block."""
    total = 0.0
    for start in range(0, left.size, BLOCK):
        block = slice(start, start + BLOCK)
        total += float(left[block].astype(np.float64) @ right[block].astype(np.float64))
    return total
