"""Loops compiled by numba where it is installed: the same bytes, sooner.

docs/decisions/009-optional-compiled-codecs.md says when. numba is imported, and a loop compiled,
when the first vector comes that is long enough to be worth the second or two that takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SWITCH", "WORTH", "natural_loop"]

SWITCH: Final = "NETCOMP_COMPILED"
"""The environment variable that turns compiled loops off where it is 0."""

WORTH: Final = 1 << 20
"""The number of values from which a compiled loop is used."""

_MANTISSA = np.uint32(0x007F_FFFF)
_POWER = np.uint32(0xFF80_0000)
_MAGNITUDE = np.uint32(0x7FFF_FFFF)
_EXPONENT = np.uint32(0xFF)
_MANTISSA_BITS = np.uint32(23)
_SIGN_BIT = np.uint32(31)

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
    if find_spec("numba") is None:
        return None
    loop: NaturalLoop = import_module("numba").njit(nogil=True)(_natural)
    return loop


def _natural(bits: Words, words: Words, exponents: Bytes, signs: Bytes, decoded: Words) -> int:
    # Every intermediate is cast: numba makes 64-bit integers of sums and shifts.
    largest = np.uint32(0)
    for i in range(bits.size):
        rounded = np.uint32(bits[i] + (words[i] & _MANTISSA))
        largest = max(largest, np.uint32(bits[i] & _MAGNITUDE))
        decoded[i] = np.uint32(rounded & _POWER)
        exponents[i] = np.uint8(np.uint32(rounded >> _MANTISSA_BITS) & _EXPONENT)
    for i in range(signs.size):
        byte = np.uint8(0)
        for j in range(8 * i, 8 * i + 8):
            sign = np.uint8(bits[j] >> _SIGN_BIT) if j < bits.size else np.uint8(0)
            byte = np.uint8(np.uint8(byte << np.uint8(1)) | sign)
        signs[i] = byte
    return int(largest)
