"""The scaled sign: one bit a value (1-bit SGD with error feedback)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netcomp.coding.floats import sign_bytes
from netcomp.compressors.base import not_finite, require_finite
from netcomp.compressors.quantizers import Quantizer, Values, read_float32, require_sizes
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
        require_finite(values, draw)
        m = values.size
        mean = float(np.abs(values).sum(dtype=np.float64)) / m if m else 0.0
        if mean > _LARGEST:
            raise not_finite(int(np.argmax(np.abs(values))), draw)
        parts = (memoryview(np.float32(mean).astype("<f4").tobytes()), np.packbits(values < 0).data)
        return parts, self.decode(parts, m)

    def decode(self, parts: Sequence[memoryview], m: int) -> Values:
        require_sizes(parts, 4, sign_bytes(m))
        scale = read_float32(parts[0])
        negative = np.unpackbits(np.frombuffer(parts[1], dtype=np.uint8), count=m)
        table = np.array([scale, -scale], dtype=np.float32)
        return table[negative]
