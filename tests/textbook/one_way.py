"""Twins of what compresses the uplink alone: each pair is the textbook's state, and the run's."""

from collections.abc import Callable

import numpy as np

from netcomp.compressors import parse_compressor
from netcomp.draw import Direction, Draw, Purpose
from textbook import (
    core,
    dasha,
    dcgd,
    diana,
    ef21,
    error_feedback,
    gd,
    marina,
    vr_diana,
)
from textbook.played import Pairs, Run, same_models


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


def ef21_pairs(run: Run) -> Pairs:
    def state(t):
        g_i = run.workers(t, lambda worker: worker.up[0])
        return ef21.State(run.x(t), run.trace[t].server.up[0], g_i)

    yield ef21.start(run.case.x0, run.gradients), state(0)
    for t in range(1, len(run)):
        yield ef21.step(state(t - 1), run.gamma(t - 1), run.gradients, run.up(t)), state(t)


def core_pairs(run: Run) -> Pairs:
    shared = parse_compressor(run.plan.up.compressor).resolve(run.case.d, run.case.n)
    for t in range(len(run)):
        xi = np.zeros((shared.m.value, run.case.d))
        for rows, columns, gaussians in shared._gaussians(run.case.d, run.key(t, Direction.UP)):
            xi[rows, columns] = gaussians
        yield (core.step(run.x(t), run.gamma(t), run.gradients, xi),), (run.x(t + 1),)
    yield from same_models(run)
