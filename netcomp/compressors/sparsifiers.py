"""Which coordinates are kept: all, random ones, a worker's own block, the largest."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import as_bytes
from netcomp.compressors.count import Count
from netcomp.compressors.permutation import Permutation
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["All", "PermK", "RandK", "Sparsifier", "TopK"]

Indices = NDArray[np.int64]


class Sparsifier(ABC):
    """Chooses coordinates and the factor their values are multiplied with."""

    unbiased: bool = True
    correlated: bool = False
    index_parts: int = 0
    """Payload parts that carry indices: 0 where both ends derive them from the key."""

    def resolve(self, d: int, n: int) -> Self:
        """Return the sparsifier with every count fixed; raises `SpecError`."""
        del d, n
        return self

    @abstractmethod
    def select(self, v: NDArray[Any], draw: Draw) -> Indices | None:
        """Return the coordinates kept of v, distinct; None for all of them."""

    def encode_indices(self, indices: Indices | None) -> tuple[memoryview, ...]:
        """Return the parts that carry the indices; none where they are derived."""
        del indices
        return ()

    @abstractmethod
    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices | None:
        """Return on the receiving end what `select` chose on the sending one."""

    @abstractmethod
    def scale(self, d: int) -> float:
        """Return the factor of the kept values."""

    @abstractmethod
    def most(self, d: int) -> int:
        """Return the largest number of coordinates ever kept."""

    @abstractmethod
    def density(self, d: int) -> float:
        """Return the expected number of coordinates kept."""

    def index_bits(self, d: int) -> float:
        """Return the bits the papers count for the indices."""
        del d
        return 0.0

    @abstractmethod
    def omega(self, d: int) -> float | None:
        """Return ω of U(ω), None for a biased one."""

    def delta(self, d: int) -> float | None:
        """Return δ of B(δ) where it is not 1 − ω; None otherwise."""
        del d
        return None


@dataclass(frozen=True)
class All(Sparsifier):
    """Keeps every coordinate."""

    def __str__(self) -> str:
        return "identity"

    def select(self, v: NDArray[Any], draw: Draw) -> None:
        return None

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> None:
        return None

    def scale(self, d: int) -> float:
        return 1.0

    def most(self, d: int) -> int:
        return d

    def density(self, d: int) -> float:
        return d

    def omega(self, d: int) -> float:
        return 0.0


@dataclass(frozen=True)
class RandK(Sparsifier):
    """k of d coordinates, uniform without replacement, times d/k: U(d/k − 1).

    MARINA-P after Def. 1.4 and Lemma A.6. No index travels: both ends take the
    first k distinct integers below d of the sparsifier stream (`Stream.distinct`).
    """

    k: Count

    def __str__(self) -> str:
        return f"rand-k:k={self.k}"

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, k=self.k.resolve(d, n, "rand-k.k"))

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        return self.derive((), v.size, draw)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        return draw.stream(Purpose.SPARSIFIER).distinct(d, self.k.value)

    def scale(self, d: int) -> float:
        return d / self.k.value

    def most(self, d: int) -> int:
        return self.k.value

    def density(self, d: int) -> float:
        return self.k.value

    def omega(self, d: int) -> float:
        return d / self.k.value - 1.0


@dataclass(frozen=True)
class PermK(Sparsifier):
    """Each worker keeps its own part of one random permutation: U(n − 1), θ = 0.

    d ≥ n (MARINA-P Def. 4.1 for n | d; Szlendak et al. App. I beyond): blocks of
    ⌊d/n⌋ or ⌈d/n⌉ positions of a permutation of the coordinates, dealt to the workers in
    random order, times n. Fixed blocks would be biased where n does not divide d.
    d < n: with q = ⌊n/d⌋, every coordinate goes to q random workers, n − qd workers get
    none, times n/q: U(n/q − 1). Either way the mean over the workers is the vector.
    The permutation comes from the key all workers share, so no index travels.
    """

    n: int = 0
    """The number of workers; 0 until resolved."""
    correlated = True

    def __str__(self) -> str:
        return "perm-k"

    def resolve(self, d: int, n: int) -> Self:
        del d
        return replace(self, n=n)

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        return self.derive((), v.size, draw)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        if not 0 <= draw.worker < self.n:
            raise SpecError(
                "perm-k", "gives each worker its own part and cannot be one message for all"
            )
        seats, order = _permutations(draw.shared(), self.n, d)
        seat = int(seats[draw.worker])
        if d < self.n:
            copies = self.n // d
            return np.arange(d)[seat // copies : seat // copies + 1]
        return order.block(seat * d // self.n, (seat + 1) * d // self.n)

    def _copies(self, d: int) -> int:
        return max(1, self.n // d)

    def scale(self, d: int) -> float:
        return self.n / self._copies(d)

    def most(self, d: int) -> int:
        return math.ceil(d / self.n)

    def density(self, d: int) -> float:
        return d / self.scale(d)

    def omega(self, d: int) -> float:
        return self.scale(d) - 1.0


@lru_cache(maxsize=4)
def _permutations(shared: Draw, n: int, d: int) -> tuple[Indices, Permutation]:
    """Return who sits where and the order of the coordinates, in this order from one stream.

    Cached, because a server asks once a worker for the same.
    """
    stream = shared.stream(Purpose.SPARSIFIER)
    return Permutation(n, stream).block(0, n), Permutation(d, stream)


@dataclass(frozen=True)
class TopK(Sparsifier):
    """The k coordinates largest in magnitude, ties to the lower index: B(k/d).

    MARINA-P after Def. B.1. The indices travel, increasing, 32 bits each.
    """

    k: Count
    unbiased = False
    index_parts = 1

    def __str__(self) -> str:
        return f"top-k:k={self.k}"

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, k=self.k.resolve(d, n, "top-k.k"))

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        magnitudes = np.abs(v)
        k = self.k.value
        threshold = np.partition(magnitudes, v.size - k)[v.size - k]
        above = np.flatnonzero(magnitudes > threshold)
        ties = np.flatnonzero(magnitudes == threshold)[: k - above.size]
        return np.sort(np.concatenate([above, ties]))

    def encode_indices(self, indices: Indices | None) -> tuple[memoryview, ...]:
        assert indices is not None  # noqa: S101 — for the type checker: top-k has indices
        return (as_bytes(indices.astype("<u4")),)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        k = self.k.value
        if parts[0].nbytes != 4 * k:
            raise RemoteProtocolError(f"{parts[0].nbytes} bytes of indices where {4 * k} belong")
        indices = np.frombuffer(parts[0], dtype="<u4").astype(np.int64)
        # Unsigned, increasing and below d: a stray index would silently write elsewhere.
        if indices[-1] >= d or not (np.diff(indices) > 0).all():
            raise RemoteProtocolError("indices are not increasing or not below the dimension")
        return indices

    def scale(self, d: int) -> float:
        return 1.0

    def most(self, d: int) -> int:
        return self.k.value

    def density(self, d: int) -> float:
        return self.k.value

    def index_bits(self, d: int) -> float:
        return self.k.value * math.log2(d)

    def omega(self, d: int) -> None:
        return None

    def delta(self, d: int) -> float:
        return self.k.value / d
