"""Timed transfers over real sockets: the server's connections here, the workers' in a child.

Both ends are netcomp's own `Connection`, with its sessions, frames and pacing; only what a
run would compute is left out, so that nothing but the link is measured. The conversation is
driven to its running state by hand; then, a repetition at a time, a short PROBE
says "go", and 1 MB travels down, up, or both ways at once on every connection. A worker
acknowledges what came down by a short PROBED; neither is slowed.

A transfer lasts from just before `Connection.send` to the arrival of its last byte at the
other end. Both processes read the one monotonic clock of this machine.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from time import process_time
from typing import Any

from netcomp.errors import NetcompError
from netcomp.link import Link, Port, Ports
from netcomp.net import loops
from netcomp.net.alarm import clock
from netcomp.net.connection import Connection
from netcomp.protocol.session import Event, Side
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Begin, Hello, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import VECTOR_OVERHEAD, Outgoing, vector_message

__all__ = ["PAYLOAD", "Case", "frame_bytes", "measure", "measure_load"]

PAYLOAD = 1_000_000

Stamps = dict[str, dict[tuple[int, int], float]]
"""Times (s) by direction, then by repetition and worker."""


@dataclass(frozen=True)
class Case:
    """`payload` bytes on each of `connections` links of `rate` bytes/s, in each of `ways`, at once.

    Down there are so many `messages` at once, one behind the other, timed by the last one.
    `send` is the server's own rate (bytes/s), shared by all links, and `latency` the links' delay
    (s) each way. The workers are spread over
    as many processes as there are `launchers`, what each is started with; the server listens
    at `host`.
    """

    connections: int
    rate: float
    ways: tuple[str, ...]
    repeats: int
    payload: int = PAYLOAD
    messages: int = 1
    send: float = math.inf
    latency: float = 0.0
    host: str = "127.0.0.1"
    launchers: tuple[tuple[str, ...], ...] = ((),)


def measure(case: Case) -> dict[str, list[float]]:
    """Return the seconds of every transfer by direction, "down" or "up"."""
    return loops.run(_Server(case).run())


def measure_load(case: Case) -> tuple[dict[str, list[float]], float]:
    """Do the same, and return the server's processor time (s) for each second of transfers."""
    server = _Server(case)
    seconds = loops.run(server.run())
    return seconds, server.load


def frame_bytes(payload: int = PAYLOAD) -> int:
    """Return the size on the wire of a message of `payload` bytes, header included."""
    return _vector(FrameKind.UPLINK, 0, payload).nbytes


def _vector(kind: FrameKind, round_: int, nbytes: int) -> Outgoing:
    return vector_message(kind, round_, Message(Kind.FULL, (memoryview(bytes(nbytes)),)))


