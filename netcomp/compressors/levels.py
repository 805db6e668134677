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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.ans import decode_symbols, encode_symbols
from netcomp.coding.bits import packed_bytes
from netcomp.compressors.base import require_finite
from netcomp.compressors.quantizers import Quantizer, Values, float32_above, read_float32
from netcomp.draw import Draw, Purpose, Stream
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Dithering", "Levels", "Norm", "Qsgd"]

_CHUNK = 1 << 16
_MAX_LEVELS = 32767
_THIN = 1 / 16


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

    def of(self, values: Values) -> float:
        """Return ‖x‖_p, computed in float64; 0 for no values."""
        if values.size == 0:
            return 0.0
        if math.isinf(self.p):
            return float(np.abs(values).max())
        if self.p == 1.0:
            return float(np.abs(values).sum(dtype=np.float64))
        # Scaled by the largest, so that squares neither overflow nor vanish.
        largest = float(np.abs(values).max())
        if largest == 0.0:
            return 0.0
        scaled = values.astype(np.float64) / largest
        return largest * math.sqrt(float(np.dot(scaled, scaled)))


class Levels(Quantizer):
    """The shared part: a subclass has a `norm`, the increasing `levels` up to 1, and its ω."""

    norm: Norm

    @property
    @abstractmethod
    def levels(self) -> NDArray[np.float64]:
        """The positive levels, increasing, the last one 1."""

    def bits(self, m: int) -> float:
        """Return 32 bits for the norm and the levels at fixed width, as the papers count."""
        return 32.0 + m * (1.0 + math.log2(self.levels.size + 1))

    def max_bytes(self, m: int) -> int:
        alphabet = 2 * self.levels.size + 1
        return 4 + 1 + packed_bytes(m, (alphabet - 1).bit_length())

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        require_finite(values, draw)
        norm = float32_above(self.norm.of(values), values, draw)
        symbols = self._symbols(values, float(norm), draw.stream(Purpose.QUANTIZER))
        coded = encode_symbols(symbols, 2 * self.levels.size + 1)
        head = norm.astype("<f4").tobytes()
        return (memoryview(head), memoryview(coded)), self._values(norm, symbols)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        if len(parts) != 2:  # noqa: PLR2004 — norm and levels
            raise RemoteProtocolError("a norm and levels belong here")
        norm = read_float32(parts[0])
        return self._values(norm, decode_symbols(parts[1], m, 2 * self.levels.size + 1))

    def _symbols(self, values: Values, norm: float, stream: Stream) -> NDArray[Any]:
        """Round at random; by chunks, so that temporaries stay small."""
        alphabet = 2 * self.levels.size + 1
        symbols = np.zeros(values.size, dtype=np.uint8 if alphabet <= 256 else np.uint16)  # noqa: PLR2004
        if norm == 0.0:
            return symbols
        if self.levels.size == 1 and (chosen := _thinned(values, norm, stream)) is not None:
            symbols[chosen] = 2 - np.signbit(values[chosen])
            return symbols
        for start in range(0, values.size, _CHUNK):
            part = slice(start, min(start + _CHUNK, values.size))
            level = self._round(np.abs(values[part]) / norm, stream)
            # 2j for plus, 2j − 1 for minus, 0 for either zero.
            level += level
            level -= np.signbit(values[part]) & (level > 0)
            symbols[part] = level
        return symbols

    @abstractmethod
    def _round(self, t: NDArray[Any], stream: Stream) -> NDArray[np.int32]:
        """Return the number of the level that each t in [0, 1] becomes; 0 is zero."""

    def _values(self, norm: np.float32, symbols: NDArray[Any]) -> NDArray[np.float32]:
        """Return the numbers that symbols stand for; both ends do just this."""
        table = np.zeros(2 * self.levels.size + 1, dtype=np.float32)
        magnitudes = (float(norm) * self.levels).astype(np.float32)
        table[2::2] = magnitudes
        table[1::2] = -magnitudes
        values: NDArray[np.float32] = table[symbols]
        return values


def _thinned(values: Values, norm: float, stream: Stream) -> NDArray[np.int64] | None:
    """Return where a coordinate with probability |v_i|/norm each comes out, without asking all.

    Every |v_i|/norm is at most q = max|v|/norm. Marking each coordinate with probability q, and
    keeping a marked one with probability |v_i|/max|v|, does the same; the marks are a
    Binomial(m, q) number of distinct positions. None where q is too large for that to pay.
    """
    largest = float(np.abs(values).max())
    q = largest / norm
    if q > _THIN:
        return None
    marked = stream.distinct(values.size, _binomial(values.size, q, stream))
    kept = stream.words32(marked.size) < np.abs(values[marked]) / largest * 2.0**32
    return marked[kept]


