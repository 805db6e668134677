"""Measuring a real link: its rate and delay each way, between `netcomp probe` and a listener.

The two exchange eight bytes of greeting; then the prober asks, five bytes a request (what, and a
number of bytes, unsigned 32-bit big-endian), and the listener answers:

    E n   n ≤ 64 bytes that follow come back
    D n   n bytes come down
    U n   n bytes that follow are read; back comes the rate at which they came, a float64

Either side takes at most `MAX_BYTES` at a time, waits no longer than `PATIENCE` for the next
bytes, and believes nothing that it has not checked; a listener has four guests at most, each
for ten minutes. Only durations are measured, each on one
clock, so a delay one way is half a round trip's.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import quantiles
from typing import Final, TypeVar

from netcomp.draw import Draw, Purpose
from netcomp.errors import NetcompError, RemoteProtocolError
from netcomp.link import format_rate, format_seconds
from netcomp.net.alarm import clock

T = TypeVar("T")

__all__ = ["MAX_BYTES", "PATIENCE", "Figures", "listen", "probe", "rate_of"]

MAX_BYTES: Final = 1 << 26
"""The most bytes of one transfer."""

PATIENCE: Final = 20.0
"""Seconds without a byte after which the other side is given up."""

_GREETING: Final = b"NCLINK\x00\x01"
_REQUEST: Final = struct.Struct(">cI")
_RATE: Final = struct.Struct(">d")
_ECHO: Final = 64
_ECHOES: Final = 20
_PIECE: Final = 1 << 16
_FIRST: Final = 1 << 15
_GROWTH: Final = 4
_MOST_CLIENTS: Final = 4
_MOST_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Figures:
    """What a link was found to be: rates in bytes/s, delays in seconds, one way."""

    uplink: float
    downlink: float
    latency: float
    jitter: float

    def toml(self) -> str:
        """Return the [network] table of a spec that emulates this link."""
        return (
            "[network]\n"
            f'uplink = "{format_rate(self.uplink)}"\n'
            f'downlink = "{format_rate(self.downlink)}"\n'
            f'latency = "{format_seconds(self.latency)}"\n'
            f'jitter = "{format_seconds(self.jitter)}"\n'
        )


def rate_of(stamps: Sequence[tuple[float, int]]) -> float:
    """Return the rate (bytes/s) of a transfer from its (seconds, bytes so far), 0 if unknown.

    The first half does not count: TCP is slow to start, and buffers on the way take a burst.
    """
    nbytes = stamps[-1][1]
    time, before = next(stamp for stamp in stamps if 2 * stamp[1] >= nbytes)
    seconds, rest = stamps[-1][0] - time, nbytes - before
    return rest / seconds if rest and seconds > 0 else 0.0


async def probe(host: str, port: int, seconds: float = 1.0) -> Figures:
    """Measure the link to a listener; each way until a transfer takes about `seconds`.

    Raises OSError where nobody answers, `NetcompError` where whoever does is no listener or
    goes away.
    """
    reader, writer = await _in_time(asyncio.open_connection(host, port))
    try:
        writer.write(_GREETING)
        if await _exactly(reader, len(_GREETING)) != _GREETING:
            raise RemoteProtocolError("whoever listens there is no `netcomp probe --listen`")
        trips = [await _round_trip(reader, writer) for _ in range(_ECHOES)]
        down = await _grown(seconds, lambda nbytes: _download(reader, writer, nbytes))
        up = await _grown(seconds, lambda nbytes: _upload(reader, writer, nbytes))
    except (ConnectionError, asyncio.IncompleteReadError):
        raise RemoteProtocolError("the listener ended the conversation, or is none") from None
    finally:
        await _close(writer)
    least = min(trips)
    return Figures(up, down, least / 2, (quantiles(trips, n=20)[-1] - least) / 2)


async def listen(
    host: str, port: int, listening: Callable[[str, int], None], *, once: bool = False
) -> None:
    """Answer probers until cancelled, or, with `once`, until the first has gone, strangers apart.

    `listening` is called with the address. Raises OSError where it cannot be listened on.
    """
    served = asyncio.Event()
    present: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        greeted = asyncio.Event()
        present.add(task)
        try:
            if len(present) <= _MOST_CLIENTS:
                async with asyncio.timeout(_MOST_SECONDS):
                    await _answer(reader, writer, greeted)
        except (NetcompError, OSError, asyncio.IncompleteReadError):
            pass  # a stranger, or one who has had enough, or too much
        finally:
            await _close(writer)
            present.discard(task)
            if greeted.is_set():
                served.set()

    server = await asyncio.start_server(serve, host, port)
    async with server:
        address = server.sockets[0].getsockname()
        listening(address[0], address[1])
        try:
            await (served.wait() if once else asyncio.Event().wait())
        finally:
            await _end([task for task in present if task is not None])


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close at once; what is still queued is of no use to anybody."""
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeted: asyncio.Event
) -> None:
    """Do what a prober asks for; `greeted` is set as soon as it is known to be one."""
    if await _exactly(reader, len(_GREETING)) != _GREETING:
        return
    greeted.set()
    writer.write(_GREETING)
    while True:
        what, nbytes = _REQUEST.unpack(await _exactly(reader, _REQUEST.size))
        if not 0 < nbytes <= (_ECHO if what == b"E" else MAX_BYTES):
            return
        match what:
            case b"E":
                writer.write(await _exactly(reader, nbytes))
            case b"D":
                await _send(writer, nbytes)
            case b"U":
                writer.write(_RATE.pack(rate_of(await _receive(reader, nbytes))))
            case _:
                return


