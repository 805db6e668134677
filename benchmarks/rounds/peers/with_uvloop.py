"""A bare protocol on uvloop: no framing, no accounting, nothing but the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import uvloop
from contest import Mean, answer, main

LONG = 1 << 16


class Short(asyncio.Protocol):
    """Messages of `size` bytes, handed to `take`, from what a read happens to give."""

    def __init__(self, size: int, take: Callable[[Any, Any], None]) -> None:
        self._size = size
        self._take = take
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """Asyncio's callback."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Asyncio's callback."""
        if self._rest:
            data = self._rest + data
        while len(data) >= self._size:
            self._take(self, data[: self._size])
            data = data[self._size :]
        self._rest = data


class Long(asyncio.BufferedProtocol):
    """The same into one buffer that is used again and again."""

    def __init__(self, size: int, take: Callable[[Any, Any], None]) -> None:
        self._buffer = memoryview(np.empty(size, np.uint8))
        self._filled = 0
        self._take = take

    def connection_made(self, transport: Any) -> None:
        """Asyncio's callback."""
        self.transport = transport

    def get_buffer(self, _hint: int) -> memoryview:
        """Asyncio's callback."""
        return self._buffer[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio's callback."""
        self._filled += nbytes
        if self._filled == len(self._buffer):
            self._filled = 0
            self._take(self, self._buffer)


def protocol(size: int) -> type[Short | Long]:
    """Return what is faster for messages of this size."""
    return Long if size >= LONG else Short


def serve(mean: Mean, listening: Callable[[int], Any]) -> None:
    """Accept n connections and play the rounds."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        peers: list[Any] = []
        size = mean.head + 4 * mean.d

        def speak() -> None:
            message = mean.message()
            for peer in peers:
                peer.transport.write(message)

        def take(_peer: Any, data: Any) -> None:
            if not mean.take(data):
                return
            if mean.done:
                over.set_result(None)
            else:
                speak()

        kind = protocol(size)

        class Accepted(kind):  # type: ignore[valid-type, misc]
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                peers.append(self)
                if len(peers) == mean.n:
                    speak()

        listener = await loop.create_server(
            lambda: Accepted(size, take), "127.0.0.1", 0, backlog=mean.n
        )
        listening(listener.sockets[0].getsockname()[1])
        await over

    uvloop.run(run())


def work(port: int, n: int, d: int, head: int) -> None:
    """Hold n connections and answer on each."""
    size = head + 4 * d

    def take(peer: Any, data: Any) -> None:
        peer.transport.write(answer(data, head, d))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        kept = [
            await loop.create_connection(lambda: protocol(size)(size, take), "127.0.0.1", port)
            for _ in range(n)
        ]
        await asyncio.sleep(3600 * len(kept))

    uvloop.run(run())


if __name__ == "__main__":
    main(serve, work, ("uvloop", "numpy"))
