"""Requests and replies over one netcomp connection: frames, session and accounting, no roles.

Does what the bare contestants do with one worker, through `netcomp.net.connection` at both ends:
the server sends x, the worker answers with its gradient, which is x, and the server steps.
"""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import pairwise

import numpy as np

from benchmarks.cores import on_core, pin, two_cores
from netcomp.errors import NetcompError
from netcomp.net import loops
from netcomp.net.connection import Connection
from netcomp.protocol.session import Event, Side
from netcomp.roles import Array, Kind, Message
from netcomp.wire.documents import Begin, Hello, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import VECTOR_OVERHEAD, Outgoing, vector_message

__all__ = ["seconds"]

_HOST = "127.0.0.1"
_PATIENCE = 600.0


def seconds(d: int, rounds: int, warm: int) -> list[float]:
    """Return the seconds of each of `rounds` requests of d float32, from one to the next."""
    ours, theirs = two_cores()
    with on_core(ours):
        ends = loops.run(_Asking(d, rounds + warm + 1, theirs).run())[warm:]
    return [after - before for before, after in pairwise(ends)]


def _said(kind: FrameKind, round_: int, x: Array) -> Outgoing:
    return vector_message(kind, round_, Message(Kind.FULL, (x.data.cast("B"),)))


class _Asking:
    """The server's end; `run` returns when each request was answered."""

    def __init__(self, d: int, requests: int, other_core: int) -> None:
        self._other_core = other_core
        self._x = np.ones(d, np.float32)
        self._total = np.zeros(d, np.float32)
        self._requests = requests
        self._stamps: list[float] = []
        self._over = asyncio.Event()

    async def run(self) -> list[float]:
        """Listen, start the other end, ask to the end."""
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(Side.SERVER, self._on_event, lambda *_: self._over.set()), _HOST, 0
        )
        port = listener.sockets[0].getsockname()[1]
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(port))
        pin(child.pid, self._other_core)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._over.wait()
                await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
            listener.close()
        return self._stamps

    def _on_event(self, connection: Connection, event: Event, _now: float) -> None:
        content = event.content
        if isinstance(content, Message):
            self._step(np.frombuffer(content.parts[0], np.float32))
            self._ask(connection)
        elif isinstance(content, Hello):
            hello = Welcome(
                worker=0, workers=1, run="link", spec={}, rate=float("inf"), latency=0.0
            )
            connection.send(encode(hello))
        elif isinstance(content, Ready):
            limit = self._x.nbytes + VECTOR_OVERHEAD
            begin = Begin(plan={}, max_down=limit, max_up=limit, max_probe=0)
            connection.session.agree(begin)
            connection.send(encode(begin))
            self._ask(connection)

    def _step(self, gradient: Array) -> None:
        self._total += gradient
        # What is under way is not written to, as in a run: x moves to memory of its own.
        self._x = self._x - np.float32(0.5) * self._total
        self._total[:] = 0.0
        self._stamps.append(time.perf_counter())

    def _ask(self, connection: Connection) -> None:
        if len(self._stamps) == self._requests:
            connection.send(encode(Stop(reason="done")))
        else:
            connection.send(_said(FrameKind.DOWNLINK, len(self._stamps), self._x))


class _Answering:
    """The worker's end."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def run(self, port: int) -> None:
        """Connect and answer to the end."""
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(Side.WORKER, self._on_event, self._on_lost), _HOST, port
        )
        connection.send(encode(Hello(netcomp="link")))
        await self._over.wait()

    def _on_lost(self, _connection: Connection, _error: NetcompError | None) -> None:
        self._over.set()

    def _on_event(self, connection: Connection, event: Event, _now: float) -> None:
        content = event.content
        if isinstance(content, Message):
            x = np.frombuffer(content.parts[0], np.float32)
            connection.send(_said(FrameKind.UPLINK, event.round, x * np.float32(1.0)))
        elif isinstance(content, Welcome):
            connection.send(encode(Ready(dim=1, rows=0, digest="", constants={})))
        elif isinstance(content, Stop):
            connection.say_goodbye()


if __name__ == "__main__":
    loops.run(_Answering().run(int(sys.argv[1])))