class _Server:
    def __init__(self, case: Case) -> None:
        self._case = case
        self.load = 0.0
        links = [Link(case.rate)] * case.connections
        self._ports = Ports(send=None if math.isinf(case.send) else Port(case.send, links))
        self._numbers: dict[Connection, int] = {}
        self._running: list[Connection] = []
        self._ready = asyncio.Event()
        self._sent: Stamps = {"down": {}, "up": {}}
        self._arrived: Stamps = {"down": {}, "up": {}}
        self._heard: Counter[int] = Counter()
        self._done: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self) -> dict[str, list[float]]:
        case = self._case
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(Side.SERVER, self._on_event, lambda *_: None), case.host, 0
        )
        port = listener.sockets[0].getsockname()[1]
        each = case.connections // len(case.launchers)
        arguments = (case.host, str(port), str(each), ",".join(case.ways), str(case.payload))
        command = (sys.executable, "-m", __name__, *arguments)
        children = [
            await asyncio.create_subprocess_exec(
                *launcher, *command, stdout=asyncio.subprocess.PIPE
            )
            for launcher in case.launchers
        ]
        try:
            async with asyncio.timeout(60 + 20 * case.repeats):
                await self._ready.wait()
                wall, processor = clock(), process_time()
                for repetition in range(case.repeats):
                    self._go(repetition)
                    await self._done[repetition].wait()
                self.load = (process_time() - processor) / (clock() - wall)
                for connection in self._running:
                    connection.send(encode(Stop(reason="done")))
                said = [(await child.communicate())[0] for child in children]
        finally:
            for child in children:
                if child.returncode is None:
                    child.kill()
            listener.close()
        return self._seconds([row for one in said for row in json.loads(one)])

    def _go(self, repetition: int) -> None:
        go = _vector(FrameKind.PROBE, repetition, 1)
        payload = _vector(FrameKind.DOWNLINK, repetition, self._case.payload)
        for connection in self._running:
            connection.send(go)
            if "down" in self._case.ways:
                self._sent["down"][repetition, self._numbers[connection]] = clock()
                for _ in range(self._case.messages):
                    connection.send(payload)

    def _on_event(self, connection: Connection, event: Event, now: float) -> None:
        content = event.content
        if isinstance(content, Hello):
            number = self._numbers[connection] = len(self._numbers)
            link = Link(self._case.rate, self._case.latency)
            connection.emulate(link, link, ports=self._ports, flow=number)
            connection.send(encode(self._welcome(number)))
        elif isinstance(content, Ready):
            limit = self._case.payload + VECTOR_OVERHEAD
            begin = Begin(plan={}, max_down=limit, max_up=limit, max_probe=limit)
            connection.session.agree(begin)
            connection.send(encode(begin))
            self._running.append(connection)
            if len(self._running) == self._case.connections:
                self._ready.set()
        elif isinstance(content, Message):
            if content.payload_bytes == self._case.payload:
                self._arrived["up"][event.round, self._numbers[connection]] = now
            self._heard[event.round] += 1
            answers = len(self._case.ways) - 1 + self._case.messages
            if self._heard[event.round] == self._case.connections * answers:
                self._done[event.round].set()

    def _welcome(self, worker: int) -> Welcome:
        return Welcome(
            worker=worker,
            workers=self._case.connections,
            run="links",
            spec={},
            rate=self._case.rate,
            latency=self._case.latency,
        )

    def _seconds(self, told: list[tuple[str, int, int, float]]) -> dict[str, list[float]]:
        """Put the child's half of the times to this process's and return the differences."""
        for way, repetition, worker, at in told:
            (self._arrived if way == "down" else self._sent)[way][repetition, worker] = at
        return {
            way: [at - self._sent[way][key] for key, at in self._arrived[way].items()]
            for way in self._case.ways
        }


class _Workers:
    """The child's connections; `run` returns (way, repetition, worker, time) of its half."""

    def __init__(self, ways: tuple[str, ...], payload: int) -> None:
        self._ways = ways
        self._payload = payload
        self._numbers: dict[Connection, int] = {}
        self._times: list[tuple[str, int, int, float]] = []
        self._open: set[Connection] = set()
        self._over = asyncio.Event()

    async def run(self, host: str, port: int, count: int) -> list[tuple[str, int, int, float]]:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(
                lambda: Connection(Side.WORKER, self._on_event, self._on_lost), host, port
            )
            self._open.add(connection)
            connection.send(encode(Hello(netcomp="links")))
        await self._over.wait()
        return self._times

    def _on_lost(self, connection: Connection, _error: NetcompError | None) -> None:
        self._open.discard(connection)
        if not self._open:
            self._over.set()

    def _on_event(self, connection: Connection, event: Event, now: float) -> None:
        content: Any = event.content
        if isinstance(content, Welcome):
            self._numbers[connection] = content.worker
            connection.emulate(Link(content.rate), Link(latency=content.latency))
            connection.send(encode(Ready(dim=1, rows=0, digest="", constants={})))
        elif isinstance(content, Stop):
            connection.say_goodbye()
        elif isinstance(content, Message) and content.payload_bytes == self._payload:
            self._times.append(("down", event.round, self._numbers[connection], now))
            connection.send(_vector(FrameKind.PROBED, event.round, 1))
        elif isinstance(content, Message) and "up" in self._ways:
            frame = _vector(FrameKind.UPLINK, event.round, self._payload)
            self._times.append(("up", event.round, self._numbers[connection], clock()))
            connection.send(frame)


if __name__ == "__main__":
    _host, _port, _count, _ways, _payload = sys.argv[1:]
    _workers = _Workers(tuple(_ways.split(",")), int(_payload))
    print(json.dumps(loops.run(_workers.run(_host, int(_port), int(_count)))))