def _binomial(m: int, q: float, stream: Stream) -> int:
    """Return a Binomial(m, q) number by inverting its distribution around the mean.

    Only sums within 40 standard deviations and 100 of the mean are looked at, outside of
    which less than 2⁻¹⁰⁰⁰ lies. Not exact arithmetic: only the sender draws it.
    """
    spread = 100 + 40 * math.isqrt(math.ceil(m * q))
    numbers = np.arange(max(0, int(m * q) - spread), min(m, int(m * q) + spread) + 1)
    if q == 0.0:
        return 0
    # log of the ratio of neighbouring probabilities, summed up from the first.
    ratios = np.log((m - numbers[:-1]) / (numbers[:-1] + 1.0)) + math.log(q / (1.0 - q))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    distribution = np.cumsum(np.exp(logs - logs.max()))
    target = stream.uniforms(1)[0] * distribution[-1]
    return int(numbers[np.searchsorted(distribution, target, side="right")])


@dataclass(frozen=True)
class Dithering(Levels):
    """General exponential dithering with s levels b^{1−s} … b^{−1}, 1 of the p-norm.

    Beznosikov et al. (14), in U(ζ_b) by their Lemma 15, eq. (15). b = 2 is natural dithering,
    s = b = 1 with the maximum norm ternary quantization (TernGrad).
    """

    s: int = 8
    b: float = 2.0
    p: Norm = Norm(2.0)

    def __post_init__(self) -> None:
        if not 1 <= self.s <= _MAX_LEVELS:
            raise SpecError("dither.s", f"{self.s} is outside 1..{_MAX_LEVELS}")
        if not (self.b > 1.0 or (self.b == 1.0 and self.s == 1)) or not math.isfinite(self.b):
            raise SpecError("dither.b", f"{self.b:g} must be above 1, or 1 where s = 1")

    def __str__(self) -> str:
        base = "" if self.b == Dithering.b else f",b={self.b:g}"
        return f"dither:s={self.s}{base}{'' if self.p == Dithering.p else f',p={self.p}'}"

    @property
    def norm(self) -> Norm:  # type: ignore[override]
        return self.p

    @property
    def levels(self) -> NDArray[np.float64]:
        return self.b ** np.arange(1.0 - self.s, 1.0)

    def _round(self, t: NDArray[Any], stream: Stream) -> NDArray[np.int32]:
        grid = np.concatenate([[0.0], self.levels])
        below = np.minimum(np.searchsorted(grid, t, side="right") - 1, self.s - 1)
        low = grid[below]
        up = (t - low) / (grid[below + 1] - low)
        # A 32-bit word below up · 2³²: the probability is exact to 2⁻³².
        below += stream.words32(t.size) < up * 2.0**32
        return below.astype(np.int32)

    def omega(self, m: int) -> float:
        r = min(self.p.p, 2.0)
        tail = m ** (1.0 / r) * self.b ** (1.0 - self.s)
        zeta = (self.b + 1.0 / self.b + 2.0) / 4.0 + tail * min(1.0, tail)  # eq. (15)
        return float(zeta) - 1.0


@dataclass(frozen=True)
class Qsgd(Levels):
    """QSGD: s uniform levels of the 2-norm (or the maximum norm), ω = min{m/s², √m/s}.

    Alistarh et al., NeurIPS 2017; MCM and NEOLITHIC use s = 1. The bound needs p ≥ 2.
    """

    s: int = 1
    p: Norm = Norm(2.0)

    def __post_init__(self) -> None:
        if not 1 <= self.s <= _MAX_LEVELS:
            raise SpecError("qsgd.s", f"{self.s} is outside 1..{_MAX_LEVELS}")
        if self.p.p < 2.0:  # noqa: PLR2004 — the 2-norm
            raise SpecError("qsgd.p", "the norm must be 2 or inf")

    def __str__(self) -> str:
        return f"qsgd:s={self.s}{'' if self.p == Qsgd.p else f',p={self.p}'}"

    @property
    def norm(self) -> Norm:  # type: ignore[override]
        return self.p

    @property
    def levels(self) -> NDArray[np.float64]:
        return np.arange(1.0, self.s + 1.0) / self.s

    def _round(self, t: NDArray[Any], stream: Stream) -> NDArray[np.int32]:
        # ⌊s t + u⌋ with u uniform in multiples of 2⁻³²: up with the fraction's probability.
        uniform = stream.words32(t.size) * 2.0**-32
        uniform += t * float(self.s)
        numbers: NDArray[np.int32] = np.minimum(uniform, self.s).astype(np.int32)
        return numbers

    def omega(self, m: int) -> float:
        return min(m / self.s**2, math.sqrt(m) / self.s)
