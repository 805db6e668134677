"""Random coordinates: k of d, or one by its magnitude.

Definitions and classes: Beznosikov et al. §2.2 (a) and (c), Lemmas 8 to 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.floats import as_bytes
from netcomp.compressors.count import Count
from netcomp.compressors.sparsifiers import Indices, Sparsifier
from netcomp.draw import Draw, Purpose
from netcomp.errors import RemoteProtocolError

__all__ = ["Adaptive", "RandK"]

_CHUNK = 1 << 16


@dataclass(frozen=True)
class RandK(Sparsifier):
    """k of d coordinates, uniform without replacement, times d/k: U(d/k − 1).

    MARINA-P after Def. 1.4 and Lemma A.6; Beznosikov et al. Lemma 8. With `scaled` False the
    values stay as they are: B(k/d), their Lemma 9 with all p_i = k/d. No index travels: both
    ends take the first k distinct integers below d of the sparsifier stream.
    """

    k: Count
    scaled: bool = True

    def __str__(self) -> str:
        return f"rand-k:k={self.k}{'' if self.scaled else ',scaled=no'}"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.scaled

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, k=self.k.resolve(d, n, "rand-k.k"))

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        return self.derive((), v.size, draw)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        return draw.stream(Purpose.SPARSIFIER).distinct(d, self.k.value)

    def scale(self, d: int) -> float:
        return d / self.k.value if self.scaled else 1.0

    def most(self, d: int) -> int:
        return self.k.value

    def density(self, d: int) -> float:
        return self.k.value

    def omega(self, d: int) -> float | None:
        return d / self.k.value - 1.0 if self.scaled else None

    def delta(self, d: int) -> float | None:
        return None if self.scaled else self.k.value / d


@dataclass(frozen=True)
class Adaptive(Sparsifier):
    """One coordinate, i with probability |v_i|/‖v‖₁: B(1/d), B¹(1/d, 1), B²(1/d, 1).

    Beznosikov et al. (10), Lemma 10. The choice depends on the vector, so the index travels:
    in as many bytes as d − 1 has, little-endian. Of the zero vector coordinate 0 is sent.
    """

    unbiased = False
    index_parts = 1

    def __str__(self) -> str:
        return "adaptive"

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        u = float(draw.stream(Purpose.SPARSIFIER).uniforms(1)[0])
        return np.array([_proportional(v, u)], dtype=np.int64)

    def encode_indices(self, indices: Indices, d: int) -> tuple[memoryview, ...]:
        return (as_bytes(indices.astype("<i8").view(np.uint8)[: self.index_bytes(d)]),)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        if parts[0].nbytes != self.index_bytes(d):
            raise RemoteProtocolError(
                f"{parts[0].nbytes} bytes of index where {self.index_bytes(d)} belong"
            )
        index = int.from_bytes(parts[0], "little")
        if index >= d:
            raise RemoteProtocolError(f"index {index} where the dimension is {d}")
        return np.array([index], dtype=np.int64)

    def scale(self, d: int) -> float:
        return 1.0

    def most(self, d: int) -> int:
        return 1

    def density(self, d: int) -> float:
        return 1.0

    def index_bytes(self, d: int) -> int:
        return ((d - 1).bit_length() + 7) // 8

    def index_bits(self, d: int) -> float:
        return math.log2(d)

    def omega(self, d: int) -> None:
        return None

    def delta(self, d: int) -> float:
        return 1.0 / d


def _proportional(v: NDArray[Any], u: float) -> int:
    """Return the first i whose |v_0| + … + |v_i| exceeds u‖v‖₁, for u in [0, 1); 0 for v = 0.

    By sums of chunks first, so that no array as long as v is made. Magnitudes are divided by
    the largest: no sum overflows or vanishes.
    """
    starts = range(0, v.size, _CHUNK)
    largest = max(float(np.abs(v[start : start + _CHUNK]).max()) for start in starts)
    if largest == 0.0:
        return 0

    def shares(start: int) -> NDArray[np.float64]:
        magnitudes: NDArray[np.float64] = v[start : start + _CHUNK].astype(np.float64)
        np.abs(magnitudes, out=magnitudes)
        magnitudes /= largest
        return magnitudes

    ends = np.cumsum([shares(start).sum() for start in starts])
    chunk = _exceeding(ends, u * ends[-1])
    before = ends[chunk - 1] if chunk else 0.0
    own = shares(starts[chunk])
    np.cumsum(own, out=own)
    return starts[chunk] + _exceeding(own, u * ends[-1] - before)


def _exceeding(sums: NDArray[np.float64], target: float) -> int:
    """Return the first position whose sum exceeds target; the last that added something if none.

    Rounding may bring the target up to the total: then too a coordinate of zero is not chosen.
    """
    last = int(np.searchsorted(sums, sums[-1], side="left"))
    return min(int(np.searchsorted(sums, target, side="right")), last)
