"""Step sizes over the rounds, and weighted averages of the iterates.

    constant                   γ_t = γ
    stairs:ratio=0.5,every=K   γ_t = γ · ratio^⌊t/K⌋ (NEOLITHIC §5: stair-wise decay)
    inverse:kappa=K            γ_t = γ · K/(K + t): with γ = 4/(μK) the 4/(μ(K + t)) of
                               Beznosikov et al. Thm 21 (i)

Averages x̄ = Σ w_t x^t / Σ w_t, t from 0 (Beznosikov et al. eq. (20)):

    none                       no average: the newest iterate
    equal                      w_t = 1 (Thm 21 (iii))
    linear:kappa=K             w_t = K + t (Thm 21 (i))
    geometric:q=Q              w_t = Q^−(t+1), Q = 1 − μγ/2 (Thm 21 (ii))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from netcomp.algorithms.named import Entry, read_named, spelled
from netcomp.compressors.readers import number, whole
from netcomp.errors import SpecError

__all__ = [
    "Average",
    "Constant",
    "Equal",
    "Geometric",
    "Inverse",
    "Linear",
    "Newest",
    "Schedule",
    "Stairs",
    "read_average",
    "read_schedule",
]

_SCHEDULE, _AVERAGE = "algorithm.schedule", "algorithm.average"


@dataclass(frozen=True)
class Schedule(ABC):
    """The factor a round's step size has on γ."""

    name: ClassVar[str]

    def __str__(self) -> str:
        return spelled(self.name, self)

    @abstractmethod
    def factor(self, t: int) -> float:
        """Return γ_t/γ, 1 for t = 0."""


@dataclass(frozen=True)
class Constant(Schedule):
    """Always γ."""

    name: ClassVar[str] = "constant"

    def factor(self, t: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Stairs(Schedule):
    """`ratio` times smaller every `every` rounds."""

    name: ClassVar[str] = "stairs"
    ratio: float
    every: int

    def __post_init__(self) -> None:
        if not 0.0 < self.ratio <= 1.0 or self.every < 1:
            raise SpecError(_SCHEDULE, f"{self}: ratio must be in (0, 1] and every at least 1")

    def factor(self, t: int) -> float:
        return float(self.ratio ** (t // self.every))


@dataclass(frozen=True)
class Inverse(Schedule):
    """κ/(κ + t)."""

    name: ClassVar[str] = "inverse"
    kappa: float

    def __post_init__(self) -> None:
        if not self.kappa > 0.0:
            raise SpecError(_SCHEDULE, f"kappa = {self.kappa} is not positive")

    def factor(self, t: int) -> float:
        return self.kappa / (self.kappa + t)


@dataclass(frozen=True)
class Average(ABC):
    """Which average of the iterates is the server's model.

    `share` is all a running average needs: x̄ ← x̄ + share · (x^t − x̄).
    """

    name: ClassVar[str]

    def __str__(self) -> str:
        return spelled(self.name, self)

    @abstractmethod
    def share(self, t: int) -> float:
        """Return w_t / Σ_{s ≤ t} w_s."""


@dataclass(frozen=True)
class Newest(Average):
    """No average."""

    name: ClassVar[str] = "none"

    def share(self, t: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Equal(Average):
    """w_t = 1."""

    name: ClassVar[str] = "equal"

    def share(self, t: int) -> float:
        return 1.0 / (t + 1)


@dataclass(frozen=True)
class Linear(Average):
    """w_t = κ + t, whose sum is (2κ + t)(t + 1)/2."""

    name: ClassVar[str] = "linear"
    kappa: float

    def __post_init__(self) -> None:
        if not self.kappa > 0.0:
            raise SpecError(_AVERAGE, f"kappa = {self.kappa} is not positive")

    def share(self, t: int) -> float:
        return 2.0 * (self.kappa + t) / ((2.0 * self.kappa + t) * (t + 1))


@dataclass(frozen=True)
class Geometric(Average):
    """w_t = q^−(t+1): the share is (1 − q)/(1 − q^(t+1))."""

    name: ClassVar[str] = "geometric"
    q: float

    def __post_init__(self) -> None:
        if not 0.0 < self.q < 1.0:
            raise SpecError(_AVERAGE, f"q = {self.q} is outside (0, 1)")

    def share(self, t: int) -> float:
        return (1.0 - self.q) / (1.0 - self.q ** (t + 1))


_SCHEDULES: dict[str, Entry[Schedule]] = {
    "constant": Entry(Constant),
    "stairs": Entry(Stairs, (("ratio", number), ("every", whole))),
    "inverse": Entry(Inverse, (("kappa", number),)),
}
_AVERAGES: dict[str, Entry[Average]] = {
    "none": Entry(Newest),
    "equal": Entry(Equal),
    "linear": Entry(Linear, (("kappa", number),)),
    "geometric": Entry(Geometric, (("q", number),)),
}


def read_schedule(text: str) -> Schedule:
    """Read the notation of schedules; raises `SpecError` naming algorithm.schedule."""
    return read_named(text, _SCHEDULES, _SCHEDULE)


def read_average(text: str) -> Average:
    """Read the notation of averages; raises `SpecError` naming algorithm.average."""
    return read_named(text, _AVERAGES, _AVERAGE)
