"""Participation: who hears and who speaks in a round.

    all                everybody
    uniform:r=3        all hear; when only changes are sent, r draws with replacement from the n
                       workers speak, a worker drawn twice speaks twice with a key each, and the
                       server divides by r (MARINA Alg. 4)
    independent:p=0.5  each worker takes part, or not, with probability p; who does not is not
                       spoken to (MCM §4.1)

Both ends derive the draws from the key all workers share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from netcomp.algorithms.named import Entry, read_named, spelled
from netcomp.compressors.readers import number, whole
from netcomp.draw import Direction, Draw, Purpose, Stream
from netcomp.errors import SpecError

__all__ = ["Everybody", "Independent", "Participation", "Uniform", "read_participation"]

_FIELD = "algorithm.participation"


@dataclass(frozen=True)
class Participation(ABC):
    """Who takes part in a round of n workers."""

    name: ClassVar[str]
    once: ClassVar[bool] = False
    """Whether `keys` is just the worker's own key: nobody needs to ask for them then."""

    def __str__(self) -> str:
        return spelled(self.name, self)

    def hearers(self, n: int, draw: Draw) -> Sequence[int]:
        """Return the workers that are spoken to, in order."""
        return range(n)

    @abstractmethod
    def keys(self, n: int, worker: int, key: Draw) -> list[Draw]:
        """Return the keys of the messages `worker` sends when only changes are sent."""

    @abstractmethod
    def speakers(self, n: int) -> int:
        """Return how many messages an average divides by when only changes are sent."""

    @property
    def share(self) -> float:
        """The probability with which a worker's message is there."""
        return 1.0


@dataclass(frozen=True)
class Everybody(Participation):
    """All n workers, every round."""

    name: ClassVar[str] = "all"
    once: ClassVar[bool] = True

    def keys(self, n: int, worker: int, key: Draw) -> list[Draw]:
        return [key]

    def speakers(self, n: int) -> int:
        return n


@dataclass(frozen=True)
class Uniform(Participation):
    """r draws with replacement (MARINA Alg. 4 l. 5)."""

    name: ClassVar[str] = "uniform"
    r: int

    def __post_init__(self) -> None:
        if self.r < 1:
            raise SpecError(_FIELD, f"r = {self.r} is below 1")

    def keys(self, n: int, worker: int, key: Draw) -> list[Draw]:
        drawn = _draws(key.shared().at(direction=Direction.NONE), n, self.r)
        return [key.at(sub=j) for j in drawn.get(worker, ())]

    def speakers(self, n: int) -> int:
        return self.r


@dataclass(frozen=True)
class Independent(Participation):
    """Each worker with probability p."""

    name: ClassVar[str] = "independent"
    once: ClassVar[bool] = True
    p: float

    def __post_init__(self) -> None:
        if not 0.0 < self.p <= 1.0:
            raise SpecError(_FIELD, f"p = {self.p} is outside (0, 1]")

    def hearers(self, n: int, draw: Draw) -> Sequence[int]:
        return [int(i) for i in np.flatnonzero(_stream(draw).uniforms(n) < self.p)]

    def keys(self, n: int, worker: int, key: Draw) -> list[Draw]:
        return [key]

    def speakers(self, n: int) -> int:
        return n

    @property
    def share(self) -> float:
        return self.p


_ENTRIES: dict[str, Entry[Participation]] = {
    "all": Entry(Everybody),
    "uniform": Entry(Uniform, (("r", whole),)),
    "independent": Entry(Independent, (("p", number),)),
}


def read_participation(text: str) -> Participation:
    """Read the notation above; raises `SpecError` naming algorithm.participation."""
    return read_named(text, _ENTRIES, _FIELD)


@lru_cache(maxsize=4)
def _draws(round_: Draw, n: int, r: int) -> Mapping[int, Sequence[int]]:
    """Return which of the r draws of a round are whose: found once, not for each of n workers."""
    found: dict[int, list[int]] = {}
    for j, worker in enumerate(_stream(round_).below(n, r).tolist()):
        found.setdefault(worker, []).append(j)
    return found


def _stream(draw: Draw) -> Stream:
    return draw.shared().at(direction=Direction.NONE).stream(Purpose.PARTICIPATION)
