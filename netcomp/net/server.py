"""The server on its sockets: tells the coordinator what happened, does what it answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Protocol

from netcomp.draw import Direction, Draw
from netcomp.errors import NetcompError, PeerRefused, ProtocolError
from netcomp.link import Lag, Ports
from netcomp.net.alarm import clock
from netcomp.net.connection import Connection
from netcomp.net.loops import on_signals, raise_file_limit, rare_collections
from netcomp.net.turn import Turn
from netcomp.protocol import instructions as ins
from netcomp.protocol.coordinator import Coordinator
from netcomp.protocol.round import Links
from netcomp.protocol.session import Event, Session, Side, State
from netcomp.results.events import Overhead, RoundRecord
from netcomp.wire.documents import Bye, Failure, Hello
from netcomp.wire.frames import FrameKind
from netcomp.wire.layout import Layout

__all__ = ["Observer", "Server", "overhead_of"]

_EVERY_ROUND: Final = {FrameKind.REPORT, FrameKind.UPLINK}
_HELLO_SECONDS: Final = 10.0
_GOODBYE_SECONDS: Final = 5.0


class Observer(Protocol):
    """Who is told of a run's course; injected by the experiment."""

    def waiting(self, present: int, ready: int, needed: int) -> None:
        """Say how many workers are here and how many of them are ready."""

    def note(self, text: str) -> None:
        """Pass on what a user may want to know."""

    def record(self, record: RoundRecord) -> None:
        """Take down a round that is done."""

    def reached(self, target: str) -> None:
        """Note that the round recorded last reached a target."""


@dataclass(slots=True)
class _Peer:
    """A connection as the server knows it: by its number, and as a worker once admitted."""

    number: int
    worker: int | None = None


