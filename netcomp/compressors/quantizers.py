"""How each kept value is written: IEEE formats and natural compression."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.ans import decode_symbols, encode_symbols
from netcomp.coding.floats import (
    FLOAT_FORMATS,
    NATURAL_LIMIT,
    as_bytes,
    bfloat16_decode,
    bfloat16_encode,
    natural_decode,
    natural_encode,
    sign_bytes,
)
from netcomp.coding.reuse import empty_float32
from netcomp.compressors.base import Held, not_finite, require_finite
from netcomp.compressors.norms import Values, pieces
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.roles import Chorus

__all__ = [
    "BFloat16",
    "FloatFormat",
    "Natural",
    "Quantizer",
    "only_part",
    "require_sizes",
]

_NATURAL: Final = 512
"""Symbols of entropy-coded natural compression: twice the exponent, plus one for minus."""


_INFINITE: Final = 255
"""The exponent field of infinity and NaN."""


class Quantizer(ABC):
    """Writes m values as bytes; its constants may depend on m."""

    unbiased: bool = True
    parts: int | None = None
    """The most parts `encode` returns; None where only encoding tells.

    `layers` writes as many sizes a layer: another number is another payload.
    """

    decodes_finite: bool = False
    """Whether `decode` itself refuses bytes that stand for NaN or infinity, or there are none.

    Then `Chain` does not look at the values once more.
    """

    def __init_subclass__(cls) -> None:
        if "decode" in vars(cls) and "decode_rows" not in vars(cls):
            # An inherited one knows how the parent decodes.
            cls.decode_rows = Quantizer.decode_rows  # type: ignore[method-assign]

    @abstractmethod
    def omega(self, m: int) -> float | None:
        """Return ω where Q ∈ U(ω) on ℝᵐ, None for a biased one."""

    def delta(self, m: int) -> float | None:
        """Return δ where Q ∈ B(δ) on ℝᵐ; for an unbiased one 1 − ω where that is positive."""
        omega = self.omega(m)
        return 1.0 - omega if omega is not None and omega < 1.0 else None

    def b1(self, m: int) -> tuple[float, float] | None:
        """Return (α, β) of B¹; for an unbiased one (1, ζ) (Beznosikov et al. Thm 7, λ = 1)."""
        omega = self.omega(m)
        return None if omega is None else (1.0, 1.0 + omega)

    def b2(self, m: int) -> tuple[float, float] | None:
        """Return (γ, β) of B²; for an unbiased one (1, ζ) (Beznosikov et al. Thm 7, λ = 1)."""
        return self.b1(m)

    @abstractmethod
    def max_bytes(self, m: int) -> int:
        """Return the largest number of bytes m values take."""

    @abstractmethod
    def bits(self, m: int) -> float:
        """Return the bits of m values as the papers count them."""

    @abstractmethod
    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        """Return the parts and what `decode` makes of them, or a function that makes it.

        Raises `NotFinite`.
        """

    @abstractmethod
    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        """Return the m values, float32 or float64.

        Raises `RemoteProtocolError` where the bytes cannot be what `encode` wrote for m values.
        """

    def decode_rows(self, messages: Chorus, m: int) -> Values | None:
        """Return the m values of each message, a row each, as `decode` has them.

        None where it cannot be done at once, or one of them is not what `encode` wrote.
        """
        return None


def require_sizes(parts: Sequence[memoryview], *expected: int) -> None:
    """Raise `RemoteProtocolError` unless there are parts of just these sizes (bytes)."""
    found = tuple([part.nbytes for part in parts])
    if found != expected:
        raise RemoteProtocolError(f"a payload of {found} bytes where {expected} belong")


def only_part(parts: Sequence[memoryview]) -> memoryview:
    """Return the part where there is one; raises `RemoteProtocolError` for none or more."""
    if len(parts) != 1:
        raise RemoteProtocolError(f"{len(parts)} parts where one belongs")
    return parts[0]


@dataclass(frozen=True)
class FloatFormat(Quantizer):
    """Values rounded to f64, f32 or f16: 64, 32 or 16 bits each.

    The rounding is deterministic and of relative size 2⁻⁵³, 2⁻²⁴, 2⁻¹¹: the papers'
    "float", counted as ω = 0.
    """

    name: str = "f32"
    parts = 2  # One is written, two are what the payloads of `layers` make room for.

    def __post_init__(self) -> None:
        if self.name not in FLOAT_FORMATS:
            raise SpecError("values", f"{self.name!r} is none of {', '.join(FLOAT_FORMATS)}")

    def __str__(self) -> str:
        return self.name

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        return FLOAT_FORMATS[self.name]

    def omega(self, m: int) -> float:
        return 0.0

    def max_bytes(self, m: int) -> int:
        return m * self._dtype.itemsize

    def bits(self, m: int) -> float:
        return 8.0 * m * self._dtype.itemsize

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        raw = values
        if values.dtype != self._dtype:
            with np.errstate(over="ignore"):
                raw = values.astype(self._dtype)
        require_finite(raw, draw)
        part = as_bytes(raw)
        return (part,), self._values(raw)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, m * self._dtype.itemsize)
        return self._values(np.frombuffer(parts[0], dtype=self._dtype))

    def decode_rows(self, messages: Chorus, m: int) -> Values | None:
        if messages.sizes != (m * self._dtype.itemsize,):
            return None
        rows = np.frombuffer(messages.joined(0), dtype=self._dtype)
        return self._values(rows).reshape(-1, m)

    def _values(self, raw: NDArray[np.floating[Any]]) -> Values:
        # Half precision is a wire format only: sums are not formed in it.
        return raw.astype(np.float32) if self.name == "f16" else raw


@dataclass(frozen=True)
class BFloat16(Quantizer):
    """Values rounded to bfloat16, the upper half of a float32: 16 bits each, relative 2⁻⁸.

    Like the other float formats counted as ω = 0.
    """

    parts = 2  # One is written, two are what the payloads of `layers` make room for.

    def __str__(self) -> str:
        return "bf16"

    def omega(self, m: int) -> float:
        return 0.0

    def max_bytes(self, m: int) -> int:
        return 2 * m

    def bits(self, m: int) -> float:
        return 16.0 * m

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        with np.errstate(over="ignore"):
            single = values.astype(np.float32, copy=False)
        require_finite(single, draw)
        part = as_bytes(bfloat16_encode(np.ascontiguousarray(single)))
        decoded = self.decode((part,), single.size)
        require_finite(decoded, draw)
        return (part,), decoded

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 2 * m)
        return bfloat16_decode(np.frombuffer(parts[0], dtype="<u2"))

    def decode_rows(self, messages: Chorus, m: int) -> Values | None:
        if messages.sizes != (2 * m,):
            return None
        return bfloat16_decode(np.frombuffer(messages.joined(0), dtype="<u2")).reshape(-1, m)


@dataclass(frozen=True)
class Natural(Quantizer):
    """Natural compression C_nat: a random power of two, sign and exponent, 9 bits a value.

    In U(1/8) for normal float32 values (MARINA-P F.1; Beznosikov et al. §2: ζ = 9/8); below
    2⁻¹²⁶ it stays unbiased, but relative to such a value its variance has no bound. Values
    are rounded to float32 first; magnitudes from 2¹²⁷ on are refused. With `coding` "entropy"
    sign and exponent travel as one symbol at their entropy, zeros without a sign.
    """

    coding: Literal["raw", "entropy"] = "raw"
    parts = 2
    decodes_finite = True

    def __str__(self) -> str:
        return "natural" if self.coding == "raw" else "natural:coding=entropy"

    def omega(self, m: int) -> float:
        return 1 / 8

    def max_bytes(self, m: int) -> int:
        # Nine bits either way; the coder adds its first byte.
        return m + sign_bytes(m) + (self.coding == "entropy")

    def bits(self, m: int) -> float:
        return 9.0 * m

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        with np.errstate(over="ignore"):
            single = np.ascontiguousarray(values, dtype=np.float32)
        try:
            raw = natural_encode(single, draw.stream(Purpose.QUANTIZER))
        except ValueError:
            require_finite(values, draw)
            raise not_finite(int(np.argmax(np.abs(single) >= NATURAL_LIMIT)), draw) from None
        if self.coding == "raw":
            return tuple(as_bytes(part) for part in raw), partial(natural_decode, *raw)
        symbols = _symbols(*raw)
        del raw, single
        return (memoryview(encode_symbols(symbols, _NATURAL)),), partial(_numbers, symbols)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        if self.coding == "raw":
            require_sizes(parts, m, sign_bytes(m))
            exponents, signs = (np.frombuffer(part, dtype=np.uint8) for part in parts)
            _refuse_infinity(exponents, _INFINITE)
            return natural_decode(exponents, signs)
        symbols = decode_symbols(only_part(parts), m, _NATURAL)
        _refuse_infinity(symbols, 2 * _INFINITE)
        return _numbers(symbols)


def _refuse_infinity(fields: NDArray[Any], least: int) -> None:
    """Raise `RemoteProtocolError` where an exponent field, or the symbol of one, is infinity's."""
    if fields.size and int(fields.max()) >= least:
        raise RemoteProtocolError("an exponent that is not finite")


def _symbols(exponents: NDArray[np.uint8], signs: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return twice the exponent field plus the sign, 0 for both zeros."""
    out = exponents.astype(np.uint16)
    out += out
    for part in pieces(out.size):
        size = part.stop - part.start
        negative = np.unpackbits(signs[part.start // 8 :][: sign_bytes(size)], count=size)
        negative &= exponents[part] > 0
        out[part] += negative
    return out


def _numbers(symbols: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the numbers that symbols stand for."""
    out = empty_float32(symbols.size)
    for part in pieces(symbols.size):
        bits = out[part].view(np.uint32)
        np.copyto(bits, symbols[part])
        sign = bits << np.uint32(31)
        bits >>= np.uint32(1)
        bits <<= np.uint32(23)
        bits |= sign
    return out
