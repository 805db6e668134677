"""One connection on a running loop: bytes in, frames out, paced and delayed as the link says.

The session decides what may be said; this class moves its bytes. It never hands the
transport more than 64 KiB ahead (asyncio copies what it cannot send at once, once a
connection), writes paced frames at absolute deadlines, and holds arrived data frames back
until the receiver's own rate has let them in and by the link's delay, in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from netcomp.draw import Draw
from netcomp.errors import NetcompError, ProtocolError, VersionMismatch
from netcomp.link import Lag, Link, Pacer, Port, Ports, Schedule
from netcomp.net.alarm import LEAD, Alarm, clock
from netcomp.protocol.session import CATEGORIES, Event, Session, Side, State
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing

__all__ = ["Connection", "clock"]

_AHEAD: Final = 1 << 16
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


@dataclass(slots=True)
class _Held:
    """An arrived frame that is not to be handed on before `at`, once it is through a port."""

    event: Event
    transfer: Schedule | None
    delay: float
    at: float
    seconds: float = 0.0


class Connection(asyncio.BufferedProtocol):
    """A session on a socket.

    `on_event(connection, event, now)` gets every arrived frame, data frames after the link's
    latency; `on_lost(connection, reason)` is called once when the connection is gone, with
    None where the conversation had ended properly. The connections of one loop may share a
    `scratch`.
    """

    def __init__(
        self,
        side: Side,
        on_event: Callable[[Connection, Event, float], None],
        on_lost: Callable[[Connection, NetcompError | None], None],
        scratch: bytearray | None = None,
    ) -> None:
        self.session = Session(side, scratch)
        self._parser = self.session.parser
        self.error: NetcompError | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.outgoing = Link()
        self.incoming = Link()
        self.lag = Lag()
        self._pacer = Pacer(self.outgoing)
        self._draw = Draw(0)
        self._ports = Ports()
        self._paces = False
        self._holds = False
        self._flow = 0
        self._entering: Schedule | None = None
        self._held: deque[_Held] = deque()
        self._handed = 0.0
        self._on_event = on_event
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._queue: deque[_Queued] = deque()
        # Until there is a transport, which takes nothing while the socket is full.
        self._paused = True
        self._closing = False
        self._timer = Alarm(self._pump)
        self._release_timer = Alarm(self._release)
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
        self.outgoing = outgoing
        self.incoming = incoming
        self._pacer = Pacer(outgoing)
        self._draw = draw or Draw(0)
        self._ports = ports or Ports()
        self._paces = outgoing.paced or self._ports.send is not None
        delayed = incoming.latency > 0 or incoming.jitter > 0
        self._holds = delayed or self._ports.receive is not None
        self._flow = flow

    @property
    def peer(self) -> str:
        """Where the other end is, for messages."""
        address = self._transport.get_extra_info("peername") if self._transport else None
        return f"{address[0]}:{address[1]}" if address else "a closed connection"

    # Out

    def send(self, *frames: Outgoing) -> None:
        """Account for frames and write them, now or as soon as link and socket allow.

        What is short goes in one write, since each wakes the peer up.
        """
        if self._closing:
            return
        if len(frames) == 1 and not (self._paces or self._queue or self._paused):
            # Nothing is in its way, and mostly it is one short piece.
            frame = frames[0]
            if len(frame.buffers) == 1 and frame.nbytes <= _AHEAD and self._transport is not None:
                self.session.send(frame)
                self.bytes_sent += frame.nbytes
                self._transport.write(frame.buffers[0])
                return
        at_once: list[bytes | memoryview] = []
        for frame in frames:
            self.session.send(frame)
            if frame.kind is _STOP:
                self._hurry()
            transfer = self._scheduled(frame) if self._paces else None
            short = len(frame.buffers) == 1 and frame.nbytes <= _AHEAD
            if short and transfer is None and not self._queue and not self._paused:
                at_once.append(frame.buffers[0])
            else:
                self._queue.append(_Queued(_pieces(frame), frame.nbytes, transfer))
        if at_once and self._transport is not None:
            data = at_once[0] if len(at_once) == 1 else b"".join(at_once)
            self.bytes_sent += len(data)
            self._transport.write(data)
        if self._queue:
            self._pump()

    def _scheduled(self, frame: Outgoing) -> Schedule | None:
        """Return when which bytes of a frame may go, None where at once: links slow data only."""
        if CATEGORIES[frame.kind] != "data":
            return None
        if self._ports.send is not None:
            return self._ports.send.enqueue(self._flow, frame.nbytes, clock())
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

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — asyncio's signature
        """Asyncio's callback: the parser says where the bytes belong."""
        return self._parser.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio's callback: take what arrived."""
        self.bytes_received += nbytes
        if self._closing and self.error is not None:
            return
        try:
            for event in self.session.received(nbytes):
                if self._holds:
                    self._arrived(event)
                else:
                    self._on_event(self, event, clock())
        except NetcompError as error:
            self.fail(error)
        if self._holds and self._ports.receive is not None:
            self._enter(self._ports.receive)
        if not self._parser.idle:
            self._watch()

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

    def _arrived(self, event: Event) -> None:
        if CATEGORIES[event.kind] != "data":
            self._on_event(self, event, clock())
            return
        entering, self._entering = self._entering, None
        delay = self.incoming.delay(self._draw.at(round_=event.round))
        if self._ports.receive is not None and entering is None:
            entering = self._through_port(self._ports.receive, event.nbytes, event.nbytes)
        if entering is None and not delay and not self._held:
            self._on_event(self, event, clock())
            return
        self._held.append(_Held(event, entering, delay, clock() + delay))
        self._release()

    def _enter(self, port: Port) -> None:
        """Let a large frame begin to take its share of this end's rate as soon as it is seen."""
        arriving = self.session.arriving
        if arriving is None or self._entering is not None:
            return
        kind, nbytes, here = arriving
        if CATEGORIES[kind] == "data":
            self._entering = self._through_port(port, nbytes, here)

    def _through_port(self, port: Port, nbytes: int, here: int) -> Schedule:
        """Return the schedule of a frame of which so many bytes are here already.

        It began when the first of them left the other end, at its link's rate.
        """
        began = clock() - here / self.incoming.mean_rate
        return port.enqueue(self._flow, nbytes, began)

    def _release(self) -> None:
        """Hand on what has been held long enough; timers fire early, so the clock is asked."""
        while self._held:
            head, now = self._held[0], clock()
            if (entering := head.transfer) is not None:
                if entering.allowed(now) < head.event.nbytes:
                    self._release_timer.set(entering.due(head.event.nbytes - 1), exact=True)
                    return
                head.at = entering.finish + head.delay
                head.seconds = entering.finish - entering.start
                head.transfer = None
            if now < head.at:
                self._release_timer.set(head.at, exact=True)
                return
            self._held.popleft()
            # What waited for the frame before it is not late.
            self._handed = max(self._handed, head.at)
            self.lag.note(now - self._handed, head.seconds + head.delay)
            self._on_event(self, head.event, now)

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
        for timer in (self._timer, self._release_timer, self._stall):
            if timer is not None:
                timer.cancel()
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
