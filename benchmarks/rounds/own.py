"""netcomp's own rounds: gd and the identity over loopback sockets, recorded as any run is."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from typing import Any

from netcomp.experiment.build import Experiment
from netcomp.experiment.cluster import run_local
from netcomp.experiment.recorder import Recorder
from netcomp.experiment.spec import Spec
from netcomp.net import loops
from netcomp.net.server import Server
from netcomp.protocol.coordinator import Coordinator
from netcomp.results.events import RoundRecord
from netcomp.wire.frames import HEADER_BYTES

__all__ = ["HEAD", "seconds"]

HEAD = HEADER_BYTES + 3 + 5
"""Bytes of a short vector's frame beside the vector: header, descriptor, one `bin` header."""


class _Stamped(Recorder):
    """A recorder that looks at the clock whenever a round has been written down."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment, show=False, keep=True, plot=False, note=lambda _: None)
        self.stamps: list[float] = []

    def record(self, record: RoundRecord) -> None:
        """Write a round down, then look."""
        super().record(record)
        if not record.probed:
            self.stamps.append(time.perf_counter())


def seconds(n: int, d: int, rounds: int, warm: int) -> list[float]:
    """Return the seconds of each of `rounds` rounds of n workers in one process.

    From one record to the next: everything that happens between is in it, probes are none.
    """
    with tempfile.TemporaryDirectory() as runs:
        spec = Spec.parse(_tree(n, d, rounds + warm + 2, runs))
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
        outcome = loops.run(run_local(server, spec.cluster.slots))
        recorder.finish(
            outcome, server.overhead, consistent=server.consistent, model=coordinator.model
        )
    if outcome.error is not None:
        raise outcome.error
    ends = recorder.stamps[warm:]
    return [after - before for before, after in pairwise(ends)]


def _tree(n: int, d: int, rounds: int, runs: str) -> dict[str, Any]:
    return {
        "problem": {"name": "quadratic-scaled-identity", "dim": d},
        "cluster": {"workers": n, "processes": 1},
        "algorithm": {"name": "gd", "dtype": "f32", "values": "f32", "step_size": 1e-3},
        "stop": {"rounds": rounds},
        "record": {"every": rounds, "dir": runs},
    }
