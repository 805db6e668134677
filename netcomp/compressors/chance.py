"""Random decisions about whole vectors: 16 bits a value, and the result is exact all the same.

A value goes up with probability p: where a uniform number U < p. With u the first 16 bits of U and
T a whole number near 2¹⁶p, u < T decides unless u is T − 1, T or T + 1, which happens three times
in 65,536. Only there is p computed in float64, and the rest of U drawn: 53 bits. So T may be what
float32 arithmetic makes of it, as long as T − 1 ≤ 2¹⁶p ≤ T + 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.norms import CHUNK
from netcomp.draw import Stream

__all__ = ["BELOW_ONE", "Coins"]

BELOW_ONE: Final = 65535.5
"""p ≤ 1 times this, cut to a whole number, is a T: never 65536, whatever the rounding."""

_NEAR = np.uint16(1)

Indices = NDArray[np.intp]


class Coins:
    """Decides for up to 65,536 values at a time, with the words of one stream."""

    def __init__(self, stream: Stream, most: int) -> None:
        most = min(most, CHUNK)
        self._stream = stream
        self._up = np.empty(most, dtype=bool)
        self._near = np.empty(most, dtype=bool)
        self._distance = np.empty(most, dtype=np.uint16)

    def toss(
        self, thresholds: NDArray[np.uint16], exact: Callable[[Indices], NDArray[Any]]
    ) -> NDArray[np.bool_]:
        """Return which values go up, in memory that the next call uses again.

        `thresholds` are the T; `exact` gives p in float64 of the values at some indices.
        """
        size = thresholds.size
        up, near, distance = self._up[:size], self._near[:size], self._distance[:size]
        raw = self._stream.words64(-(-size // 4)).astype("<u8", copy=False)
        words = raw.view("<u2")[:size]
        np.less(words, thresholds, out=up)
        np.subtract(words, thresholds, out=distance)
        distance += _NEAR
        np.less_equal(distance, _NEAR + _NEAR, out=near)
        undecided = np.flatnonzero(near)
        if undecided.size:
            # Where T ± 1 has wrapped around, u is far from 2¹⁶p, and this says so.
            rest = exact(undecided) * 65536.0 - words[undecided]
            up[undecided] = self._stream.uniforms(undecided.size) < rest
        return up
