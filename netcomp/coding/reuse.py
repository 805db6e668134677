"""Memory for long decoded vectors, used again when nobody refers to it any more.

The C library returns blocks of 32 MiB and more to the system at once, and the system fills every
new one with zeros: for a sign that is two thirds of the time of decoding. A round decodes vectors
of one length again and again, so the last block let go is kept for the next.
"""

from __future__ import annotations

import weakref
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["empty_float32"]

_LEAST: Final = 1 << 25
_MOST: Final = 1 << 28
"""Blocks of this many bytes at most are kept: a larger one is more than what it saves is worth."""

_spare: list[NDArray[np.float32]] = []


def empty_float32(size: int) -> NDArray[np.float32]:
    """Return an array of `size` values that are not set, in memory that nothing else refers to."""
    if not _LEAST <= 4 * size <= _MOST:
        return np.empty(size, dtype=np.float32)
    block = _taken(size)
    if block is None:
        block = np.empty(size, dtype=np.float32)
    # Views of an array over a memoryview refer to that array, so it goes when the last view goes.
    out = np.frombuffer(block.data, dtype=np.float32)
    weakref.finalize(out, _keep, block).atexit = False
    return out


def _taken(size: int) -> NDArray[np.float32] | None:
    """Return the spare block where it has that size; one of another size is let go."""
    try:
        block = _spare.pop()
    except IndexError:
        return None
    return block if block.size == size else None


def _keep(block: NDArray[np.float32]) -> None:
    """Keep a block instead of the one that was: the length in use now is the likeliest next."""
    _spare[:] = [block]
