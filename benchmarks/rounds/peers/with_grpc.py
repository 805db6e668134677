"""grpc.aio: one stream of bytes in each direction, a channel a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from contest import Mean, answer, main

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]
METHOD = "/contest.Rounds/Play"


def serve(mean: Mean, listening: Callable[[int], Any]) -> None:
    """Accept n streams and play the rounds."""

    async def run() -> None:
        over = asyncio.get_running_loop().create_future()
        told: list[asyncio.Queue[bytes]] = []

        def speak() -> None:
            message = mean.message()
            for queue in told:
                queue.put_nowait(message)

        async def play(_requests: Any, context: Any) -> None:
            queue: asyncio.Queue[bytes] = asyncio.Queue()
            told.append(queue)
            if len(told) == mean.n:
                speak()
            while not mean.done:
                await context.write(await queue.get())
                if mean.take(await context.read()):
                    if mean.done:
                        over.set_result(None)
                    else:
                        speak()

        server = grpc.aio.server(options=OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(play)
        service, _, name = METHOD[1:].partition("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {name: handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        listening(port)
        await over
        await server.stop(None)

    asyncio.run(run())


def work(port: int, n: int, d: int, head: int) -> None:
    """Hold n channels with a stream each and answer on it."""

    async def one() -> None:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)
        stream = channel.stream_stream(METHOD)()
        async for data in _messages(stream):
            await stream.write(answer(data, head, d))

    async def run() -> None:
        await asyncio.gather(*(one() for _ in range(n)))

    asyncio.run(run())


async def _messages(stream: Any) -> AsyncIterator[bytes]:
    while (data := await stream.read()) is not grpc.aio.EOF:
        yield data


if __name__ == "__main__":
    main(serve, work, ("grpcio", "numpy"))
