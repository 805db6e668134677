"""top-k: the k coordinates largest in magnitude, found without sorting.

Instead of partitioning all d magnitudes, a threshold below the k-th largest is guessed from
a sample, one pass collects the few coordinates that reach it, and only among those the k
largest are taken, so the result is exact whatever the sample says. Where the guess is bad
(fewer than k coordinates reach it, or very many, as with ties) all are partitioned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import as_bytes
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.compressors.count import Count
from netcomp.compressors.sparsifiers import Indices, Sparsifier
from netcomp.draw import Draw, Purpose

__all__ = ["TopK", "largest_indices"]

_CHUNK: Final = 1 << 15
_SAMPLE: Final = 1 << 14
_SMALL: Final = 1 << 16
"""Vectors up to this long are partitioned whole."""
_SPARSE: Final = 2
"""The guess pays where at most one coordinate in this many is kept."""
_ZEROS: Final = 8
"""Zeros are set apart where they are more than one coordinate in this many."""


@dataclass(frozen=True)
class TopK(Sparsifier):
    """The k coordinates largest in magnitude, ties to the lower index: B(k/d).

    MARINA-P after Def. B.1; B¹(k/d, 1), B²(k/d, 1), B³(d/k): Beznosikov et al. Lemma 11. The
    indices travel, increasing, as `netcomp.coding.gaps` writes them.
    """

    k: Count
    unbiased = False
    index_parts = 1

    def __str__(self) -> str:
        return f"top-k:k={self.k}"

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, k=self.k.resolve(d, n, "top-k.k"))

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        return largest_indices(v, self.k.value)

    def encode_indices(self, indices: Indices, d: int) -> tuple[memoryview, ...]:
        return (as_bytes(encode_indices(indices, d)),)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        return decode_indices(parts[0], self.k.value, d)

    def scale(self, d: int) -> float:
        return 1.0

    def most(self, d: int) -> int:
        return self.k.value

    def density(self, d: int) -> float:
        return self.k.value

    def index_bytes(self, d: int) -> int:
        # The form byte, and the shorter of a field each and a bit each; the gap codes are
        # taken where they are shorter in bits, and begin three pieces at a byte's beginning.
        fields = min(self.k.value, d - self.k.value) * (d - 1).bit_length()
        return 1 + (min(fields, d) + 7) // 8 + 2

    def index_bits(self, d: int) -> float:
        return self.k.value * math.log2(d)

    def omega(self, d: int) -> None:
        return None

    def delta(self, d: int) -> float:
        return self.k.value / d


def largest_indices(v: NDArray[Any], k: int) -> Indices:
    """Return where the k largest magnitudes of a finite v stand, increasing; ties to the lower."""
    if v.size > _SMALL and k * _SPARSE <= v.size:
        guess = _guess(v, k)
        if guess is not None and (candidates := _reaching(v, k, guess)) is not None:
            return candidates[_largest(np.abs(v[candidates]), k)]
    return _partitioned(v, k)


def _partitioned(v: NDArray[Any], k: int) -> Indices:
    """Return the k largest by partitioning all that are not zero.

    Zeros apart, because numpy's selection takes many times as long among so many equals, and
    gradients of sparse data are full of them.
    """
    magnitudes = np.abs(v)
    nonzero = int(np.count_nonzero(magnitudes))
    if nonzero <= k:
        chosen = magnitudes > 0
        chosen[np.flatnonzero(magnitudes == 0)[: k - nonzero]] = True
        return np.flatnonzero(chosen)
    if _ZEROS * nonzero > (_ZEROS - 1) * v.size:
        return np.flatnonzero(_largest(magnitudes, k))
    places = np.flatnonzero(magnitudes)
    return places[_largest(magnitudes[places], k)]


def _guess(v: NDArray[Any], k: int) -> np.floating[Any] | None:
    """Return a magnitude that probably a few more than k coordinates reach; None for zero.

    The sample is drawn, so that no period of the vector meets it, and always the same for a
    length: what is chosen does not depend on it. Of s magnitudes the r-th largest is taken,
    r above the expected sk/d by 4 standard deviations: then fewer than k coordinates reach it
    about once in 30,000 vectors.
    """
    sample = np.abs(v[_sampled(v.size)])
    expected = _SAMPLE * k / v.size
    rank = math.ceil(expected + 4.0 * math.sqrt(expected) + 4.0)
    if rank >= _SAMPLE:
        return None
    guess: np.floating[Any] = np.partition(sample, _SAMPLE - rank)[_SAMPLE - rank]
    return guess if guess > 0 else None


@lru_cache(maxsize=8)
def _sampled(size: int) -> Indices:
    return Draw(seed=0).stream(Purpose.SPARSIFIER).below(size, _SAMPLE)


def _reaching(v: NDArray[Any], k: int, bound: np.floating[Any]) -> Indices | None:
    """Return where |v| ≥ bound, increasing; None unless at least k and not far too many."""
    found: list[Indices] = []
    missing, room = k, 4 * k + _CHUNK
    magnitudes = np.empty(_CHUNK, dtype=v.dtype)
    reached = np.empty(_CHUNK, dtype=bool)
    for start in range(0, v.size, _CHUNK):
        part = v[start : start + _CHUNK]
        np.abs(part, out=magnitudes[: part.size])
        np.greater_equal(magnitudes[: part.size], bound, out=reached[: part.size])
        here = np.flatnonzero(reached[: part.size])
        here += start
        found.append(here)
        missing -= here.size
        room -= here.size
        if room < 0:
            return None
    return np.concatenate(found) if missing <= 0 else None


def _largest(magnitudes: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Return which of the magnitudes are the k largest, ties to the first."""
    threshold = np.partition(magnitudes, magnitudes.size - k)[magnitudes.size - k]
    chosen: NDArray[np.bool_] = magnitudes > threshold
    missing = k - int(np.count_nonzero(chosen))
    chosen[np.flatnonzero(magnitudes == threshold)[:missing]] = True
    return chosen
