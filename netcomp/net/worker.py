"""A worker process on its sockets: many slots, each a logical worker with its own connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_random_exponential

from netcomp.draw import MAX_SEED, Direction, Draw
from netcomp.errors import LocalProtocolError, NetcompError, PeerRefused, told
from netcomp.net.alarm import clock
from netcomp.net.connection import Connection
from netcomp.net.loops import on_signals, raise_file_limit, rare_collections
from netcomp.net.turn import Turn
from netcomp.protocol.quiet import quietly
from netcomp.protocol.session import Event, Side, State
from netcomp.protocol.slot import Local, Slot
from netcomp.wire.documents import Failure, Hello, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.layout import Layout
from netcomp.wire.messages import Outgoing

__all__ = ["run_slots"]

_SLOW_SECONDS: Final = 0.005
"""Answers that take longer are computed off the event loop, which has other slots to serve."""

Load = Callable[[Welcome], Local]


async def run_slots(
    host: str,
    port: int,
    load: Load,
    *,
    version: str,
    slots: int = 1,
    first: int | None = None,
    patience: float = 60.0,
) -> str:
    """Connect `slots` logical workers and serve them to the end; return why the run stopped.

    `first` asks for the worker numbers from there on. A server that is not there yet is
    tried again, with random pauses, for `patience` seconds. Raises `PeerRefused`, or whatever
    else ended a slot before the run did, or OSError where no server answered in time.
    """
    raise_file_limit(slots)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="netcomp-slot") as pool:
        process = _Process(pool)
        workers = [_Worker(load, process) for _ in range(slots)]

        def leave() -> None:
            for worker in workers:
                worker.leave()

        with on_signals(leave), rare_collections():
            async with asyncio.TaskGroup() as group:
                for slot, worker in enumerate(workers):
                    number = None if first is None else first + slot
                    hello = Hello(netcomp=version, worker=number)
                    worker.task = group.create_task(worker.run(host, port, hello, patience))
    results = [worker.result() for worker in workers]
    for result in results:
        if isinstance(result, Exception):
            raise result
    return str(results[0])


class _Process:
    """What the slots of a process share: a thread for slow answers, and what they hear alike."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.turn: Turn[Connection] = Turn(self._on_messages)
        self.workers: dict[Connection, _Worker] = {}
        self._told = b""
        self._event: Event | None = None

    def _on_messages(
        self, layout: Layout, reads: Sequence[tuple[Connection, bytes, float]]
    ) -> None:
        """Let slots hear messages; the same bytes, as of a broadcast, are read once."""
        quietly(self._let_hear, layout, reads)

    def _let_hear(self, layout: Layout, reads: Sequence[tuple[Connection, bytes, float]]) -> None:
        workers = self.workers
        for connection, data, now in reads:
            event = self._event
            if event is None or data != self._told:
                said = layout.round, layout.chorus([data])[0], layout.wire_bytes
                self._told, event = data, Event(layout.kind, *said)
                self._event = event
            workers[connection].hear(event, now)


