"""A keyed permutation of {0, …, d−1} that is evaluated only where it is needed.

perm-k needs a random permutation of the coordinates of which each worker looks at its
own block only, so the permutation must be a function of the position. Up to `SORT_LIMIT`
it is the stable order of d random 64-bit words. Above, it is a Feistel network of four
rounds whose round functions are tables of random numbers from the stream (M. Luby,
C. Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM J.
Comput. 17 (1988)), with cycle walking: positions that land outside are sent through again.

The Feistel recipe (version 1): b = ⌈log₂ d⌉, a = 2^⌊b/2⌋, B = ⌈d/a⌉. The tables are, in this
order from the stream, F₁: a numbers below B, G₁: B numbers below a, F₂ and G₂ in the same way.
A position is j·a + i with i < a, hence j < B. For r = 1, 2 in turn

    j becomes j + F_r[i] mod B,   then i becomes i ⊕ G_r[j].

The grid has fewer than a ≤ √(2d) positions more than d, so that hardly any is sent through twice.
Two coordinates are in the same of n blocks as often as in a uniform permutation but for terms of
1/d: neighbours keep their distance where F₁ and F₂ both agree by chance, once in B².
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Stream

__all__ = ["SORT_LIMIT", "Permutation"]

SORT_LIMIT: Final = 4096
_PAIRS: Final = 2
_CHUNK: Final = 1 << 14

Indices = NDArray[np.int64]


class Permutation:
    """A random permutation of {0, …, d−1} derived from a stream."""

    def __init__(self, d: int, stream: Stream) -> None:
        self.d = d
        self._order: Indices | None = None
        if d <= SORT_LIMIT:
            self._order = np.argsort(stream.words64(d), kind="stable")
            return
        self._bits = (d - 1).bit_length() // 2
        a = 1 << self._bits
        B = -(-d // a)
        self._rounds: list[tuple[Indices, Indices]] = []
        for r in range(1, _PAIRS + 1):
            f, g = stream.below(B, a), stream.below(a, B)
            if r == _PAIRS:
                g |= np.arange(B) << self._bits
            # Repeated, so that j is never reduced modulo B: after r sums it is below (r + 1)B.
            self._rounds.append((f, np.tile(g, r + 1)))

    def block(self, start: int, stop: int) -> Indices:
        """Return the images of the positions start … stop−1."""
        if self._order is not None:
            return self._order[start:stop]
        out = np.empty(stop - start, dtype=np.int64)
        step = max(_CHUNK, 1 << self._bits) >> self._bits << self._bits
        for aligned in range(start >> self._bits << self._bits, stop, step):
            low, high = max(start, aligned), min(aligned + step, stop)
            out[low - start : high - start] = self._rows(low, high)
        outside = np.flatnonzero(out >= self.d)
        while outside.size:
            images = self._pass(out[outside])
            out[outside] = images
            outside = outside[images >= self.d]
        return out

    def _rows(self, low: int, high: int) -> Indices:
        """Send the positions low … high−1 once through the network, in whole rows of equal j."""
        first = low >> self._bits
        rows = np.arange(first, ((high - 1) >> self._bits) + 1)
        # F₁ is asked for each i in order: it need not be looked up.
        j = np.add.outer(rows, self._rounds[0][0])
        images = self._rest(j, np.arange(j.shape[1])).reshape(-1)
        return images[low - (first << self._bits) :][: high - low]

    def _pass(self, j: Indices) -> Indices:
        """Send positions, which are overwritten, once through the network."""
        i = j & ((1 << self._bits) - 1)
        j >>= self._bits
        j += self._rounds[0][0].take(i)
        return self._rest(j, i)

    def _rest(self, j: Indices, i: Indices) -> Indices:
        """Do what comes after the first sum: j is that sum, and is overwritten."""
        # "clip" only because it is faster: all indices are in range.
        images: Indices = self._rounds[0][1].take(j, mode="clip")
        images ^= i
        for f, g in self._rounds[1:]:
            j += f.take(images, mode="clip")
            # The last table has the final j beside its number, in the bits above those of i.
            images ^= g.take(j, mode="clip")
        return images
