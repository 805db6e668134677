"""Twins of what compresses the downlink, alone or too: the textbook's state, and the run's."""

import re

import numpy as np

from netcomp.draw import Direction
from textbook import (
    artemis,
    ef21,
    m3,
    marina_p,
    mcm,
    neolithic,
)
from textbook.played import Pairs, Run, same_models


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
