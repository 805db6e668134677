"""ZeroMQ: a ROUTER at the server, a DEALER a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq
from contest import Mean, answer, main


def serve(mean: Mean, listening: Callable[[int], Any]) -> None:
    """Wait for n greetings and play the rounds."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        context.set(zmq.MAX_SOCKETS, 4096)
        router.set_hwm(0)
        listening(router.bind_to_random_port("tcp://127.0.0.1"))
        names = [router.recv_multipart()[0] for _ in range(mean.n)]
        while not mean.done:
            message = zmq.Frame(mean.message())
            for name in names:
                router.send_multipart([name, message], copy=False)
            while not mean.take(router.recv_multipart(copy=False)[1].buffer):
                pass
        router.linger = 0


def work(port: int, n: int, d: int, head: int) -> None:
    """Hold n sockets and answer on each."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4096)
    poller = zmq.Poller()
    for _ in range(n):
        one = context.socket(zmq.DEALER)
        one.set_hwm(0)
        one.connect(f"tcp://127.0.0.1:{port}")
        one.send(b"here")
        poller.register(one, zmq.POLLIN)
    while True:
        for one, _ in poller.poll():
            one.send(answer(one.recv(copy=False).buffer, head, d), copy=False)


if __name__ == "__main__":
    main(serve, work, ("pyzmq", "numpy"))
