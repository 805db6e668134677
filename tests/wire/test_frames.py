"""Frames come out of a byte stream as they went in, however it is cut; the rest is refused."""

import itertools
import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.errors import PayloadTooBig, RemoteProtocolError, VersionMismatch
from netcomp.roles import Kind, Message
from netcomp.wire import frames
from netcomp.wire.frames import (
    HEADER_BYTES,
    MAX_DESCRIPTOR,
    VERSION,
    FrameKind,
    FrameParser,
    header,
)
from netcomp.wire.messages import read_message, vector_message
from support.held import held

UNLIMITED = dict.fromkeys(FrameKind, 1 << 40)
DIRECT = 1 << 15
SCRATCH = 1 << 16
READ = 1 << 14
TLS_HELLO = bytes.fromhex("16030100f8010000f40303") + bytes(range(200))


def random_bytes(nbytes):
    return np.random.default_rng(nbytes).bytes(nbytes)


def on_the_wire(kind, round_, descriptor, body):
    return header(kind, round_, len(descriptor), len(body)) + descriptor + body


def contents(frame):
    return frame.kind, frame.round, frame.descriptor, bytes(frame.body)


def by_feed(parser, piece):
    return [contents(frame) for frame in parser.feed(piece)]


def by_buffer(parser, piece):
    out = []
    while piece:
        room = parser.room
        if room is None:
            # As a socket gives it: so much at a time.
            taken = min(READ, len(piece))
            out += [contents(frame) for frame in parser.feed(piece[:taken])]
        else:
            taken = min(len(room), len(piece))
            room[:taken] = piece[:taken]
            out += [contents(frame) for frame in parser.received(taken)]
        piece = piece[taken:]
    return out


WAYS = pytest.mark.parametrize("give", [by_feed, by_buffer])

body_sizes = st.one_of(
    st.integers(0, 300),
    st.integers(DIRECT - 100, DIRECT + 100),
    st.integers(SCRATCH - 100, SCRATCH + 100),
    st.integers(0, 3 * SCRATCH),
)
one_frame = st.tuples(
    st.sampled_from(FrameKind),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=MAX_DESCRIPTOR),
    body_sizes.map(random_bytes),
)


