"""A keyed permutation of {0, …, d−1} that is evaluated only where it is needed.

perm-k needs a random permutation of the coordinates of which each worker looks at its
own block only, so the permutation must be a function of the position. Up to `SORT_LIMIT`
it is the stable order of d random 64-bit words. Above, it is a Feistel network on
⌈log₂ d⌉ bits whose round keys come from the stream, with cycle walking (positions that
land outside are sent through again; the domain is smaller than 2d, so fewer than two
passes on average).

The Feistel recipe (version 1), on 32-bit unsigned integers: b = ⌈log₂ d⌉ bits, split in
⌊b/2⌋ high bits L and b − ⌊b/2⌋ low bits R. Each of 6 rounds with two 32-bit keys k₁, k₂
replaces (L, R) by (R, L ⊕ F(R)), where F(R) is the top |L| bits of
h₂ = (h₁ ⊕ (h₁ ≫ 15)) · (k₂ | 1), h₁ = (R ⊕ k₁) · 0x9E3779B1 (all modulo 2³²).
The sizes of L and R swap each round and are back after an even number of rounds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Stream

__all__ = ["SORT_LIMIT", "Permutation"]

SORT_LIMIT: Final = 4096
_ROUNDS = 6
_CHUNK = 1 << 15
_GOLDEN = np.uint32(0x9E3779B1)


class Permutation:
    """A random permutation of {0, …, d−1} derived from a stream."""

    def __init__(self, d: int, stream: Stream) -> None:
        self.d = d
        self._order: NDArray[np.int64] | None = None
        if d <= SORT_LIMIT:
            self._order = np.argsort(stream.words64(d), kind="stable")
        else:
            self._bits = (d - 1).bit_length()
            self._keys = [np.uint32(word) for word in stream.words32(2 * _ROUNDS)]

    def block(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the images of the positions start … stop−1."""
        if self._order is not None:
            return self._order[start:stop]
        out = np.empty(stop - start, dtype=np.int64)
        for low in range(start, stop, _CHUNK):
            high = min(low + _CHUNK, stop)
            out[low - start : high - start] = self._walk(np.arange(low, high, dtype=np.uint32))
        return out

    def _walk(self, positions: NDArray[np.uint32]) -> NDArray[np.uint32]:
        images = self._pass(positions)
        outside = np.flatnonzero(images >= self.d)
        while outside.size:
            images[outside] = self._pass(images[outside])
            outside = outside[images[outside] >= self.d]
        return images

    def _pass(self, x: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Send 32-bit words below 2^bits once through the network."""
        high_bits = self._bits // 2
        low_bits = self._bits - high_bits
        left = x >> np.uint32(low_bits)
        right = x & np.uint32((1 << low_bits) - 1)
        for turn in range(_ROUNDS):
            h = right ^ self._keys[2 * turn]
            h *= _GOLDEN
            h ^= h >> np.uint32(15)
            h *= self._keys[2 * turn + 1] | np.uint32(1)
            h >>= np.uint32(32 - high_bits)
            h ^= left
            left, right = right, h
            high_bits, low_bits = low_bits, high_bits
        return (left << np.uint32(low_bits)) | right
