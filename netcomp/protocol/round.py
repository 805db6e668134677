"""One round's bookkeeping: who was spoken to, who answered, and where the time went.

Only durations cross the network, so of a worker's round trip the server knows when it spoke
and when the answer was there, and from the worker how long it took in between; the rest is
the two ways together. It is split between down and up in proportion to what the emulated
link, or a rate of the server's own, takes for either frame, or, where neither is emulated, to
the frames' bytes. What remains of the round's wall time is waiting: for stragglers, for the
server, for a processor that slots share. So the five shares of a worker add up to the round's
wall time exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from netcomp.link import Link
from netcomp.results.events import Accounts
from netcomp.roles import Message
from netcomp.wire.reports import Report

__all__ = ["Links", "Round", "Ways"]


@dataclass(frozen=True, slots=True)
class Links:
    """A worker's emulated links, one a direction."""

    up: Link = field(default_factory=Link)
    down: Link = field(default_factory=Link)


class Ways:
    """All workers' emulated links, for questions about many of them at once.

    `receive` and `send` are the server's own rates (bytes/s), which all workers share.
    """

    def __init__(
        self, links: Sequence[Links], receive: float = math.inf, send: float = math.inf
    ) -> None:
        self._ports = np.array((send, receive))
        self.free_up = math.isinf(receive) and all(one.up.unlimited for one in links)
        free_down = math.isinf(send) and all(one.down.unlimited for one in links)
        self._free = self.free_up and free_down
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
            # Where the server's own rate is what is scarce, a frame ends about when all do.
            passing = np.maximum(nbytes / self._rates[workers], nbytes.sum(axis=0) / self._ports)
            seconds = passing + self._rests[workers]
            ways = np.where(seconds.any(axis=1, keepdims=True), seconds, nbytes)
        share: NDArray[np.float64] = ways[:, 0] / ways.sum(axis=1)
        return share


class _Table:
    """Figures of workers in the order in which they became known, a row of `width` a worker."""

    __slots__ = ("_rows", "_width", "_workers")

    def __init__(self, width: int) -> None:
        self._width = width
        self._workers: list[int] = []
        self._rows: list[tuple[float, ...]] = []

    @property
    def workers(self) -> list[int]:
        """The workers there are figures of, by number."""
        return sorted(self._workers)

    def add(self, workers: Iterable[int], rows: Iterable[tuple[float, ...]]) -> None:
        """Note a row of each of some workers."""
        self._workers += workers
        self._rows += rows

    def sorted(self, workers: Sequence[int]) -> NDArray[np.float64]:
        """Return the rows in the order of all `workers`, which is that of their numbers.

        Sizes are exact as floats up to 2⁵³ bytes.
        """
        count = len(self._rows) * self._width
        flat = np.fromiter(chain.from_iterable(self._rows), np.float64, count)
        rows = flat.reshape(-1, self._width)
        if self._workers == workers:
            return rows
        ordered = np.empty_like(rows)
        ordered[np.searchsorted(workers, self._workers)] = rows
        return ordered


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
    _owe_answers: set[int] = field(default_factory=set)
    _owe_reports: set[int] = field(default_factory=set)
    # Bits, payload and wire bytes; payload and wire bytes, when they were there; reports.
    _told: _Table = field(default_factory=lambda: _Table(3))
    _answers: _Table = field(default_factory=lambda: _Table(3))
    _reports: _Table = field(default_factory=lambda: _Table(4))

    def speak(self, workers: Collection[int], message: Message, wire_bytes: int) -> None:
        """Note a downlink message to some workers."""
        said = message.paper_bits, message.payload_bytes, wire_bytes
        self._told.add(workers, repeat(said, len(workers)))
        self._owe_answers.update(workers)
        self._owe_reports.update(workers)
        self.down_bytes += len(workers) * wire_bytes

    def answer(
        self, workers: Sequence[int], payload_bytes: int, wire_bytes: int, times: Sequence[float]
    ) -> int | None:
        """Note uplink messages of so many bytes each, there at these times.

        Returns the first worker that owes none, None where all do.
        """
        if (wrong := _paid(self._owe_answers, workers)) is not None:
            return wrong
        self._answers.add(workers, zip(repeat(payload_bytes), repeat(wire_bytes), times))
        self.up_bytes += len(workers) * wire_bytes
        return None

    def report(self, workers: Sequence[int], reports: Sequence[Report]) -> int | None:
        """Note how long answers took; returns the first worker that owes no report, or None."""
        if (wrong := _paid(self._owe_reports, workers)) is not None:
            return wrong
        self._reports.add(workers, reports)
        return None

    @property
    def complete(self) -> bool:
        """Whether every worker that was spoken to has answered and reported."""
        return not self._owe_answers and not self._owe_reports

    def accounts(self, ways: Ways) -> Accounts:
        """Return what each worker sent, received and spent, once the round has ended."""
        workers = self._told.workers
        told, answers, reports = (
            table.sorted(workers) for table in (self._told, self._answers, self._reports)
        )
        accounts = Accounts.blank(self.number + 1, workers)
        accounts.bits[:, 0] = reports[:, 3]
        accounts.bits[:, 1] = told[:, 0]
        accounts.counts[:, 0] = answers[:, :2]
        accounts.counts[:, 1] = told[:, 1:]
        elapsed, arrived = reports[:, 2], answers[:, 2]
        wall = self.ended - self.started
        # A worker's clock may run a little fast: nothing may exceed the wall time.
        compute = np.minimum(reports[:, 0], wall)
        compress = np.minimum(reports[:, 1], wall - compute)
        left = wall - compute - compress
        travel = np.minimum(np.maximum(arrived - self.spoken - elapsed, 0.0), left)
        wires = np.stack((told[:, 2], answers[:, 1]), axis=1)
        down = travel * ways.share_of_down(workers, wires)
        # As `Times` has them.
        shares = (compute, compress, travel - down, down, left - travel)
        for place, share in enumerate(shares):
            accounts.times[:, place] = share
        return accounts


def _paid(owing: set[int], workers: Sequence[int]) -> int | None:
    """Strike workers off those that owe something; return the first that does not, or None."""
    if owing.issuperset(workers) and len(set(workers)) == len(workers):
        owing.difference_update(workers)
        return None
    known: set[int] = set()
    for worker in workers:
        if worker in known or worker not in owing:
            return worker
        known.add(worker)
    return None
