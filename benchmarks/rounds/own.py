"""netcomp's own rounds: gd and the identity over loopback sockets, recorded as any run is."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

from benchmarks.cores import children, on_core, pin, two_cores
from netcomp.experiment.build import Experiment
from netcomp.experiment.cluster import run_local
from netcomp.experiment.recorder import Recorder
from netcomp.experiment.spec import Spec
from netcomp.net import loops
from netcomp.net.server import Server
from netcomp.protocol.coordinator import Coordinator
from netcomp.protocol.instructions import Outcome
from netcomp.results.events import RoundRecord
from netcomp.wire.frames import HEADER_BYTES

__all__ = ["HEAD", "longest_stall", "seconds"]

_BEAT = 0.001

HEAD = HEADER_BYTES + 3 + 5
"""Bytes of a short vector's frame beside the vector: header, descriptor, one `bin` header."""


class _Stamped(Recorder):
    """A recorder that looks at the clock whenever a round has been written down."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment, show=False, keep=True, plot=False, note=lambda _: None)
        self.workers_core = two_cores()[1]
        self.stamps: list[float] = []

    def record(self, record: RoundRecord) -> None:
        """Write a round down, then look; with the first one all workers are there."""
        super().record(record)
        if not record.round:
            for process in children():
                pin(process, self.workers_core)
        if not record.probed:
            self.stamps.append(time.perf_counter())


def seconds(n: int, d: int, rounds: int, warm: int) -> list[float]:
    """Return the seconds of each of `rounds` rounds of n workers in one process.

    From one record to the next: everything that happens between is in it, probes are none.
    """
    ends = _play(n, d, rounds + warm + 2).stamps[warm:]
    return [after - before for before, after in pairwise(ends)]


def longest_stall(n: int, d: int, rounds: int) -> float:
    """Return for how long the server's event loop stood still at most (s).

    A heartbeat is due every millisecond; a stall is by how much one was late.
    """
    beats: list[float] = []

    async def heart() -> None:
        while True:
            due = time.perf_counter() + _BEAT
            await asyncio.sleep(_BEAT)
            beats.append(time.perf_counter() - due)

    _play(n, d, rounds, heart)
    return max(beats)


def _play(
    n: int, d: int, rounds: int, beside: Callable[[], Coroutine[Any, Any, None]] | None = None
) -> _Stamped:
    """Run it, and `beside` on the server's loop meanwhile; return who recorded it."""
    with tempfile.TemporaryDirectory() as runs:
        spec = Spec.parse(_tree(n, d, rounds, runs))
        experiment = Experiment(spec)
        recorder = _Stamped(experiment)
        coordinator = Coordinator(
            workers=n,
            seed=spec.seed,
            goals=spec.stop.goals,
            probe_every=spec.record.every,
            welcome=experiment.welcome,
            prepare=experiment.prepare,
        )
        server = Server(coordinator, experiment.links, recorder)

        async def run() -> Outcome:
            task = None if beside is None else asyncio.create_task(beside())
            try:
                return await run_local(server, spec.cluster.slots)
            finally:
                if task is not None:
                    task.cancel()

        with on_core(two_cores()[0]):
            outcome = loops.run(run())
        recorder.finish(
            outcome,
            server.overhead,
            consistent=server.consistent,
            lag=server.lag,
            model=coordinator.model,
        )
    if outcome.error is not None:
        raise outcome.error
    return recorder


def _tree(n: int, d: int, rounds: int, runs: str) -> dict[str, Any]:
    return {
        "problem": {"name": "quadratic-scaled-identity", "dim": d},
        "cluster": {"workers": n, "processes": 1},
        "algorithm": {"name": "gd", "dtype": "f32", "values": "f32", "step_size": 1e-3},
        "stop": {"rounds": rounds},
        "record": {"every": rounds, "dir": runs},
    }
