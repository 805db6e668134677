"""A TCP relay between workers and a server on loopback that injects faults.

    async with Relay("127.0.0.1", server_port) as relay:
        relay.cut_after("up", 1000, how="rst")
        ...connect the worker to (relay.host, relay.port)...

Every accepted connection dials the target and pumps both ways, "up" from client
to server and "down" back. Faults may be set before a connection exists or while
it runs. Offsets count the bytes of one direction of one connection from its
start; `connection` selects by index (order of acceptance, from 0), None means
all, present and future. A fault set for an offset that has passed applies now
(a cut, a stall) or never (a corruption); the chunk being handed on is still let by.

Bytes count as passed once the kernel took them for the receiver. With "fin" they
all arrive, then end of stream; with "rst" a receiver may lose what it had not
read yet, as on any network.

Raw sockets rather than streams: nothing is buffered here beyond the chunk in
hand, so positions are exact and a slow receiver slows its sender.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Literal, Self

__all__ = ["Connection", "Direction", "How", "Relay"]

Direction = Literal["up", "down"]
How = Literal["fin", "rst"]

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s


class _Way:
    """One direction of one connection: where it stands and what shall befall it."""

    def __init__(self) -> None:
        self.passed = 0
        self.cut: tuple[int, How] | None = None
        self.stall: int | None = None
        self.delay = 0.0
        self.flips: dict[int, int] = {}
        self._changed = asyncio.Event()

    @property
    def stalled(self) -> bool:
        return self.stall is not None and self.passed >= self.stall

    @property
    def cut_now(self) -> How | None:
        return self.cut[1] if self.cut is not None and self.passed >= self.cut[0] else None

    def notify(self) -> None:
        """Wake whoever waits in `until`; call after every change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def next_piece(self, data: bytes) -> bytes:
        """Return the head of `data` up to the next stall or cut, corrupted as ordered."""
        stops = [self.stall, self.cut[0] if self.cut else None]
        ahead = [stop - self.passed for stop in stops if stop is not None and stop > self.passed]
        piece = bytearray(data[: min(ahead, default=len(data))])
        for offset, xor in self.flips.items():
            if self.passed <= offset < self.passed + len(piece):
                piece[offset - self.passed] ^= xor
        return bytes(piece)