@st.composite
def cut_streams(draw):
    """Frames, the positions between them, and the stream's pieces."""
    sent = draw(st.lists(one_frame, max_size=6))
    stream = b"".join(on_the_wire(*frame) for frame in sent)
    ends = np.cumsum([0] + [len(on_the_wire(*frame)) for frame in sent]).tolist()
    anywhere = st.integers(0, len(stream))
    near_a_header = st.builds(lambda end, by: end + by, st.sampled_from(ends), st.integers(-5, 90))
    cuts = draw(st.lists(anywhere | near_a_header, max_size=30))
    cuts = sorted({0, len(stream), *(min(max(cut, 0), len(stream)) for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(cuts)]
    return sent, set(ends), pieces


@WAYS
@settings(max_examples=150, deadline=None)
@given(cut_streams())
def test_frames_survive_a_stream_cut_anywhere(give, case):
    """What was sent is what is cut out, whole and in order, whatever the reads were; the
    parser is idle exactly when the bytes so far end with a frame.
    """
    sent, ends, pieces = case
    parser = FrameParser(UNLIMITED)
    received, position = [], 0
    for piece in pieces:
        received += give(parser, piece)
        position += len(piece)
        assert (position in ends) is parser.idle
    assert sent == received


@WAYS
@pytest.mark.parametrize("size", [0, 1, 1000, DIRECT - 24, DIRECT - 20, DIRECT - 19, DIRECT + 1])
def test_one_byte_at_a_time(give, size):
    """The slowest reader gets the same frames."""
    sent = [
        (FrameKind.UPLINK, 7, b"\x92\x01\x01", random_bytes(size)),
        (FrameKind.BYE, 8, b"", b"x"),
    ]
    parser = FrameParser(UNLIMITED)
    received = []
    for frame in sent:
        for byte in on_the_wire(*frame):
            received += give(parser, bytes([byte]))
        assert parser.idle
    assert sent == received


def test_every_cut_near_the_boundaries_of_direct_reading():
    """Two reads, cut at each byte around the sizes at which bodies get memory of their own."""
    for size in (DIRECT - HEADER_BYTES, DIRECT, SCRATCH - HEADER_BYTES, SCRATCH):
        sent = [(FrameKind.PROBE, 1, b"d", random_bytes(size)), (FrameKind.STOP, 2, b"", b"end")]
        stream = b"".join(on_the_wire(*frame) for frame in sent)
        around = {0, HEADER_BYTES, DIRECT, SCRATCH, len(stream) - 23}
        cuts = {at + by for at in around for by in range(-24, 25)}
        for cut in cuts & set(range(len(stream) + 1)):
            parser = FrameParser(UNLIMITED)
            received = by_buffer(parser, stream[:cut]) + by_buffer(parser, stream[cut:])
            assert sent == received


def test_room_is_never_empty_and_frames_count_themselves_whole():
    """While a large body is under way there is room for it, no more than is missing; and
    `nbytes` of all frames is the stream's length.
    """
    sent = [
        (FrameKind.DOWNLINK, n, b"ab", random_bytes(size))
        for n, size in enumerate((0, 5, DIRECT - 22, DIRECT, SCRATCH, 2 * SCRATCH))
    ]
    stream = b"".join(on_the_wire(*frame) for frame in sent)
    parser = FrameParser(UNLIMITED)
    counted, rooms = 0, []
    for at in range(0, len(stream), 977):
        counted += sum(frame.nbytes for frame in parser.feed(stream[at : at + 977]))
        rooms.append(0 if parser.room is None else parser.room.nbytes)
        assert (rooms[-1] == 0) is (parser.room is None)
    assert len(stream) == counted
    assert SCRATCH < max(rooms) < 2 * SCRATCH


def test_limits_are_read_again_between_two_frames_of_one_read():
    """The owner narrows or widens the limits on one frame; the next one meets the new ones."""
    stream = on_the_wire(FrameKind.HELLO, 0, b"", b"hello") + on_the_wire(
        FrameKind.READY, 0, b"", b"ready"
    )
    parser = FrameParser({FrameKind.HELLO: 5})
    kinds = []
    for frame in parser.feed(stream):
        kinds.append(frame.kind)
        parser.limits = {FrameKind.READY: 5}
    assert [FrameKind.HELLO, FrameKind.READY] == kinds

    arriving = FrameParser({FrameKind.HELLO: 5}).feed(stream)
    assert next(arriving).kind is FrameKind.HELLO
    with pytest.raises(RemoteProtocolError, match="no place"):
        next(arriving)

    parser = FrameParser({FrameKind.HELLO: 5, FrameKind.READY: 5})
    arriving = parser.feed(stream)
    next(arriving)
    parser.limits = {FrameKind.READY: 4}
    with pytest.raises(PayloadTooBig) as caught:
        next(arriving)
    assert (5, 4) == (caught.value.size, caught.value.limit)


@WAYS
@pytest.mark.parametrize("limit", [0, 1000, 1 << 30])
@pytest.mark.parametrize("size", [None, 2**32, 2**60, 2**63, 2**64 - 1])
def test_an_announced_length_is_refused_before_any_memory_is_taken(give, limit, size, monkeypatch):
    """A header alone is enough to refuse a body, and nothing is allocated for it."""
    size = limit + 1 if size is None else size
    asked, most = [], 1 << 16
    monkeypatch.setattr(frames, "aligned", asked.append)
    announced = header(FrameKind.UPLINK, 0, 0, size)

    def refused():
        with pytest.raises(PayloadTooBig) as caught:
            give(FrameParser({FrameKind.UPLINK: limit}), announced)
        return caught.value

    error, peak = held(refused, most)
    assert (size, limit) == (error.size, error.limit)
    assert [] == asked
    assert peak < most


def test_a_body_of_exactly_the_limit_is_taken():
    """The limit itself is allowed."""
    for limit in (0, 10, SCRATCH + 1):
        sent = (FrameKind.UPLINK, 0, b"", random_bytes(limit))
        parser = FrameParser({FrameKind.UPLINK: limit})
        assert [sent] == by_feed(parser, on_the_wire(*sent))


@pytest.mark.parametrize("size", [MAX_DESCRIPTOR + 1, 2**16 - 1])
def test_a_long_descriptor_is_refused(size):
    """A descriptor's length has a limit of its own, checked on the header alone."""
    with pytest.raises(PayloadTooBig) as caught:
        by_feed(FrameParser(UNLIMITED), header(FrameKind.UPLINK, 0, size, 0))
    assert (size, MAX_DESCRIPTOR) == (caught.value.size, caught.value.limit)


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.7\r\n" + bytes(8),
        TLS_HELLO,
        bytes(HEADER_BYTES),
        b"\xff" * HEADER_BYTES,
        b"CN" + header(FrameKind.HELLO, 0, 0, 0)[2:],
    ],
)
def test_other_protocols_are_refused(stream):
    """What does not begin with the magic is somebody else's protocol."""
    with pytest.raises(RemoteProtocolError, match="not netcomp's protocol"):
        by_feed(FrameParser(UNLIMITED), stream)


