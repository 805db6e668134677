"""Quantizers that round to a few levels of a vector's norm: dithering, ternary, QSGD.

C(x)_i = ‖x‖_p · sign(x_i) · ξ(|x_i| / ‖x‖_p), where ξ(t) is one of the two levels around t, at
random and with mean t. What travels is the norm as a 32-bit float, rounded up so that no
|x_i| / ‖x‖ exceeds 1, and the signed levels as symbols at their entropy (`coding.ans`): 0 for
zero, 2j − 1 and 2j for minus and plus level j.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.ans import decode_sparse, decode_symbols, encode_sparse, encode_symbols
from netcomp.coding.bits import packed_bytes
from netcomp.compressors.base import Held
from netcomp.compressors.grids import Grid, doubling, looked_up, signed_table, tabled, uniform
from netcomp.compressors.norms import Norm, Values, float32_above, read_float32, write_float32
from netcomp.compressors.quantizers import Quantizer
from netcomp.compressors.spelling import decimal
from netcomp.compressors.thinning import THIN, thinned
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Dithering", "Levels", "Norm", "Qsgd"]

_MAX_LEVELS = 32767
_EUCLIDEAN: Final = Norm(2.0)


class Levels(Quantizer):
    """The shared part: a subclass has a `norm`, the increasing `levels` up to 1, and its ω."""

    norm: Norm
    parts = 2
    decodes_finite = True

    @property
    @abstractmethod
    def levels(self) -> NDArray[np.float64]:
        """The positive levels, increasing, the last one 1."""

    @property
    def _alphabet(self) -> int:
        return 2 * self.levels.size + 1

    def bits(self, m: int) -> float:
        """Return 32 bits for the norm and the levels at fixed width, as the papers count."""
        return 32.0 + m * (1.0 + math.log2(self.levels.size + 1))

    def max_bytes(self, m: int) -> int:
        return 4 + 1 + packed_bytes(m, (self._alphabet - 1).bit_length())

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        exact, largest = self.norm.measure(values, draw)
        norm = float32_above(exact, values, draw)
        head = write_float32(norm)
        if norm == 0.0:
            symbols = np.zeros(values.size, dtype=np.uint8)
            return (head, memoryview(encode_symbols(symbols, self._alphabet))), symbols.astype("f4")
        stream = draw.stream(Purpose.QUANTIZER)
        magnitudes = self._magnitudes(norm)
        if largest <= THIN * float(magnitudes[0]):
            # All of them are between zero and the lowest level, few of them above zero.
            positions = thinned(values, largest, float(magnitudes[0]), stream)
            rest = 2 - np.signbit(values[positions]).astype(np.uint8)
            coded = encode_sparse(positions, rest, values.size, self._alphabet)
            decoded = partial(_scattered, positions, rest, values.size, magnitudes)
            return (head, memoryview(coded)), decoded
        # The grid and its scratch memory are let go before symbols are coded.
        symbols = self._grid(magnitudes, float(norm), values.dtype).symbols(values, stream)
        coded = encode_symbols(symbols, self._alphabet)
        return (head, memoryview(coded)), partial(looked_up, signed_table(magnitudes), symbols)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        if len(parts) != 2:  # noqa: PLR2004 — norm and levels
            raise RemoteProtocolError("a norm and levels belong here")
        magnitudes = self._magnitudes(read_float32(parts[0]))
        sparse = decode_sparse(parts[1], m, self._alphabet)
        if sparse is not None:
            return _scattered(*sparse, m, magnitudes)
        return looked_up(signed_table(magnitudes), decode_symbols(parts[1], m, self._alphabet))

    def _magnitudes(self, norm: np.float32) -> NDArray[np.float32]:
        """Return the numbers that the levels stand for; both ends do just this."""
        return (float(norm) * self.levels).astype(np.float32)

    @abstractmethod
    def _grid(self, magnitudes: NDArray[np.float32], norm: float, dtype: np.dtype[Any]) -> Grid:
        """Return the fastest grid of these magnitudes for values of `dtype` up to `norm`."""


def _scattered(
    positions: NDArray[np.int64],
    symbols: NDArray[Any],
    size: int,
    magnitudes: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the numbers that symbols other than zero at `positions` stand for."""
    values = np.zeros(size, dtype=np.float32)
    values[positions] = signed_table(magnitudes).take(symbols)
    return values


