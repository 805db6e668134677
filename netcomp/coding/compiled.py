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

__all__ = ["BYTE", "REST_BITS", "SWITCH", "WORTH", "natural_loop"]

SWITCH: Final = "NETCOMP_COMPILED"
"""The environment variable that turns compiled loops off where it is 0."""

WORTH: Final = 1 << 20
"""The number of values from which a compiled loop is used."""

BYTE: Final = np.uint32(8)
REST_BITS: Final = np.uint32(15)
"""A float32: sign, a byte of exponent, the first byte of the mantissa and the rest of that.

Numbers of numpy, because to numba those of Python have 64 bits.
"""

_LOWEST = np.uint32(0xFFFF)

Words = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
NaturalLoop = Callable[[Words, Bytes, Bytes], int]


def natural_loop(count: int) -> NaturalLoop | None:
    """Return the compiled loop of natural compression for vectors of `count` values.

    loop(bits, above, exponents) writes the exponent fields of the float32 numbers of these bits,
    1 more where a random byte is below the first byte of the mantissa: `above` has what the random
    bytes are short of 255, and 256 is where the sum of the two carries. Returns the largest field
    that was there. None where numpy is to do that.
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
    # To Python a mere folder of that name, somebody's notes, is a module as well.
    if (compiled := getattr(numba, "njit", None)) is None:
        return None
    loop: NaturalLoop = compiled(nogil=True)(_natural)
    return loop


def _natural(bits: Words, above: Bytes, exponents: Bytes) -> int:
    # Every intermediate is cast: numba makes 64-bit integers of sums and shifts.
    largest = np.uint32(0)
    for i in range(bits.size):
        field = np.uint32(np.uint32(bits[i] >> REST_BITS) & _LOWEST)
        largest = max(largest, field)
        exponents[i] = np.uint8(np.uint32(field + np.uint32(above[i])) >> BYTE)
    return int(largest >> BYTE)
