"""A coordinator's run without a network: made, gathered, and answered for by hand."""

import math

import numpy as np

from netcomp.algorithms import Choice, StepSize, compose, server_role
from netcomp.algorithms.catalogue import ALGORITHMS
from netcomp.protocol import instructions as ins
from netcomp.protocol.coordinator import Coordinator, Ground
from netcomp.protocol.goals import Goals
from netcomp.protocol.round import Links, Ways
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Begin, Hello, Known, Ready, Welcome
from netcomp.wire.reports import Report
from support.cases import smooth

D, WORKERS = 3, 2
ONE = Known(value=1.0, origin="exact")
PREPARED = Ready(dim=D, rows=0, digest="", constants={"L": ONE})
FREE = Links()
REPORT = Report(compute=0.25, compress=0.125, elapsed=0.5, paper_bits=96.0)


def welcome(worker):
    return Welcome(worker=worker, workers=WORKERS, run="t", spec={}, rate=1.0, latency=0.0)


def gd(step):
    choice = Choice(step_size=StepSize(step, of_theory=False), values="f64")
    return server_role(compose(ALGORITHMS.get("gd").plan(choice, D, WORKERS, smooth(1.0))))


def coordinator(
    rounds=2,
    identify=lambda: None,
    probe_every=1,
    step=0.5,
    role=None,
    links=FREE,
    receive=math.inf,
):
    begin = Begin(plan={}, max_down=999, max_up=999, max_probe=999)
    ground = Ground(role or gd(step), np.ones(D), begin, Ways([links] * WORKERS, receive))
    return Coordinator(
        workers=WORKERS,
        seed=1,
        goals=Goals(rounds=rounds),
        probe_every=probe_every,
        welcome=welcome,
        prepare=lambda _ready: ground,
        identify=identify,
    )


def gathered(**options):
    """Return a coordinator whose workers are ready, and what it asks for: the first probe."""
    run = coordinator(**options)
    for worker in range(WORKERS):
        run.on(ins.Joined(worker, Hello(netcomp="t")), 0.0)
    for worker in range(WORKERS):
        out = run.on(ins.Prepared(worker, PREPARED), 0.0)
    return run, out


def kinds(out):
    """Return what instructions are, a frame once for each worker it goes to."""
    told = [(i.workers, i.frame.kind) if isinstance(i, ins.Send) else ([0], type(i)) for i in out]
    return [kind for workers, kind in told for _ in workers]


def vector(*values):
    return (np.array(values, dtype=np.float64).view(np.uint8).data,)


def probe(run, value, now):
    """Let every worker say f_i = value and ∇f_i = value in each coordinate."""
    message = Message(Kind.FULL, (*vector(value), *vector(*[value] * D)))
    for worker in range(WORKERS):
        out = run.on(ins.Probed(worker, run.progress.rounds, message), now)
    return out


def answer(run, worker, value, now):
    number = run.progress.rounds
    run.on(ins.Reported((worker,), number, (REPORT,)), now)
    message = Message(Kind.VALUE, vector(*[value] * D))
    return run.on(ins.Answered((worker,), number, (message,), 50, (now,)), now)


class Rota:
    """A server role that only counts, and speaks to the workers on a list each round."""

    def __init__(self, rota):
        self.rota, self.heard = rota, []

    def init(self, x0):
        return x0

    def downlink(self, state, draw):
        return dict.fromkeys(self.rota[draw.round], Message(Kind.VALUE, vector(1.0)))

    def aggregate(self, state, uplinks, draw):
        self.heard.append((draw.round, list(uplinks)))
        return state + 1

    def model(self, state):
        return state