class _Worker:
    """One slot and its connection."""

    def __init__(self, load: Load, process: _Process) -> None:
        self._slot = Slot(load, clock)
        self._process = process
        self._waiting: deque[tuple[Event, float]] = deque()
        self._computing = False
        self._slow = True
        self._connection: Connection | None = None
        self._done: asyncio.Future[NetcompError | None] | None = None
        self._left = False
        self.task: asyncio.Task[str | Exception] | None = None

    def result(self) -> str | Exception:
        """Return what `run` returned; a slot that was told to leave was interrupted."""
        if self._left or self.task is None or self.task.cancelled():
            return "interrupted"
        return self.task.result()

    async def run(self, host: str, port: int, hello: Hello, patience: float) -> str | Exception:
        """Take part in one run; return why it stopped, or the error that ended it here.

        Errors are returned, not raised, so that one slot's end leaves the others alone.
        """
        self._done = asyncio.get_running_loop().create_future()
        try:
            connection = await self._connect(host, port, patience)
        except OSError as error:
            return error
        if not self._done.done():
            connection.send(encode(hello))
        try:
            ended = await self._done
        except asyncio.CancelledError:
            connection.abort()
            raise
        return ended or self._slot.stopped or "stopped"

    async def _connect(self, host: str, port: int, patience: float) -> Connection:
        """Connect, trying again with random pauses while nobody answers; raises OSError."""
        loop = asyncio.get_running_loop()
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(OSError),
            wait=wait_random_exponential(multiplier=0.05, max=2.0),
            stop=stop_after_delay(patience),
            reraise=True,
        ):
            with attempt:
                _, self._connection = await loop.create_connection(self._speaking, host, port)
        assert self._connection is not None  # noqa: S101 — for the type checker
        self._process.workers[self._connection] = self
        return self._connection

    def _speaking(self) -> Connection:
        turn = self._process.turn
        return Connection(Side.WORKER, self._on_event, self._on_lost, turn)

    def leave(self) -> None:
        """Tell the server that the user wants this worker to go, and go."""
        self._left = True
        if self._connection is not None:
            self._connection.fail(NetcompError("its user interrupted it"))
        elif self.task is not None:
            self.task.cancel()

    def _on_lost(self, _connection: Connection, error: NetcompError | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(error)

    def _on_event(self, connection: Connection, event: Event, now: float) -> None:
        content = event.content
        if event.kind is FrameKind.ERROR and isinstance(content, Failure):
            connection.error = PeerRefused(content.code, content.reason)
            connection.finish()
            return
        if event.kind is FrameKind.WELCOME and isinstance(content, Welcome):
            seed = content.spec.get("seed")
            key = Draw(seed if isinstance(seed, int) and 0 <= seed < MAX_SEED else 0)
            draw = key.at(direction=Direction.DOWN, worker=content.worker)
            connection.emulate(content.up, content.down, draw)
        quietly(self.hear, event, now)

    def hear(self, event: Event, now: float) -> None:
        """Answer what was delivered at `now`, after what was before it; to be called `quietly`.

        What goes wrong ends this slot's conversation alone: others are still to hear.
        """
        try:
            if self._slow or self._computing or self._waiting:
                self._waiting.append((event, now))
                self._answer_next()
            else:
                self._reply(self._answer(event, now))
        except Exception as error:  # noqa: BLE001 — whatever it is, the server is told
            self._fail(error)

    def _answer_next(self) -> None:
        """Answer the next event here where that is quick, else on the pool's thread."""
        while self._waiting and not self._computing:
            event, delivered = self._waiting.popleft()
            if self._slow and event.kind is not FrameKind.STOP:
                self._computing = True
                work = partial(quietly, self._answer, event, delivered)
                future = asyncio.get_running_loop().run_in_executor(self._process.pool, work)
                future.add_done_callback(self._answered)
                return
            self._reply(self._answer(event, delivered))

    def _answer(self, event: Event, delivered: float) -> Sequence[Outgoing] | Exception:
        """Return the answer, or why there is none: a user's oracle may raise anything."""
        try:
            return self._slot.answer(event, delivered)
        except Exception as error:  # noqa: BLE001 — the conversation ends with it
            return error

    def _answered(self, future: asyncio.Future[Sequence[Outgoing] | Exception]) -> None:
        self._computing = False
        if future.cancelled():
            return
        try:
            self._reply(future.result())
            quietly(self._answer_next)
        except Exception as error:  # noqa: BLE001 — as in `hear`
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the conversation; the server is told why."""
        if self._connection is not None:
            ours = error if isinstance(error, NetcompError) else LocalProtocolError(told(error))
            self._connection.fail(ours)

    def _reply(self, answer: Sequence[Outgoing] | Exception) -> None:
        """Send the answer; what failed ends the conversation with its reason."""
        connection = self._connection
        assert connection is not None  # noqa: S101 — events come from it
        if isinstance(answer, Exception):
            self._fail(answer)
            return
        # Waiting for a thread, or for other slots, is not slow.
        self._slow = self._slot.seconds > _SLOW_SECONDS
        if connection.session.state is State.CLOSED:
            return
        connection.send(*answer)
        if self._slot.stopped is not None and connection.session.state is State.CLOSING:
            connection.say_goodbye()
