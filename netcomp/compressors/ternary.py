"""Ternary quantization (TernGrad): a scale and three values, five of them to a byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.trits import pack_trits, unpack_trits
from netcomp.compressors.base import require_finite
from netcomp.compressors.quantizers import (
    Quantizer,
    Values,
    float32_above,
    read_float32,
    require_sizes,
)
from netcomp.draw import Draw, Purpose

__all__ = ["Ternary"]

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Ternary(Quantizer):
    """C(x)_i = ‖x‖_∞ sign(x_i) with probability |x_i|/‖x‖_∞, else 0.

    Beznosikov et al. §2.2 (j): general exponential dithering with s = b = 1, of the maximum
    norm; there ζ = 1 + √m by eq. (15), but E‖C(x)‖² = ‖x‖_∞‖x‖₁, which is at most
    ½(1 + √m)‖x‖² (one coordinate at the maximum, the others equal, is the worst). Codes are 0,
    1 for plus, 2 for minus, 1.6 bits a value; `dither:s=1,b=1,p=inf` sends the same at its entropy.
    """

    def __str__(self) -> str:
        return "ternary"

    def omega(self, m: int) -> float:
        return (1.0 + math.sqrt(max(m, 1))) / 2.0 - 1.0

    def bits(self, m: int) -> float:
        return 32.0 + m * math.log2(3)

    def max_bytes(self, m: int) -> int:
        return 4 + -(-m // 5)

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        require_finite(values, draw)
        exact = float(np.abs(values).max()) if values.size else 0.0
        scale = float32_above(exact, values, draw)
        codes = np.zeros(values.size, dtype=np.uint8)
        stream = draw.stream(Purpose.QUANTIZER)
        factor = 2.0**32 / float(scale) if scale > 0 else 0.0
        for start in range(0, values.size, _CHUNK):
            part = slice(start, min(start + _CHUNK, values.size))
            v = values[part]
            kept = stream.words32(v.size) < np.abs(v) * factor
            np.add(kept, kept & np.signbit(v), out=codes[part], dtype=np.uint8, casting="unsafe")
        head = memoryview(scale.astype("<f4").tobytes())
        return (head, pack_trits(codes).data), _values(scale, codes)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, -(-m // 5))
        scale = read_float32(parts[0])
        return _values(scale, unpack_trits(parts[1], m))


def _values(scale: np.float32, codes: NDArray[Any]) -> NDArray[np.float32]:
    table = np.array([0.0, scale, -scale], dtype=np.float32)
    values: NDArray[np.float32] = table[codes]
    return values
