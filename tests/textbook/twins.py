"""Each composed algorithm beside its textbook version, every step from the same state.

A twin reads the textbook's state of round t out of the composed run, takes the textbook's
step from it and compares with the composed state one round later. A trajectory of its own
would hide a step that is wrong in a way later steps forgive.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from netcomp.algorithms import Composition, Plan
from netcomp.compressors import parse_compressor
from netcomp.draw import ALL, Direction, Draw, Purpose
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Batch
from support.cases import Case
from support.simulate import ROLES, Round, play
from textbook import (
    artemis,
    core,
    dasha,
    dcgd,
    diana,
    ef21,
    error_feedback,
    gd,
    m3,
    marina,
    marina_p,
    mcm,
    neolithic,
    operators,
    vr_diana,
)
from textbook.rows import CASES

WRONG = 1e-6
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


def gd_pairs(run: Run) -> Pairs:
    for t in range(len(run)):
        yield (gd.step(run.x(t), run.gamma(t), run.noisy(t)),), (run.x(t + 1),)


def dcgd_pairs(run: Run) -> Pairs:
    for t in range(len(run)):
        expected = dcgd.step(run.x(t), run.gamma(t), run.noisy(t), run.up(t))
        yield (expected,), (run.x(t + 1),)


def error_feedback_pairs(run: Run, eta: Callable | None = None) -> Pairs:
    eta = eta or run.gamma

    def state(t):
        return error_feedback.State(run.x(t), run.before(t, lambda worker: worker.up[0]))

    for t in range(len(run) - 1):
        yield error_feedback.step(state(t), eta(t), run.noisy(t), run.up(t)), state(t + 1)


def diana_pairs(run: Run) -> Pairs:
    def state(t):
        h = run.server(t, lambda server: server.up[0])
        return diana.State(run.x(t), h, run.before(t, lambda worker: worker.up[0]))

    for t in range(len(run)):
        plan = run.plan
        yield (
            diana.step(state(t), run.gamma(t), plan.up.alpha, run.noisy(t), run.up(t)),
            state(t + 1),
        )


def vr_diana_pairs(run: Run) -> Pairs:
    def state(t):
        h = run.server(t, lambda server: server.up[0])
        h_i = run.before(t, lambda worker: worker.up[0])
        y_i = run.before(t, lambda worker: worker.memory[0], run.case.x0)
        return vr_diana.State(run.x(t), h, h_i, y_i)

    p = run.option(run.plan.oracle, "p")
    for t in range(len(run)):
        this = {"full": run.gradients, "batch": run.sampled(t), "compressors": run.up(t)}
        coin = run.key(t, Direction.NONE).coin(p)
        yield (
            vr_diana.step(state(t), run.gamma(t), run.plan.up.alpha, **this, coin=coin),
            state(t + 1),
        )


def dasha_pairs(run: Run) -> Pairs:
    def state(t):
        g_i = run.workers(t, lambda worker: worker.up[1])
        h_i = run.workers(t, lambda worker: worker.up[0])
        return dasha.State(run.x(t), run.trace[t].server.up[0], g_i, h_i)

    yield dasha.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        before, a = state(t - 1), run.plan.up.alpha
        yield dasha.step(before, run.gamma(t - 1), a, run.gradients, run.up(t)), state(t)


def marina_pairs(run: Run) -> Pairs:
    def state(t):
        return marina.State(run.x(t), run.trace[t].server.up[0])

    oracle = run.plan.oracle

    def whole(t):
        return run.sampled(t, "whole") if "whole=" in oracle else run.gradients

    yield marina.start(run.case.x0, whole(0)), state(0)
    for t in range(1, len(run)):
        coin = run.coin_up(t)
        batches = run.sampled(t) if "b=" in oracle else None
        expected = marina.step(state(t - 1), run.gamma(t - 1), whole(t), run.up(t), coin, batches)
        yield expected, state(t)


def pp_marina_pairs(run: Run) -> Pairs:
    def state(t):
        return marina.State(run.x(t), run.trace[t].server.up[0])

    def drawn(t):
        stream = Draw(run.seed, t).stream(Purpose.PARTICIPATION)
        workers = stream.below(run.case.n, int(run.option(run.plan.participation, "r")))
        make = run.operator(run.plan.up.compressor)
        return [
            (i, make(run.key(t, Direction.UP, int(i)).at(sub=j))) for j, i in enumerate(workers)
        ]

    yield marina.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        before, coin = state(t - 1), run.coin_up(t)
        expected = marina.partial_step(before, run.gamma(t - 1), run.gradients, drawn(t), coin)
        yield expected, state(t)


def marina_p_pairs(run: Run) -> Pairs:
    def state(t):
        return marina_p.State(run.x(t), run.workers(t, lambda worker: worker.down[0]))

    yield marina_p.start(run.case.x0, run.case.n), state(0)
    for t in range(1, len(run)):
        coin = run.coin_down(t)
        expected = marina_p.step(state(t - 1), run.gamma(t - 1), run.gradients, run.down(t), coin)
        yield expected, state(t)


def m3_pairs(run: Run) -> Pairs:
    def state(t):
        w = run.workers(t, lambda worker: worker.down[0])
        z = run.workers(t, lambda worker: worker.z)
        return m3.State(run.x(t), run.trace[t].server.up[0], w, z)

    yield m3.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        coins = run.coin_down(t), run.coin_up(t)
        before = state(t - 1)
        this = {"primal": run.down(t), "dual": run.up(t), "coins": coins}
        yield m3.step(before, run.gamma(t - 1), run.plan.beta, run.gradients, **this), state(t)


def ef21_pairs(run: Run) -> Pairs:
    def state(t):
        g_i = run.workers(t, lambda worker: worker.up[0])
        return ef21.State(run.x(t), run.trace[t].server.up[0], g_i)

    yield ef21.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        yield ef21.step(state(t - 1), run.gamma(t - 1), run.gradients, run.up(t)), state(t)


def ef21_p_pairs(run: Run) -> Pairs:
    def states(t):
        w = run.workers(t, lambda worker: worker.down[0])
        return [ef21.Primal(run.x(t), one) for one in w]

    for t in range(len(run) - 1):
        before = states(t)[0]
        this = {"primal": run.down(t + 1)[0], "dual": run.up(t)}
        expected = ef21.primal_step(before, run.gamma(t), run.gradients, **this)
        for actual in states(t + 1):
            yield expected, actual


def ef21_bc_pairs(run: Run) -> Pairs:
    def state(t):
        g_i = run.workers(t, lambda worker: worker.up[0])
        return ef21.State(run.x(t), run.trace[t].server.heard[0], g_i)

    yield ef21.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        this = run.gradients, run.up(t), run.down(t + 1)[0]
        before = state(t - 1)
        # C_M's input is the mean of all g_i, which the state before does not hold.
        yield ef21.two_way_step(before, run.gamma(t - 1), *this), state(t)
    yield from same_models(run)


def same_models(run: Run) -> Pairs:
    """Where updates travel, every worker's model is the server's."""
    for t in range(len(run)):
        yield ([run.x(t)] * run.case.n, run.workers(t, lambda worker: worker.x))


def core_pairs(run: Run) -> Pairs:
    shared = parse_compressor(run.plan.up.compressor).resolve(run.case.d, run.case.n)
    for t in range(len(run)):
        xi = np.zeros((shared.m.value, run.case.d))
        for rows, columns, gaussians in shared._gaussians(run.case.d, run.key(t, Direction.UP)):
            xi[rows, columns] = gaussians
        yield (core.step(run.x(t), run.gamma(t), run.gradients, xi),), (run.x(t + 1),)
    yield from same_models(run)


def _artemis_state(run: Run, t: int, extra: np.ndarray) -> artemis.State:
    h = run.server(t, lambda server: server.up[0])
    return artemis.State(run.x(t), h, run.before(t, lambda worker: worker.up[0]), extra)


def artemis_pairs(run: Run) -> Pairs:
    def state(t):
        return _artemis_state(run, t, np.zeros(1))

    for t in range(len(run)):
        numbers = run.gamma(t), run.plan.up.alpha
        down = run.down(t + 1)[0]
        yield artemis.step(state(t), *numbers, run.noisy(t), run.up(t), down), state(t + 1)
    yield from same_models(run)


def non_degraded_pairs(variant: str, run: Run) -> Pairs:
    def states(t):
        return [_artemis_state(run, t, z) for z in run.workers(t, lambda worker: worker.z)]

    for t in range(len(run) - 1):
        numbers = run.gamma(t), run.plan.up.alpha
        this = run.noisy(t), run.up(t), run.down(t + 1)[0]
        expected = artemis.non_degraded_step(variant, states(t)[0], *numbers, *this)
        for actual in states(t + 1):
            yield expected, actual


def dore_pairs(run: Run) -> Pairs:
    def state(t):
        return _artemis_state(run, t, run.server(t, lambda server: server.down[0]))

    for t in range(len(run)):
        numbers = run.gamma(t), run.plan.up.alpha, run.plan.down.eta
        down = run.down(t + 1)[0]
        yield artemis.dore_step(state(t), *numbers, run.noisy(t), run.up(t), down), state(t + 1)
    yield from same_models(run)


def neolithic_pairs(run: Run) -> Pairs:
    """Also of double-squeeze, whose R is 1."""
    uni = run.plan.down.carries == "model"

    def state(t):
        er = run.server(t, lambda server: np.zeros(run.case.d) if uni else server.down[0])
        return neolithic.State(run.x(t), er, run.before(t, lambda worker: worker.up[0]))

    def messages(text, key):
        found = re.fullmatch(r"fcc:r=(\d+)\((.*)\)", text)
        if not found:
            return [run.operator(text)(key)]
        return [run.operator(found[2])(key.at(sub=64 + r)) for r in range(int(found[1]))]

    accumulates = run.plan.oracle.startswith("accumulate")
    R = int(run.option(run.plan.oracle, "r")) if accumulates else 1
    for t in range(len(run)):
        samples = [run.sampled(t, sub=r) for r in range(R)] if R > 1 else [run.noisy(t)]
        gradients = [*zip(*samples, strict=True)]
        keys = [run.key(t, Direction.UP, i) for i in range(run.case.n)]
        up = [messages(run.plan.up.compressor, key) for key in keys]
        down = messages(run.plan.down.compressor, run.key(t + 1, Direction.DOWN))
        this = gradients, up, None if uni else down
        yield neolithic.step(state(t), run.gamma(t), *this), state(t + 1)
    if not uni:
        yield from same_models(run)


def _mcm_parts(run: Run, t: int) -> dict:
    return {
        "gamma": run.gamma(t),
        "alphas": (run.plan.up.alpha, run.plan.down.alpha),
        "gradients": run.noisy(t),
        "compressors": run.up(t),
        "down": run.down(t + 1),
        "here": run.here(t),
        "hearers": run.here(t + 1),
        "p": run.share,
    }


def mcm_pairs(run: Run) -> Pairs:
    """Of mcm and its relatives with a memory for each message of the downlink."""
    n, groups = run.case.n, run.plan.groups
    single = groups == 1 and run.share < 1.0

    def state(t):
        held = run.server(t, lambda server: np.array(server.down), run.case.x0)
        rows = held if t else np.array([held] * groups)
        H = rows[[i * groups // n for i in range(n)]]
        local = run.workers(t, lambda worker: worker.z)
        h = run.server(t, lambda server: server.up[0])
        h_i = run.before(t, lambda worker: worker.up[0])
        return mcm.State(run.x(t), local, H, h, h_i)

    for t in range(len(run) - 1):
        this = _mcm_parts(run, t)
        if single:
            this["down"] = this["down"][0]
        step = mcm.one_memory_step if single else mcm.step
        after = state(t + 1)
        yield step(state(t), **this), after
        hearers = run.here(t + 1)
        own = run.workers(t + 1, lambda worker: worker.down[0])
        yield after.H[hearers], own[hearers]


def single_memory_pairs(run: Run) -> Pairs:
    def state(t):
        return mcm.Single(
            run.x(t),
            run.workers(t, lambda worker: worker.z),
            run.workers(t, lambda worker: worker.down),
            run.server(t, lambda server: server.down[0], run.case.x0),
            run.server(t, lambda server: server.up[0]),
            run.before(t, lambda worker: worker.up[0]),
        )

    every, last = run.plan.down.reset, [0] * run.case.n
    for t in range(len(run) - 1):
        this, reset = _mcm_parts(run, t), set()
        for i in this["hearers"] if every else []:
            if any(last[i] < k * every <= t + 1 for k in range(1, t + 2)):
                reset.add(i)
                last[i] = t + 1
        yield mcm.single_step(state(t), **this, reset=reset), state(t + 1)


PAIRS = {
    "gd": gd_pairs,
    "sgd": gd_pairs,
    "cgd": dcgd_pairs,
    "dcgd": dcgd_pairs,
    "qsgd": dcgd_pairs,
    "ec-sgd": error_feedback_pairs,
    "mem-sgd": error_feedback_pairs,
    "signsgd-ef": error_feedback_pairs,
    "diana": diana_pairs,
    "vr-diana": vr_diana_pairs,
    "dasha": dasha_pairs,
    "marina": marina_pairs,
    "vr-marina": marina_pairs,
    "vr-marina-online": marina_pairs,
    "pp-marina": pp_marina_pairs,
    "marina-p": marina_p_pairs,
    "m3": m3_pairs,
    "ef21": ef21_pairs,
    "ef21-p": ef21_p_pairs,
    "ef21-p+dcgd": ef21_p_pairs,
    "ef21-bc": ef21_bc_pairs,
    "core": core_pairs,
    "artemis": artemis_pairs,
    "artemis-nd-direct": partial(non_degraded_pairs, "direct"),
    "artemis-nd-memory": partial(non_degraded_pairs, "memory"),
    "artemis-nd-update": partial(non_degraded_pairs, "update"),
    "dore": dore_pairs,
    "double-squeeze": neolithic_pairs,
    "dist-ef-sgd": neolithic_pairs,
    "neolithic": neolithic_pairs,
    "neolithic-uni": neolithic_pairs,
    "mcm": mcm_pairs,
    "rand-mcm": mcm_pairs,
    "rand-mcm-g": mcm_pairs,
    "mcm-pp": mcm_pairs,
    "rand-mcm-pp": mcm_pairs,
    "rand-mcm-pp-single": single_memory_pairs,
    "rand-mcm-pp-reset": single_memory_pairs,
}


def largest_error(
    plan: Plan,
    parts: Composition,
    case: Case,
    rounds: int = 42,
    seed: int = 0,
    roles: Sequence[Callable] = ROLES,
    pairs: Callable | None = None,
) -> float:
    """Return the largest relative error of any part of the state after any one step."""
    trace = list(play(parts, case.oracles, case.x0, rounds, seed, roles))
    found = (pairs or PAIRS[plan.name])(Run(plan, case, seed, trace))
    return max(_relative(*fields) for pair in found for fields in zip(*pair, strict=True))


def _relative(expected: np.ndarray, actual: np.ndarray) -> float:
    assert expected.shape == actual.shape
    size = float(np.linalg.norm(expected))
    error = float(np.linalg.norm(actual - expected)) / (size or 1.0)
    return error if np.isfinite(error) else np.inf


def is_noticed(
    plan: Plan, parts: Composition, where: str, roles: Sequence[Callable] = ROLES
) -> bool:
    """Return whether the comparison fails, or the other end refuses to listen."""
    try:
        return largest_error(plan, parts, CASES[where], roles=roles) > WRONG
    except RemoteProtocolError:
        return True
