"""Blocking and epolled sockets of the standard library, without an event loop."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from contest import Mean, answer, main

LARGEST = 1 << 18


class Side:
    """Sockets of one process with a buffer of `size` bytes each; yields full ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._poll = select.epoll()
        self._of: dict[int, tuple[socket.socket, memoryview]] = {}
        self._filled: dict[int, int] = {}
        self._out: dict[int, memoryview] = {}

    @property
    def sockets(self) -> list[int]:
        """The sockets by number."""
        return list(self._of)

    def add(self, one: socket.socket) -> None:
        """Take a connected socket in."""
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.settimeout(0)
        number = one.fileno()
        self._of[number] = one, memoryview(np.empty(self._size, np.uint8))
        self._filled[number] = 0
        self._poll.register(number, select.EPOLLIN)

    def write(self, number: int, data: bytes) -> None:
        """Send a message, the rest of it when there is room."""
        self._out[number] = memoryview(data)
        self._go_on(number)

    def _go_on(self, number: int) -> None:
        rest = self._out.pop(number)
        try:
            while rest:
                rest = rest[self._of[number][0].send(rest[:LARGEST]) :]
            self._poll.modify(number, select.EPOLLIN)
        except BlockingIOError:
            self._out[number] = rest
            self._poll.modify(number, select.EPOLLIN | select.EPOLLOUT)

    def events(self) -> Iterator[tuple[int, memoryview]]:
        """Yield whole messages until a socket is closed."""
        while True:
            for number, what in self._poll.poll():
                if what & select.EPOLLOUT and number in self._out:
                    self._go_on(number)
                if what & select.EPOLLIN:
                    one, buffer = self._of[number]
                    got = one.recv_into(buffer[self._filled[number] :])
                    if not got:
                        return
                    self._filled[number] += got
                    if self._filled[number] == self._size:
                        self._filled[number] = 0
                        yield number, buffer


def serve(mean: Mean, listening: Callable[[int], Any]) -> None:
    """Accept n connections and play the rounds."""
    with socket.create_server(("127.0.0.1", 0), backlog=mean.n) as listener:
        listening(listener.getsockname()[1])
        side = Side(mean.head + 4 * mean.d)
        for _ in range(mean.n):
            side.add(listener.accept()[0])
        _speak(mean, side)
        for _, data in side.events():
            if mean.take(data):
                if mean.done:
                    return
                _speak(mean, side)


def _speak(mean: Mean, side: Side) -> None:
    message = mean.message()
    for number in side.sockets:
        side.write(number, message)


def work(port: int, n: int, d: int, head: int) -> None:
    """Hold n connections and answer on each."""
    if n == 1:
        _alone(port, d, head)
        return
    side = Side(head + 4 * d)
    for _ in range(n):
        side.add(socket.create_connection(("127.0.0.1", port)))
    for number, data in side.events():
        side.write(number, answer(data, head, d))


def _alone(port: int, d: int, head: int) -> None:
    """Answer on one blocking socket."""
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = memoryview(np.empty(head + 4 * d, np.uint8))
        while one.recv_into(buffer, len(buffer), socket.MSG_WAITALL):
            one.sendall(answer(buffer, head, d))


if __name__ == "__main__":
    main(serve, work, ("numpy",))
