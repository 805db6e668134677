"""Ternary quantization (TernGrad): a scale and three values, five of them to a byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.reuse import empty_float32
from netcomp.coding.trits import pack_trits, unpack_trits
from netcomp.compressors.base import Held
from netcomp.compressors.chance import BELOW_255, Coins
from netcomp.compressors.norms import (
    Values,
    float32_above,
    max_norm,
    pieces,
    quarter,
    read_float32,
    write_float32,
)
from netcomp.compressors.quantizers import Quantizer, require_sizes
from netcomp.draw import Draw, Purpose, Stream

__all__ = ["Ternary"]

# Scales of which the reciprocal is a normal float32 with room for 2⁸.
_PLAIN_LOW, _PLAIN_HIGH = 1e-30, 1e36


@dataclass(frozen=True)
class Ternary(Quantizer):
    """C(x)_i = ‖x‖_∞ sign(x_i) with probability |x_i|/‖x‖_∞, else 0.

    Beznosikov et al. §2.2 (j): general exponential dithering with s = b = 1, of the maximum
    norm; there ζ = 1 + √m by eq. (15), but E‖C(x)‖² = ‖x‖_∞‖x‖₁, which is at most
    ½(1 + √m)‖x‖² (one coordinate at the maximum, the others equal, is the worst). Codes are 0,
    1 for plus, 2 for minus, 1.6 bits a value; `dither:s=1,b=1,p=inf` sends the same at its entropy.
    """

    parts = 2
    decodes_finite = True

    def __str__(self) -> str:
        return "ternary"

    def omega(self, m: int) -> float:
        return (1.0 + math.sqrt(max(m, 1))) / 2.0 - 1.0

    def bits(self, m: int) -> float:
        return 32.0 + m * math.log2(3)

    def max_bytes(self, m: int) -> int:
        return 4 + -(-m // 5)

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        exact = max_norm(values, draw)
        scale = float32_above(exact, values, draw)
        if scale > 0:
            codes = _rounded(values, float(scale), draw.stream(Purpose.QUANTIZER))
        else:
            codes = np.zeros(values.size, dtype=np.uint8)
        head = write_float32(scale)
        packed = pack_trits(codes).data
        return (head, packed), lambda: _values(scale, unpack_trits(packed, values.size))

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, -(-m // 5))
        scale = read_float32(parts[0])
        return _values(scale, unpack_trits(parts[1], m))


def _rounded(values: Values, scale: float, stream: Stream) -> NDArray[np.uint8]:
    """Return the codes of values rounded at random: 0, 1 for plus, 2 for minus."""
    codes = np.empty(values.size, dtype=np.uint8)
    step = quarter(values.size)
    coins, split = Coins(stream, step), _Split(scale, values.dtype, step)
    for part in pieces(values.size, step):
        negative, thresholds = split(values[part])
        _coded(coins.toss(thresholds), negative, codes[part])
    for at in coins.left_open():
        v = values.take(at)
        p = np.abs(v).astype(np.float64) / scale
        kept, few = coins.settle(split(v)[1], p), np.empty(at.size, dtype=np.uint8)
        _coded(kept, v < 0, few)
        codes[at] = few
    return codes


class _Split:
    """Signs and T of values up to `scale`, in scratch memory for `most` at a time."""

    def __init__(self, scale: float, dtype: np.dtype[Any], most: int) -> None:
        plain = dtype == np.float32 and _PLAIN_LOW < scale < _PLAIN_HIGH
        self._work: Values = np.empty(most, dtype=np.float32 if plain else np.float64)
        self._signed, self._T = np.empty(most, np.int16), np.empty(most, np.uint8)
        self._negative = np.empty(most, dtype=bool)
        self._factor = self._work.dtype.type(BELOW_255 / scale)

    def __call__(self, values: Values) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
        """Return which values are below zero, and their T.

        Where T is zero it is not known which, nor needed: the value is left open or not kept.
        """
        size = values.size
        t, s, T, negative = (
            self._work[:size],
            self._signed[:size],
            self._T[:size],
            self._negative[:size],
        )
        np.multiply(values, self._factor, out=t)
        # Signs and magnitudes are taken of integers, which are half as long as floats.
        np.copyto(s, t, casting="unsafe")
        np.less(s, 0, out=negative)
        np.abs(s, out=s)
        np.copyto(T, s, casting="unsafe")
        return negative, T


def _coded(kept: NDArray[np.bool_], negative: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    """Write the codes of values that are kept or not, and below zero or not."""
    np.bitwise_and(kept.view(np.uint8), negative.view(np.uint8), out=out)
    out += kept.view(np.uint8)


def _values(scale: np.float32, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 0, scale and −scale for the codes."""
    out = empty_float32(codes.size)
    for part in pieces(codes.size):
        # 0, 1, 2 to 0, 1, −1.
        sign = codes[part] & np.uint8(1)
        sign -= codes[part] >> np.uint8(1)
        np.copyto(out[part], sign.view(np.int8))
        out[part] *= scale
    return out
