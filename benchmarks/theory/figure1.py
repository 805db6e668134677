"""MCM Fig. 1: without its downlink memory, or with another, the preserved model fails.

Excess loss log₁₀(f(w) − f*) over the rounds at γ = 1/L of MCM and of three ways to send the model
downlink without MCM's memory: its compression (H = 0), its difference to what the workers hold
(α_dwn = 1), and its compressed change. Logistic regression with l2, N = 20 workers, minibatches and
qsgd with s = 1 both ways, as there; MCM with the learning rates of its program.

Difference from the paper: scikit-learn's data sets unless a9a and w8a are at hand (NETCOMP_DATA),
in equal parts and not clustered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.theory.runs import moments
from benchmarks.theory.setups import Setup, logistic
from netcomp.algorithms import ALGORITHMS, Choice, StepSize, compose
from netcomp.data import CATALOGUE, data_folders, place_of

__all__ = ["ALWAYS", "IF_THERE", "METHODS", "Curve", "at_hand", "curves", "verdict"]

METHODS = ("mcm", "artemis-nd-direct", "artemis-nd-memory", "artemis-nd-update")
ALWAYS = ("breast_cancer", "digits")
IF_THERE = ("a9a", "w8a")
WORKERS = 20
FAILS = 5.0
"""By what factor the excess loss of a method that fails is above MCM's."""


@dataclass(frozen=True)
class Curve:
    """A method's excess losses on a data set, means over the seeds; infinite once it diverged."""

    data: str
    method: str
    rounds: tuple[int, ...]
    excess: tuple[float, ...]

    @property
    def end(self) -> float:
        """The mean of the last tenth: a constant step leaves noise."""
        last = self.excess[-max(1, len(self.excess) // 10) :]
        return math.fsum(last) / len(last)


def at_hand() -> tuple[str, ...]:
    """Return the data sets there are."""
    there = (name for name in IF_THERE if place_of(CATALOGUE[name], data_folders()) is not None)
    return (*ALWAYS, *there)


def curves(
    data: str, rounds: int, seeds: int, workers: int = WORKERS, every: int = 20, l2: float = 0.01
) -> list[Curve]:
    """Return what each method makes of a data set."""
    setup = logistic(data, workers, l2)
    return [_curve(data, setup, method, rounds, seeds, every) for method in METHODS]


def verdict(found: Sequence[Curve]) -> bool:
    """Whether MCM ends with less than a tenth of its first excess loss and no other comes near."""
    mcm, *others = found
    converges = mcm.end <= 0.1 * mcm.excess[0]
    return converges and all(one.end >= FAILS * mcm.end for one in others)


def _curve(data: str, setup: Setup, method: str, rounds: int, seeds: int, every: int) -> Curve:
    preset = "mcm-program" if method == "mcm" else None
    choice = Choice(step_size=StepSize(), preset=preset, values="f64")
    rows = tuple(oracle.rows for oracle in setup.oracles)
    entry = ALGORITHMS.get(method)
    parts = compose(entry.plan(choice, setup.d, setup.n, setup.constants, rows))
    at = tuple(range(0, rounds, every))
    sums = [0.0] * len(at)
    for seed in range(seeds):
        played = enumerate(moments(parts, setup, rounds, seed))
        found = {t: setup.gap(one.x) for t, one in played if not t % every}
        sums = [total + found.get(t, math.inf) for total, t in zip(sums, at, strict=True)]
    return Curve(data, method, at, tuple(total / seeds for total in sums))
