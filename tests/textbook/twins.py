"""Each composed algorithm beside its textbook version, every step from the same state.

A twin reads the textbook's state of round t out of the composed run, takes the textbook's
step from it and compares with the composed state one round later. A trajectory of its own
would hide a step that is wrong in a way later steps forgive.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netcomp.algorithms import Composition, Plan
from netcomp.draw import ALL, Direction, Draw
from support.cases import Case
from support.simulate import Round, play
from textbook import dcgd, diana, error_feedback, gd, m3, marina, marina_p, operators

Pairs = Iterator[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]


def operator(text: str, n: int) -> Callable:
    """Return key → textbook compressor for a resolved notation with f64 values."""
    name, k = re.fullmatch(r"([a-z-]+?)?(?::k=(\d+))?\+?f64", text).groups()
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

    def x(self, t: int) -> np.ndarray:
        return self.trace[t].point if t < len(self.trace) else self.trace[-1].server.x

    def workers(self, t: int, read: Callable) -> np.ndarray:
        return np.array([read(state) for state in self.trace[t].workers])

    @property
    def gradients(self) -> list[Callable]:
        return [oracle.gradient for oracle in self.case.oracles]

    def key(self, t: int, direction: Direction, worker: int = ALL) -> Draw:
        return Draw(self.seed, t, direction=direction, worker=worker)

    def up(self, t: int) -> list[Callable]:
        make = operator(self.plan.up, self.case.n)
        return [make(self.key(t, Direction.UP, i)) for i in range(self.case.n)]

    def down(self, t: int) -> list[Callable]:
        make = operator(self.plan.down, self.case.n)
        speakers = [ALL if self.plan.broadcast else i for i in range(self.case.n)]
        return [make(self.key(t, Direction.DOWN, i)) for i in speakers]

    def coin_up(self, t: int) -> bool:
        return self.key(t, Direction.UP).coin(self.plan.p_up)

    def coin_down(self, t: int) -> bool:
        return self.key(t, Direction.DOWN).coin(self.plan.p_down)


def gd_pairs(run: Run) -> Pairs:
    for t in range(len(run.trace)):
        yield (gd.step(run.x(t), run.plan.gamma, run.gradients),), (run.x(t + 1),)


def dcgd_pairs(run: Run) -> Pairs:
    for t in range(len(run.trace)):
        expected = dcgd.step(run.x(t), run.plan.gamma, run.gradients, run.up(t))
        yield (expected,), (run.x(t + 1),)


def diana_pairs(run: Run) -> Pairs:
    def state(t):
        if t == 0:
            h_i = np.zeros((run.case.n, run.case.d))
            return diana.State(run.x(0), h_i[0], h_i)
        h_i = run.workers(t - 1, lambda worker: worker.up)
        return diana.State(run.x(t), run.trace[t - 1].server.up, h_i)

    for t in range(len(run.trace)):
        plan = run.plan
        yield diana.step(state(t), plan.gamma, plan.alpha, run.gradients, run.up(t)), state(t + 1)


def marina_pairs(run: Run) -> Pairs:
    def state(t):
        return marina.State(run.x(t), run.trace[t].server.up[0])

    yield marina.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run.trace)):
        coin = run.coin_up(t)
        expected = marina.step(state(t - 1), run.plan.gamma, run.gradients, run.up(t), coin)
        yield expected, state(t)


def marina_p_pairs(run: Run) -> Pairs:
    def state(t):
        return marina_p.State(run.x(t), run.workers(t, lambda worker: worker.down[0]))

    yield marina_p.start(run.case.x0, run.case.n), state(0)
    for t in range(1, len(run.trace)):
        coin = run.coin_down(t)
        expected = marina_p.step(state(t - 1), run.plan.gamma, run.gradients, run.down(t), coin)
        yield expected, state(t)


def m3_pairs(run: Run) -> Pairs:
    def state(t):
        w = run.workers(t, lambda worker: worker.down[0])
        z = run.workers(t, lambda worker: worker.z)
        return m3.State(run.x(t), run.trace[t].server.up[0], w, z)

    yield m3.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run.trace)):
        coins = run.coin_down(t), run.coin_up(t)
        before = state(t - 1)
        this = {"primal": run.down(t), "dual": run.up(t), "coins": coins}
        yield m3.step(before, run.plan.gamma, run.plan.beta, run.gradients, **this), state(t)


def error_feedback_pairs(run: Run) -> Pairs:
    """Compare with Algorithm 1, which carries the step: its e is γ times the channel's.

    With a constant γ and a compressor of degree 1 (top-k) the two are the same method.
    """

    def state(t):
        if t == 0:
            return error_feedback.start(run.x(0), run.case.n)
        e = run.plan.gamma * run.workers(t - 1, lambda worker: worker.up)
        return error_feedback.State(run.x(t), e)

    for t in range(len(run.trace)):
        expected = error_feedback.step(state(t), run.plan.gamma, run.gradients, run.up(t))
        yield expected, state(t + 1)


PAIRS = {
    "gd": gd_pairs,
    "dcgd": dcgd_pairs,
    "diana": diana_pairs,
    "marina": marina_pairs,
    "marina-p": marina_p_pairs,
    "m3": m3_pairs,
    "error-feedback": error_feedback_pairs,
}


def largest_error(
    plan: Plan, parts: Composition, case: Case, rounds: int = 40, seed: int = 0
) -> float:
    """Return the largest relative error of any part of the state after any one step."""
    trace = list(play(parts, case.oracles, case.x0, rounds, seed))
    pairs = PAIRS[plan.name](Run(plan, case, seed, trace))
    return max(_relative(*fields) for pair in pairs for fields in zip(*pair, strict=True))


def _relative(expected: np.ndarray, actual: np.ndarray) -> float:
    assert expected.shape == actual.shape
    size = float(np.linalg.norm(expected))
    error = float(np.linalg.norm(actual - expected)) / (size or 1.0)
    return error if np.isfinite(error) else np.inf
