"""Loops compiled by numba where it is installed: the same bytes, sooner.

docs/decisions/009-optional-compiled-codecs.md says when. numba is imported, and a loop compiled,
when the first vector comes that is long enough to be worth the second or two that takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAGNITUDE",
    "MANTISSA",
    "MANTISSA_BITS",
    "POWER",
    "SIGN_BIT",
    "SWITCH",
    "WORTH",
    "natural_loop",
]

SWITCH: Final = "NETCOMP_COMPILED"
"""The environment variable that turns compiled loops off where it is 0."""

WORTH: Final = 1 << 20
"""The number of values from which a compiled loop is used."""

MANTISSA_BITS: Final = np.uint32(23)
SIGN_BIT: Final = np.uint32(31)
MANTISSA: Final = np.uint32(0x007F_FFFF)
MAGNITUDE: Final = np.uint32(0x7FFF_FFFF)
POWER: Final = np.uint32(0xFF80_0000)
"""A float32: where its exponent and sign begin; its mantissa, its magnitude, all but the mantissa.

Numbers of numpy, because to numba those of Python have 64 bits.
"""

_EXPONENT = np.uint32(0xFF)

Words = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
NaturalLoop = Callable[[Words, Words, Bytes, Bytes, Words], int]


def natural_loop(count: int) -> NaturalLoop | None:
    """Return the compiled loop of natural compression for vectors of `count` values.

    loop(bits, words, exponents, signs, decoded) rounds the float32 numbers of these bits with as
    many random words, writes the exponents, the packed signs and the bits of what they decode to,
    and returns the largest of the bits without the sign. None where numpy is to do that.
    """
    if count < WORTH or os.environ.get(SWITCH) == "0":
        return None
    return _compiled_natural()


@cache
def _compiled_natural() -> NaturalLoop | None:
    try:
        numba = import_module("numba")
    except ImportError:
        # It may be there and refuse this version of numpy, or lack its own libraries.
        return None
    loop: NaturalLoop = numba.njit(nogil=True)(_natural)
    return loop


def _natural(bits: Words, words: Words, exponents: Bytes, signs: Bytes, decoded: Words) -> int:
    # Every intermediate is cast: numba makes 64-bit integers of sums and shifts.
    largest = np.uint32(0)
    for i in range(bits.size):
        rounded = np.uint32(bits[i] + (words[i] & MANTISSA))
        largest = max(largest, np.uint32(bits[i] & MAGNITUDE))
        decoded[i] = np.uint32(rounded & POWER)
        exponents[i] = np.uint8(np.uint32(rounded >> MANTISSA_BITS) & _EXPONENT)
    for i in range(signs.size):
        byte = np.uint8(0)
        for j in range(8 * i, 8 * i + 8):
            sign = np.uint8(bits[j] >> SIGN_BIT) if j < bits.size else np.uint8(0)
            byte = np.uint8(np.uint8(byte << np.uint8(1)) | sign)
        signs[i] = byte
    return int(largest)
