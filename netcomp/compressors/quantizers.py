"""How each kept value is written: IEEE formats and natural compression."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import (
    FLOAT_FORMATS,
    NATURAL_LIMIT,
    as_bytes,
    natural_decode,
    natural_encode,
    sign_bytes,
)
from netcomp.compressors.base import require_finite
from netcomp.draw import ALL, Draw, Purpose
from netcomp.errors import NotFinite, SpecError

__all__ = ["FloatFormat", "Natural", "Quantizer"]

Values = NDArray[np.floating[Any]]


class Quantizer(ABC):
    """Writes m values as bytes; ω of U(ω) bounds E‖Q(x)−x‖²/‖x‖²."""

    omega: float

    @abstractmethod
    def sizes(self, m: int) -> tuple[int, ...]:
        """Return the bytes of each part for m values."""

    @abstractmethod
    def bits(self, m: int) -> float:
        """Return the bits of m values as the papers count them."""

    @abstractmethod
    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        """Return the parts and what `decode` makes of them; raises `NotFinite`."""

    @abstractmethod
    def decode(self, parts: Sequence[memoryview]) -> Values:
        """Return the values, float32 or float64; the sizes have been checked."""


@dataclass(frozen=True)
class FloatFormat(Quantizer):
    """Values rounded to f64, f32 or f16: 64, 32 or 16 bits each.

    The rounding is deterministic and of relative size 2⁻⁵³, 2⁻²⁴, 2⁻¹¹: the papers'
    "float", counted as ω = 0.
    """

    name: str = "f32"
    omega = 0.0

    def __post_init__(self) -> None:
        if self.name not in FLOAT_FORMATS:
            raise SpecError("values", f"{self.name!r} is none of {', '.join(FLOAT_FORMATS)}")

    def __str__(self) -> str:
        return self.name

    @property
    def _dtype(self) -> np.dtype[Any]:
        return FLOAT_FORMATS[self.name]

    def sizes(self, m: int) -> tuple[int, ...]:
        return (m * self._dtype.itemsize,)

    def bits(self, m: int) -> float:
        return 8.0 * m * self._dtype.itemsize

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        with np.errstate(over="ignore"):
            raw = values.astype(self._dtype, copy=False)
        require_finite(raw, draw)
        part = as_bytes(raw)
        return (part,), self.decode((part,))

    def decode(self, parts: Sequence[memoryview]) -> Values:
        raw = np.frombuffer(parts[0], dtype=self._dtype)
        # Half precision is a wire format only: sums are not formed in it.
        return raw.astype(np.float32) if self.name == "f16" else raw


@dataclass(frozen=True)
class Natural(Quantizer):
    """Natural compression C_nat: a random power of two, sign and exponent, 9 bits a value.

    In U(1/8) (MARINA-P F.1; Beznosikov et al. §2: ζ = 9/8). Values are
    rounded to float32 first; magnitudes from 2¹²⁷ on are refused.
    """

    omega = 1 / 8

    def __str__(self) -> str:
        return "natural"

    def sizes(self, m: int) -> tuple[int, ...]:
        return m, sign_bytes(m)

    def bits(self, m: int) -> float:
        return 9.0 * m

    def encode(self, values: Values, draw: Draw) -> tuple[tuple[memoryview, ...], Values]:
        require_finite(values, draw)
        too_large = np.abs(values) >= NATURAL_LIMIT
        if too_large.any():
            worker = None if draw.worker == ALL else draw.worker
            raise NotFinite(int(np.argmax(too_large)), worker, draw.round)
        single = values.astype(np.float32, copy=False)
        coded = natural_encode(np.ascontiguousarray(single), draw.stream(Purpose.QUANTIZER))
        parts = tuple(as_bytes(part) for part in coded)
        return parts, self.decode(parts)

    def decode(self, parts: Sequence[memoryview]) -> Values:
        exponents, signs = (np.frombuffer(part, dtype=np.uint8) for part in parts)
        return natural_decode(exponents, signs)