class Server:
    """Runs one experiment for the workers that connect; `run` returns how it ended.

    `ports` are the server's own rates, `draw` is the run's key, for the links' jitter.
    Afterwards `overhead` holds the bytes that are not the algorithm's, `consistent` says
    whether every worker that said goodbye had counted the same bytes as the server, and `lag`
    how late both ends of the emulated links were.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        links: Sequence[Links],
        observer: Observer,
        ports: Ports | None = None,
        draw: Draw | None = None,
    ) -> None:
        self.coordinator = coordinator
        self.overhead = Overhead()
        self.consistent = True
        self.lag = Lag()
        self._links = links
        self._ports = ports
        self._draw = draw or Draw(0)
        self._observer = observer
        self._peers: dict[Connection, _Peer] = {}
        self._accepted: dict[int, Connection] = {}
        self._numbers = count()
        self._turn = Turn(self._on_answers)
        self._workers: dict[int, Connection] = {}
        self._events: deque[tuple[ins.Event, float]] = deque()
        self._busy = False
        self._giving_up = False
        self._finished: asyncio.Future[ins.Outcome] | None = None
        self._empty = asyncio.Event()
        # One thread: work is done in the order it is asked for. It starts with the first.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="netcomp-server")

    async def run(self, host: str, port: int, listening: Callable[[str, int], None]) -> ins.Outcome:
        """Listen, gather the workers, run to the end, and close everything.

        `listening` is called with the address as soon as workers may connect (port 0 becomes
        a free one). Raises OSError when the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._finished = loop.create_future()
        raise_file_limit(self.coordinator.workers)
        backlog = max(100, self.coordinator.workers)
        listener = await loop.create_server(self._accept, host, port, backlog=backlog)
        try:
            with on_signals(self.interrupt), rare_collections():
                address = listener.sockets[0].getsockname()
                listening(address[0], address[1])
                self._observer.waiting(0, 0, self.coordinator.workers)
                outcome = await self._finished
        finally:
            listener.close()
            await self._close_all()
            self._pool.shutdown(wait=False, cancel_futures=True)
        return outcome

    def interrupt(self, reason: str = "interrupted", error: NetcompError | None = None) -> None:
        """End the run: workers are told, results are written. A second call ends it at once."""
        if self._finished is None or self._finished.done():
            return
        if self.coordinator.stopping:
            self._give_up()
        self._feed(ins.Interrupt(reason, error))

    # Connections

    def _accept(self) -> Connection:
        connection = Connection(Side.SERVER, self._on_event, self._on_lost, self._turn)
        number = next(self._numbers)
        self._peers[connection] = _Peer(number)
        self._accepted[number] = connection
        asyncio.get_running_loop().call_later(_HELLO_SECONDS, _expect_hello, connection)
        return connection

    def _on_event(self, connection: Connection, event: Event, now: float) -> None:
        peer = self._peers.get(connection)
        content = event.content
        if peer is None:
            return
        if event.kind in _EVERY_ROUND and peer.worker is not None:
            self._feed(ins.told(peer.worker, event, now), now)
        elif isinstance(content, Hello):
            self._feed(ins.Joined(peer.number, content), now)
        elif isinstance(content, Failure):
            connection.error = PeerRefused(content.code, content.reason)
            connection.finish()
        elif peer.worker is not None:
            if isinstance(content, Bye):
                self.consistent &= connection.session.agrees(content, event.nbytes)
                if content.lag is not None:
                    self.lag += Lag(**content.lag.model_dump())
                connection.finish()
            self._feed(ins.told(peer.worker, event, now), now)

    def _on_answers(self, layout: Layout, reads: Sequence[tuple[Connection, bytes, float]]) -> None:
        """Take the answers of several workers, each with a report in front if any has one."""
        workers, data, times = [], [], []
        for connection, read, now in reads:
            peer = self._peers.get(connection)
            if peer is not None and peer.worker is not None:
                workers.append(peer.worker)
                data.append(read)
                times.append(now)
        if not workers:
            return
        try:
            reports = layout.reports(data)
        except NetcompError as error:
            if len(reads) == 1:
                reads[0][0].fail(error)
            for one in reads if len(reads) > 1 else ():
                self._on_answers(layout, [one])
            return
        if reports:
            self._feed(ins.Reported(workers, layout.round, reports), times[-1])
        said = layout.round, layout.chorus(data), layout.wire_bytes
        self._feed(ins.Answered(workers, *said, times), times[-1])

    def _on_lost(self, connection: Connection, error: NetcompError | None) -> None:
        peer = self._peers.pop(connection)
        del self._accepted[peer.number]
        self.overhead += overhead_of(connection.session)
        self.lag += connection.lag
        if peer.worker is None:
            if error is not None and connection.bytes_received:
                self._observer.note(f"closed a connection: {error}")
        elif error is not None:
            self._observer.note(f"worker {peer.worker} left: {error}")
            if self._workers.get(peer.worker) is connection:
                del self._workers[peer.worker]
                self._feed(ins.Lost(peer.worker, str(error)), clock())
        if not self._peers:
            self._empty.set()

    async def _close_all(self) -> None:
        """Close what is open; what does not go within a few seconds is aborted."""
        for connection in list(self._peers):
            connection.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                while self._peers:
                    self._empty.clear()
                    await self._empty.wait()
        for connection in list(self._peers):
            connection.abort()

    # The coordinator

    def _feed(self, event: ins.Event, now: float | None = None) -> None:
        """Tell the coordinator what happened at `now`, and carry out what it says."""
        self._events.append((event, clock() if now is None else now))
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                for instruction in self.coordinator.on(*self._events.popleft()):
                    try:
                        self._execute(instruction)
                    except NetcompError as error:
                        # As a run folder that cannot be made: end it with everybody told.
                        self._events.append((ins.Interrupt("failed", error), clock()))
        except Exception as error:
            # A bug, perhaps a plug-in's: the run must not stand still, and `run` raises it.
            if self._finished is None or self._finished.done():
                raise
            self._finished.set_exception(error)
        finally:
            self._busy = False

    def _worked(self, work: asyncio.Future[Any]) -> None:
        """Tell the coordinator what its work came to; a bug in it ends the run as one here."""
        if work.cancelled():
            return
        error = work.exception()
        if error is None:
            self._feed(ins.Worked(work.result()))
        elif isinstance(error, NetcompError):
            self._feed(ins.Worked(error=error))
        elif self._finished is not None and not self._finished.done():
            self._finished.set_exception(error)

    def _execute(self, instruction: ins.Instruction) -> None:
        match instruction:
            case ins.Send(workers, frame):
                for worker in workers:
                    if (connection := self._workers.get(worker)) is not None:
                        connection.send(frame)
                if frame.kind is FrameKind.STOP:
                    self._limit_goodbye()
            case ins.Wake():
                self._events.append((ins.Tick(), clock()))
            case ins.Work(task):
                work = asyncio.get_running_loop().run_in_executor(self._pool, task)
                work.add_done_callback(self._worked)
            case ins.Listen(worker, reading):
                if (connection := self._workers.get(worker)) is not None:
                    connection.listen(reading=reading)
            case ins.Record(record):
                self._observer.record(record)
            case ins.Reached(target):
                self._observer.reached(target)
            case ins.Finished(outcome):
                if self._finished is not None and not self._finished.done():
                    self._finished.set_result(outcome)
            case _:
                self._gather(instruction)

    def _gather(self, instruction: ins.Instruction) -> None:
        """Do what is asked for while workers come."""
        match instruction:
            case ins.Admit(number, worker):
                self._admit(number, worker)
            case ins.Agree(worker, begin):
                if (connection := self._workers.get(worker)) is not None:
                    connection.session.agree(begin)
            case ins.Waiting(present, ready, needed):
                self._observer.waiting(present, ready, needed)
            case ins.Refuse(number, worker, error):
                refused = self._workers.pop(worker) if worker is not None else None
                (refused or self._accepted[number or 0]).fail(error)

    def _admit(self, number: int, worker: int) -> None:
        connection = self._accepted[number]
        self._workers[worker] = connection
        self._peers[connection].worker = worker
        links = self._links[worker]
        draw = self._draw.at(direction=Direction.UP, worker=worker)
        connection.emulate(links.down, links.up, draw, self._ports, worker)

    def _limit_goodbye(self) -> None:
        """After STOP every worker has a few seconds to say goodbye."""
        if not self._giving_up:
            self._giving_up = True
            asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        for connection in list(self._workers.values()):
            connection.abort(ProtocolError("no goodbye in time"))


def overhead_of(session: Session) -> Overhead:
    """Return the bytes of a server's session that are not the algorithm's."""
    sent, received = session.sent, session.received_bytes
    return Overhead(
        handshake_up=received["handshake"],
        handshake_down=sent["handshake"],
        control_up=received["control"],
        control_down=sent["control"],
        probe_up=received["probe"],
        probe_down=sent["probe"],
    )


def _expect_hello(connection: Connection) -> None:
    if connection.session.state is State.CONNECTED:
        connection.abort(ProtocolError(f"it said nothing for {_HELLO_SECONDS:g} s"))
