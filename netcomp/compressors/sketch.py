"""CORE: a vector by its inner products with Gaussians that every worker knows.

P. Yue, H. Zhao, C. Fang, D. He, L. Wang, Z. Lin, S. Zhu, "CORE: Common Random Reconstruction
for Distributed Optimization with Provable Low Communication Complexity", 2023; as MARINA-P
§1.1 and Table 1 describe it. With ξ_1 … ξ_m ~ N(0, I) shared by all workers

    p_j = ⟨x, ξ_j⟩,  j = 1 … m             the m numbers sent
    C(x) = (1/m) Σ_j p_j ξ_j               what everybody reconstructs

Unbiased since E ξξᵀ = I. E(ξξᵀ)² = (d + 2)I and the ξ_j are independent, so E‖C(x)‖² =
((d + 2)/m + (m − 1)/m)‖x‖² and ω = (d + 1)/m, with equality for every x.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import as_bytes
from netcomp.compressors.base import (
    Collection,
    Compressor,
    Payload,
    not_finite,
    require_finite,
    require_vector,
)
from netcomp.compressors.count import Count
from netcomp.compressors.norms import LARGEST
from netcomp.compressors.quantizers import require_sizes
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Sketch"]

MOST_GAUSSIANS: Final = 2**34
"""The largest m·d: beyond it a single message would take minutes."""

_TILE: Final = 1 << 14
_SMALL_TILE: Final = 1 << 11
_TILES: Final = 5
"""So many tiles a vector: with what drawing it takes, one is smaller than a float32 vector."""
_FEW: Final = 1 << 13
"""The largest m·d whose Gaussians are always kept, 64 KiB: of the last two keys, one a way."""
_KEPT: Final = 1 << 20
"""The largest that are kept, 8 MiB, once a second worker's message needs the same."""

Floats = NDArray[np.float64]
Tile = tuple[slice, slice, Floats]
"""Rows, columns and Gaussians of a piece of the m × d matrix."""


@dataclass(frozen=True)
class Sketch(Compressor):
    """m inner products with shared Gaussians, 32-bit floats: U((d + 1)/m).

    The Gaussians are `Stream.normals` of the key all workers share, whose last bits may
    differ between processors: on one platform both ends decode the same bits, between two
    the vectors may differ by a relative 2⁻⁵⁰. They are drawn in tiles, so the sender of a vector
    draws them twice and its receiver once a message: time O(md), memory O(m + d). Where m·d is
    at most 2²⁰ and several workers' messages are made or read in a process, all but the first
    share what is drawn once.
    """

    m: Count
    unbiased = True
    shared = True

    def __str__(self) -> str:
        return f"sketch:m={self.m}"

    @property
    def correlated(self) -> bool:
        return False

    def resolve(self, d: int, n: int) -> Self:
        m = self.m.resolve(d, n, "sketch.m")
        if m.value * d > MOST_GAUSSIANS:
            raise SpecError("sketch.m", f"{m} · {d} Gaussians a message are more than 2³⁴")
        return replace(self, m=m)

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        require_vector(v)
        require_finite(v, draw)
        products = np.zeros(self.m.value)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows, columns, gaussians in self._gaussians(v.size, draw):
                # Not a matrix product: its bits would depend on the number of threads.
                products[rows] += np.einsum("ij,j->i", gaussians, v[columns].astype(np.float64))
                del gaussians
            sent = products.astype("<f4")
        values = None
        if np.isfinite(sent).all():
            values = _reconstruct(sent, self._gaussians(v.size, draw), v.size)
        if values is None:
            raise not_finite(int(np.argmax(np.abs(v))), draw)
        return Payload(v.size, None, values, (as_bytes(sent),), 32.0 * sent.size)

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        require_sizes(parts, self.max_bytes(d))
        sent = np.frombuffer(parts[0], dtype="<f4")
        values = None
        if np.isfinite(sent).all():
            values = _reconstruct(sent, self._gaussians(d, draw), d)
        if values is None:
            raise RemoteProtocolError(f"a payload of {self} with a value that is not finite")
        return Payload(d, None, values, tuple(parts), 32.0 * sent.size)

    def _gaussians(self, d: int, draw: Draw) -> Iterable[Tile]:
        """Return the m × d Gaussians, always in the same order and pieces."""
        shared, m = draw.shared(), self.m.value
        if m * d > _KEPT:
            return _tiles(shared, m, d)
        # A lone worker would hold all for its second pass only: it draws them once more.
        if m * d > _FEW and _first_asking(shared).setdefault((m, d), draw) == draw:
            return _tiles(shared, m, d)
        return _kept(shared, m, d)

    def averaged(self, payloads: Sequence[Sequence[memoryview]]) -> tuple[memoryview, ...]:
        """Return the bytes of the mean of workers' payloads: their Gaussians are the same.

        Summed in float64 in the order given. Raises `RemoteProtocolError` for bytes that are
        no payload.
        """
        total = np.zeros(self.m.value)
        for parts in payloads:
            require_sizes(parts, 4 * total.size)
            total += np.frombuffer(parts[0], dtype="<f4")
        with np.errstate(over="ignore", invalid="ignore"):
            return (as_bytes((total / len(payloads)).astype("<f4")),)

    def max_bytes(self, d: int) -> int:
        return 4 * self.m.value

    def paper_bits(self, d: int) -> float:
        return 32.0 * self.m.value

    def density(self, d: int) -> float:
        return d

    def omega(self, d: int) -> float:
        return (d + 1) / self.m.value

    def delta(self, d: int) -> float | None:
        omega = self.omega(d)
        return 1.0 - omega if omega < 1.0 else None

    def theta(self, d: int, n: int, collection: Collection) -> float:
        # The workers' Gaussians are the same either way, so on one vector they say the same.
        return self.omega(d)


def _tiles(shared: Draw, m: int, d: int) -> Iterator[Tile]:
    """Draw the m × d Gaussians piece by piece."""
    stream = shared.stream(Purpose.SPARSIFIER)
    tile = min(_TILE, max(_SMALL_TILE, d // _TILES))
    width = min(d, tile)
    height = tile // width
    for left in range(0, d, width):
        columns = slice(left, min(left + width, d))
        for top in range(0, m, height):
            rows = slice(top, min(top + height, m))
            shape = (rows.stop - top, columns.stop - left)
            yield rows, columns, stream.normals(shape[0] * shape[1]).reshape(shape)


@lru_cache(maxsize=2)
def _kept(shared: Draw, m: int, d: int) -> tuple[Tile, ...]:
    """Return all pieces at once: both passes of a sender, and a server once a worker, need them."""
    return tuple(_tiles(shared, m, d))


@lru_cache(maxsize=2)
def _first_asking(_: Draw) -> dict[tuple[int, int], Draw]:
    """Return the key of the first message of m and d among those that share their Gaussians."""
    return {}


def _reconstruct(sent: NDArray[Any], tiles: Iterable[Tile], d: int) -> Floats | None:
    """Return (1/m) Σ p_j ξ_j, None where it leaves the range of float32; both ends do this."""
    weights = sent.astype(np.float64) / sent.size
    out = np.zeros(d)
    for rows, columns, gaussians in tiles:
        out[columns] += np.einsum("ij,i->j", gaussians, weights[rows])
        del gaussians
    return out if max(out.max(), -out.min()) <= LARGEST else None
