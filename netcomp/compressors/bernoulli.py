"""Every coordinate with a probability: one for all, or one for each.

Definition and class: Beznosikov et al. (9), Lemma 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.readers import number
from netcomp.compressors.sparsifiers import Indices, Sparsifier
from netcomp.compressors.spelling import decimal, in_full
from netcomp.draw import Draw, Purpose, Stream
from netcomp.errors import SpecError

__all__ = ["Bernoulli", "Chances", "bernoulli_indices"]

_CHUNK: Final = 1 << 16
_AGAIN: Final = "..."


@dataclass(frozen=True)
class Chances:
    """The coordinates' probabilities: "0.1" of all, "0.1/0.5" of two, "1/0.1/..." of any number.

    A list that ends in `...` repeats its last probability; where d is smaller the rest is unused.
    """

    values: tuple[float, ...]
    again: bool = False

    def __post_init__(self) -> None:
        for value in self.values:
            if not 0.0 < value <= 1.0:
                raise SpecError("bernoulli.p", f"{decimal(value)} is outside (0, 1]")

    @classmethod
    def parse(cls, text: str) -> Chances:
        """Check the notation; raises ValueError, and `SpecError` outside (0, 1]."""
        pieces = text.split("/")
        again = len(pieces) > 1 and pieces[-1] == _AGAIN
        values = tuple(number(piece) for piece in (pieces[:-1] if again else pieces))
        # One of its own repeated is the same as one for all.
        return cls(values, again and len(values) > 1)

    def __str__(self) -> str:
        return "/".join([*map(in_full, self.values), *[_AGAIN] * self.again])

    @property
    def vary(self) -> bool:
        """Whether coordinates have probabilities of their own."""
        return len(self.values) > 1

    def require(self, d: int) -> None:
        """Raise `SpecError` unless there is a probability for each of d coordinates."""
        if self.vary and not self.again and len(self.values) != d:
            raise SpecError("bernoulli.p", f"{len(self.values)} probabilities where d = {d}")

    def least(self, d: int) -> float:
        """Return q, the smallest of d coordinates' probabilities."""
        return min(self.values[:d])

    def total(self, d: int) -> float:
        """Return the sum of d coordinates' probabilities."""
        listed = self.values[:d]
        return sum(listed) + (d - len(listed)) * self.values[-1]

    def of(self, indices: Indices) -> NDArray[np.float64]:
        """Return the probabilities of some coordinates, shape (len(indices),)."""
        return np.array(self.values).take(indices, mode="clip")


@dataclass(frozen=True)
class Bernoulli(Sparsifier):
    """Coordinate i with probability p_i, independently: B(q), B¹(q, 1), B²(q, 1), q = min p_i.

    Beznosikov et al. (9), Lemma 9. With `scaled` each value is divided by its p_i: U(1/q − 1).
    No index travels: both ends draw the same from the sparsifier stream, so the number of
    values varies.
    """

    p: Chances
    scaled: bool = False

    def __str__(self) -> str:
        return f"bernoulli:p={self.p}{',scaled=yes' if self.scaled else ''}"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.scaled or min(self.p.values) == 1.0

    @property
    def varies(self) -> bool:  # type: ignore[override]
        return self.scaled and self.p.vary

    def resolve(self, d: int, n: int) -> Self:
        self.p.require(d)
        return self

    def select(self, v: NDArray[Any], draw: Draw) -> Indices:
        return self.derive((), v.size, draw)

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices:
        return bernoulli_indices(draw.stream(Purpose.SPARSIFIER), d, self.p)

    def scale(self, d: int) -> float:
        return 1.0 / self.p.least(d) if self.scaled else 1.0

    def rescale(self, kept: NDArray[Any], indices: Indices, d: int) -> None:
        if self.varies:
            factors = (1.0 / np.array(self.p.values)).astype(kept.dtype)
            kept *= factors.take(indices, mode="clip")
        else:
            super().rescale(kept, indices, d)

    def most(self, d: int) -> int:
        return d

    def density(self, d: int) -> float:
        return self.p.total(d)

    def omega(self, d: int) -> float | None:
        return 1.0 / self.p.least(d) - 1.0 if self.unbiased else None

    def delta(self, d: int) -> float | None:
        return None if self.scaled else self.p.least(d)


def bernoulli_indices(stream: Stream, d: int, chances: Chances) -> Indices:
    """Return the i < d that are kept with probability p_i each, increasing.

    Recipe (docs/randomness.md): 2¹⁶p_i = T + f with T an integer and 0 ≤ f < 1. Each i takes
    a 16-bit word u, the lowest quarter of a 64-bit word first, and is kept where u < T;
    where u = T it is kept if a further uniform is below f, all u being drawn before the first
    of these. Nothing is rounded but the uniforms' own 2⁻⁵³.
    """
    if min(chances.values) == 1.0:
        return np.arange(d, dtype=np.int64)
    kept = np.empty(d, dtype=bool)
    undecided: list[Indices] = []
    for start in range(0, d, _CHUNK):
        part = kept[start : start + _CHUNK]
        words = stream.words64((part.size + 3) // 4).astype("<u8", copy=False).view("<u2")
        words = words[: part.size]
        whole = _scaled(chances, np.arange(start, start + part.size) if chances.vary else None)[0]
        np.less(words, whole, out=part)
        undecided.append(np.flatnonzero(words == whole) + start)
    ties = np.concatenate(undecided)
    kept[ties] = stream.uniforms(ties.size) < _scaled(chances, ties)[1]
    return np.flatnonzero(kept)


def _scaled(
    chances: Chances, indices: Indices | None
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Return T and f of some coordinates, of all where they are alike and `indices` is None."""
    p = chances.of(np.zeros(1, dtype=np.int64) if indices is None else indices)
    whole = np.floor(np.ldexp(p, 16))
    return whole.astype(np.uint32), np.ldexp(p, 16) - whole
