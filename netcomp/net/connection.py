"""One connection on a running loop: bytes in, frames out, paced and delayed as the link says.

The session decides what may be said; this class moves its bytes. It never hands the
transport more than 64 KiB ahead (asyncio copies what it cannot send at once, once a
connection), and writes paced frames at absolute deadlines. Arrived frames go on at once: to
the `Turn` of the loop's connections where everybody says the same, else one by one, or, on a
link with a delay, when the `Holding` lets them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from netcomp.draw import Draw
from netcomp.errors import NetcompError, ProtocolError, VersionMismatch
from netcomp.link import Lag, Link, Pacer, Port, Ports, Schedule
from netcomp.net.alarm import LEAD, Alarm, clock
from netcomp.net.holding import Holding
from netcomp.net.longbody import LongBody
from netcomp.net.turn import Turn
from netcomp.protocol.session import CATEGORIES, Event, Session, Side, State
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing

__all__ = ["Connection", "clock"]

T = TypeVar("T")

_AHEAD: Final = 1 << 16
_LONG: Final = 1 << 16
"""Bytes of a body that are still to come from which on they are read straight into their place."""
_STOP: Final = FrameKind.STOP
_STALL_SECONDS: Final = 60.0
"""A frame that stands still for so long will not be finished: its length was damaged."""


@dataclass(slots=True)
class _Queued:
    """A frame on its way out: its pieces of at most 64 KiB, and its schedule where paced."""

    pieces: Iterator[memoryview]
    nbytes: int
    transfer: Schedule | None
    written: int = 0
    piece: memoryview | None = None


class Connection(asyncio.Protocol):
    """A session on a socket.

    `on_event(connection, event, now)` gets every arrived frame, data frames after the link's
    latency; `on_lost(connection, reason)` is called once when the connection is gone, with
    None where the conversation had ended properly. The connections of one loop may share a
    `turn`, which gets what it keeps in place of `on_event`.
    """

    def __init__(
        self,
        side: Side,
        on_event: Callable[[Connection, Event, float], None],
        on_lost: Callable[[Connection, NetcompError | None], None],
        turn: Turn[Connection] | None = None,
    ) -> None:
        self.session = Session(side)
        self._turn = turn
        self._parser = self.session.parser
        self.error: NetcompError | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.outgoing = Link()
        self.lag = Lag()
        self._pacer = Pacer(self.outgoing)
        self._port: Port | None = None
        self._flow = 0
        self._paces = False
        self._holding: Holding | None = None
        self._on_event = on_event
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._queue: deque[_Queued] = deque()
        # Until there is a transport, which takes nothing while the socket is full.
        self._paused = True
        self._closing = False
        self._listens = True
        self._timer = Alarm(self._pump)
        self._heard = 0.0
        self._stall: asyncio.TimerHandle | None = None

    def emulate(
        self,
        outgoing: Link,
        incoming: Link,
        draw: Draw | None = None,
        ports: Ports | None = None,
        flow: int = 0,
    ) -> None:
        """Behave as these links from now on: the rate of one, the delay of the other.

        `draw` is the key of the incoming frames' jitter but for the round. `ports` are this
        end's own rates, shared with others; the links are the ports' number `flow`.
        """
        ports = ports or Ports()
        self.outgoing = outgoing
        self._pacer = Pacer(outgoing)
        self._port, self._flow = ports.send, flow
        self._paces = outgoing.paced or ports.send is not None
        self._holding = None
        if incoming.latency > 0 or incoming.jitter > 0 or ports.receive is not None:
            key = draw or Draw(0)
            self._holding = Holding(self._hand_on, incoming, key, ports.receive, flow, self.lag)

    @property
    def peer(self) -> str:
        """Where the other end is, for messages."""
        address = self._transport.get_extra_info("peername") if self._transport else None
        return f"{address[0]}:{address[1]}" if address else "a closed connection"

    # Out

    def send(self, *frames: Outgoing) -> None:
        """Account for frames and write them, now or as soon as link and socket allow."""
        if self._closing:
            return
        for frame in frames:
            free = not (self._paces or self._queue or self._paused)
            if free and len(frame.buffers) == 1 and frame.nbytes <= _AHEAD:
                # Nothing is in its way, and it is one short piece, as most.
                assert self._transport is not None  # noqa: S101 — without one all is paused
                self.session.send(frame)
                self.bytes_sent += frame.nbytes
                self._transport.write(frame.buffers[0])
                continue
            for one in frame.apart() if self._paces else (frame,):
                self._enqueue(one)
        if self._queue:
            self._pump()

    def _enqueue(self, frame: Outgoing) -> None:
        self.session.send(frame)
        if frame.kind is _STOP:
            self._hurry()
        transfer = self._scheduled(frame) if self._paces else None
        self._queue.append(_Queued(_pieces(frame), frame.nbytes, transfer))

    def _scheduled(self, frame: Outgoing) -> Schedule | None:
        """Return when which bytes of a frame may go, None where at once: links slow data only."""
        if CATEGORIES[frame.kind] != "data":
            return None
        if self._port is not None:
            return self._port.enqueue(self._flow, frame.nbytes, clock())
        return self._pacer.enqueue(frame.nbytes, clock()) if self.outgoing.paced else None

    def say_goodbye(self) -> None:
        """Send the worker's BYE behind everything queued, and close."""
        frame = self.session.bye(self.lag)
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
                if (done := head.transfer) is not None:
                    self.lag.note(clock() - done.finish, done.finish - done.start)
        if not self._queue and self._closing and self._transport is not None:
            self._transport.close()

    def _write(self, head: _Queued) -> bool:
        """Write one piece of the frame; False when its next chunk is not due yet."""
        assert self._transport is not None  # noqa: S101 — for the type checker
        budget = head.nbytes
        if head.transfer is not None:
            now, due = clock(), head.transfer.due(head.written)
            budget = head.transfer.allowed(now) if due <= now else 0
            if budget <= head.written:
                last = head.nbytes - head.written <= head.transfer.chunk
                # A few bytes that are due right behind this chunk are no reason to be late with it.
                self._timer.set(due, exact=last or head.transfer.finish - due < LEAD)
                return False
        if head.piece is None:
            head.piece = next(head.pieces)
        chunk = head.piece[: budget - head.written]
        head.piece = head.piece[chunk.nbytes :] if chunk.nbytes < head.piece.nbytes else None
        head.written += chunk.nbytes
        self.bytes_sent += chunk.nbytes
        self._transport.write(chunk)
        return True

    def listen(self, *, reading: bool) -> None:
        """Read what arrives, or leave it in the socket's buffers for now."""
        self._listens = reading
        if self._transport is None or self._transport.is_closing():
            return
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # In: asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        # uvloop's transports are asyncio.Transport in all but ancestry.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_AHEAD)
        self._paused = False

    def data_received(self, data: bytes) -> None:
        """Asyncio's callback: take what arrived."""
        self.bytes_received += len(data)
        if self._closing and self.error is not None:
            return
        turn = self._turn
        if turn is not None:
            if self._holding is None and turn.keeps(self, self.session, data):
                return
            turn.over()
        self._hear(self.session.feed, data)
        room = self._parser.room
        if room is not None and room.nbytes >= _LONG:
            self._read_by(LongBody(self, self._parser))

    def body_received(self, nbytes: int) -> None:
        """Take bytes of a long body that are in their place."""
        self.bytes_received += nbytes
        if self._closing and self.error is not None:
            return
        self._hear(self.session.received, nbytes)
        if self._parser.room is None:
            self._read_by(self)

    def _read_by(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol be told what arrives; loops ask it how when reading begins."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        transport.set_protocol(protocol)
        if self._listens:
            transport.resume_reading()

    def _hear(self, take: Callable[[T], Iterable[Event]], what: T) -> None:
        """Hand on what the session takes from what was read, now or when the link lets it in."""
        holding = self._holding
        try:
            for event in take(what):
                if holding is None or CATEGORIES[event.kind] != "data":
                    self._on_event(self, event, clock())
                else:
                    holding.arrived(event)
        except NetcompError as error:
            self.fail(error)
        if holding is not None and (arriving := self.session.arriving) is not None:
            kind, nbytes, here = arriving
            if CATEGORIES[kind] == "data":
                holding.arriving(nbytes, here)
        if not self._parser.idle:
            self._watch()

    def _hand_on(self, event: Event, now: float) -> None:
        self._on_event(self, event, now)

    def _watch(self) -> None:
        """See to it that a frame that has begun goes on."""
        self._heard = clock()
        if self._stall is None:
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
        for waiting in (self._timer, self._holding, self._stall):
            if waiting is not None:
                waiting.cancel()
        self._transport = None
        self._paused = True
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
