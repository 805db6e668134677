"""Grids of magnitudes, and random rounding to them.

A grid is 0 = a₀ ≤ a₁ ≤ … ≤ a_K. A magnitude t in [a_k, a_{k+1}] becomes a_{k+1} with probability
p = (t − a_k)/(a_{k+1} − a_k), else a_k, so that its mean is t. The a_k are the numbers that will
be decoded, in float32, and no approximations of them: there is no bias but float64's, except where
t is within rounding of an a_k. There `Uniform` and `Doubling` may take the gap on its other side: p
is outside [0, 1] by 2e-6 at most, and t becomes a_k for certain.

Finding k and p is what takes the time. `Grid` searches, for any values; the others work for float32
where the grid allows it: `Uniform` by arithmetic, `Doubling` and `PowersOfTwo` on the bits, since
exponent and mantissa of a float are k and p, `Tabled` by a table over the leading bits.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.reuse import empty_float32
from netcomp.compressors.cells import Cells
from netcomp.compressors.chance import BELOW_ONE, Coins
from netcomp.compressors.norms import Values, pieces, quarter
from netcomp.draw import Stream

__all__ = [
    "Grid",
    "PowersOfTwo",
    "doubling",
    "looked_up",
    "nearest_symbols",
    "signed_table",
    "tabled",
    "uniform",
]

_MANTISSA: Final = 23
_ONE: Final = 127
# Norms, the reciprocals of which are normal float32 with room for the levels.
_FEW_LOW, _FEW_HIGH = 1e-15, 1e30
_BYTES: Final = 256

Magnitudes = NDArray[np.floating[Any]]
Split = tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.uint16]]


class Grid:
    """Any grid, for values of any size: by searching, in float64."""

    def __init__(self, magnitudes: NDArray[np.float32]) -> None:
        self.size = magnitudes.size
        self.table = signed_table(magnitudes)
        self._points = np.concatenate([[0.0], magnitudes.astype(np.float64), [np.inf]])
        self.dtype = _symbol_dtype(self.size)

    def split(self, values: Values) -> Split:
        """Return k and T ≈ 2¹⁶p (`netcomp.compressors.chance`) of up to `CHUNK` values.

        The arrays may be altered, and may be used again by the next call.
        """
        t = np.abs(values).astype(np.float64, copy=False)
        k = np.minimum(np.searchsorted(self._points, t, side="right") - 1, self.size)
        thresholds = np.clip(self._chances(t, k), 0.0, 1.0) * BELOW_ONE
        return k.astype(self.dtype), thresholds.astype(np.uint16)

    def chances(self, values: Values, k: NDArray[Any]) -> NDArray[np.float64]:
        """Return p of values above a_k; 0 where that is the last."""
        return self._chances(np.abs(values).astype(np.float64), k)

    def _chances(self, t: NDArray[np.float64], k: NDArray[Any]) -> NDArray[np.float64]:
        low = self._points[k]
        out: NDArray[np.float64] = (t - low) / (self._points[k + np.intp(1)] - low)
        return out

    def symbols(self, values: Values, stream: Stream) -> NDArray[Any]:
        """Return the symbols (see `table`) of values rounded at random."""
        out = np.empty(values.size, dtype=self.dtype)
        step = quarter(values.size)
        coins = Coins(stream, step)
        for part in pieces(values.size, step):
            v = values[part]
            k, thresholds = self.split(v)
            k += coins.toss(thresholds)
            _signed(k, v, out[part])
        for at in coins.left_open():
            v = values.take(at)
            k, thresholds = self.split(v)
            k += coins.settle(thresholds, self.chances(v, k))
            few = np.empty(at.size, dtype=self.dtype)
            _signed(k, v, few)
            out[at] = few
        return out


class _Fast(Grid):
    """Scratch memory for values of one dtype, as much as the longest piece takes."""

    def __init__(self, magnitudes: NDArray[np.float32], work: type = np.float32) -> None:
        super().__init__(magnitudes)
        self._work: Magnitudes = np.empty(0, dtype=work)
        self._thresholds = np.empty(0, dtype=np.uint16)
        self._k = np.empty(0, dtype=self.dtype)

    def _magnitudes(self, values: Values) -> NDArray[Any]:
        if values.size > self._work.size:
            scratch = (self._work, self._thresholds, self._k)
            self._work, self._thresholds, self._k = (
                np.empty(values.size, dtype=array.dtype) for array in scratch
            )
        t = self._work[: values.size]
        np.abs(values, out=t)
        return t

    def _cut(self, values: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        out = out[: values.size]
        np.copyto(out, values, casting="unsafe")
        return out

    def _from_bits(self, t: NDArray[np.float32], exponent: int) -> Split:
        """Return exponent field less `exponent`, and the first 16 bits of the mantissa."""
        bits = t.view(np.uint32)
        bits >>= np.uint32(_MANTISSA - 16)
        thresholds = self._cut(bits, self._thresholds)
        bits >>= np.uint32(16)
        k = self._cut(bits, self._k)
        if exponent:
            k -= k.dtype.type(exponent)
        return k, thresholds


class Uniform(_Fast):
    """a_k = k·norm/s: k and p are the whole and the rest of t·s/norm, in either dtype."""

    MOST: Final = 32
    """The most levels for which T is as near to 2¹⁶p as it must be, the a_k being rounded."""

    def __init__(self, magnitudes: NDArray[np.float32], norm: float, work: type) -> None:
        super().__init__(magnitudes, work)
        factor: np.floating[Any] = work(magnitudes.size / norm)
        # Rounded down, so that t ≤ norm gives no more than s.
        over = float(factor) > magnitudes.size / norm
        self._factor = np.nextafter(factor, factor.dtype.type(0)) if over else factor

    def split(self, values: Values) -> Split:
        t = self._magnitudes(values)
        t *= self._factor
        k = self._cut(t, self._k)
        t -= k
        t *= self._factor.dtype.type(BELOW_ONE)
        return k, self._cut(t, self._thresholds)


class Doubling(_Fast):
    """a_k = norm·2^(k−s): for y = t/a₁ the exponent and mantissa of y + max(y, 1)."""

    MOST: Final = 64
    """The most levels for which y is a float32 for any norm that gets here."""

    def __init__(self, magnitudes: NDArray[np.float32], norm: float) -> None:
        super().__init__(magnitudes)
        self._factor = np.float32(math.ldexp(1.0, magnitudes.size - 1) / norm)

    def split(self, values: Values) -> Split:
        y = self._magnitudes(values)
        y *= self._factor
        y += np.maximum(y, np.float32(1.0))
        return self._from_bits(y, _ONE)


class PowersOfTwo(_Fast):
    """a_k = 2^(k−127): all normal float32 powers; p of a subnormal is its mantissa too."""

    def split(self, values: Values) -> Split:
        return self._from_bits(self._magnitudes(values), 0)


class Tabled(_Fast):
    """Any increasing grid that has `Cells`."""

    def __init__(self, magnitudes: NDArray[np.float32], cells: Cells) -> None:
        super().__init__(magnitudes)
        self._cells = cells
        self._low = np.append(np.float32(0), magnitudes)
        self._gaps = np.append(np.diff(self._low), np.float32(np.inf))

    def split(self, values: Values) -> Split:
        t = self._magnitudes(values)
        k = self._cells.below(t)
        t -= self._low.take(k)
        t /= self._gaps.take(k)
        t *= np.float32(BELOW_ONE)
        return self._cut(k, self._k), self._cut(t, self._thresholds)


def uniform(magnitudes: NDArray[np.float32], norm: float, dtype: np.dtype[Any]) -> Grid:
    """Return the grid a_k = k·norm/s for values of `dtype` up to `norm`."""
    if magnitudes.size > Uniform.MOST or not _FEW_LOW < norm < _FEW_HIGH:
        return tabled(magnitudes, dtype)
    return Uniform(magnitudes, norm, np.float32 if dtype == np.float32 else np.float64)


def doubling(magnitudes: NDArray[np.float32], norm: float, dtype: np.dtype[Any]) -> Grid:
    """Return the grid a_k = norm·2^(k−s) for values of `dtype` up to `norm`."""
    plain = dtype == np.float32 and _FEW_LOW < norm < _FEW_HIGH
    fits = plain and magnitudes.size <= Doubling.MOST
    return Doubling(magnitudes, norm) if fits else Grid(magnitudes)


def tabled(magnitudes: NDArray[np.float32], dtype: np.dtype[Any]) -> Grid:
    """Return any grid for values of `dtype`."""
    cells = Cells.of(magnitudes) if dtype == np.float32 else None
    return Grid(magnitudes) if cells is None else Tabled(magnitudes, cells)


def nearest_symbols(magnitudes: NDArray[np.float32], values: Values) -> NDArray[Any]:
    """Return the symbols of the magnitudes nearest to the values, 0 among them.

    In the middle between two it is the smaller one.
    """
    points = np.append(0.0, magnitudes.astype(np.float64))
    middles = (points[:-1] + points[1:]) / 2
    # A float32 is above a middle where it is at least the next float32 above that.
    above = np.nextafter(middles.astype(np.float32), np.float32(np.inf))
    below = middles.astype(np.float32)
    cells = (
        Cells.of(np.where(below > middles, below, above)) if values.dtype == np.float32 else None
    )
    out = np.empty(values.size, dtype=_symbol_dtype(magnitudes.size))
    for part in pieces(values.size, quarter(values.size)):
        t = np.abs(values[part])
        k = np.searchsorted(middles, t) if cells is None else cells.below(t)
        _signed(k.astype(out.dtype), values[part], out[part])
    return out


def _symbol_dtype(size: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if 2 * size < _BYTES else np.uint16)


def signed_table(magnitudes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the number of each symbol: 0 for zero, 2k − 1 for −a_k, 2k for a_k."""
    table = np.zeros(2 * magnitudes.size + 1, dtype=np.float32)
    table[2::2] = magnitudes
    table[1::2] = -magnitudes
    return table


def _signed(k: NDArray[Any], values: Values, out: NDArray[Any]) -> None:
    """Write 2k where a value is above zero, 2k − 1 where it is below and k > 0; alters k."""
    negative = np.less(values, 0)
    negative &= k > 0
    k += k
    np.subtract(k, negative, out=out)


def looked_up(table: NDArray[np.float32], symbols: NDArray[Any]) -> NDArray[np.float32]:
    """Return table[symbols] for symbols that are all in the table."""
    out = empty_float32(symbols.size)
    for part in pieces(symbols.size):
        # "clip" only because it writes to `out` without a copy.
        np.take(table, symbols[part], out=out[part], mode="clip")
    return out
