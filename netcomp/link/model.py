"""One direction of a link: rate, delay, and when which byte may be handed on.

The server of bytes is a virtual-time server, the generic cell rate algorithm
(ITU-T I.371, "virtual scheduling"; TAT = theoretical arrival time):

    start = max(TAT, now)          a frame waits for the frames before it
    TAT   = start + nbytes / rate  and occupies the link for its own length

A frame leaves in chunks, each when its last byte has been serialised, all of
them timed from the frame's own start. A caller that wakes late hands on what
has become due in the meantime and is on schedule again; a link left idle earns
no credit, so no burst ever exceeds one chunk.

Difference from the textbook: within one busy period TAT is computed as
(first start) + (all bytes since) / rate, not by adding up, so that a thousand
frames end exactly where one frame of their total length would. Where the rate
is a trace, `Trace.after` takes the place of the division.

Times are seconds of any one monotonic clock, rates bytes per second. The real
and the virtual clock use the same formula; this module knows neither.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Protocol

from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.link.trace import Trace

__all__ = [
    "MAX_CHUNK",
    "MIN_CHUNK",
    "WIRE_SHARE",
    "Link",
    "Pacer",
    "Schedule",
    "Transfer",
    "chunk_size",
]

MIN_CHUNK: Final = 1448
"""Bytes: the payload of one full Ethernet segment of TCP with time stamps."""

MAX_CHUNK: Final = 256 * 1024
"""Bytes: a chunk never asks for more than ordinary socket buffers hold."""

WIRE_SHARE: Final = MIN_CHUNK / 1514
"""Which share of what Ethernet carries is TCP's payload, headers counted as tc counts them."""

_CHUNK_SECONDS: Final = 0.002


def chunk_size(rate: float) -> int:
    """Bytes handed on at a time: 2 ms' worth at `rate` (bytes/s), within limits.

    Timers are 0.2 to 2 ms late: a shorter chunk would only wake the loop more
    often, a longer one would make the flow lumpy.
    """
    return int(min(max(rate * _CHUNK_SECONDS, MIN_CHUNK), MAX_CHUNK))


