"""One direction of a link: rate, latency, and when which byte may be handed on.

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
frames end exactly where one frame of their total length would.

Times are seconds of any one monotonic clock, rates bytes per second. The real
and the virtual clock use the same formula; this module knows neither.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from netcomp.errors import SpecError

__all__ = ["MAX_CHUNK", "MIN_CHUNK", "Link", "Pacer", "Transfer", "chunk_size"]

MIN_CHUNK: Final = 1448
"""Bytes: the payload of one full Ethernet segment of TCP with time stamps."""

MAX_CHUNK: Final = 256 * 1024
"""Bytes: a chunk never asks for more than ordinary socket buffers hold."""

_CHUNK_SECONDS: Final = 0.002


def chunk_size(rate: float) -> int:
    """Bytes handed on at a time: 2 ms' worth at `rate` (bytes/s), within limits.

    Timers are 0.2 to 2 ms late: a shorter chunk would only wake the loop more
    often, a longer one would make the flow lumpy.
    """
    return int(min(max(rate * _CHUNK_SECONDS, MIN_CHUNK), MAX_CHUNK))


@dataclass(frozen=True, slots=True)
class Link:
    """One direction: `rate` in bytes/s (infinite = not paced), `latency` in seconds.

    Raises `SpecError` for a rate that is not above 0 or a latency that is
    negative or not finite.
    """

    rate: float = math.inf
    latency: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate > 0:  # also refuses NaN
            raise SpecError("rate", f"must be above 0 bytes/s, not {self.rate!r}")
        if not 0 <= self.latency < math.inf:
            raise SpecError("latency", f"must be at least 0 s and finite, not {self.latency!r}")

    @property
    def unlimited(self) -> bool:
        """True when the link neither paces nor delays anything."""
        return math.isinf(self.rate) and self.latency == 0

    def seconds(self, nbytes: int) -> float:
        """Seconds from handing `nbytes` to an idle link to the arrival of the last byte."""
        return nbytes / self.rate + self.latency


@dataclass(frozen=True, slots=True)
class Transfer:
    """The schedule of one frame on a paced link; made by `Pacer.enqueue`.

    `nbytes` long, serialised from `start` to `finish` (seconds, absolute) at
    `rate` bytes/s and handed on in chunks of `chunk` bytes, the last one shorter.
    Ask `allowed` how much may be out by now, `due` when to ask again.
    """

    nbytes: int
    start: float
    rate: float
    chunk: int
    finish: float

    def allowed(self, now: float) -> int:
        """How many bytes of the frame may have been handed on by `now`.

        Whole chunks whose last byte is due; never decreases with `now`, is
        `nbytes` from `finish` on, and at once for an infinite rate.
        """
        if now >= self.finish or math.isinf(self.rate):
            return self.nbytes
        if now < self.start:
            return 0
        # A search on `_due` itself, not a division: the two ways round differently,
        # and a caller woken exactly at `due(sent)` must find something to send.
        # The last chunk is due at `finish`, so here only the others are in question.
        whole = range(1, -(-self.nbytes // self.chunk))
        return bisect_right(whole, now, key=self._due) * self.chunk

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
        return min(self.start + end / self.rate, self.finish)


class Pacer:
    """Serialises frames one after the other at the rate of `link`.

    One pacer a direction and worker; they share nothing. Latency is not its
    business: the receiver adds it after the last byte.
    """

    __slots__ = ("_busy_bytes", "_busy_since", "_chunk", "_tat", "link")

    def __init__(self, link: Link) -> None:
        self.link = link
        self._chunk = chunk_size(link.rate)
        self._tat = -math.inf
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
        if now >= self._tat:  # idle until now: a new busy period, without credit
            self._busy_since = now
            self._busy_bytes = 0
            self._tat = now
        start = self._tat
        self._busy_bytes += nbytes
        self._tat = self._busy_since + self._busy_bytes / self.link.rate
        return Transfer(nbytes, start, self.link.rate, self._chunk, self._tat)
