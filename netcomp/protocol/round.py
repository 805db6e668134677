"""One round's bookkeeping: who was spoken to, who answered, and where the time went.

Only durations cross the network, so of a worker's round trip the server knows when it spoke
and when the answer was there, and from the worker how long it took in between; the rest is
the two ways together. It is split between down and up in proportion to what the emulated
link takes for either frame, or, on a link that is not emulated, to the frames' bytes. What
remains of the round's wall time is waiting: for stragglers, for the server, for a processor
that slots share. So the five shares of a worker add up to the round's wall time exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import WorkerLost
from netcomp.link import Link
from netcomp.results.events import WORKER_RECORD, Accounts, Traffic
from netcomp.roles import Message
from netcomp.wire.reports import Report

__all__ = ["Links", "Round"]


@dataclass(frozen=True, slots=True)
class Links:
    """A worker's emulated links, one a direction."""

    up: Link = field(default_factory=Link)
    down: Link = field(default_factory=Link)


@dataclass(slots=True)
class Round:
    """The state of one round; `started` when its work began, `spoken` when all was sent."""

    number: int
    started: float
    spoken: float = 0.0
    down: dict[int, Traffic] = field(default_factory=dict)
    up_bytes: dict[int, tuple[int, int]] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)

    def speak(self, workers: Sequence[int], message: Message, wire_bytes: int) -> None:
        """Note a downlink message, the same to each of these workers."""
        traffic = Traffic(message.paper_bits, message.payload_bytes, wire_bytes)
        self.down.update(dict.fromkeys(workers, traffic))

    def expects(self, worker: int) -> bool:
        """Whether the worker still owes its answer."""
        return worker in self.down and worker not in self.arrived

    def answer(self, worker: int, message: Message, wire_bytes: int, now: float) -> None:
        """Note an uplink message; it is not kept."""
        self.up_bytes[worker] = message.payload_bytes, wire_bytes
        self.arrived[worker] = now

    def report(self, worker: int, report: Report) -> None:
        """Note a worker's report; raises `WorkerLost` for a second one, or one nobody asked for."""
        if worker not in self.down or worker in self.reports:
            raise WorkerLost(worker, self.number, "it reported twice, or unasked")
        self.reports[worker] = report

    @property
    def complete(self) -> bool:
        """Whether every worker that was spoken to has answered and reported."""
        return len(self.arrived) == len(self.down) == len(self.reports)

    def accounts(self, links: Sequence[Links], ended: float) -> Accounts:
        """Return what each worker sent, received and spent; `ended` closes the round."""
        workers = sorted(self.arrived)
        rows = np.zeros(len(workers), WORKER_RECORD)
        rows["round"] = self.number + 1
        rows["worker"] = workers
        down = [self.down[worker] for worker in workers]
        rows["down_paper_bits"] = [one.paper_bits for one in down]
        rows["down_payload_bytes"] = [one.payload_bytes for one in down]
        rows["down_wire_bytes"] = wire_down = [one.wire_bytes for one in down]
        reports = [self.reports[worker] for worker in workers]
        rows["up_paper_bits"] = [one.paper_bits for one in reports]
        rows["up_payload_bytes"] = [self.up_bytes[worker][0] for worker in workers]
        rows["up_wire_bytes"] = wire_up = [self.up_bytes[worker][1] for worker in workers]
        wall = ended - self.started
        # A worker's clock may run a little fast: nothing may exceed the wall time.
        compute = np.minimum([one.compute for one in reports], wall)
        compress = np.minimum([one.compress for one in reports], wall - compute)
        elapsed = np.array([one.elapsed for one in reports])
        arrived = np.array([self.arrived[worker] for worker in workers])
        trip = arrived - self.spoken - elapsed
        travel = np.minimum(np.maximum(trip, 0.0), wall - compute - compress)
        share = _share_of_down([links[worker] for worker in workers], wire_down, wire_up)
        rows["compute"], rows["compress"] = compute, compress
        rows["down"] = down_time = travel * share
        rows["up"] = travel - down_time
        rows["wait"] = wall - compute - compress - travel
        return Accounts(rows)


def _share_of_down(
    links: Sequence[Links], down: Sequence[int], up: Sequence[int]
) -> NDArray[np.float64]:
    """Return which part of each worker's travel was on the way down."""
    ways = np.array([down, up], dtype=np.float64)
    if not all(one.down.unlimited and one.up.unlimited for one in links):
        emulated = [
            (one.down.seconds(below), one.up.seconds(above))
            for one, below, above in zip(links, down, up, strict=True)
        ]
        seconds = np.array(emulated).T
        ways = np.where(seconds.sum(axis=0) == 0.0, ways, seconds)
    share: NDArray[np.float64] = ways[0] / ways.sum(axis=0)
    return share