@dataclass(frozen=True, slots=True)
class Link:
    """One direction: `rate` in bytes/s (infinite = not paced), or a `trace` of rates.

    What is through the link arrives `latency` seconds later, and up to `jitter` seconds
    later still. Raises `SpecError` for a rate that is not above 0, a rate beside a trace, or
    a latency or jitter that is negative or not finite.
    """

    rate: float = math.inf
    latency: float = 0.0
    jitter: float = 0.0
    trace: Trace | None = None

    def __post_init__(self) -> None:
        if not self.rate > 0:  # also refuses NaN
            raise SpecError("rate", f"must be above 0 bytes/s, not {self.rate!r}")
        if self.trace is not None and not math.isinf(self.rate):
            raise SpecError("rate", "a link has a rate or a trace, not both")
        for name in ("latency", "jitter"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise SpecError(name, f"must be at least 0 s and finite, not {value!r}")

    @property
    def paced(self) -> bool:
        """Whether bytes have to wait for their turn at all."""
        return self.trace is not None or not math.isinf(self.rate)

    @property
    def unlimited(self) -> bool:
        """True when the link neither paces nor delays anything."""
        return not self.paced and self.latency == 0 and self.jitter == 0

    @property
    def mean_rate(self) -> float:
        """The rate, or a trace's over a whole period, in bytes/s."""
        return self.rate if self.trace is None else self.trace.mean

    def seconds(self, nbytes: int) -> float:
        """Seconds from handing `nbytes` to an idle link to their arrival, in the mean."""
        return nbytes / self.mean_rate + self.latency + self.jitter / 2

    def through(self, start: float, nbytes: int, origin: float) -> float:
        """Return when `nbytes` that begin at `start` are through; a trace began at `origin`."""
        if self.trace is None:
            return start + nbytes / self.rate
        return origin + self.trace.after(start - origin, nbytes)

    def rate_at(self, time: float, origin: float) -> tuple[float, float]:
        """Return the rate (bytes/s) at `time`, and until when it stays so."""
        if self.trace is None:
            return self.rate, math.inf
        rate, until = self.trace.at(time - origin)
        return rate, max(origin + until, math.nextafter(time, math.inf))

    def delay(self, draw: Draw) -> float:
        """Return how long (s) a frame is under way: uniform in [latency, latency + jitter).

        `draw` is the frame's key: round, direction and worker; equal keys, equal delays.
        """
        if not self.jitter:
            return self.latency
        share = float(draw.stream(Purpose.JITTER).uniforms(1)[0])
        return self.latency + share * self.jitter


class Schedule(Protocol):
    """When which part of a frame may be handed on: a `Transfer`, alone or with others."""

    @property
    def chunk(self) -> int:
        """How many bytes are handed on at a time."""

    @property
    def start(self) -> float:
        """Absolute time (s) at which the frame's first byte may go."""

    @property
    def finish(self) -> float:
        """Absolute time (s) at which the last byte is through, infinite while unknown."""

    def allowed(self, now: float) -> int:
        """How many bytes of the frame may have been handed on by `now`."""

    def due(self, sent: int) -> float:
        """Absolute time (s) at which to ask again once `sent` bytes are out."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """The schedule of one frame on a paced link; made by `Pacer.enqueue`.

    `nbytes` long, serialised by `link` from `start` to `finish` (seconds, absolute) and
    handed on in chunks of `chunk` bytes, the last one shorter; a trace began at `origin`.
    Ask `allowed` how much may be out by now, `due` when to ask again.
    """

    nbytes: int
    start: float
    finish: float
    chunk: int
    link: Link
    origin: float

    def allowed(self, now: float) -> int:
        """How many bytes of the frame may have been handed on by `now`.

        Whole chunks whose last byte is due; never decreases with `now`, is
        `nbytes` from `finish` on, and at once where nothing is paced.
        """
        if now >= self.finish or not self.link.paced:
            return self.nbytes
        if now < self.start:
            return 0
        # The last chunk is due at `finish`, so here only the others are in question.
        last = -(-self.nbytes // self.chunk) - 1
        if self.link.trace is not None:
            return bisect_right(range(1, last + 1), now, key=self._due) * self.chunk
        # `_due` decides, not the division: the two round differently, and a caller woken
        # exactly at `due(sent)` must find something to send.
        chunks = min(int((now - self.start) * self.link.rate / self.chunk), last)
        while chunks < last and self._due(chunks + 1) <= now:
            chunks += 1
        while chunks and self._due(chunks) > now:
            chunks -= 1
        return chunks * self.chunk

    def due(self, sent: int) -> float:
        """Absolute time (seconds) at which the next chunk after `sent` bytes is due.

        `allowed(due(sent)) > sent` as long as anything is left; when nothing is,
        `finish`.
        """
        return self._due(sent // self.chunk + 1)

    def _due(self, chunks: int) -> float:
        """Absolute time at which the first `chunks` chunks are serialised."""
        end = chunks * self.chunk
        if end >= self.nbytes:
            return self.finish
        # `finish` is rounded from the busy period, `start + …` from this frame:
        # the minimum keeps the schedule monotone when they differ in the last bit.
        return min(self.link.through(self.start, end, self.origin), self.finish)


class Pacer:
    """Serialises frames one after the other at the rate of `link`.

    One pacer a direction and worker; they share nothing. A trace begins with the first
    frame. The delay is not its business: the receiver adds it after the last byte.
    """

    __slots__ = ("_busy_bytes", "_busy_since", "_chunk", "_origin", "_tat", "link")

    def __init__(self, link: Link) -> None:
        self.link = link
        self._chunk = chunk_size(link.mean_rate)
        self._tat = -math.inf
        self._origin = math.nan
        self._busy_since = -math.inf
        self._busy_bytes = 0

    @property
    def free_at(self) -> float:
        """Absolute time (seconds) at which all frames so far are serialised; -inf if none."""
        return self._tat

    def enqueue(self, nbytes: int, now: float) -> Transfer:
        """Append a frame of `nbytes` at time `now` and return its schedule.

        Call it once a frame, in sending order. Raises ValueError if `nbytes` is
        negative.
        """
        if nbytes < 0:
            raise ValueError(f"a frame cannot have {nbytes} bytes")
        if math.isnan(self._origin):
            self._origin = now
        if now >= self._tat:  # idle until now: a new busy period, without credit
            self._busy_since = now
            self._busy_bytes = 0
            self._tat = now
        start = self._tat
        self._busy_bytes += nbytes
        self._tat = self.link.through(self._busy_since, self._busy_bytes, self._origin)
        return Transfer(nbytes, start, self._tat, self._chunk, self.link, self._origin)
