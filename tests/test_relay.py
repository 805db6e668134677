"""The relay itself, on asyncio's loop and on uvloop; nothing here looks at a clock."""

import asyncio
import contextlib
import gc
import hashlib
import socket
import struct

import pytest
import uvloop

from relay import Relay

BIG = hashlib.shake_128(b"relay").digest(1_000_000)  # more than a chunk and a socket buffer
BOTH = pytest.mark.parametrize("direction", ["up", "down"])


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """Run a coroutine on each loop, and find no task left of it afterwards."""

    async def watched(coroutine):
        async with asyncio.timeout(120):  # a watchdog against hanging, never a verdict
            result = await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    def run_it(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            result = runner.run(watched(coroutine))
        gc.collect()  # a socket left open warns here, and warnings are errors
        return result

    return run_it


class Ends:
    """Both ends of a connection through a relay, as sender and receiver of a direction."""

    def __init__(self, relay, client, server):
        self.relay, self.client, self.server = relay, client, server

    def of(self, direction):
        both = (self.client, self.server)
        return both if direction == "up" else both[::-1]


@contextlib.asynccontextmanager
async def connected(relay, listener):
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, (relay.host, relay.port))
        server, _ = await loop.sock_accept(listener)
        with server:
            yield Ends(relay, client, server)


@contextlib.contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@contextlib.asynccontextmanager
async def relayed(prepare=lambda relay: None):
    """Give a connected pair through a new relay, on which `prepare` may set faults first."""
    with listening() as listener:
        async with Relay(*listener.getsockname()) as relay:
            prepare(relay)
            async with connected(relay, listener) as ends:
                yield ends


async def send(sock, data):
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def read(sock, nbytes):
    data = b""
    while len(data) < nbytes:
        piece = await asyncio.get_running_loop().sock_recv(sock, nbytes - len(data))
        assert piece
        data += piece
    return data


async def read_to_end(sock):
    """All that arrives, and how it ended: "fin" or "rst"."""
    data = b""
    try:
        while piece := await asyncio.get_running_loop().sock_recv(sock, 65536):
            data += piece
    except ConnectionResetError:
        return data, "rst"
    return data, "fin"


def test_bytes_pass_both_ways_unchanged_and_are_counted(run):
    async def scenario():
        async with relayed() as ends, asyncio.TaskGroup() as group:
            group.create_task(send(ends.client, BIG))
            group.create_task(send(ends.server, BIG[::-1]))
            up = group.create_task(read(ends.server, len(BIG)))
            down = group.create_task(read(ends.client, len(BIG)))
            await asyncio.wait([up, down])
            (connection,) = ends.relay.connections
            await connection.wait_passed("up", len(BIG))
            await connection.wait_passed("down", len(BIG))
            assert (up.result(), down.result()) == (BIG, BIG[::-1])
            assert (connection.up, connection.down) == (len(BIG), len(BIG))

    run(scenario())


@BOTH
def test_a_half_close_is_forwarded_and_the_other_direction_goes_on(run, direction):
    async def scenario():
        async with relayed() as ends:
            first, second = ends.of(direction)
            await send(first, b"question")
            first.shutdown(socket.SHUT_WR)
            assert await read_to_end(second) == (b"question", "fin")
            await send(second, b"answer")
            second.shutdown(socket.SHUT_WR)
            assert await read_to_end(first) == (b"answer", "fin")
            (connection,) = ends.relay.connections
            await connection.wait_closed()
            assert connection.ended == "closed"

    run(scenario())


@BOTH
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("nbytes", [0, 1, 40, 99])
def test_a_cut_lets_exactly_so_many_bytes_pass_and_ends_both_legs(run, direction, how, nbytes):
    async def scenario():
        async with relayed(lambda relay: relay.cut_after(direction, nbytes, how)) as ends:
            sender, receiver = ends.of(direction)
            if nbytes:  # a cut after 0 bytes may come first, and sending would meet it
                await send(sender, b"x" * 100)
            assert await read_to_end(receiver) == (b"x" * nbytes, how)
            assert await read_to_end(sender) == (b"", how)
            receiver.close()
            sender.close()
            (connection,) = ends.relay.connections
            await connection.wait_closed()
            passed = connection.up if direction == "up" else connection.down
            assert (connection.ended, passed) == (how, nbytes)

    run(scenario())


def test_a_cut_in_a_long_stream_is_exact(run):
    async def scenario():
        async with relayed(lambda relay: relay.cut_after("up", 654_321)) as ends:
            sending = asyncio.create_task(send(ends.client, BIG))
            assert await read_to_end(ends.server) == (BIG[:654_321], "fin")
            await sending  # the rest is discarded, not reset

    run(scenario())


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut_set_behind_the_position_happens_now(run, how):
    async def scenario():
        async with relayed() as ends:
            await send(ends.client, b"x" * 10)
            assert await read(ends.server, 10) == b"x" * 10
            await ends.relay.connections[0].wait_passed("up", 10)
            ends.relay.cut_after("up", 5, how)
            assert await read_to_end(ends.server) == (b"", how)
            assert await read_to_end(ends.client) == (b"", how)

    run(scenario())


