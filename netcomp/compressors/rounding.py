"""General rounding to a grid of magnitudes, at random without bias or to the nearest.

The grid is (a_k), k ∈ ℤ: `steps` magnitudes in [1, b), repeated by factors of b in both
directions, so that inf a_k = 0 and sup a_k = ∞ as Beznosikov et al. (12) and (13) ask.
`round:b=2` has the one step 1, a_k = 2^k; `round:b=4,steps=1/1.5/2/3` four a period.

What travels: the smallest grid number k_min (4 bytes, signed), how many there are
(4 bytes), and one symbol a value at its entropy: 0 for zero, 2j − 1 and 2j for minus and plus
a_{k_min + j − 1}.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.ans import decode_symbols, encode_symbols
from netcomp.coding.bits import packed_bytes
from netcomp.coding.model import histogram
from netcomp.compressors.base import Held, not_finite
from netcomp.compressors.grids import (
    Grid,
    PowersOfTwo,
    looked_up,
    nearest_symbols,
    signed_table,
    tabled,
)
from netcomp.compressors.norms import Values, max_norm
from netcomp.compressors.quantizers import Quantizer
from netcomp.compressors.readers import number
from netcomp.compressors.spelling import decimal
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Rounding", "Steps"]

_HEAD = struct.Struct("<iI")
_LOW, _HIGH = -126, 127
_MAX_GRID = 32767


@dataclass(frozen=True, slots=True)
class Steps:
    """The grid's magnitudes within one period, increasing from 1: "1/1.25/1.5"."""

    values: tuple[float, ...] = (1.0,)

    @classmethod
    def parse(cls, text: str) -> Steps:
        """Read numbers with slashes between them; raises ValueError."""
        values = tuple(number(piece) for piece in text.split("/"))
        if values[0] != 1.0 or not all(a < b for a, b in pairwise(values)):
            raise ValueError("expected increasing steps that begin with 1, as 1/1.25/1.5")
        return cls(values)

    def __str__(self) -> str:
        return "/".join(decimal(value) for value in self.values)


@dataclass(frozen=True)
class Rounding(Quantizer):
    """Rounding of magnitudes to a grid; unbiased (12) unless `biased`, then to the nearest (13).

    Unbiased: U(ζ), ζ = ¼ sup(a_k/a_{k+1} + a_{k+1}/a_k + 2) (Lemma 12). Biased: Lemma 13. The
    grid covers the normal float32 range, 2⁻¹²⁶ to 2¹²⁷; magnitudes above are refused, below it
    unbiased rounding is between 0 and the smallest and biased rounding to 0 or the smallest,
    where the constants do not hold.
    """

    b: float = 2.0
    steps: Steps = Steps()
    biased: bool = False
    parts = 2
    decodes_finite = True

    def __post_init__(self) -> None:
        if not 1.0 < self.b < math.inf:
            raise SpecError("round.b", f"{decimal(self.b)} must be above 1 and finite")
        if self.steps.values[-1] >= self.b:
            raise SpecError("round.steps", f"{self.steps} must stay below b = {decimal(self.b)}")
        if (_HIGH - _LOW) / math.log2(self.b) * len(self.steps.values) > _MAX_GRID:
            raise SpecError("round.b", f"a grid finer than {_MAX_GRID} magnitudes is too fine")

    def __str__(self) -> str:
        steps = "" if len(self.steps.values) == 1 else f",steps={self.steps}"
        return f"round:b={decimal(self.b)}{steps}{',biased=yes' if self.biased else ''}"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return not self.biased

    @cached_property
    def _magnitudes(self) -> NDArray[np.float32]:
        """All magnitudes within the float32 range, increasing."""
        low, high = (math.floor(end / math.log2(self.b)) for end in (_LOW, _HIGH))
        powers = self.b ** np.arange(low, high + 1, dtype=np.float64)
        grid = np.multiply.outer(powers, self.steps.values).ravel()
        return grid[(grid >= 2.0**_LOW) & (grid <= 2.0**_HIGH)].astype(np.float32)

    @cached_property
    def _ratios(self) -> NDArray[np.float64]:
        """a_{k+1}/a_k over one period."""
        period = np.array([*self.steps.values, self.b])
        ratios: NDArray[np.float64] = period[1:] / period[:-1]
        return ratios

    def omega(self, m: int) -> float | None:
        if self.biased:
            return None
        r = self._ratios
        return float(((1 / r + r + 2) / 4).max()) - 1.0

    def delta(self, m: int) -> float | None:
        if not self.biased:
            return super().delta(m)
        r = self._ratios
        return float((4 * r / (1 + r) ** 2).min())

    def b1(self, m: int) -> tuple[float, float] | None:
        if not self.biased:
            return super().b1(m)
        gamma, beta = self._gamma_beta
        return gamma**2, beta

    def b2(self, m: int) -> tuple[float, float] | None:
        return self._gamma_beta if self.biased else super().b2(m)

    @property
    def _gamma_beta(self) -> tuple[float, float]:
        r = self._ratios
        return float((2 / (1 + r)).min()), float((2 * r / (1 + r)).max())

    def bits(self, m: int) -> float:
        """Return sign and number of the magnitude at fixed width."""
        return m * (1.0 + math.ceil(math.log2(self._magnitudes.size + 1)))

    def max_bytes(self, m: int) -> int:
        return _HEAD.size + 1 + packed_bytes(m, (2 * self._magnitudes.size).bit_length())

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        if max_norm(values, draw) > self._magnitudes[-1]:
            raise not_finite(int(np.argmax(np.abs(values) > self._magnitudes[-1])), draw)
        if self.biased:
            symbols = nearest_symbols(self._magnitudes, values)
        else:
            symbols = self._grid(values.dtype).symbols(values, draw.stream(Purpose.QUANTIZER))
        used = np.flatnonzero(histogram(symbols, 2 * self._magnitudes.size + 1)[1:]) // 2 + 1
        low, high = (int(used[0]), int(used[-1])) if used.size else (1, 1)
        count = high - low + 1
        alphabet = 2 * count + 1
        # Zero stays zero, whatever is subtracted.
        below = symbols.dtype.type(2 * (low - 1))
        np.maximum(symbols, below, out=symbols)
        symbols -= below
        # The wide ones are let go before the narrow ones are coded, which sets the peak of memory.
        symbols = symbols.astype(np.uint8 if alphabet <= 256 else np.uint16, copy=False)  # noqa: PLR2004
        coded = encode_symbols(symbols, alphabet)
        head = _HEAD.pack(low, count)
        return (memoryview(head), memoryview(coded)), partial(self._values, low, count, symbols)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        if len(parts) != 2 or parts[0].nbytes != _HEAD.size:  # noqa: PLR2004 — head and symbols
            raise RemoteProtocolError("a grid's range and symbols belong here")
        low, count = _HEAD.unpack(parts[0])
        if not (low >= 1 and count >= 1 and low + count - 1 <= self._magnitudes.size):
            raise RemoteProtocolError("a range outside the grid")
        return self._values(low, count, decode_symbols(parts[1], m, 2 * count + 1))

    def _grid(self, dtype: np.dtype[Any]) -> Grid:
        powers = self.b == 2.0 and self.steps.values == (1.0,)  # noqa: PLR2004
        if powers and dtype == np.float32:
            return PowersOfTwo(self._magnitudes)
        return tabled(self._magnitudes, dtype)

    def _values(self, low: int, count: int, symbols: NDArray[Any]) -> NDArray[np.float32]:
        """Return the numbers that symbols stand for; both ends do just this."""
        return looked_up(signed_table(self._magnitudes[low - 1 : low - 1 + count]), symbols)
