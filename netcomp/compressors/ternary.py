"""Ternary quantization (TernGrad): a scale and three values, five of them to a byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.reuse import empty_float32
from netcomp.coding.trits import pack_trits, unpack_trits
from netcomp.compressors.base import Held
from netcomp.compressors.chance import BELOW_256, Coins
from netcomp.compressors.norms import (
    Values,
    float32_above,
    max_norm,
    pieces,
    read_float32,
    write_float32,
)
from netcomp.compressors.quantizers import Quantizer, require_sizes
from netcomp.draw import Draw, Purpose, Stream

__all__ = ["Ternary"]

_LONG: Final = 1 << 18
"""Longer pieces than elsewhere: nearly all passes are over bytes, and calls count beside them."""

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
        codes = np.zeros(values.size, dtype=np.uint8)
        if scale > 0:
            self._round(values, float(scale), draw.stream(Purpose.QUANTIZER), codes)
        head = write_float32(scale)
        packed = pack_trits(codes).data
        return (head, packed), lambda: _values(scale, unpack_trits(packed, values.size))

    def _round(
        self, values: Values, scale: float, stream: Stream, codes: NDArray[np.uint8]
    ) -> None:
        """Write the codes of values rounded at random: 0, 1 for plus, 2 for minus."""
        most = min(values.size, _LONG)
        coins = Coins(stream, most)
        plain = values.dtype == np.float32 and _PLAIN_LOW < scale < _PLAIN_HIGH
        work: Values = np.empty(most, dtype=np.float32 if plain else np.float64)
        signed, thresholds = np.empty(work.size, np.int16), np.empty(work.size, np.uint8)
        factor = work.dtype.type(BELOW_256 / scale)
        for part in pieces(values.size, _LONG):
            v, code = values[part], codes[part]
            t, s, T = work[: v.size], signed[: v.size], thresholds[: v.size]
            np.multiply(v, factor, out=t)
            # As integers magnitudes take a pass less over memory than as floats.
            np.copyto(s, t, casting="unsafe")
            np.abs(s, out=s)
            np.copyto(T, s, casting="unsafe")
            kept = coins.toss(T, lambda at, v=v: np.abs(v[at]).astype(np.float64) / scale)  # type: ignore[misc]
            np.less(v, 0, out=code.view(bool))
            code &= kept.view(np.uint8)
            code += kept.view(np.uint8)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, -(-m // 5))
        scale = read_float32(parts[0])
        return _values(scale, unpack_trits(parts[1], m))


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
