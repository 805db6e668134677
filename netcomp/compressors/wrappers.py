"""Compressors made of another one, and λC, the plainest of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import (
    Collection,
    Compressor,
    Payload,
    all_finite,
    not_finite,
)
from netcomp.compressors.classes import b1_scaled, b2_scaled, b2_scaled_to_b3
from netcomp.compressors.spelling import decimal, in_full
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Around", "Scaled", "views"]


class Around(Compressor):
    """What a compressor made of another one takes over from it."""

    inner: Compressor

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.inner.unbiased

    @property
    def shared(self) -> bool:  # type: ignore[override]
        return self.inner.shared

    @property
    def correlated(self) -> bool:
        return self.inner.correlated

    @property
    def exact_bytes(self) -> bool:
        return self.inner.exact_bytes

    @property
    def workers(self) -> int:
        return self.inner.workers


@dataclass(frozen=True)
class Scaled(Around):
    """λC: what C sends, and λ times what it decodes. No byte more travels.

    Classes by Theorems 6 and 7 of Beznosikov et al.: λC ∈ B¹(λ²α, λβ) ∩ B²(λγ, λβ), and
    δ = λ(2 − λβ)γ, which for an unbiased C is λ(2 − λζ).
    """

    factor: float
    inner: Compressor

    def __post_init__(self) -> None:
        if not (self.factor > 0.0 and math.isfinite(self.factor)):
            raise SpecError("scale.factor", f"{decimal(self.factor)} is not a positive number")

    def __str__(self) -> str:
        return f"scale:{in_full(self.factor)}({self.inner})"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.inner.unbiased and self.factor == 1.0

    @property
    def parts(self) -> int:
        return self.inner.parts

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, inner=self.inner.resolve(d, n))

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        payload = self._times(self.inner.compress(v, draw), v)
        if not all_finite(payload.values):
            first = int(np.argmin(np.isfinite(payload.values)))
            index = first if payload.indices is None else int(payload.indices[first])
            raise not_finite(index, draw)
        return payload

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        payload = self._times(self.inner.decode(parts, d, draw))
        if not all_finite(payload.values):
            raise RemoteProtocolError(f"a payload of {self} with a value that is not finite")
        return payload

    def _times(self, payload: Payload, *sources: NDArray[Any]) -> Payload:
        """Return λ times the payload, in its own memory unless that may be somebody else's."""
        values = payload.values
        mine = values.flags.owndata and values.flags.writeable and not views(payload, values)
        mine = mine and not any(np.may_share_memory(values, source) for source in sources)
        out = values if mine else np.empty_like(values)
        with np.errstate(over="ignore"):
            np.multiply(values, np.asarray(self.factor, dtype=values.dtype), out=out)
        return replace(payload, held=out)

    def max_bytes(self, d: int) -> int:
        return self.inner.max_bytes(d)

    def paper_bits(self, d: int) -> float:
        return self.inner.paper_bits(d)

    def density(self, d: int) -> float:
        return self.inner.density(d)

    def omega(self, d: int) -> float | None:
        return self.inner.omega(d) if self.factor == 1.0 else None

    def b1(self, d: int) -> tuple[float, float] | None:
        b1 = self.inner.b1(d)
        return None if b1 is None else b1_scaled(*b1, self.factor)

    def b2(self, d: int) -> tuple[float, float] | None:
        b2 = self.inner.b2(d)
        return None if b2 is None else b2_scaled(*b2, self.factor)

    def delta(self, d: int) -> float | None:
        found = []
        b2, delta = self.inner.b2(d), self.inner.delta(d)
        if b2 is not None and (b3 := b2_scaled_to_b3(*b2, self.factor)) is not None:
            found.append(1.0 / b3)
        if delta is not None and self.factor <= 1.0:
            # λC(x) − x = λ(C(x) − x) − (1 − λ)x, and ‖·‖² is convex: at most λ(1 − δ) + 1 − λ.
            found.append(self.factor * delta)
        return max(found, default=None)

    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        return self.inner.theta(d, n, collection) if self.factor == 1.0 else None


def views(payload: Payload, vector: NDArray[Any]) -> bool:
    """Whether a payload's bytes are the vector's own memory."""
    parts = (np.frombuffer(part, dtype=np.uint8) for part in payload.parts if part.nbytes)
    return any(np.may_share_memory(part, vector) for part in parts)
