"""One round's bookkeeping: who was spoken to, who answered, and where the time went.

Only durations cross the network, so of a worker's round trip the server knows when it spoke
and when the answer was there, and from the worker how long it took in between; the rest is
the two ways together. It is split between down and up in proportion to what the emulated
link takes for either frame, or, on a link that is not emulated, to the frames' bytes. What
remains of the round's wall time is waiting: for stragglers, for the server, for a processor
that slots share. So the five shares of a worker add up to the round's wall time exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.link import Link
from netcomp.results.events import Accounts
from netcomp.roles import Message
from netcomp.wire.reports import Report

__all__ = ["Links", "Round", "Ways"]

_FIGURES: Final = 10


@dataclass(frozen=True, slots=True)
class Links:
    """A worker's emulated links, one a direction."""

    up: Link = field(default_factory=Link)
    down: Link = field(default_factory=Link)


class Ways:
    """All workers' emulated links, for questions about many of them at once."""

    def __init__(self, links: Sequence[Links]) -> None:
        self.free_up = all(one.up.unlimited for one in links)
        self._free = self.free_up and all(one.down.unlimited for one in links)
        # Down and up as in (bytes, bytes); the link's seconds are bytes / rate + rest.
        pairs = [(one.down, one.up) for one in links]
        self._rates = np.array([[link.mean_rate for link in pair] for pair in pairs])
        self._rests = np.array([[link.seconds(0) for link in pair] for pair in pairs])

    def share_of_down(
        self, workers: Sequence[int], nbytes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return which part of each worker's travel was on the way down.

        `nbytes` (workers, 2) is what they were sent, and what they sent.
        """
        ways = nbytes
        if not self._free:
            seconds = nbytes / self._rates[workers] + self._rests[workers]
            ways = np.where(seconds.any(axis=1, keepdims=True), seconds, nbytes)
        share: NDArray[np.float64] = ways[:, 0] / ways.sum(axis=1)
        return share


@dataclass(slots=True)
class Round:
    """The state of one round; `started` when its work began, `spoken` when all was sent.

    `ended` closes it; `up_bytes` and `down_bytes` are its wire bytes so far.
    """

    number: int
    started: float
    spoken: float = 0.0
    ended: float = 0.0
    up_bytes: int = 0
    down_bytes: int = 0
    # Of a worker: bits, payload and wire bytes; payload and wire bytes, when; what it reported.
    _down: dict[int, tuple[float, int, int]] = field(default_factory=dict)
    _up: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    _reports: dict[int, Report] = field(default_factory=dict)

    def speak(self, workers: Collection[int], message: Message, wire_bytes: int) -> None:
        """Note a downlink message to some workers."""
        said = message.paper_bits, message.payload_bytes, wire_bytes
        self._down.update(dict.fromkeys(workers, said))
        self.down_bytes += len(workers) * wire_bytes

    def expects(self, worker: int) -> bool:
        """Whether the worker still owes its answer."""
        return worker in self._down and worker not in self._up

    def expects_report(self, worker: int) -> bool:
        """Whether the worker has still to tell how long its answer took."""
        return worker in self._down and worker not in self._reports

    def answer(self, worker: int, message: Message, wire_bytes: int, now: float) -> None:
        """Note an uplink message; it is not kept."""
        self._up[worker] = message.payload_bytes, wire_bytes, now
        self.up_bytes += wire_bytes

    def report(self, worker: int, report: Report) -> bool:
        """Note how long a worker's answer took; whether the round is complete with it."""
        self._reports[worker] = report
        return self.complete

    @property
    def complete(self) -> bool:
        """Whether every worker that was spoken to has answered and reported."""
        spoken = len(self._down)
        return len(self._up) == spoken and len(self._reports) == spoken

    def accounts(self, ways: Ways) -> Accounts:
        """Return what each worker sent, received and spent, once the round has ended."""
        workers = sorted(self._up)
        figures = self._figures(workers)
        accounts = Accounts.blank(self.number + 1, workers)
        accounts.bits[:] = figures[:, 3:8:4]
        accounts.counts[:, 0] = figures[:, 4:6]
        accounts.counts[:, 1] = figures[:, 8:]
        elapsed, arrived = figures[:, 2], figures[:, 6]
        wall = self.ended - self.started
        # A worker's clock may run a little fast: nothing may exceed the wall time.
        compute = np.minimum(figures[:, 0], wall)
        compress = np.minimum(figures[:, 1], wall - compute)
        left = wall - compute - compress
        travel = np.minimum(np.maximum(arrived - self.spoken - elapsed, 0.0), left)
        down = travel * ways.share_of_down(workers, figures[:, 9:4:-4])
        # As `Times` has them.
        shares = (compute, compress, travel - down, down, left - travel)
        for place, share in enumerate(shares):
            accounts.times[:, place] = share
        return accounts

    def _figures(self, workers: Sequence[int]) -> NDArray[np.float64]:
        """Return a row of each worker: its report, what it sent and when, what it was sent.

        Sizes are exact as floats up to 2⁵³ bytes.
        """
        reports, up, down = self._reports, self._up, self._down
        rows = [(*reports[one], *up[one], *down[one]) for one in workers]
        flat = np.fromiter(chain.from_iterable(rows), np.float64, _FIGURES * len(rows))
        return flat.reshape(-1, _FIGURES)
