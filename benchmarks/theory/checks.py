"""A theorem with a problem of its own: what is run, what is measured, what bounds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from benchmarks.theory.runs import Moment, moments
from benchmarks.theory.setups import Setup
from netcomp.algorithms import (
    ALGORITHMS,
    Choice,
    Composition,
    Plan,
    SideChoice,
    StepSize,
    compose,
)

__all__ = ["Check", "Outcome", "Run"]


@dataclass(frozen=True)
class Run:
    """One run of a check: the problem, the numbers it ran with, and all its rounds."""

    setup: Setup
    plan: Plan
    parts: Composition
    rounds: Sequence[Moment]


@dataclass(frozen=True)
class Outcome:
    """The measured mean over the seeds beside the bound; infinite where runs diverged."""

    measured: float
    bound: float

    @property
    def ratio(self) -> float:
        """Measured over bound: the theorem holds up to 1."""
        return self.measured / self.bound

    @property
    def holds(self) -> bool:
        """Whether the bound does, up to the rounding of sums: some hold with equality."""
        return self.measured <= self.bound * (1.0 + 1e-9)


_ITS_OWN = SideChoice()


@dataclass(frozen=True)
class Check:
    """`measure` is averaged over seeds and compared with `bound`, of the theorem's own step.

    `breaks` is a multiple of that step with which the bound is broken: how a wrong step shows.
    """

    theorem: str
    algorithm: str
    setup: Callable[[], Setup]
    rounds: int
    measure: Callable[[Run], float]
    bound: Callable[[Setup, Plan, Composition, int], float]
    breaks: float
    options: Mapping[str, Any] = field(default_factory=dict)
    up: SideChoice = _ITS_OWN
    down: SideChoice = _ITS_OWN
    random: bool = True
    """Whether a seed makes a difference."""

    def __str__(self) -> str:
        return f"{self.algorithm}: {self.theorem}"

    def plan(self, multiple: float = 1.0) -> Plan:
        """Return the numbers of a run with a multiple of the theorem's step."""
        setup = _made(self.setup)
        choice = Choice(
            step_size=StepSize(multiple), up=self.up, down=self.down, values="f64", **self.options
        )
        rows = tuple(oracle.rows for oracle in setup.oracles)
        return ALGORITHMS.get(self.algorithm).plan(choice, setup.d, setup.n, setup.constants, rows)

    def outcome(
        self,
        seeds: int,
        multiple: float = 1.0,
        rounds: int | None = None,
        wrong: Callable[[Composition], Composition] = lambda parts: parts,
    ) -> Outcome:
        """Run it so often; `wrong` changes the composition, as a test of the check itself does."""
        setup, theirs, K = _made(self.setup), self.plan(), rounds or self.rounds
        plan = self.plan(multiple)
        parts, found = wrong(compose(plan)), []
        for seed in range(seeds if self.random else 1):
            played = tuple(moments(parts, setup, K, seed))
            whole = len(played) == K
            found.append(self.measure(Run(setup, plan, parts, played)) if whole else math.inf)
        return Outcome(float(np.mean(found)), self.bound(setup, theirs, compose(theirs), K))


@cache
def _made(setup: Callable[[], Setup]) -> Setup:
    return setup()
