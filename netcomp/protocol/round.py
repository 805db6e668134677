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

from netcomp.link import Link
from netcomp.results.events import Times, Traffic, WorkerRound
from netcomp.roles import Message
from netcomp.wire.documents import Report

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

    def speak(self, worker: int, message: Message, wire_bytes: int) -> None:
        """Note a downlink message."""
        self.down[worker] = Traffic(message.paper_bits, message.payload_bytes, wire_bytes)

    def expects(self, worker: int) -> bool:
        """Whether the worker still owes its answer."""
        return worker in self.down and worker not in self.arrived

    def answer(self, worker: int, message: Message, wire_bytes: int, now: float) -> None:
        """Note an uplink message; it is not kept."""
        self.up_bytes[worker] = message.payload_bytes, wire_bytes
        self.arrived[worker] = now

    @property
    def complete(self) -> bool:
        """Whether every worker that was spoken to has answered and reported."""
        return len(self.arrived) == len(self.down) == len(self.reports)

    def accounts(self, links: Sequence[Links], ended: float) -> tuple[WorkerRound, ...]:
        """Return what each worker sent, received and spent; `ended` closes the round."""
        return tuple(self._account(worker, links[worker], ended) for worker in sorted(self.arrived))

    def _account(self, worker: int, links: Links, ended: float) -> WorkerRound:
        report = self.reports[worker]
        up = Traffic(report.paper_bits, *self.up_bytes[worker])
        down = self.down[worker]
        wall = ended - self.started
        # A worker's clock may run a little fast: nothing may exceed the wall time.
        compute = min(report.compute, wall)
        compress = min(report.compress, wall - compute)
        trip = self.arrived[worker] - self.spoken - report.elapsed
        travel = min(max(trip, 0.0), wall - compute - compress)
        ways = links.down.seconds(down.wire_bytes), links.up.seconds(up.wire_bytes)
        if sum(ways) == 0.0:
            ways = float(down.wire_bytes), float(up.wire_bytes)
        down_time = travel * ways[0] / sum(ways)
        up_time = travel - down_time
        wait = wall - compute - compress - travel
        return WorkerRound(worker, up, down, Times(compute, compress, up_time, down_time, wait))
