"""How numbers are written on the wire: IEEE 754 little-endian, and 9-bit powers of two."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import packed_bytes
from netcomp.coding.compiled import BYTE, REST_BITS, natural_loop
from netcomp.coding.flags import invert, ones
from netcomp.coding.reuse import empty_float32
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

_MANTISSA_BITS = np.uint32(23)
_SIGN_BIT = np.uint32(31)
_REST = (np.uint32(1) << REST_BITS) - np.uint32(1)
_LIMIT_FIELD = int(np.float32(NATURAL_LIMIT).view(np.uint32)) >> int(_MANTISSA_BITS)
_HALF = np.uint32(16)


def as_bytes(array: NDArray[Any]) -> memoryview:
    """Return the bytes of a one-dimensional array, without a copy where it is contiguous."""
    if array.size and array.flags.c_contiguous:
        return array.data.cast("B")
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
    return packed_bytes(count, 1)


def natural_encode(
    values: NDArray[np.float32], stream: Stream
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Round each value to a power of two at random; return (exponents, packed signs).

    A magnitude 2^e (1 + m) becomes 2^(e+1) with probability m and 2^e otherwise. Below 2^-126
    the neighbours are 0 and 2^-126, still without bias: an exponent field goes up by one with
    the probability that the mantissa field below it is of 2²³. It does where a random byte is below
    the mantissa's first. A random byte of 255, which is below none, leaves it to a uniform number
    below the rest of the mantissa, all of these after all of those.
    Raises ValueError unless all magnitudes are below `NATURAL_LIMIT`.
    Source: MARINA-P F.1 and Beznosikov et al. §2 (natural compression).
    """
    exponents = np.empty(values.size, dtype=np.uint8)
    signs, undecided = np.empty((2, sign_bytes(values.size)), dtype=np.uint8)
    bits = values.view(np.uint32)
    size = min(values.size, _CHUNK)
    loop = natural_loop(values.size) or _NaturalStep(size)
    negative = np.empty(size, dtype=bool)
    for start in range(0, values.size, _CHUNK):
        stop = min(start + _CHUNK, values.size)
        few = bits[start:stop]
        words = stream.words64(-(-few.size // 8)).astype("<u8", copy=False)
        # The bytes' distances from 255.
        np.invert(words, out=words)
        above = words.view(np.uint8)[: few.size]
        if loop(few, above, exponents[start:stop]) >= _LIMIT_FIELD:
            raise ValueError("a magnitude is not below 2¹²⁷")
        packed = slice(start // 8, sign_bytes(stop))
        # To packbits a byte is a flag, whether it is not 0: turned round below.
        undecided[packed] = np.packbits(above)
        signs[packed] = np.packbits(np.signbit(values[start:stop], out=negative[: few.size]))
    invert(undecided, values.size)
    at = ones(undecided)
    rest = bits.take(at) & _REST
    exponents[at] += stream.uniforms(at.size) * float(_REST + 1) < rest
    return exponents, signs


class _NaturalStep:
    """What `netcomp.coding.compiled.natural_loop` says, with scratch memory for `most` values."""

    def __init__(self, most: int) -> None:
        self._fields = np.empty(most, dtype=np.uint32)
        self._halves = np.empty(most, dtype=np.uint16)

    def __call__(
        self, bits: NDArray[np.uint32], above: NDArray[np.uint8], exponents: NDArray[np.uint8]
    ) -> int:
        fields, halves = self._fields[: bits.size], self._halves[: bits.size]
        np.right_shift(bits, REST_BITS, out=fields)
        # Exponent and first byte: the sign above them is cut off.
        np.copyto(halves, fields, casting="unsafe")
        largest = int(np.maximum.reduce(halves)) >> int(BYTE)
        halves += above
        halves >>= int(BYTE)
        np.copyto(exponents, halves, casting="unsafe")
        return largest


def natural_decode(exponents: NDArray[np.uint8], signs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the float32 values of `natural_encode`; exponent 0 is zero."""
    out = empty_float32(exponents.size)
    sign = np.empty(min(_CHUNK, exponents.size), dtype=np.uint32)
    for start in range(0, exponents.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, exponents.size))
        bits, size = out[part].view(np.uint32), part.stop - start
        np.copyto(bits, exponents[part])
        bits <<= _MANTISSA_BITS
        np.copyto(sign[:size], np.unpackbits(signs[start // 8 :][: sign_bytes(size)], count=size))
        sign[:size] <<= _SIGN_BIT
        bits |= sign[:size]
    return out