@BOTH
def test_a_stall_holds_back_bytes_and_end_but_not_the_other_direction(run, direction):
    async def scenario():
        async with relayed(lambda relay: relay.stall(direction, after=40)) as ends:
            sender, receiver = ends.of(direction)
            await send(sender, b"a" * 40 + b"b" * 60)
            sender.shutdown(socket.SHUT_WR)
            assert await read(receiver, 40) == b"a" * 40
            await send(receiver, b"other way")
            assert await read(sender, 9) == b"other way"
            with pytest.raises(BlockingIOError):
                receiver.recv(1)
            ends.relay.resume()
            assert await read_to_end(receiver) == (b"b" * 60, "fin")

    run(scenario())


def test_a_stall_between_the_last_byte_and_the_end_holds_back_the_end(run):
    async def scenario():
        async with relayed(lambda relay: relay.stall("up", after=3)) as ends:
            await send(ends.client, b"abc")
            ends.client.shutdown(socket.SHUT_WR)
            assert await read(ends.server, 3) == b"abc"
            await send(ends.server, b"?")
            assert await read(ends.client, 1) == b"?"
            with pytest.raises(BlockingIOError):
                ends.server.recv(1)
            ends.relay.resume("up")
            assert await read_to_end(ends.server) == (b"", "fin")

    run(scenario())


def test_a_stalled_connection_can_be_cut(run):
    async def scenario():
        async with relayed(lambda relay: relay.stall("up")) as ends:
            await send(ends.client, b"never seen")
            ends.relay.cut_after("down", 0, "rst")
            assert await read_to_end(ends.server) == (b"", "rst")

    run(scenario())


def test_each_chunk_waits_for_the_delay(run, monkeypatch):
    """The relay asks for the sleep it was told; how long a sleep takes is the loop's affair."""
    asked, really_sleep = [], asyncio.sleep

    async def sleep(seconds):
        asked.append(seconds)
        await really_sleep(0)

    async def scenario():
        async with relayed(lambda relay: relay.delay(3600.0, "up")) as ends:
            for message in (b"one", b"two"):
                await send(ends.client, message)
                assert await read(ends.server, 3) == message
            await send(ends.server, b"at once")
            assert await read(ends.client, 7) == b"at once"

    monkeypatch.setattr(asyncio, "sleep", sleep)
    run(scenario())
    assert asked == [3600.0, 3600.0]


@BOTH
@pytest.mark.parametrize("xor", [0xFF, 0x01])
def test_corruption_flips_the_byte_at_its_absolute_offset_and_no_other(run, direction, xor):
    async def scenario():
        async with relayed(lambda relay: relay.corrupt(direction, 700_000, xor)) as ends:
            ends.relay.corrupt(direction, 3)
            sender, receiver = ends.of(direction)
            sending = asyncio.create_task(send(sender, BIG))
            received = await read(receiver, len(BIG))
            await sending
        expected = bytearray(BIG)
        expected[3] ^= 0xFF
        expected[700_000] ^= xor
        assert received == expected

    run(scenario())


def test_a_selector_spares_the_other_connections(run):
    async def scenario():
        with listening() as listener:
            async with (
                Relay(*listener.getsockname()) as relay,
                contextlib.AsyncExitStack() as stack,
            ):
                relay.cut_after("up", 2, connection=1)
                relay.corrupt("up", 0, xor=0x20)
                received = []
                for _ in range(3):
                    ends = await stack.enter_async_context(connected(relay, listener))
                    await send(ends.client, b"ABC")
                    ends.client.shutdown(socket.SHUT_WR)
                    received.append(await read_to_end(ends.server))
                assert received == [(b"aBC", "fin"), (b"aB", "fin"), (b"aBC", "fin")]
                assert [c.index for c in relay.connections] == [0, 1, 2]
                assert [c.up for c in relay.connections] == [3, 2, 3]

    run(scenario())


def test_a_refusing_target_resets_the_client(run):
    async def scenario():
        with socket.socket() as taken, socket.socket() as client:
            taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses for certain
            client.setblocking(False)
            async with Relay(*taken.getsockname()) as relay:
                await asyncio.get_running_loop().sock_connect(client, (relay.host, relay.port))
                assert await read_to_end(client) == (b"", "rst")

    run(scenario())


@BOTH
def test_a_reset_of_one_leg_resets_the_other(run, direction):
    async def scenario():
        async with relayed() as ends:
            sender, receiver = ends.of(direction)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.close()
            assert await read_to_end(receiver) == (b"", "rst")
            await ends.relay.connections[0].wait_closed()
            assert ends.relay.connections[0].ended == "rst"

    run(scenario())


def test_leaving_closes_every_connection_whatever_it_waits_for(run):
    async def scenario():
        with listening() as listener, contextlib.ExitStack() as sockets:
            async with Relay(*listener.getsockname()) as relay:
                relay.stall("up", connection=0)
                relay.delay(3600.0, "up", connection=1)
                clients = [sockets.enter_context(socket.socket()) for _ in range(3)]
                for client in clients:
                    client.setblocking(False)
                    address = (relay.host, relay.port)
                    await asyncio.get_running_loop().sock_connect(client, address)
                    await send(client, b"x")
            for client in clients:
                assert (await read_to_end(client))[0] == b""
            for connection in relay.connections:
                await connection.wait_closed()

    run(scenario())


def test_cancelling_the_test_is_not_swallowed(run):
    async def scenario():
        entered = asyncio.Event()

        async def body():
            async with relayed():
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(body())
        await entered.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(scenario())


def test_an_error_of_the_test_passes_through_unwrapped(run):
    async def scenario():
        async with relayed():
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(scenario())
