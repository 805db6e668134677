"""Runs in memory, with the states a theorem's Ψ is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.theory.setups import Setup
from netcomp.algorithms import Composition
from netcomp.algorithms.conformance.subject import Case, Pair
from netcomp.roles import Array, Message

__all__ = ["Moment", "diverged", "moments"]

_FAR = 1e9


@dataclass(frozen=True)
class Moment:
    """Round t: x^t, and the states after it: the server's, with x^{t+1}, and the workers'."""

    x: Array
    server: Any
    workers: tuple[Any, ...]


@dataclass(frozen=True)
class _Played(Case):
    """The loop of the conformance kit over the functions of a setup."""

    setup: Setup

    @property
    def oracles(self) -> Any:  # type: ignore[override]
        return self.setup.oracles

    def x0(self, dtype: Any = np.float64) -> Array:
        return self.setup.x0.astype(dtype)


def moments(parts: Composition, setup: Setup, rounds: int, seed: int) -> Iterator[Moment]:
    """Yield `rounds` rounds of a run; ends early where x has gone to infinity."""
    case = _Played(setup.d, setup.n, seed, lambda: Pair.of(parts, setup.d), setup)
    pair = case.pair
    # What a worker's state is after round t, round t + 1 begins with.
    played = case.play(pair, case.begin(pair), _as_it_is, range(rounds + 1))
    for now, following in pairwise(played):
        yield Moment(now.server.x, now.after, following.workers)
        if diverged(now.after.x, setup):
            return


def diverged(x: Array, setup: Setup) -> bool:
    """Whether x has left every ball a convergent run could be in."""
    far = _FAR * (1.0 + float(np.abs(setup.x0 - setup.solution).max()))
    return not float(np.abs(x - setup.solution).max()) <= far


def _as_it_is(message: Message, _round: int) -> Message:
    return message
