"""perm-k: every worker its own part of the coordinates, together all of them.

MARINA-P Def. 4.1 for n | d; A. Tyurin, R. Szlendak, P. Richtárik, "Permutation Compressors
for Provably Faster Distributed Nonconvex Optimization", App. I, beyond.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.permutation import Permutation
from netcomp.compressors.sparsifiers import Indices, Sparsifier
from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError

__all__ = ["PermK"]

Order = Literal["random", "cyclic"]


@dataclass(frozen=True)
class PermK(Sparsifier):
    """Each worker keeps its own part of one order of the coordinates: U(n − 1), θ = 0.

    d ≥ n: blocks of ⌊d/n⌋ or ⌈d/n⌉ positions, dealt to the workers at random, times n. Fixed
    blocks would be biased where n does not divide d. d < n: with q = ⌊n/d⌋, every coordinate
    goes to q workers, n − qd workers get none, times n/q: U(n/q − 1). Either way the mean
    over the workers is the vector. What is drawn comes from the key all workers share, so no
    index travels.

    order "random": a random permutation of the coordinates, and one of the workers. order
    "cyclic": the coordinates in their own order, and worker i gets block (i + r) mod n for one
    random r. It costs nothing, and every coordinate still belongs to every worker with
    probability 1/n (q/n where d < n). With c the factor, P(i ∈ S) = 1/c for each coordinate
    is all that ω = c − 1 needs: E‖C(x)‖² = c² Σ x_i²/c; and θ = 0 since the blocks are a
    partition. Neighbours are kept or left together, though, which shows in whatever depends
    on more than one coordinate at a time (a quantizer's norm, say).
    """

    n: int = 0
    """The number of workers; 0 until resolved."""
    order: Order = "random"
    correlated = True

    def __post_init__(self) -> None:
        if self.order not in {"random", "cyclic"}:
            raise SpecError("perm-k.order", f"{self.order!r} is neither 'random' nor 'cyclic'")

    def __str__(self) -> str:
        return "perm-k" if self.order == "random" else f"perm-k:order={self.order}"

    @property
    def workers(self) -> int:
        return self.n

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
        if self.order == "cyclic":
            seat = (draw.worker + _turn(draw.shared(), self.n)) % self.n
            order = None
        else:
            seats, order = _permutations(draw.shared(), self.n, d)
            seat = int(seats[draw.worker])
        if d < self.n:
            copies = self.n // d
            return np.arange(d)[seat // copies : seat // copies + 1]
        start, stop = seat * d // self.n, (seat + 1) * d // self.n
        return np.arange(start, stop) if order is None else order.block(start, stop)

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


def _turn(shared: Draw, n: int) -> int:
    """Return by how many blocks the workers are moved on in cyclic order."""
    return int(shared.stream(Purpose.SPARSIFIER).below(n, 1)[0])


@lru_cache(maxsize=4)
def _permutations(shared: Draw, n: int, d: int) -> tuple[Indices, Permutation]:
    """Return who sits where and the order of the coordinates, in this order from one stream.

    Cached, because a server asks once a worker for the same.
    """
    stream = shared.stream(Purpose.SPARSIFIER)
    return Permutation(n, stream).block(0, n), Permutation(d, stream)
