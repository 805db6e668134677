"""How numbers are written on the wire: IEEE 754 little-endian, and 9-bit powers of two."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.compiled import (
    MAGNITUDE,
    MANTISSA,
    MANTISSA_BITS,
    POWER,
    SIGN_BIT,
    natural_loop,
)
from netcomp.draw import Stream

__all__ = [
    "FLOAT_FORMATS",
    "NATURAL_LIMIT",
    "as_bytes",
    "bfloat16_decode",
    "bfloat16_encode",
    "natural_decode",
    "natural_encode",
    "sign_bytes",
]

FLOAT_FORMATS: Final[dict[str, np.dtype[Any]]] = {
    "f64": np.dtype("<f8"),
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
}
"""numpy's float formats by name: a whitelist, as a dtype never comes from a peer's string."""

NATURAL_LIMIT: Final = 2.0**127
"""Magnitudes from here on could round up to infinity and are refused."""

_CHUNK = 1 << 16
_LIMIT_BITS = int(np.float32(NATURAL_LIMIT).view(np.uint32))
_HALF = np.uint32(16)


def as_bytes(array: NDArray[Any]) -> memoryview:
    """Return the bytes of a one-dimensional array, without a copy where it is contiguous."""
    return np.ascontiguousarray(array).view(np.uint8).data


def bfloat16_encode(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round float32 to bfloat16, its upper 16 bits, ties to even; finite values only.

    Values from 2¹²⁸ − 2¹¹⁹ on become infinity, as in any float format.
    """
    out = np.empty(values.size, dtype="<u2")
    for start in range(0, values.size, _CHUNK):
        bits = values[start : start + _CHUNK].view(np.uint32)
        rounded = bits >> _HALF
        rounded &= np.uint32(1)
        rounded += bits
        rounded += np.uint32(0x7FFF)
        rounded >>= _HALF
        np.copyto(out[start : start + _CHUNK], rounded, casting="unsafe")
    return out


def bfloat16_decode(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 values of `bfloat16_encode`."""
    bits = halves.astype(np.uint32)
    bits <<= _HALF
    return bits.view(np.float32)


def sign_bytes(count: int) -> int:
    """Return how many bytes `count` packed sign bits take."""
    return (count + 7) // 8


def natural_encode(
    values: NDArray[np.float32], stream: Stream, decoded: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Round each value to a power of two at random; return (exponents, packed signs).

    A magnitude 2^e (1 + m) becomes 2^(e+1) with probability m and 2^e otherwise:
    adding 23 random bits below the exponent field and cutting the mantissa off does
    just that. Below 2^-126 the neighbours are 0 and 2^-126, still without bias.
    `decoded` takes what `natural_decode` would return. Raises ValueError unless all
    magnitudes are below `NATURAL_LIMIT`.
    Source: MARINA-P F.1 and Beznosikov et al. §2 (natural compression).
    """
    exponents = np.empty(values.size, dtype=np.uint8)
    signs = np.empty(sign_bytes(values.size), dtype=np.uint8)
    bits = values.view(np.uint32)
    powers = None if decoded is None else decoded.view(np.uint32)
    scratch = np.empty(min(values.size, _CHUNK), dtype=np.uint32)
    step = natural_loop(values.size) or _natural_step
    for start in range(0, values.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, values.size))
        eighth = slice(start // 8, sign_bytes(part.stop))
        words = stream.words32(part.stop - start)
        power = scratch[: words.size] if powers is None else powers[part]
        largest = step(bits[part], words, exponents[part], signs[eighth], power)
        if largest >= _LIMIT_BITS:
            raise ValueError("a magnitude is not below 2¹²⁷")
    return exponents, signs


def _natural_step(
    bits: NDArray[np.uint32],
    words: NDArray[np.uint32],
    exponents: NDArray[np.uint8],
    signs: NDArray[np.uint8],
    powers: NDArray[np.uint32],
) -> int:
    """Do what `netcomp.coding.compiled.natural_loop` says; `words` are used up."""
    words &= MANTISSA
    # The sign bit above the exponent is not reached: 2¹²⁷ is a float too.
    words += bits
    np.bitwise_and(words, POWER, out=powers)
    words >>= MANTISSA_BITS
    np.copyto(exponents, words, casting="unsafe")
    signs[:] = np.packbits(bits.view(np.int32) < 0)
    return int(np.bitwise_and(bits, MAGNITUDE, out=words).max())


def natural_decode(exponents: NDArray[np.uint8], signs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the float32 values of `natural_encode`; exponent 0 is zero."""
    out = np.empty(exponents.size, dtype=np.float32)
    sign = np.empty(min(_CHUNK, exponents.size), dtype=np.uint32)
    for start in range(0, exponents.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, exponents.size))
        bits, size = out[part].view(np.uint32), part.stop - start
        np.copyto(bits, exponents[part])
        bits <<= MANTISSA_BITS
        np.copyto(sign[:size], np.unpackbits(signs[start // 8 :][: sign_bytes(size)], count=size))
        sign[:size] <<= SIGN_BIT
        bits |= sign[:size]
    return out
