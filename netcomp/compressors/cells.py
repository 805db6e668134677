"""Where a float32 lies among increasing points, by a table over its leading bits."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells"]

_EXPONENT: Final = 8
_MOST_BITS: Final = 18
_ALL_BITS: Final = 31

Indices = NDArray[np.int32]


class Cells:
    """Positive float32 are cut into cells by their leading bits, at most one point in each."""

    def __init__(self, points: NDArray[np.float32], shift: int) -> None:
        bits = points.view(np.uint32)
        keys = np.arange(int(bits[0]) >> shift, (int(bits[-1]) >> shift) + 1, dtype=np.int64)
        # Below the first point's cell one cell is enough.
        starts = np.append(0, keys << shift)
        self._shift, self._offset = np.uint32(shift), int(keys[0]) - 1
        self._below = np.searchsorted(bits, starts, side="right").astype(np.int32)
        self._next = np.append(points, np.float32(np.inf))[self._below]

    @classmethod
    def of(cls, points: NDArray[np.float32]) -> Cells | None:
        """Return the cells of increasing points, None where they would be too many."""
        bits = points.view(np.uint32)
        for kept in range(_EXPONENT, _MOST_BITS + 1):
            shift = _ALL_BITS - kept
            if bool(np.all(np.diff((bits >> np.uint32(shift)).astype(np.int64)) > 0)):
                return cls(points, shift)
        return None

    def below(self, t: NDArray[np.float32]) -> Indices:
        """Return how many points are at most t ≥ 0, for 1-D t."""
        cells = (t.view(np.uint32) >> self._shift).astype(np.intp)
        cells -= self._offset
        np.clip(cells, 0, self._below.size - 1, out=cells)
        k: Indices = self._below.take(cells)
        k += t >= self._next.take(cells)
        return k
