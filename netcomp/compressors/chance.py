"""Random decisions about whole vectors: 8 or 16 bits a value, and exact all the same.

A value goes up with probability p. With u of w = 8 or 16 random bits and T a whole number near
2^w·p, u < T decides unless u is one of two or three numbers that are left open. Of the others f go
up; a value left open goes up with the probability that is missing, 2^w·p − f over how many are
open. Only there is p computed in float64, and a uniform number drawn. So T may be what float32
arithmetic makes of it:

| w | open | f | as long as 0 ≤ p ≤ 1 and |
|---|---|---|---|
| 8 | T, T + 1 | T | T ≤ 2^w·p ≤ T + 2, T ≤ 254 |
| 16 | T − 1, T, T + 1, modulo 2^w | T − 1 within 0 … 2^w − 3 | T − 1 ≤ 2^w·p ≤ T + 2 |

Eight bits are drawn in half the time, sixteen ask for p so seldom that it may be costly. All
words of a vector are drawn before its uniforms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.flags import ones
from netcomp.compressors.norms import pieces
from netcomp.draw import Stream

__all__ = ["BELOW_255", "BELOW_ONE", "Coins"]

BELOW_ONE: Final = 65535.5
"""p ≤ 1 times this, cut to a whole number, is a T of 16 bits: never 65536 by a rounding."""

BELOW_255: Final = 254.9999
"""The same for T of 8 bits: never 255, nor above 256p."""

Indices = NDArray[np.int64]
Thresholds = NDArray[np.uint16] | NDArray[np.uint8]


class Coins:
    """Decides for the values of one vector, up to `most` at a time, with the words of a stream.

    Pieces but the last are multiples of eight values.
    """

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._up = np.empty(most, dtype=bool)
        self._near = np.empty(most, dtype=bool)
        self._open: list[NDArray[np.uint8]] = []

    def toss(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """Return which of the next values go up, in memory that the next call uses again.

        `thresholds` are the T, their type says of how many bits, and they are used up. What is
        said of values left open counts for nothing: `settle` decides.
        """
        size, word = thresholds.size, thresholds.dtype
        up, near = self._up[:size], self._near[:size]
        raw = self._stream.words64(-(-size * word.itemsize // 8)).astype("<u8", copy=False)
        words = raw.view(word.newbyteorder("<"))[:size]
        np.less(words, thresholds, out=up)
        below, count = _around(word)
        distance = np.subtract(words, thresholds, out=thresholds)
        if below:
            distance += word.type(below)
        np.less(distance, word.type(count), out=near)
        self._open.append(np.packbits(near))
        return up

    def left_open(self) -> Iterator[Indices]:
        """Yield which values, of all that were tossed for, are left open, at most `most` a time."""
        if self._open:
            places = ones(np.concatenate(self._open))
            for part in pieces(places.size, self._up.size):
                yield places[part]

    def settle(self, thresholds: Thresholds, p: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of the values left open go up, given their T again, and their p."""
        below, count = _around(thresholds.dtype)
        many = 256.0**thresholds.itemsize
        # The f of the module: at either end one of the numbers left open is at the other.
        first = np.clip(thresholds - np.float64(below), 0.0, many - count)
        missing: NDArray[np.float64] = p * many - first
        return self._stream.uniforms(p.size) * count < missing


def _around(word: np.dtype[Any]) -> tuple[int, int]:
    """Return how many numbers below T are left open, and how many in all."""
    return (0, 2) if word.itemsize == 1 else (1, 3)
