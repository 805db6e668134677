"""A sparsifier and a quantizer in a row: nearly every compressor of the papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import Collection, Compressor, Payload, require_finite
from netcomp.compressors.quantizers import FloatFormat, Quantizer
from netcomp.compressors.sparsifiers import All, Sparsifier
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError

__all__ = ["Chain"]


@dataclass(frozen=True)
class Chain(Compressor):
    """First the sparsifier chooses coordinates, then the quantizer writes their values.

    For an unbiased sparsifier with ω_s and an independent unbiased quantizer with ω_q the
    chain is in U((1 + ω_s)(1 + ω_q) − 1); the two draw from streams of their own, without
    which that would be false.
    """

    sparsifier: Sparsifier
    quantizer: Quantizer

    def __str__(self) -> str:
        if isinstance(self.sparsifier, All):
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
        indices = self.sparsifier.select(v, draw)
        if indices is None:
            kept = v
        else:
            # The quantizer sees the kept values only, but a NaN anywhere must be told.
            require_finite(v, draw)
            with np.errstate(over="ignore"):
                kept = v[indices] * np.asarray(self.sparsifier.scale(v.size), dtype=v.dtype)
        try:
            parts, values = self.quantizer.encode(kept, draw)
        except NotFinite as error:
            if indices is None:
                raise
            # The quantizer counts kept values, the user coordinates.
            raise NotFinite(int(indices[error.index]), error.worker, error.round) from None
        index_parts = self.sparsifier.encode_indices(indices)
        return self._payload(v.size, indices, values, (*index_parts, *parts))

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        split = self.sparsifier.index_parts
        if len(parts) < split:
            raise RemoteProtocolError(f"{len(parts)} parts where indices and values belong")
        indices = self.sparsifier.derive(parts[:split], d, draw)
        kept = d if indices is None else indices.size
        values = self.quantizer.decode(parts[split:], kept)
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(values.sum())
        if suspicious and not np.isfinite(values).all():
            raise RemoteProtocolError(f"a payload of {self} with a value that is not finite")
        return self._payload(d, indices, values, tuple(parts))

    def _payload(
        self,
        d: int,
        indices: NDArray[np.int64] | None,
        values: NDArray[np.floating[Any]],
        parts: tuple[memoryview, ...],
    ) -> Payload:
        bits = self.quantizer.bits(values.size) + self.sparsifier.index_bits(d)
        return Payload(d, indices, values, parts, bits)

    def max_bytes(self, d: int) -> int:
        kept = self.sparsifier.most(d)
        return 4 * kept * self.sparsifier.index_parts + self.quantizer.max_bytes(kept)

    def paper_bits(self, d: int) -> float:
        kept = self.sparsifier.most(d)
        expected = self.sparsifier.density(d) / kept
        return expected * self.quantizer.bits(kept) + self.sparsifier.index_bits(d)

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

    def delta(self, d: int) -> float | None:
        # A sparsifier that only leaves out: ‖C(x)−x‖² = ‖x−x_S‖² + ‖Q(x_S)−x_S‖², and with
        # E‖Q(y)−y‖² ≤ (1−δ_q)‖y‖² that is at most ‖x‖² − δ_q‖x_S‖² in expectation.
        kept = 1.0 if isinstance(self.sparsifier, All) else self.sparsifier.delta(d)
        written = self.quantizer.delta(self.sparsifier.most(d))
        if kept is not None:
            return None if written is None else kept * written
        omega = self.omega(d)
        return 1.0 - omega if omega is not None and omega < 1.0 else None

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
