"""The scaled sign: one bit a value (1-bit SGD with error feedback)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import sign_bytes
from netcomp.compressors.base import not_finite
from netcomp.compressors.norms import CHUNK, Values, l1_norm, pieces, read_float32
from netcomp.compressors.quantizers import Quantizer, require_sizes
from netcomp.draw import Draw

__all__ = ["Sign"]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Sign(Quantizer):
    """C(x) = (‖x‖₁/m) sign(x), the scale as a 32-bit float; a zero is written as plus.

    ‖C(x) − x‖² = ‖x‖² − ‖x‖₁²/m whatever the zeros become, and ‖x‖₁² ≥ ‖x‖², so δ = 1/m.
    NEOLITHIC §1.2 names it; the class is biased.
    """

    unbiased = False

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

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        m = values.size
        mean = l1_norm(values, draw) / m if m else 0.0
        if mean > _LARGEST:
            raise not_finite(int(np.argmax(np.abs(values))), draw)
        signs = np.empty(sign_bytes(m), dtype=np.uint8)
        for part in pieces(m):
            bits = np.packbits(np.less(values[part], 0))
            signs[part.start // 8 : part.start // 8 + bits.size] = bits
        scale = np.float32(mean)
        return (memoryview(scale.astype("<f4").tobytes()), signs.data), _values(scale, signs, m)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, sign_bytes(m))
        return _values(read_float32(parts[0]), np.frombuffer(parts[1], dtype=np.uint8), m)


def _values(scale: np.float32, signs: NDArray[np.uint8], m: int) -> NDArray[np.float32]:
    """Return −scale where a bit is set and scale elsewhere, eight values a byte at once."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8)
    eights = np.where(bits, -scale, scale).astype(np.float32)
    out = np.empty((signs.size, 8), dtype=np.float32)
    for part in pieces(signs.size, CHUNK // 8):
        # "clip" only because it writes to `out` without a copy.
        np.take(eights, signs[part], axis=0, out=out[part], mode="clip")
    return out.reshape(-1)[:m]
