"""Norms of a vector in one pass, which also finds out whether its values are finite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import not_finite, require_finite
from netcomp.compressors.readers import number
from netcomp.compressors.spelling import decimal
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError

__all__ = [
    "CHUNK",
    "LARGEST",
    "Norm",
    "float32_above",
    "max_norm",
    "pieces",
    "quarter",
    "read_float32",
    "write_float32",
]

CHUNK: Final = 1 << 17
"""How many values are worked on at a time: temporaries stay in the cache, and calls cost little."""

LARGEST: Final = float(np.finfo(np.float32).max)
"""The largest value of a 32-bit float."""

_FEW = 1 << 11
# BLAS starts threads for longer vectors, and a thread a product costs more than it saves.
_DOT = 8192
_SAFE_LOW, _SAFE_HIGH = 1e-280, 1e280
# Sums of float32 squares above this lose less than 1e-10 of themselves to squares that vanish.
_SAFE_NARROW = 1e-20
_ROW = 1 << 10
_MOST_DOUBLINGS = 1000

Values = NDArray[np.floating[Any]]


def quarter(size: int) -> int:
    """Return a step for `pieces` with which scratch memory is less than a vector of this size.

    For work that takes a dozen bytes or more a value; of few values a call takes longer than it
    does. A multiple of eight, so that bits of all pieces together fill whole bytes, and random
    bytes whole words.
    """
    return min(CHUNK, max(_FEW, size // 4 // 8 * 8))


def pieces(size: int, step: int = CHUNK) -> Iterator[slice]:
    """Yield slices of `step` that cover 0 … size."""
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


@dataclass(frozen=True, slots=True)
class Norm:
    """The p of a norm, from 1 to infinity."""

    p: float

    @classmethod
    def parse(cls, text: str) -> Norm:
        """Read a number from 1 on, or "inf"; raises ValueError."""
        p = math.inf if text == "inf" else number(text)
        if p < 1.0:
            raise ValueError("expected a norm of at least 1, as 2 or inf")
        return cls(p)

    def __str__(self) -> str:
        return decimal(self.p)

    def measure(self, values: Values, draw: Draw) -> tuple[float, float]:
        """Return (‖x‖_p computed in float64, max |x_i|), both 0 for no values.

        Of many float32 values the squares of 1024 at a time are added in float32, which is
        wrong by some 1e-9 of the norm, less than the float32 it travels as, and takes half the
        time. Raises `NotFinite` at the first value that is not. The norm is infinite where
        finite float64 values have one beyond that format.
        """
        if self.p == 2.0 and values.dtype == np.float32 and values.size >= CHUNK:  # noqa: PLR2004
            squares, largest = _narrow_squares_and_max(values)
            if _SAFE_NARROW < squares < math.inf:
                return max(math.sqrt(squares), largest), largest
        power_sum, largest = _sum_and_max(values, self._summed, 1.0)
        if not math.isfinite(largest):
            require_finite(values, draw)
        if math.isinf(self.p):
            return largest, largest
        if self.p == 1.0:
            return power_sum, largest
        if self.p != 2.0:  # noqa: PLR2004
            return self._of_powers(values, largest), largest
        # Squares of float32 values neither overflow nor vanish in float64.
        if _SAFE_LOW < power_sum < _SAFE_HIGH or largest == 0.0:
            return math.sqrt(power_sum), largest
        # By a power of two near the largest, which changes no digit.
        scale = math.ldexp(1.0, min(-math.frexp(largest)[1], _MOST_DOUBLINGS))
        return math.sqrt(_sum_and_max(values, self.p, scale)[0]) / scale, largest

    @property
    def _summed(self) -> float:
        """The p of the sum that is made along with the maximum; powers wait for the maximum."""
        return self.p if self.p in (1.0, 2.0) else math.inf

    def _of_powers(self, values: Values, largest: float) -> float:
        """Return ‖x‖_p for any p, from powers of |x_i|/max |x_j| ≤ 1: none overflows."""
        if largest == 0.0:
            return 0.0
        total, scratch = 0.0, np.empty(min(values.size, CHUNK))
        for part in pieces(values.size):
            v = values[part]
            w = scratch[: v.size]
            np.divide(v, largest, out=w, dtype=np.float64)
            np.power(np.abs(w, out=w), self.p, out=w)
            total += float(w.sum())
        return max(largest, largest * math.pow(total, 1.0 / self.p))


def max_norm(values: Values, draw: Draw) -> float:
    """Return max |x_i|, 0 for no values; raises `NotFinite` at the first that is not."""
    return Norm(math.inf).measure(values, draw)[1]


def _narrow_squares_and_max(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return Σ x_i², by rows of `_ROW` in float32, and max |x_i|, NaN if one is: one pass."""
    total, ends = 0.0, []
    with np.errstate(over="ignore", invalid="ignore"):
        for part in pieces(values.size):
            v = values[part]
            ends += [v.max(), -v.min()]
            whole = v.size - v.size % _ROW
            rows = v[:whole].reshape(-1, _ROW)
            products = np.matmul(rows[:, None, :], rows[:, :, None])
            total += float(products.sum(dtype=np.float64)) + float(v[whole:].dot(v[whole:]))
    return total, float(np.max(ends))


def _sum_and_max(values: Values, p: float, scale: float) -> tuple[float, float]:
    """Return Σ |scale · x_i|^p in float64, 0 for p = ∞, and max |x_i|, NaN if one is: one pass."""
    wide = np.empty(0 if math.isinf(p) else min(values.size, CHUNK))
    total, ends = 0.0, [np.zeros(2)]
    with np.errstate(over="ignore", invalid="ignore"):
        for part in pieces(values.size):
            v = values[part]
            ends.append(np.array([v.max(), -v.min()]))
            if math.isinf(p):
                continue
            w = wide[: v.size]
            np.copyto(w, v)
            if scale != 1.0:
                w *= scale
            if p == 1.0:
                total += float(np.abs(w, out=w).sum())
            else:
                total += sum(float(w[few].dot(w[few])) for few in pieces(w.size, _DOT))
    # numpy's maximum of numbers among which one is NaN is NaN, Python's need not be.
    return total, float(np.max(ends))


def float32_above(exact: float, values: Values, draw: Draw) -> np.float32:
    """Return the smallest float32 that is at least `exact`, a norm of `values`.

    Raises `NotFinite` at the largest value where there is none.
    """
    if exact > LARGEST:
        raise not_finite(int(np.argmax(np.abs(values))), draw)
    norm = np.float32(exact)
    return norm if float(norm) >= exact else np.nextafter(norm, np.float32(np.inf))


def write_float32(norm: np.float32) -> memoryview:
    """Return the part of a payload that is a norm: four bytes, little-endian."""
    return memoryview(norm.astype("<f4").tobytes())


def read_float32(part: memoryview) -> np.float32:
    """Return the norm that `write_float32` wrote; raises `RemoteProtocolError` where it is none."""
    if part.nbytes != 4:  # noqa: PLR2004 — a float32
        raise RemoteProtocolError(f"{part.nbytes} bytes where a norm belongs")
    norm: np.float32 = np.frombuffer(part, dtype="<f4")[0]
    if not (np.isfinite(norm) and norm >= 0):
        raise RemoteProtocolError("a norm that is negative or not finite")
    return norm