async def _round_trip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    began = clock()
    writer.write(_REQUEST.pack(b"E", 1) + b"?")
    await _exactly(reader, 1)
    return clock() - began


async def _download(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nbytes: int
) -> float:
    writer.write(_REQUEST.pack(b"D", nbytes))
    return rate_of(await _receive(reader, nbytes))


async def _upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nbytes: int) -> float:
    writer.write(_REQUEST.pack(b"U", nbytes))
    await _send(writer, nbytes)
    (rate,) = _RATE.unpack(await _exactly(reader, _RATE.size))
    if not 0 <= rate < math.inf:
        raise RemoteProtocolError(f"the listener measured a rate of {rate!r} bytes/s")
    return float(rate)


async def _grown(seconds: float, transfer: Callable[[int], Awaitable[float]]) -> float:
    """Return the rate of the first transfer that is long enough, or of the longest allowed."""
    nbytes = _FIRST
    while True:
        began = clock()
        rate = await transfer(nbytes)
        if nbytes == MAX_BYTES or (rate and clock() - began >= seconds):
            if not rate:
                raise RemoteProtocolError("the link is too fast to be measured")
            return rate
        nbytes = min(_GROWTH * nbytes, MAX_BYTES)


async def _send(writer: asyncio.StreamWriter, nbytes: int) -> None:
    # Noise: a line that compresses what it carries must not look faster than it is.
    piece = Draw(0).stream(Purpose.LINK).words64(_PIECE // 8).tobytes()
    for start in range(0, nbytes, _PIECE):
        writer.write(piece[: min(_PIECE, nbytes - start)])
        await _in_time(writer.drain())


async def _receive(reader: asyncio.StreamReader, nbytes: int) -> list[tuple[float, int]]:
    """Read `nbytes`; return (time, bytes so far) where half of them are here, and at the end.

    No more than these two: the other side decides how many pieces there are.
    """
    stamps: list[tuple[float, int]] = []
    got = 0
    while got < nbytes:
        piece = await _in_time(reader.read(min(_PIECE, nbytes - got)))
        if not piece:
            raise RemoteProtocolError("the other side stopped in the middle")
        got += len(piece)
        if 2 * got >= nbytes:
            stamps[1:] = [(clock(), got)]  # the first one stays
    return stamps


async def _exactly(reader: asyncio.StreamReader, nbytes: int) -> bytes:
    return await _in_time(reader.readexactly(nbytes))


async def _in_time(reading: Awaitable[T]) -> T:
    """Wait for it, but no longer than `PATIENCE`."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await reading
    except TimeoutError:
        raise RemoteProtocolError(f"nothing moved for {PATIENCE:g} s") from None
