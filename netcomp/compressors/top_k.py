"""top-k: the k coordinates largest in magnitude, found without sorting.

Instead of partitioning all d magnitudes, a threshold below the k-th largest is guessed from
a sample, one pass collects the few coordinates that reach it, and only among those the k
largest are taken, so the result is exact whatever the sample says. Where fewer than k reach it
a lower one is tried; where very many do, as with ties, all are partitioned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import packed_bytes
from netcomp.coding.flags import count_ones, invert, ones
from netcomp.coding.floats import as_bytes
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.compressors.base import all_finite, first_not_finite
from netcomp.compressors.count import Count
from netcomp.compressors.sparsifiers import Indices, Sparsifier
from netcomp.draw import Draw, Purpose

__all__ = ["TopK", "largest_indices"]

_CHUNK: Final = 1 << 17
_SAMPLE: Final = 1 << 14
_SAMPLED: Final = 128
"""The guess looks at one coordinate in this many, but at no more than `_SAMPLE`."""
_STRIDE: Final = 16
_SMALL: Final = 1 << 16
"""Vectors up to this long are partitioned whole."""
_MARGINS: Final = (3.0, 9.0)
"""By how many standard deviations a guess is below what is expected to do, try by try."""
_SPARSE: Final = 3
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
    selects_finite = True
    index_parts = 1

    def __str__(self) -> str:
        return f"top-k:k={self.k}"

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, k=self.k.resolve(d, n, "top-k.k"))

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        indices = largest_indices(v, self.k.value)
        if indices is None:
            raise first_not_finite(v, draw)
        return indices

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


def largest_indices(v: NDArray[Any], k: int) -> Indices | None:
    """Return where the k largest magnitudes of v stand, increasing; ties to the lower.

    None where a value is not finite. What reaches a guess includes all that is not, so that they
    are looked for among few.
    """
    if v.size > _SMALL and k * _SPARSE <= v.size:
        for bound in _guesses(v, k):
            places = _reaching(v, k, bound)
            if places is None:
                # A lower guess would let through even more.
                break
            # "clip" only because it is faster: all are in range.
            magnitudes = v.take(places, mode="clip")
            np.abs(magnitudes, out=magnitudes)
            # Of numbers among which one is NaN the maximum is NaN.
            if not math.isfinite(magnitudes.max(initial=0.0)):
                return None
            if places.size >= k:
                chosen = _chosen(magnitudes, k, _kth(magnitudes.copy(), k))
                # Where most are taken, indices are faster than a mask.
                return places.take(chosen.nonzero()[0])
    return _partitioned(v, k) if all_finite(v) else None


def _partitioned(v: NDArray[Any], k: int) -> Indices:
    """Return the k largest of a finite v by partitioning all that are not zero.

    Zeros apart, because numpy's selection takes many times as long among so many equals, and
    gradients of sparse data are full of them.
    """
    nonzero = int(np.count_nonzero(v))
    if nonzero <= k:
        chosen = v != 0
        chosen[np.flatnonzero(v == 0)[: k - nonzero]] = True
        return np.flatnonzero(chosen)
    if _ZEROS * nonzero > (_ZEROS - 1) * v.size:
        magnitudes = np.abs(v)
    else:
        magnitudes = v[v != 0]
        np.abs(magnitudes, out=magnitudes)
    threshold = _kth(magnitudes, k)
    # Taken once more: a copy for the partition would be a vector's memory more, and as slow.
    del magnitudes
    return np.flatnonzero(_chosen(np.abs(v), k, threshold))


def _guesses(v: NDArray[Any], k: int) -> Iterator[np.floating[Any]]:
    """Yield falling magnitudes that probably a few more than k coordinates reach, none zero.

    The sample is drawn, so that no period of the vector meets it, and always the same for a
    length: what is chosen does not depend on it. Of s magnitudes the r-th largest is taken,
    r above the expected sk/d by some standard deviations, `_MARGINS`: then fewer than k
    coordinates reach it about once in 700 vectors, and where the vector is passed once more,
    practically never.
    """
    sample = np.abs(v.take(_sampled(v.size), mode="clip"))
    expected = sample.size * k / v.size
    ranks = [math.ceil(expected + margin * (math.sqrt(expected) + 1.0)) for margin in _MARGINS]
    top = _top(sample, ranks[-1])
    top.sort()
    for rank in ranks:
        # Neither a zero nor NaN.
        if rank <= top.size and top[-rank] > 0:
            yield top[-rank]


def _top(sample: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the largest of a sample, at least `count` of them unless it has fewer.

    Told by every 16th of them, of which twice as many as needed and four are let through.
    """
    few = sample[::_STRIDE]
    place = few.size - 2 * -(-count // _STRIDE) - 4
    if place > 0:
        top: NDArray[Any] = sample[sample >= np.partition(few, place)[place]]
        if top.size >= count:
            return top
    return sample


@lru_cache(maxsize=8)
def _sampled(size: int) -> Indices:
    # In order, because memory is read so much faster.
    count = min(_SAMPLE, size // _SAMPLED)
    return np.sort(Draw(seed=0).stream(Purpose.SPARSIFIER).below(size, count))


def _reaching(v: NDArray[Any], k: int, bound: np.floating[Any]) -> Indices | None:
    """Return which v are not below the bound in magnitude, NaN among them, increasing.

    None where they are far more than k.
    """
    flags = np.empty(packed_bytes(v.size, 1), dtype=np.uint8)
    inside, above = np.empty((2, _CHUNK), dtype=bool)
    for start in range(0, v.size, _CHUNK):
        part = v[start : start + _CHUNK]
        within = inside[: part.size]
        # Two comparisons and no magnitudes: fewer bytes are written, and the cache is small.
        np.less(part, bound, out=within)
        within &= np.greater(part, -bound, out=above[: part.size])
        flags[start // 8 : packed_bytes(start + part.size, 1)] = np.packbits(within)
    invert(flags, v.size)
    # Their places take 64 times the memory of the flags.
    return ones(flags) if count_ones(flags) <= 4 * k + _SMALL else None


def _kth(magnitudes: NDArray[Any], k: int) -> np.floating[Any]:
    """Return the k-th largest magnitude; puts them in another order."""
    magnitudes.partition(magnitudes.size - k)
    kth: np.floating[Any] = magnitudes[magnitudes.size - k]
    return kth


def _chosen(magnitudes: NDArray[Any], k: int, threshold: np.floating[Any]) -> NDArray[np.bool_]:
    """Return which of the magnitudes are the k largest, ties to the first."""
    chosen: NDArray[np.bool_] = magnitudes >= threshold
    surplus = int(np.count_nonzero(chosen)) - k
    if surplus:
        chosen[np.flatnonzero(magnitudes == threshold)[-surplus:]] = False
    return chosen
