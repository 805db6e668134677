"""Measuring real links: the arithmetic, a conversation, and everybody who breaks its rules."""

import asyncio
import math
import struct
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.errors import NetcompError
from netcomp.experiment.spec import Spec
from netcomp.net import linkprobe, loops
from netcomp.net.linkprobe import MAX_BYTES, Figures, listen, probe, rate_of

GREETING = linkprobe._GREETING


def test_a_rate_is_the_second_halfs():
    """A burst and a slow start at the beginning do not count."""
    assert 100.0 == rate_of([(0.0, 500), (9.0, 1000), (14.0, 1500), (19.0, 2000)])
    assert 0.0 == rate_of([(1.0, 2000)])
    assert 0.0 == rate_of([(1.0, 1000), (1.0, 2000)])


@given(st.floats(1.0, 1e9), st.integers(2, 60))
def test_a_steady_link_has_its_rate(rate, pieces):
    stamps = [(5.0 + k * 1000 / rate, k * 1000) for k in range(1, pieces + 1)]
    assert rate == pytest.approx(rate_of(stamps), rel=1e-3)


def test_what_is_printed_is_a_spec():
    table = tomllib.loads(Figures(1.25e6, 1.25e7, 0.02, 0.0).toml())
    assert {
        "uplink": "10 Mbit/s",
        "downlink": "100 Mbit/s",
        "latency": "20 ms",
        "jitter": "0 s",
    } == table["network"]
    ((up, _), *_) = Spec.parse(table).network.links(1, 1)
    assert (1.25e6, 0.02) == (up.rate, up.latency)


def against(client, serve=None):
    """Run a client's course against a listener of ours, or against `serve`; return its result."""

    async def course():
        async with asyncio.timeout(60):
            where = asyncio.get_running_loop().create_future()
            tasks = []

            async def tracked(reader, writer):
                tasks.append(asyncio.current_task())
                try:
                    await serve(reader, writer)
                finally:
                    await linkprobe._close(writer)

            server = None
            if serve is None:
                course = listen("127.0.0.1", 0, lambda *address: where.set_result(address))
                tasks.append(asyncio.create_task(course))
            else:
                server = await asyncio.start_server(tracked, "127.0.0.1", 0)
                where.set_result(server.sockets[0].getsockname())
            try:
                return await client(*await where)
            finally:
                await linkprobe._end(tasks)
                if server is not None:
                    server.close()

    return loops.run(course())


def test_a_probe_finds_a_link(loop_name):
    """Over loopback: rates and delays are positive and finite."""
    found = against(lambda host, port: probe(host, port, 0.01))
    assert all(0 < rate < math.inf for rate in (found.uplink, found.downlink))
    assert 0 < found.latency < math.inf
    assert 0 <= found.jitter < math.inf


def test_a_listener_may_end_after_the_first():
    async def client(host, port):
        ended = asyncio.create_task(listen("127.0.0.1", 0, lambda *a: at.set_result(a), once=True))
        return await probe(*await at, 0.01), await ended

    async def course():
        nonlocal at
        at = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(60):
            return await client("", 0)

    at = None
    figures, ended = loops.run(course())
    assert (True, None) == (figures.uplink > 0, ended)


def test_a_stranger_is_not_the_first():
    """Whoever says something else, or nothing, leaves the listener to the probe that comes."""

    async def course():
        at = asyncio.get_running_loop().create_future()
        ended = asyncio.create_task(listen("127.0.0.1", 0, lambda *a: at.set_result(a), once=True))
        for said in (b"GET / HTTP/1.1\r\n\r\n", b""):
            reader, writer = await asyncio.open_connection(*await at)
            writer.write(said)
            if said:
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()
        figures = await probe(*await at, 0.01)
        await ended
        return figures.uplink

    async def limited():
        async with asyncio.timeout(60):
            return await course()

    assert loops.run(limited()) > 0


REQUEST = struct.Struct(">cI")


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HT",
        GREETING + REQUEST.pack(b"X", 5),
        GREETING + REQUEST.pack(b"E", 0),
        GREETING + REQUEST.pack(b"E", 65),
        GREETING + REQUEST.pack(b"D", MAX_BYTES + 1),
        GREETING + REQUEST.pack(b"U", 2**32 - 1),
        GREETING + b"E\0",
        GREETING[:3],
        b"",
    ],
)
def test_a_client_that_breaks_the_rules_is_left(said):
    """It gets no byte beyond the greeting, and the next one is served."""

    async def client(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(said)
        writer.write_eof()
        try:
            answer = await reader.read()
        except ConnectionError:  # it may leave in the middle of what is said
            answer = b""
        await linkprobe._close(writer)
        return answer, await probe(host, port, 0.01)

    answer, figures = against(client)
    assert answer in (b"", GREETING)
    assert figures.downlink > 0


def echoes_then(*answers):
    """Return a listener that greets, echoes, and then says these in turn."""

    async def serve(reader, writer):
        await reader.readexactly(len(GREETING))
        writer.write(GREETING)
        for _ in range(linkprobe._ECHOES):
            await reader.readexactly(REQUEST.size)
            writer.write(await reader.readexactly(1))
        for answer in answers:
            writer.write(answer)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return serve


async def says_something_else(reader, writer):
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await reader.read()


async def hangs_up(reader, writer):
    pass


NOISE = [bytes(linkprobe._FIRST * 4**k) for k in range(4)]


@pytest.mark.parametrize(
    "serve",
    [
        says_something_else,
        hangs_up,
        echoes_then(),
        echoes_then(b"x" * 1000),
        *(
            echoes_then(*NOISE, struct.pack(">d", rate))
            for rate in (math.nan, math.inf, -1.0, -math.inf)
        ),
    ],
)
def test_a_listener_that_breaks_the_rules_is_an_error(serve):
    """One clear error, whatever it says instead of what it should."""
    with pytest.raises(NetcompError):
        against(lambda host, port: probe(host, port, 1e-9), serve)


def test_a_silent_listener_is_given_up(monkeypatch):
    async def silent(reader, writer):
        await reader.read()

    monkeypatch.setattr(linkprobe, "PATIENCE", 0.05)
    with pytest.raises(NetcompError, match="nothing moved"):
        against(probe, silent)
