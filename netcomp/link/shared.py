"""One end's own rate, shared by the links of all workers: the server's way in, or out.

A fluid model: at every moment the bytes under way divide the port's rate max-min fairly
(Bertsekas and Gallager, Data Networks, §6.5.2): every link gets the same, but none more than
its own rate allows, and what it leaves is the others'. That is what serving equal chunks in
turn comes to as chunks get small. Rates change only when a frame begins or ends or a trace
steps; in between everything is linear, so that a schedule depends on when frames were handed
over and never on who asked when.

As in `model`, times are seconds of any one clock, and nothing here reads one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import SpecError
from netcomp.link.model import Link, chunk_size

__all__ = ["Port", "Ports", "SharedTransfer", "fair_rates"]

_APART: Final = 50e-6
"""Seconds a flow: changes of rate that follow each other faster need not wake every frame."""


def fair_rates(total: float, caps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide `total` (bytes/s) max-min fairly over flows that take at most `caps` (bytes/s)."""
    order = np.sort(caps)
    before = np.concatenate(([0.0], np.cumsum(order[:-1])))
    with np.errstate(invalid="ignore"):
        levels = (total - before) / np.arange(caps.size, 0, -1)
    reached = np.flatnonzero(order >= levels)
    if not reached.size:
        return caps.copy()
    level: np.float64 = levels[reached[0]]
    return np.minimum(caps, level)


class SharedTransfer:
    """The schedule of one frame through a port; made by `Port.enqueue`.

    As `Transfer`, but `start` and `finish` are known only once they are past.
    """

    __slots__ = ("_port", "chunk", "finish", "flow", "nbytes", "start", "then")

    def __init__(
        self, port: Port, flow: int, nbytes: int, then: Callable[[float], None] | None
    ) -> None:
        self._port = port
        self.chunk = chunk_size(min(port.rate, port.links[flow].mean_rate))
        self.flow = flow
        self.nbytes = nbytes
        self.then = then
        self.start = math.inf
        self.finish = math.inf

    def allowed(self, now: float) -> int:
        """How many bytes of the frame may have been handed on by `now`: whole chunks."""
        self._port.advance(now)
        if now >= self.finish:
            return self.nbytes
        if now <= self.start:
            return 0
        whole = int(self._port.served(self, now) // self.chunk)
        return min(whole, (self.nbytes - 1) // self.chunk) * self.chunk

    def due(self, sent: int) -> float:
        """Absolute time (s) at which to ask again: the next chunk's, or a change of rates.

        The chunk may not be due then: other frames may have joined in.
        """
        target = min((sent // self.chunk + 1) * self.chunk, self.nbytes)
        return self._port.when(self, target)


class Port:
    """The rate of one end (bytes/s), shared by `links`, one a flow, each with its own rate.

    Raises `SpecError` for a rate that is not above 0 or not finite.
    """

    def __init__(self, rate: float, links: Sequence[Link]) -> None:
        if not 0 < rate < math.inf:
            raise SpecError("rate", f"must be above 0 bytes/s and finite, not {rate!r}")
        self.rate = rate
        self.links = links
        self._queues: dict[int, deque[SharedTransfer]] = {}
        self._origins: dict[int, float] = {}
        self._since = -math.inf
        self._flows: list[int] = []
        self._left = np.empty(0)
        self._rates = np.empty(0)
        self._ends = np.empty(0)
        self._next = math.inf
        self._stale = False

    def enqueue(
        self, flow: int, nbytes: int, now: float, then: Callable[[float], None] | None = None
    ) -> SharedTransfer:
        """Append a frame to a flow at `now`; `then(finish)` is called when it is through.

        A `now` before what is already settled counts as that moment. Raises ValueError unless
        `nbytes` is positive.
        """
        if nbytes <= 0:
            raise ValueError(f"a frame cannot have {nbytes} bytes")
        transfer = SharedTransfer(self, flow, nbytes, then)
        self.advance(now)
        self._settle(max(now, self._since))
        self._origins.setdefault(flow, self._since)
        queue = self._queues.setdefault(flow, deque())
        queue.append(transfer)
        if len(queue) == 1:
            transfer.start = self._since
            self._flows.append(flow)
            self._left = np.append(self._left, float(nbytes))
            self._rates = np.append(self._rates, 0.0)
            self._stale = True
        return transfer

    def advance(self, now: float) -> None:
        """Let time pass: end what is through by `now`."""
        while self.next_event() <= now:
            self._settle(self._next)
            ended = self._since >= self._ends
            self._stale = True
            if ended.any():
                self._end(np.flatnonzero(ended))

    def next_event(self) -> float:
        """Return when, if nobody joins, the next frame ends or a trace steps; else infinity."""
        if self._stale:
            self._share()
        return self._next

    def served(self, transfer: SharedTransfer, now: float) -> float:
        """Return how many bytes of a frame at its flow's head are through by `now`."""
        at = self._flows.index(transfer.flow)
        gone = transfer.nbytes - self._left[at] + self._rates[at] * (now - self._since)
        # A millionth of a byte: what is due by the one formula must not be missing by another.
        return float(gone) + 1e-6

    def when(self, transfer: SharedTransfer, nbytes: int) -> float:
        """Return when to look again for the first `nbytes` of a frame."""
        following = self.next_event()
        if transfer.finish < math.inf:
            return transfer.finish
        if transfer.start == math.inf:
            return following
        at = self._flows.index(transfer.flow)
        missing = nbytes - transfer.nbytes + self._left[at]
        rate = self._rates[at]
        due = self._since + missing / rate if rate > 0 else math.inf
        return float(min(due, max(following, self._since + _APART * len(self._flows))))

    def _settle(self, now: float) -> None:
        """Move what is settled to `now`, at the present rates."""
        if self._flows and now > self._since:
            self._left = np.maximum(self._left - self._rates * (now - self._since), 0.0)
        self._since = now

    def _share(self) -> None:
        """Divide the rate anew, and find what comes next."""
        self._stale = False
        pairs = [self.links[flow].rate_at(self._since, self._origins[flow]) for flow in self._flows]
        self._next = min((until for _, until in pairs), default=math.inf)
        self._ends = np.empty(0)
        if pairs:
            self._rates = fair_rates(self.rate, np.array([rate for rate, _ in pairs]))
            with np.errstate(divide="ignore", invalid="ignore"):
                self._ends = self._since + self._left / self._rates
            self._next = min(self._next, float(self._ends.min()))

    def _end(self, places: NDArray[np.intp]) -> None:
        """End the frames at these places; each makes room for the one behind it."""
        kept = np.ones(len(self._flows), dtype=bool)
        ended: list[SharedTransfer] = []
        for place in places:
            queue = self._queues[self._flows[place]]
            transfer = queue.popleft()
            transfer.finish = self._since
            ended.append(transfer)
            if queue:
                queue[0].start = self._since
                self._left[place] = queue[0].nbytes
            else:
                kept[place] = False
        self._flows = [flow for flow, stays in zip(self._flows, kept, strict=True) if stays]
        self._left = self._left[kept]
        self._rates = self._rates[kept]
        for transfer in ended:
            if transfer.then is not None:
                transfer.then(transfer.finish)


@dataclass(frozen=True, slots=True)
class Ports:
    """The server's own rates in and out; None where it has none."""

    receive: Port | None = None
    send: Port | None = None
