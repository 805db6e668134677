"""Connections read frames of every length from real sockets, long ones straight into place."""

import asyncio
import itertools

import numpy as np
import pytest

from netcomp.net import connection as connections
from netcomp.net import loops
from netcomp.net.connection import Connection
from netcomp.protocol.session import Side
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Begin, Hello, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import VECTOR_OVERHEAD, vector_message

LONG = connections._LONG
LENGTHS = [0, 1, 5000, 8200, 20_000, LONG - 40, LONG, LONG + 1, 3 * LONG, 2_000_000, 10, 300_000, 4]
LIMIT = max(LENGTHS) + VECTOR_OVERHEAD


def content(length):
    return np.random.default_rng(length).bytes(length)


def sent(kind, round_, length):
    return vector_message(kind, round_, Message(Kind.FULL, (memoryview(content(length)),)))


class Pair:
    """A server and a worker that say frames of all lengths to each other, as fast as they can."""

    def __init__(self, lengths):
        self.lengths, self.heard = lengths, {Side.SERVER: [], Side.WORKER: []}
        self.ends, self.errors, self.over = {}, [], asyncio.Event()

    async def run(self):
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: self.end(Side.SERVER), "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        await loop.create_connection(lambda: self.end(Side.WORKER), "127.0.0.1", port)
        self.ends[Side.WORKER].send(encode(Hello(netcomp="t")))
        async with asyncio.timeout(30):
            await self.over.wait()
        listener.close()

    def end(self, side):
        self.ends[side] = Connection(side, self.on_event, self.on_lost)
        return self.ends[side]

    def on_lost(self, _connection, error):
        self.errors.append(error)
        if len(self.errors) == 2:
            self.over.set()

    def on_event(self, connection, event, _now):
        if isinstance(event.content, Message):
            side = connection.session.side
            self.heard[side].append((event.round, bytes(event.content.parts[0])))
            if all(len(heard) == len(self.lengths) for heard in self.heard.values()):
                self.ends[Side.SERVER].send(encode(Stop(reason="done")))
        elif event.kind is FrameKind.HELLO:
            connection.send(
                encode(Welcome(worker=0, workers=1, run="t", spec={}, rate=1.0, latency=0.0))
            )
        elif event.kind is FrameKind.WELCOME:
            connection.send(encode(Ready(dim=1, rows=0, digest="", constants={})))
        elif event.kind is FrameKind.READY:
            begin = Begin(plan={}, max_down=LIMIT, max_up=LIMIT, max_probe=0)
            connection.session.agree(begin)
            connection.send(encode(begin))
            self.say_all(connection, FrameKind.DOWNLINK)
        elif event.kind is FrameKind.BEGIN:
            self.say_all(connection, FrameKind.UPLINK)
        elif event.kind is FrameKind.STOP:
            connection.say_goodbye()
        elif event.kind is FrameKind.BYE:
            connection.finish()

    def say_all(self, connection, kind):
        for round_, length in enumerate(self.lengths):
            connection.send(sent(kind, round_, length))


def played(lengths):
    """Run a pair and return it."""

    async def run():
        pair = Pair(lengths)
        await pair.run()
        return pair

    return loops.run(run())


@pytest.mark.parametrize("lengths", [LENGTHS, LENGTHS[::-1]], ids=["up", "down"])
def test_frames_of_every_length_arrive_whole_and_in_order(lengths, loop_name):
    """Both ways at once, with whatever reads the system makes of them."""
    pair = played(lengths)
    expected = [(round_, content(length)) for round_, length in enumerate(lengths)]
    assert [expected] * 2 == [pair.heard[side] for side in Side]
    assert [None, None] == pair.errors
    server, worker = (pair.ends[side] for side in Side)
    assert (server.bytes_sent, server.bytes_received) == (worker.bytes_received, worker.bytes_sent)
    assert worker.session.sent == server.session.received_bytes


class Transport(asyncio.Transport):
    """A transport that notes who reads, and whether anybody does."""

    def __init__(self):
        super().__init__()
        self.protocol, self.reading, self.closed = None, True, False

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def set_protocol(self, protocol):
        self.protocol = protocol

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return False

    def write(self, data):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def running():
    """Return the server's end of a conversation that has begun, its transport, what it hears."""
    heard = []
    one = Connection(Side.SERVER, lambda _, event, __: heard.append(event), lambda *_: None)
    transport = Transport()
    one.connection_made(transport)
    transport.protocol = one
    session = one.session
    one.data_received(b"".join(encode(Hello(netcomp="t")).buffers))
    session.send(encode(Welcome(worker=0, workers=1, run="t", spec={}, rate=1.0, latency=0.0)))
    one.data_received(b"".join(encode(Ready(dim=1, rows=0, digest="", constants={})).buffers))
    begin = Begin(plan={}, max_down=LIMIT, max_up=LIMIT, max_probe=0)
    session.agree(begin)
    session.send(encode(begin))
    heard.clear()
    return one, transport, heard


def give(transport, data, size):
    """Let reads of at most `size` bytes come from a transport, however its protocol asks."""
    rest = memoryview(data)
    while rest.nbytes:
        if isinstance(transport.protocol, asyncio.BufferedProtocol):
            room = transport.protocol.get_buffer(-1)
            taken = min(size, rest.nbytes, len(room))
            room[:taken] = rest[:taken]
            transport.protocol.buffer_updated(taken)
        else:
            taken = min(size, rest.nbytes)
            transport.protocol.data_received(bytes(rest[:taken]))
        rest = rest[taken:]


@pytest.mark.parametrize("size", [1000, 70_000, 256_000])
def test_only_the_rest_of_a_long_body_is_read_into_place(running, size):
    """The protocol changes as a long body begins and ends, and the frames are what was sent."""
    one, transport, heard = running

    async def run():
        for round_, length in enumerate(LENGTHS):
            data = b"".join(sent(FrameKind.UPLINK, round_, length).buffers)
            give(transport, data[:-1], size)
            missing = len(data) - size
            assert isinstance(transport.protocol, asyncio.BufferedProtocol) is (missing >= LONG)
            give(transport, data[-1:], size)
            assert transport.protocol is one

    asyncio.run(run())
    assert list(enumerate(map(content, LENGTHS))) == [
        (event.round, bytes(event.content.parts[0])) for event in heard
    ]
    assert transport.reading


def test_who_is_not_to_be_read_is_not_read_when_a_long_body_begins_or_ends(running):
    """A window of uplinks is kept whatever protocol is in place."""
    one, transport, _ = running
    data = b"".join(sent(FrameKind.UPLINK, 0, 3 * LONG).buffers)

    async def run():
        one.listen(reading=False)
        assert not transport.reading
        for part in itertools.pairwise((0, 100, len(data))):
            give(transport, data[slice(*part)], 1 << 20)
            assert not transport.reading
        one.listen(reading=True)
        assert transport.reading

    asyncio.run(run())


def test_a_damaged_frame_ends_the_conversation_and_no_more(running):
    """An error of reading is the connection's, never the loop's."""
    one, transport, heard = running
    transport.protocol.data_received(b"\x00" * 40)
    assert "not netcomp's protocol" in str(one.error)
    transport.protocol.data_received(b"".join(sent(FrameKind.UPLINK, 0, 5).buffers))
    assert ([], True) == (heard, transport.closed)
