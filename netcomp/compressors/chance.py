"""Random decisions about whole vectors: 8 or 16 bits a value, and exact all the same.

A value goes up with probability p: where a uniform number U < p. With u the first w bits of U, 8
or 16, and T a whole number near 2^w·p, u < T decides unless u is T − 1, T or T + 1, which happens
three times in 2^w. Only there is p computed in float64, and the rest of U drawn: 53 bits. So T may
be what float32 arithmetic makes of it, as long as T − 1 ≤ 2^w·p ≤ T + 2.

Eight bits are drawn in half the time, sixteen ask for p so seldom that it may be costly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Stream

__all__ = ["BELOW_256", "BELOW_ONE", "Coins"]

BELOW_ONE: Final = 65535.5
"""p ≤ 1 times this, cut to a whole number, is a T of 16 bits: never 65536 by a rounding."""

BELOW_256: Final = 255.5
"""The same for T of 8 bits."""

Indices = NDArray[np.intp]
Thresholds = NDArray[np.uint16] | NDArray[np.uint8]


class Coins:
    """Decides for up to `most` values at a time, with the words of one stream."""

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._up = np.empty(most, dtype=bool)
        self._near = np.empty(most, dtype=bool)

    def toss(
        self, thresholds: Thresholds, exact: Callable[[Indices], NDArray[Any]]
    ) -> NDArray[np.bool_]:
        """Return which values go up, in memory that the next call uses again.

        `thresholds` are the T, their type says of how many bits, and they are used up; `exact`
        gives p in float64 of the values at some indices.
        """
        size, word = thresholds.size, thresholds.dtype
        up, near, one = self._up[:size], self._near[:size], word.type(1)
        raw = self._stream.words64(-(-size * word.itemsize // 8)).astype("<u8", copy=False)
        words = raw.view(word.newbyteorder("<"))[:size]
        np.less(words, thresholds, out=up)
        distance = np.subtract(words, thresholds, out=thresholds)
        distance += one
        np.less_equal(distance, one + one, out=near)
        undecided = np.flatnonzero(near)
        if undecided.size:
            # Where T ± 1 has wrapped around, u is far from 2^w·p, and this says so.
            rest = exact(undecided) * 2.0 ** (8 * word.itemsize) - words[undecided]
            up[undecided] = self._stream.uniforms(undecided.size) < rest
        return up