class Connection:
    """One relayed connection; `up` and `down` are the bytes passed so far."""

    def __init__(self, index: int, client: socket.socket) -> None:
        self.index = index
        self.ended: How | Literal["closed"] | None = None
        self._client = client
        self._ways: dict[Direction, _Way] = {"up": _Way(), "down": _Way()}
        self._verdict = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def up(self) -> int:
        return self._ways["up"].passed

    @property
    def down(self) -> int:
        return self._ways["down"].passed

    async def wait_passed(self, direction: Direction, nbytes: int) -> None:
        """Return once at least `nbytes` of `direction` have passed."""
        way = self._ways[direction]
        await way.until(lambda: way.passed >= nbytes)

    async def wait_closed(self) -> None:
        """Return once both sockets are closed; `ended` says how it came to that."""
        await self._closed.wait()

    def change(self, direction: Direction, change: Callable[[_Way], None]) -> None:
        """Apply a fault to one direction, at once if its position has passed."""
        way = self._ways[direction]
        change(way)
        self._check_cut(way)
        way.notify()

    async def run(self, host: str, port: int) -> None:
        """Relay until both directions ended or a cut; every socket is closed after."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with self._client as client, socket.socket(family) as target:
                await self._relay(client, target, (host, port))
                if self.ended == "fin":
                    await self._part(client, target)
                elif self.ended == "rst":
                    for sock in (client, target):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        finally:
            self._closed.set()

    def abandon(self) -> None:
        """Close what a task cancelled before its first step could not."""
        self._client.close()
        self._closed.set()

    async def _relay(
        self, client: socket.socket, target: socket.socket, address: tuple[str, int]
    ) -> None:
        loop = asyncio.get_running_loop()
        for sock in (client, target):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await loop.sock_connect(target, address)
        except OSError:
            self._end("rst")  # the target refused: so does the relay
            return
        async with asyncio.TaskGroup() as group:
            pumps = [
                group.create_task(self._pump(self._ways["up"], client, target)),
                group.create_task(self._pump(self._ways["down"], target, client)),
            ]
            group.create_task(self._end_after(pumps))
            await self._verdict.wait()
            for pump in pumps:
                pump.cancel()

    async def _end_after(self, pumps: list[asyncio.Task[None]]) -> None:
        await asyncio.wait(pumps)
        self._end("closed")

    async def _pump(self, way: _Way, source: socket.socket, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.ended is None and (data := await loop.sock_recv(source, _CHUNK)):
                await self._forward(way, data, sink)
            await way.until(lambda: not way.stalled)
            if self.ended is None:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._end("rst")  # one side reset its leg: pass it on

    async def _forward(self, way: _Way, data: bytes, sink: socket.socket) -> None:
        while data and self.ended is None:
            await way.until(lambda: not way.stalled)
            if way.delay:
                await asyncio.sleep(way.delay)
            if way.stalled or self.ended is not None:
                continue  # a fault set during the delay
            piece = way.next_piece(data)
            data = data[len(piece) :]
            await asyncio.get_running_loop().sock_sendall(sink, piece)
            way.passed += len(piece)
            self._check_cut(way)
            way.notify()

    def _check_cut(self, way: _Way) -> None:
        if way.cut_now:
            self._end(way.cut_now)

    def _end(self, how: How | Literal["closed"]) -> None:
        if self.ended is None:
            self.ended = how
            self._verdict.set()

    async def _part(self, client: socket.socket, target: socket.socket) -> None:
        """Send FIN both ways, then discard until both ends close too.

        Closing with unread bytes in the buffer would send RST instead of FIN.
        """
        async with asyncio.TaskGroup() as group:
            for sock in (client, target):
                group.create_task(_drain(sock))


async def _drain(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while await loop.sock_recv(sock, _CHUNK):
            pass


class Relay:
    """Listens on `host`:`port` (loopback, a free port) while entered.

    `connections` lists every connection ever accepted, in order.
    """

    host = "127.0.0.1"

    def __init__(self, target_host: str, target_port: int) -> None:
        self.port = 0
        self.connections: list[Connection] = []
        self._target = (target_host, target_port)
        self._faults: list[tuple[Direction, int | None, Callable[[_Way], None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            # Left in reverse: stop listening, cancel, wait for the tasks, close.
            stack.callback(self._abandon)
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(self._cancel)
            self._listener = stack.enter_context(socket.create_server((self.host, 0), backlog=1024))
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            loop = asyncio.get_running_loop()
            loop.add_reader(self._listener, self._accept)
            stack.callback(loop.remove_reader, self._listener)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # Not handed the exception: the task group would wrap it in an ExceptionGroup,
        # and a test could not expect its own errors around the relay.
        await self._stack.aclose()

    def cut_after(
        self,
        direction: Direction,
        nbytes: int,
        how: How = "fin",
        connection: int | None = None,
    ) -> None:
        """End the connection, both ways, when exactly `nbytes` of `direction` have passed."""
        self._apply(direction, connection, lambda way: setattr(way, "cut", (nbytes, how)))

    def stall(self, direction: Direction, after: int = 0, connection: int | None = None) -> None:
        """Let nothing of `direction` pass beyond `after` bytes, end of stream included."""
        self._apply(direction, connection, lambda way: setattr(way, "stall", after))

    def resume(self, direction: Direction | None = None, connection: int | None = None) -> None:
        """Lift the stalls of a direction, or of both (None)."""
        self._apply(direction, connection, lambda way: setattr(way, "stall", None))

    def delay(
        self, seconds: float, direction: Direction | None = None, connection: int | None = None
    ) -> None:
        """Wait `seconds` before each chunk (up to 64 KiB) of a direction, or of both (None)."""
        self._apply(direction, connection, lambda way: setattr(way, "delay", seconds))

    def corrupt(
        self, direction: Direction, offset: int, xor: int = 0xFF, connection: int | None = None
    ) -> None:
        """XOR the byte at `offset` (from 0) of a direction with `xor`."""
        self._apply(direction, connection, lambda way: way.flips.update({offset: xor}))

    def _apply(
        self, direction: Direction | None, index: int | None, change: Callable[[_Way], None]
    ) -> None:
        directions: tuple[Direction, ...] = ("up", "down") if direction is None else (direction,)
        for one in directions:
            self._faults.append((one, index, change))
            for connection in self.connections:
                if index in (None, connection.index):
                    connection.change(one, change)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        connection = Connection(len(self.connections), client)
        self.connections.append(connection)
        for direction, index, change in self._faults:
            if index in (None, connection.index):
                connection.change(direction, change)
        task = self._group.create_task(connection.run(*self._target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _abandon(self) -> None:
        for connection in self.connections:
            connection.abandon()
