"""The scaled sign: one bit a value (1-bit SGD with error feedback)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import sign_bytes
from netcomp.coding.reuse import empty_float32
from netcomp.compressors.base import Held, not_finite, require_finite
from netcomp.compressors.magnitudes import asum, sums_of_magnitudes, wide_sum
from netcomp.compressors.norms import CHUNK, LARGEST, Values, pieces, read_float32, write_float32
from netcomp.compressors.quantizers import Quantizer, require_sizes
from netcomp.draw import Draw

__all__ = ["Sign"]

_SIGNS: Final = 1 - 2 * np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8).astype("f4")
"""−1 where a bit of a byte is set and 1 elsewhere."""


@dataclass(frozen=True)
class Sign(Quantizer):
    """C(x) = (‖x‖₁/m) sign(x), the scale as a 32-bit float; a zero is written as plus.

    ‖C(x) − x‖² = ‖x‖² − ‖x‖₁²/m whatever the zeros become, and ‖x‖₁² ≥ ‖x‖², so δ = 1/m.
    NEOLITHIC §1.2 names it; the class is biased.
    """

    unbiased = False
    parts = 2
    decodes_finite = True

    def __post_init__(self) -> None:
        # What `asum` imports is there before a run begins, not in a worker's first round.
        asum(np.dtype(np.float32))

    def __str__(self) -> str:
        return "sign"

    def omega(self, m: int) -> None:
        return None

    def delta(self, m: int) -> float:
        return 1.0 / max(m, 1)

    def b1(self, m: int) -> tuple[float, float]:
        # ‖C(x)‖² = ⟨C(x), x⟩ = ‖x‖₁²/m ≥ ‖x‖²/m.
        return 1.0 / max(m, 1), 1.0

    def b2(self, m: int) -> tuple[float, float]:
        return self.b1(m)

    def bits(self, m: int) -> float:
        return 32.0 + m

    def max_bytes(self, m: int) -> int:
        return 4 + sign_bytes(m)

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Held]:
        m = values.size
        signs = np.empty(sign_bytes(m), dtype=np.uint8)
        total = _scan(values, signs)
        if not math.isfinite(total):
            require_finite(values, draw)
        mean = total / max(m, 1)
        if mean > LARGEST:
            raise not_finite(int(np.argmax(np.abs(values))), draw)
        scale = np.float32(mean)
        head = write_float32(scale)
        return (head, signs.data), partial(_values, scale, signs, m)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, sign_bytes(m))
        return _values(read_float32(parts[0]), np.frombuffer(parts[1], dtype=np.uint8), m)


def _scan(values: Values, signs: NDArray[np.uint8]) -> float:
    """Write the sign bits and return ‖x‖₁, not finite where a value is not."""
    negative = np.empty(min(values.size, CHUNK), dtype=bool)
    total = 0.0
    for part, magnitudes in zip(pieces(values.size), sums_of_magnitudes(values), strict=True):
        # Added up first: that keeps pace with the memory, and brings the piece into the cache.
        total += magnitudes
        v = values[part]
        bits = negative[: v.size]
        np.less(v, 0, out=bits)
        signs[part.start // 8 : sign_bytes(part.stop)] = np.packbits(bits)
    if math.isfinite(total):
        return total
    # A run of single precision may have overflowed.
    return sum(wide_sum(values[part]) for part in pieces(values.size))


def _values(scale: np.float32, signs: NDArray[np.uint8], m: int) -> NDArray[np.float32]:
    """Return −scale where a bit is set and scale elsewhere, eight values a byte at once."""
    eights = _SIGNS * scale
    out = empty_float32(8 * signs.size).reshape(-1, 8)
    for part in pieces(signs.size, CHUNK // 8):
        # "clip" only because it writes to `out` without a copy.
        np.take(eights, signs[part], axis=0, out=out[part], mode="clip")
    return out.reshape(-1)[:m]