@dataclass(frozen=True)
class Dithering(Levels):
    """General exponential dithering with s levels b^{1−s} … b^{−1}, 1 of the p-norm.

    Beznosikov et al. (14), in U(ζ_b) by their Lemma 15, eq. (15). b = 2 is natural dithering,
    s = b = 1 with the maximum norm ternary quantization (TernGrad).
    """

    s: int = 8
    b: float = 2.0
    p: Norm = _EUCLIDEAN

    def __post_init__(self) -> None:
        if not 1 <= self.s <= _MAX_LEVELS:
            raise SpecError("dither.s", f"{self.s} is outside 1..{_MAX_LEVELS}")
        if not (self.b > 1.0 or (self.b == 1.0 and self.s == 1)) or not math.isfinite(self.b):
            raise SpecError("dither.b", f"{decimal(self.b)} must be above 1, or 1 where s = 1")

    def __str__(self) -> str:
        base = "" if self.b == Dithering.b else f",b={decimal(self.b)}"
        return f"dither:s={self.s}{base}{'' if self.p == Dithering.p else f',p={self.p}'}"

    @property
    def norm(self) -> Norm:  # type: ignore[override]
        return self.p

    @property
    def levels(self) -> NDArray[np.float64]:
        return self.b ** np.arange(1.0 - self.s, 1.0)

    def _grid(self, magnitudes: NDArray[np.float32], norm: float, dtype: np.dtype[Any]) -> Grid:
        if self.s == 1:
            return uniform(magnitudes, norm, dtype)
        if self.b == 2.0:  # noqa: PLR2004 — powers of two
            return doubling(magnitudes, norm, dtype)
        return tabled(magnitudes, dtype)

    def omega(self, m: int) -> float:
        r = min(self.p.p, 2.0)
        tail = m ** (1.0 / r) * self.b ** (1.0 - self.s)
        zeta = (self.b + 1.0 / self.b + 2.0) / 4.0 + tail * min(1.0, tail)  # eq. (15)
        return float(zeta) - 1.0


@dataclass(frozen=True)
class Qsgd(Levels):
    """QSGD: s uniform levels of the 2-norm, or any p-norm with p ≥ 2, ω = min{m/s², √m/s}.

    Alistarh et al., NeurIPS 2017; MCM and NEOLITHIC use s = 1. With t between the levels a and a',
    E‖C(x) − x‖² = ‖x‖_p² Σ (t − a)(a' − t) is at most ‖x‖_p² m/(4s²), and ‖x‖_p ‖x‖₁/s, where
    ‖x‖₁ ≤ √m ‖x‖₂; the bound follows from ‖x‖_p ≤ ‖x‖₂, for which p ≥ 2 is needed.
    """

    s: int = 1
    p: Norm = _EUCLIDEAN

    def __post_init__(self) -> None:
        if not 1 <= self.s <= _MAX_LEVELS:
            raise SpecError("qsgd.s", f"{self.s} is outside 1..{_MAX_LEVELS}")
        if self.p.p < 2.0:  # noqa: PLR2004 — the 2-norm
            raise SpecError("qsgd.p", "the norm must be at least 2")

    def __str__(self) -> str:
        return f"qsgd:s={self.s}{'' if self.p == Qsgd.p else f',p={self.p}'}"

    @property
    def norm(self) -> Norm:  # type: ignore[override]
        return self.p

    @property
    def levels(self) -> NDArray[np.float64]:
        return np.arange(1.0, self.s + 1.0) / self.s

    def _grid(self, magnitudes: NDArray[np.float32], norm: float, dtype: np.dtype[Any]) -> Grid:
        return uniform(magnitudes, norm, dtype)

    def omega(self, m: int) -> float:
        return min(m / self.s**2, math.sqrt(m) / self.s)
