"""A composed run that was played, and what a twin reads out of it to repeat each step."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from netcomp.algorithms import Plan
from netcomp.compressors import parse_compressor
from netcomp.draw import ALL, Direction, Draw, Purpose
from netcomp.roles import Batch
from support.cases import Case
from support.simulate import Round
from textbook import (
    operators,
)

Pairs = Iterator[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]


def operator(text: str, d: int, n: int) -> Callable:
    """Return key → compressor for a resolved notation.

    Those with 64-bit values are written here once more; a quantizer, whose wire format decides
    every bit, is shared with the run.
    """
    found = re.fullmatch(r"(?:(rand-k|perm-k|top-k)(?::k=(\d+))?\+)?f64", text)
    if not found:
        shared = parse_compressor(text).resolve(d, n)
        return lambda key: lambda v: shared.compress(v, key).dense()
    name, k = found.groups()
    return {
        None: lambda _key: operators.identity,
        "rand-k": lambda key: operators.rand_k(key, int(k)),
        "perm-k": lambda key: operators.perm_k(key, n),
        "top-k": lambda _key: operators.top_k(int(k)),
    }[name]


@dataclass(frozen=True)
class Run:
    """A composed run and what its textbook twin needs to repeat each step."""

    plan: Plan
    case: Case
    seed: int
    trace: list[Round]

    def __len__(self) -> int:
        return len(self.trace)

    def x(self, t: int) -> np.ndarray:
        return self.trace[t].point if t < len(self.trace) else self.trace[-1].server.x

    def server(self, t: int, read: Callable, first: np.ndarray | float = 0.0) -> np.ndarray:
        """Return what the server holds when round t begins."""
        if t == 0:
            return np.zeros(self.case.d) + first
        return read(self.trace[t - 1].server)

    def workers(self, t: int, read: Callable) -> np.ndarray:
        return np.array([read(state) for state in self.trace[t].workers])

    def before(self, t: int, read: Callable, first: np.ndarray | float = 0.0) -> np.ndarray:
        """Return what each worker holds before it speaks in round t."""
        if t == 0:
            return np.zeros((self.case.n, self.case.d)) + first
        return self.workers(t - 1, read)

    def key(self, t: int, direction: Direction, worker: int = ALL) -> Draw:
        return Draw(self.seed, t, direction=direction, worker=worker)

    def operator(self, text: str) -> Callable:
        return operator(text, self.case.d, self.case.n)

    def up(self, t: int) -> list[Callable]:
        make = self.operator(self.plan.up.compressor)
        return [make(self.key(t, Direction.UP, i)) for i in range(self.case.n)]

    def down(self, t: int) -> list[Callable]:
        """Return each worker's C_dwn: equal groups of neighbours share one."""
        make, groups, n = self.operator(self.plan.down.compressor), self.plan.groups, self.case.n
        members = [ALL if groups == 1 else i * groups // n for i in range(n)]
        return [make(self.key(t, Direction.DOWN, group)) for group in members]

    def coin_up(self, t: int) -> bool:
        return self.key(t, Direction.UP).coin(self.plan.up.p)

    def coin_down(self, t: int) -> bool:
        return self.key(t, Direction.DOWN).coin(self.plan.down.p)

    @property
    def gradients(self) -> list[Callable]:
        return [oracle.gradient for oracle in self.case.oracles]

    def gamma(self, t: int) -> float:
        """Return γ_t."""
        gamma, schedule = self.plan.gamma, self.plan.schedule
        if schedule == "constant":
            return gamma
        if schedule.startswith("stairs"):
            every = int(self.option(schedule, "every"))
            return gamma * self.option(schedule, "ratio") ** (t // every)
        kappa = self.option(schedule, "kappa")
        return gamma * kappa / (kappa + t)

    def option(self, text: str, name: str) -> float:
        """Return a number of a notation such as two-point:b=3,whole=6."""
        return float(re.search(rf"\b{name}=([0-9.e-]+)", text)[1])

    def sampled(self, t: int, name: str = "b", sub: int = 0) -> list[Callable]:
        """Return the gradients over this round's samples, as many as the oracle's `name` says."""
        size = int(self.option(self.plan.oracle, name))
        return [
            partial(
                lambda oracle, batch, z: oracle.gradient(z, batch),
                oracle,
                Batch(size, self.key(t, Direction.UP, i).at(sub=sub)),
            )
            for i, oracle in enumerate(self.case.oracles)
        ]

    def noisy(self, t: int) -> list[Callable]:
        return self.gradients if self.plan.oracle == "full" else self.sampled(t)

    def here(self, t: int) -> list[int]:
        """Return who takes part in round t."""
        if not self.plan.participation.startswith("independent"):
            return [*range(self.case.n)]
        stream = Draw(self.seed, t).stream(Purpose.PARTICIPATION)
        return [*np.flatnonzero(stream.uniforms(self.case.n) < self.share)]

    @property
    def share(self) -> float:
        text = self.plan.participation
        return self.option(text, "p") if text.startswith("independent") else 1.0


def same_models(run: Run) -> Pairs:
    """Where updates travel, every worker's model is the server's."""
    for t in range(len(run)):
        yield ([run.x(t)] * run.case.n, run.workers(t, lambda worker: worker.x))
