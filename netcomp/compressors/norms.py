"""Norms of a vector in one pass, which also finds out whether its values are finite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import not_finite, require_finite
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError

__all__ = ["CHUNK", "Norm", "float32_above", "l1_norm", "max_norm", "pieces", "read_float32"]

CHUNK: Final = 1 << 16
"""How many values are worked on at a time, so that temporaries stay in the cache."""

_LARGEST: Final = float(np.finfo(np.float32).max)
# BLAS starts threads for longer vectors, and a thread a product costs more than it saves.
_DOT = 8192
_SAFE_LOW, _SAFE_HIGH = 1e-280, 1e280
_MOST_DOUBLINGS = 1000

Values = NDArray[np.floating[Any]]


def pieces(size: int, step: int = CHUNK) -> Iterator[slice]:
    """Yield slices of `step` that cover 0 … size."""
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


@dataclass(frozen=True, slots=True)
class Norm:
    """The p of a norm: 1, 2 or infinity."""

    p: float

    @classmethod
    def parse(cls, text: str) -> Norm:
        """Read "1", "2" or "inf"; raises ValueError."""
        if text not in ("1", "2", "inf"):
            raise ValueError("expected the norm 1, 2 or inf")
        return cls(float(text))

    def __str__(self) -> str:
        return f"{self.p:g}"

    def of(self, values: Values, draw: Draw) -> float:
        """Return ‖x‖_p, computed in float64; 0 for no values. Raises `NotFinite`."""
        if math.isinf(self.p):
            return max_norm(values, draw)
        return l1_norm(values, draw) if self.p == 1.0 else _l2_norm(values, draw)


def max_norm(values: Values, draw: Draw) -> float:
    """Return max |x_i|, 0 for no values; raises `NotFinite` at the first that is not."""
    ends = [(values[part].max(), -values[part].min()) for part in pieces(values.size)]
    # numpy's maximum of numbers among which one is NaN is NaN, Python's need not be.
    largest = float(np.max(ends)) if ends else 0.0
    if not math.isfinite(largest):
        require_finite(values, draw)
    return largest


def l1_norm(values: Values, draw: Draw) -> float:
    """Return Σ |x_i| in float64, 0 for no values; raises `NotFinite` at the first that is not.

    Infinite where finite float64 values have a sum beyond that format.
    """
    magnitudes = np.empty(min(values.size, CHUNK), dtype=values.dtype)
    total = 0.0
    with np.errstate(over="ignore"):
        for part in pieces(values.size):
            v = values[part]
            total += float(np.abs(v, out=magnitudes[: v.size]).sum(dtype=np.float64))
    if not math.isfinite(total):
        require_finite(values, draw)
    return total


def _l2_norm(values: Values, draw: Draw) -> float:
    total = _squares(values, 1.0)
    # Squares of float32 values neither overflow nor vanish in float64.
    if not _SAFE_LOW < total < _SAFE_HIGH:
        # By a power of two near the largest, which changes no digit.
        scale = math.ldexp(1.0, min(-math.frexp(max_norm(values, draw))[1], _MOST_DOUBLINGS))
        return math.sqrt(_squares(values, scale)) / scale
    return math.sqrt(total)


def _squares(values: Values, scale: float) -> float:
    """Return Σ (scale · x_i)² in float64."""
    wide = np.empty(min(values.size, _DOT))
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for part in pieces(values.size, _DOT):
            v = wide[: part.stop - part.start]
            np.copyto(v, values[part])
            if scale != 1.0:
                v *= scale
            total += float(v.dot(v))
    return total


def float32_above(exact: float, values: Values, draw: Draw) -> np.float32:
    """Return the smallest float32 that is at least `exact`, a norm of `values`.

    Raises `NotFinite` at the largest value where there is none.
    """
    if exact > _LARGEST:
        raise not_finite(int(np.argmax(np.abs(values))), draw)
    norm = np.float32(exact)
    return norm if float(norm) >= exact else np.nextafter(norm, np.float32(np.inf))


def read_float32(part: memoryview) -> np.float32:
    """Return the norm that `float32_above` wrote; raises `RemoteProtocolError` where it is none."""
    if part.nbytes != 4:  # noqa: PLR2004 — a float32
        raise RemoteProtocolError(f"{part.nbytes} bytes where a norm belongs")
    norm: np.float32 = np.frombuffer(part, dtype="<f4")[0]
    if not (np.isfinite(norm) and norm >= 0):
        raise RemoteProtocolError("a norm that is negative or not finite")
    return norm