@given(st.binary(min_size=HEADER_BYTES, max_size=200))
def test_random_bytes_are_refused(stream):
    """Noise ends in a documented error as soon as a header's worth of it is there."""
    if stream[:2] != b"NC":
        with pytest.raises(RemoteProtocolError):
            by_feed(FrameParser(UNLIMITED), stream)


@given(st.integers(0, 255).filter(lambda version: version != VERSION))
def test_another_version_is_named(version):
    """The error names both versions; whatever else differs in that version does not matter."""
    stream = struct.pack(">2sB", b"NC", version) + b"\xff" * (HEADER_BYTES - 3)
    with pytest.raises(VersionMismatch) as caught:
        by_feed(FrameParser(UNLIMITED), stream)
    assert (VERSION, version) == (caught.value.ours, caught.value.theirs)
    assert str(version) in str(caught.value)


@pytest.mark.parametrize("kind", sorted({0, 13, 127, 255} | set(FrameKind)))
def test_only_the_kinds_that_may_come_now_are_taken(kind):
    """Unknown kinds, and known ones without a limit, have no place in the conversation."""
    with pytest.raises(RemoteProtocolError, match=f"kind {kind}"):
        by_feed(FrameParser({}), header(kind, 0, 0, 0))
    others = {other: 100 for other in FrameKind if other != kind}
    with pytest.raises(RemoteProtocolError, match=f"kind {kind}"):
        by_feed(FrameParser(others), header(kind, 0, 0, 0))


@pytest.mark.parametrize("flags", [1, 0x8000, 0xFFFF])
def test_unknown_flags_are_refused(flags):
    """The protocol knows no flags yet."""
    stream = bytearray(header(FrameKind.HELLO, 0, 0, 0))
    stream[4:6] = flags.to_bytes(2, "big")
    with pytest.raises(RemoteProtocolError, match="flags"):
        by_feed(FrameParser(UNLIMITED), bytes(stream))


def address(view):
    return np.frombuffer(view, dtype=np.uint8).ctypes.data


@pytest.mark.parametrize("sizes", [[SCRATCH], [SCRATCH + 13], [10, SCRATCH + 1, 3, 3 * SCRATCH]])
@pytest.mark.parametrize("cut", [10, 23, 100, 40_000])
def test_large_vectors_arrive_aligned(sizes, cut):
    """The body's memory begins on a 64-byte boundary, and so does every vector of at least
    64 KiB in it, wherever the stream was cut.
    """
    parts = tuple(memoryview(random_bytes(size)) for size in sizes)
    stream = b"".join(vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, parts)).buffers)
    parser = FrameParser(UNLIMITED)
    arrived = [*parser.feed(stream[:cut]), *parser.feed(stream[cut:])]
    assert 1 == len(arrived)
    assert 0 == address(arrived[0].body) % 64
    large = [part for part in read_message(arrived[0]).parts if part.nbytes >= SCRATCH]
    assert [0] * len(large) == [address(part) % 64 for part in large]


@settings(max_examples=50, deadline=None)
@given(st.lists(body_sizes, max_size=4))
def test_any_msgpack_library_reads_a_body_object_by_object(sizes):
    """A body is a sequence of msgpack objects: nils that pad, and the vectors' bytes."""
    parts = tuple(memoryview(random_bytes(size)) for size in sizes)
    stream = b"".join(vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, parts)).buffers)
    (frame,) = FrameParser(UNLIMITED).feed(stream)
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(frame.body)
    objects = list(unpacker)
    assert {type(item) for item in objects} <= {bytes, type(None)}
    assert [bytes(part) for part in parts] == [item for item in objects if item is not None]
    assert [Kind.FULL, len(sizes)] == msgpack.unpackb(frame.descriptor)
