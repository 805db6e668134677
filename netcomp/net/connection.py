"""One connection on a running loop: bytes in, frames out, paced and delayed as the link says.

The session decides what may be said; this class moves its bytes. It never hands the
transport more than 64 KiB ahead (asyncio copies what it cannot send at once, once a
connection), writes paced frames at absolute deadlines, and holds arrived data frames back by
the link's latency.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final, cast

from netcomp.errors import NetcompError, ProtocolError, VersionMismatch
from netcomp.link import Link, Pacer, Transfer
from netcomp.protocol.session import CATEGORIES, Event, Session, Side, State
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing

__all__ = ["Connection", "clock"]

clock = monotonic
"""The only clock that decides anything."""

_AHEAD: Final = 1 << 16
_STALL_SECONDS: Final = 60.0
"""A frame that stands still for so long will not be finished: its length was damaged."""


@dataclass(slots=True)
class _Queued:
    """A frame on its way out: its pieces of at most 64 KiB, and its schedule where paced."""

    pieces: Iterator[memoryview]
    nbytes: int
    transfer: Transfer | None
    written: int = 0
    piece: memoryview | None = None


class Connection(asyncio.BufferedProtocol):
    """A session on a socket.

    `on_event(connection, event, now)` gets every arrived frame, data frames after the link's
    latency; `on_lost(connection, reason)` is called once when the connection is gone, with
    None where the conversation had ended properly.
    """

    def __init__(
        self,
        side: Side,
        on_event: Callable[[Connection, Event, float], None],
        on_lost: Callable[[Connection, NetcompError | None], None],
    ) -> None:
        self.session = Session(side)
        self.error: NetcompError | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.outgoing = Link()
        self.incoming = Link()
        self._pacer = Pacer(self.outgoing)
        self._on_event = on_event
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._queue: deque[_Queued] = deque()
        self._paused = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._stall: asyncio.TimerHandle | None = None

    def emulate(self, outgoing: Link, incoming: Link) -> None:
        """Behave as these links from now on: the rate of one, the latency of the other."""
        self.outgoing = outgoing
        self.incoming = incoming
        self._pacer = Pacer(outgoing)

    @property
    def peer(self) -> str:
        """Where the other end is, for messages."""
        address = self._transport.get_extra_info("peername") if self._transport else None
        return f"{address[0]}:{address[1]}" if address else "a closed connection"

    # Out

    def send(self, frame: Outgoing, *, paced: bool = False) -> None:
        """Account for a frame and write it, now or as soon as link and socket allow."""
        if self._closing:
            return
        self.session.send(frame)
        if frame.kind is FrameKind.STOP:
            self._hurry()
        transfer = None
        if paced and self.outgoing.rate != float("inf"):
            transfer = self._pacer.enqueue(frame.nbytes, clock())
        self._queue.append(_Queued(_pieces(frame), frame.nbytes, transfer))
        self._pump()

    def say_goodbye(self) -> None:
        """Send the worker's BYE behind everything queued, and close."""
        frame = self.session.bye()
        self._hurry()
        self._queue.append(_Queued(_pieces(frame), frame.nbytes, None))
        self._closing = True
        self._pump()

    def _hurry(self) -> None:
        """Let what is queued go unpaced: the run is over, and its end must not wait for it."""
        for queued in self._queue:
            queued.transfer = None

    def finish(self) -> None:
        """Close once everything queued has been written."""
        self._closing = True
        if not self._queue and self._transport is not None:
            self._transport.close()

    def fail(self, error: NetcompError) -> None:
        """Tell the peer why, and close. A peer that does not speak the protocol is not told."""
        self.error = self.error or error
        if self._transport is None or self._closing:
            return
        greeted = self.session.state is not State.CONNECTED or isinstance(error, VersionMismatch)
        stranger = isinstance(error, ProtocolError) and not greeted
        midway = bool(self._queue) and self._queue[0].written > 0
        if stranger or midway or self.session.state is State.CLOSED:
            self._transport.abort()
            return
        frame = self.session.fail(error)
        self._queue.clear()
        self._queue.append(_Queued(_pieces(frame), frame.nbytes, None))
        self._closing = True
        self._pump()

    def abort(self, error: NetcompError | None = None) -> None:
        """Close at once, whatever is queued."""
        self.error = self.error or error
        if self._transport is not None:
            self._transport.abort()

    def _pump(self) -> None:
        """Write what may be written now; come back when more may be."""
        while self._queue and not self._paused and self._transport is not None:
            head = self._queue[0]
            if not self._write(head):
                return
            if head.written == head.nbytes:
                self._queue.popleft()
        if not self._queue and self._closing and self._transport is not None:
            self._transport.close()

    def _write(self, head: _Queued) -> bool:
        """Write one piece of the frame; False when its next chunk is not due yet."""
        assert self._transport is not None  # noqa: S101 — for the type checker
        budget = head.nbytes
        if head.transfer is not None:
            now = clock()
            budget = head.transfer.allowed(now)
            if budget <= head.written:
                self._wake_at(head.transfer.due(head.written), now)
                return False
        if head.piece is None:
            head.piece = next(head.pieces)
        chunk = head.piece[: budget - head.written]
        head.piece = head.piece[chunk.nbytes :] if chunk.nbytes < head.piece.nbytes else None
        head.written += chunk.nbytes
        self.bytes_sent += chunk.nbytes
        self._transport.write(chunk)
        return True

    def _wake_at(self, due: float, now: float) -> None:
        """Pump again at `due`; a timer that fires early finds nothing due and sets a new one."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(due - now, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._pump()

    # In: asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        # uvloop's transports are asyncio.Transport in all but ancestry.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_AHEAD)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — asyncio's signature
        """Asyncio's callback: the parser says where the bytes belong."""
        return self.session.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio's callback: take what arrived."""
        self.bytes_received += nbytes
        if self._closing and self.error is not None:
            return
        try:
            for event in self.session.received(nbytes):
                self._arrived(event)
        except NetcompError as error:
            self.fail(error)
        self._watch()

    def _watch(self) -> None:
        """See to it that a frame that has begun goes on."""
        self._heard = clock()
        if self._stall is None and not self.session.between_frames:
            self._watch_again(_STALL_SECONDS)

    def _watch_again(self, seconds: float) -> None:
        self._stall = asyncio.get_running_loop().call_later(seconds, self._watched)

    def _watched(self) -> None:
        self._stall = None
        if self._transport is None or self.session.between_frames:
            return
        left = self._heard + _STALL_SECONDS - clock()
        if left > 0:
            self._watch_again(left)
        else:
            self.fail(ProtocolError(f"a frame stood still for {_STALL_SECONDS:g} s"))

    def _arrived(self, event: Event) -> None:
        latency = self.incoming.latency if CATEGORIES[event.kind] == "data" else 0.0
        if latency:
            self._deliver(event, clock() + latency)
        else:
            self._on_event(self, event, clock())

    def _deliver(self, event: Event, at: float) -> None:
        """Hand on a delayed frame at `at`; timers may fire early, so the clock is asked."""
        now = clock()
        if now >= at:
            self._on_event(self, event, now)
        else:
            asyncio.get_running_loop().call_later(at - now, self._deliver, event, at)

    def pause_writing(self) -> None:
        """Asyncio's callback: the socket is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Asyncio's callback: the socket takes more."""
        self._paused = False
        self._pump()

    def eof_received(self) -> bool:
        """Asyncio's callback: the peer will say no more; close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback: it is over."""
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._queue.clear()
        error = self.error
        if error is None and self.session.state is not State.CLOSED:
            where = "" if self.session.between_frames else " in the middle of a frame"
            error = ProtocolError(f"the connection ended{where}{f' ({exc})' if exc else ''}")
        self._on_lost(self, error)


def _pieces(frame: Outgoing) -> Iterator[memoryview]:
    for buffer in frame.buffers:
        view = memoryview(buffer)
        for start in range(0, view.nbytes, _AHEAD):
            yield view[start : start + _AHEAD]
