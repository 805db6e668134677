"""A sparsifier and a quantizer in a row: nearly every compressor of the papers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import (
    Collection,
    Compressor,
    Held,
    Payload,
    all_finite,
    require_finite,
    require_vector,
)
from netcomp.compressors.classes import b2_scaled_to_b3, unbiased_to_b1, unbiased_to_b2
from netcomp.compressors.norms import Values
from netcomp.compressors.quantizers import FloatFormat, Quantizer
from netcomp.compressors.sparsifiers import All, Sparsifier
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError
from netcomp.roles import Chorus, Message

__all__ = ["Chain"]

_TOGETHER: Final = 1 << 16
"""Bytes of payloads decoded at once: so few that they stay in the cache, and in memory at hand."""


@dataclass(frozen=True)
class Chain(Compressor):
    """First the sparsifier chooses coordinates, then the quantizer writes their values.

    For an unbiased sparsifier with ω_s and an independent unbiased quantizer with ω_q the
    chain is in U((1 + ω_s)(1 + ω_q) − 1); the two draw from streams of their own, without
    which that would be false.
    """

    sparsifier: Sparsifier
    quantizer: Quantizer

    @cached_property
    def _whole(self) -> bool:
        """Whether every coordinate is kept, and nothing is to be said of indices."""
        return isinstance(self.sparsifier, All)

    def __str__(self) -> str:
        if self._whole:
            plain = self.quantizer == FloatFormat()
            return "identity" if plain else str(self.quantizer)
        return f"{self.sparsifier}+{self.quantizer}"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.sparsifier.unbiased and self.quantizer.unbiased

    @property
    def correlated(self) -> bool:
        return self.sparsifier.correlated

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, sparsifier=self.sparsifier.resolve(d, n))

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        require_vector(v)
        if self._whole:
            parts, values = self.quantizer.encode(v, draw)
            return Payload(v.size, None, values, parts, self.quantizer.bits(v.size))
        # The quantizer sees the kept values only, but a NaN anywhere must be told.
        if not self.sparsifier.selects_finite:
            require_finite(v, draw)
        indices = self.sparsifier.select(v, draw)
        if indices is None:
            kept = v
        else:
            kept = v.take(indices, mode="clip")  # all are in range: it is only faster
            with np.errstate(over="ignore"):
                self.sparsifier.rescale(kept, indices, v.size)
        try:
            parts, values = self.quantizer.encode(kept, draw)
        except NotFinite as error:
            if indices is None:
                raise
            # The quantizer counts kept values, the user coordinates.
            raise NotFinite(int(indices[error.index]), error.worker, error.round) from None
        index_parts = () if indices is None else self.sparsifier.encode_indices(indices, v.size)
        return self._payload(v.size, indices, values, (*index_parts, *parts), kept.size)

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        split = self.sparsifier.index_parts
        if len(parts) < split:
            raise RemoteProtocolError(f"{len(parts)} parts where indices and values belong")
        indices = self.sparsifier.derive(parts[:split], d, draw)
        kept = d if indices is None else indices.size
        values = self.quantizer.decode(parts[split:], kept)
        if not (self.quantizer.decodes_finite or all_finite(values)):
            raise RemoteProtocolError(f"a payload of {self} with a value that is not finite")
        return self._payload(d, indices, values, tuple(parts), kept)

    def add_all(
        self,
        out: NDArray[Any],
        messages: Sequence[Message],
        key: Callable[[int], Draw],
        weight: float = 1.0,
    ) -> None:
        size = max(1, self.quantizer.max_bytes(out.size))
        if not (self._whole and isinstance(messages, Chorus)) or 2 * size > _TOGETHER:
            super().add_all(out, messages, key, weight)
            return
        count = _TOGETHER // size
        for start in range(0, len(messages), count):
            rows = self._rows(messages[start : start + count], out.size)
            if rows is None:
                # One after the other: one of them may be refused, with its own error.
                super().add_all(out, messages[start:], _from(key, start), weight)
                return
            # Row by row: a sum over the rows might go in another order.
            for row in np.multiply(rows, weight, dtype=out.dtype):
                np.add(out, row, out=out)

    def _rows(self, messages: Chorus, d: int) -> Values | None:
        """Return what dense messages hold, a row each; None where one of them may be wrong."""
        rows = self.quantizer.decode_rows(messages, d)
        if rows is None or self.quantizer.decodes_finite:
            return rows
        return rows if all_finite(rows.reshape(-1)) else None

    def _payload(
        self,
        d: int,
        indices: NDArray[np.int64] | None,
        values: Held,
        parts: tuple[memoryview, ...],
        kept: int,
    ) -> Payload:
        bits = self.quantizer.bits(kept) + self.sparsifier.index_bits(d)
        return Payload(d, indices, values, parts, bits)

    @cached_property
    def parts(self) -> int:
        announced = self.quantizer.parts
        written = _written(self.quantizer) if announced is None else announced
        return self.sparsifier.index_parts + written

    @property
    def workers(self) -> int:
        return self.sparsifier.workers

    def max_bytes(self, d: int) -> int:
        kept = self.sparsifier.most(d)
        return self.sparsifier.index_bytes(d) + self.quantizer.max_bytes(kept)

    def paper_bits(self, d: int) -> float:
        # The number kept varies around its mean: bits are taken to be linear between the
        # neighbouring whole numbers, which is exact for what the papers count.
        kept = self.sparsifier.density(d)
        low, share = math.floor(kept), kept - math.floor(kept)
        bits = (1.0 - share) * self.quantizer.bits(low)
        if share:
            bits += share * self.quantizer.bits(low + 1)
        return bits + self.sparsifier.index_bits(d)

    def density(self, d: int) -> float:
        return self.sparsifier.density(d)

    def omega(self, d: int) -> float | None:
        sparse, coarse = self.sparsifier.omega(d), self._coarseness(d)
        if sparse is None or coarse is None:
            return None
        return (1.0 + sparse) * (1.0 + coarse) - 1.0

    def _coarseness(self, d: int) -> float | None:
        """Return ω of the quantizer for as many values as are ever kept."""
        return self.quantizer.omega(self.sparsifier.most(d))

    def b1(self, d: int) -> tuple[float, float] | None:
        # Beznosikov et al. Lemma 16 for any quantizer Q ∈ B¹(α, β). Q(y) is zero where y is, so
        # with S the coordinates kept and c their factor, C(x) = Q(c x_S) has
        # ⟨C(x), x⟩ = ⟨Q(c x_S), c x_S⟩/c, and given S
        #     α c²‖x_S‖² ≤ E‖C(x)‖² ≤ β⟨E Q(c x_S), c x_S⟩ = cβ⟨E C(x), x⟩.
        # Left out only (c = 1): E‖x_S‖² ≥ δ‖x‖², hence B¹(αδ, β); an unbiased Q gives (δ, ζ).
        # Unbiased: a coordinate is kept with probability 1/c, so c²E‖x_S‖² = c‖x‖²: B¹(cα, cβ).
        zeta = self.zeta(d)
        if zeta is not None:
            return unbiased_to_b1(zeta)
        # With a factor for each coordinate ⟨Q(y), x⟩ says nothing of ⟨Q(y), y⟩.
        written = self.quantizer.b1(self.sparsifier.most(d))
        if written is None or self.sparsifier.varies:
            return None
        alpha, beta = written
        kept, scale = self.sparsifier.delta(d), self.sparsifier.scale(d)
        return (alpha * scale, scale * beta) if kept is None else (alpha * kept, beta)

    def b2(self, d: int) -> tuple[float, float] | None:
        # As for b1, with ⟨E C(x), x⟩ ≥ γ c E‖x_S‖²: left out only B²(γδ, β), else B²(γ, cβ).
        zeta = self.zeta(d)
        if zeta is not None:
            return unbiased_to_b2(zeta)
        written = self.quantizer.b2(self.sparsifier.most(d))
        if written is None or self.sparsifier.varies:
            return None
        gamma, beta = written
        kept, scale = self.sparsifier.delta(d), self.sparsifier.scale(d)
        return (gamma, scale * beta) if kept is None else (gamma * kept, beta)

    def delta(self, d: int) -> float | None:
        # A sparsifier that only leaves out: ‖C(x)−x‖² = ‖x−x_S‖² + ‖Q(x_S)−x_S‖², and with
        # E‖Q(y)−y‖² ≤ (1−δ_q)‖y‖² that is at most ‖x‖² − δ_q‖x_S‖² in expectation.
        # Otherwise what B² says of C unscaled: δ = γ(2 − β), for an unbiased C 1 − ω. Lemma 16's
        # B³ constant ζd/k is that of C/ζ (Theorem 6); unscaled, δ is (1 − ω_q)k/d and only that.
        found = []
        kept = self.sparsifier.delta(d)
        written = self.quantizer.delta(self.sparsifier.most(d))
        if kept is not None and written is not None:
            found.append(kept * written)
        b2 = self.b2(d)
        if b2 is not None and (b3 := b2_scaled_to_b3(*b2, 1.0)) is not None:
            found.append(1.0 / b3)
        return max(found, default=None)

    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        omega = self.omega(d)
        if omega is None or (collection == "same" and not self.correlated):
            return omega
        if not self.correlated:
            return omega / n
        # Each coordinate is written by q = n/scale workers, each rounding on its own:
        # the mean errs by q · (scale/n)² · ω_q = ω_q / q of its square.
        coarse = self._coarseness(d)
        return None if coarse is None else coarse * self.sparsifier.scale(d) / n


def _written(quantizer: Quantizer) -> int:
    """Return how many parts a quantizer that does not say writes: as many as of these values.

    Two at least, a head and the values, since of others it may write more than of these.
    """
    samples = np.array([[1.0, -0.5, 0.25], [0.0, 0.0, 0.0]], dtype=np.float32)
    return max(2, *(len(quantizer.encode(values, Draw(0))[0]) for values in samples))


def _from(key: Callable[[int], Draw], start: int) -> Callable[[int], Draw]:
    """Return the keys of the messages from `start` on, by their place among these."""
    return lambda place: key(start + place)
