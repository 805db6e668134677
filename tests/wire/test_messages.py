"""Vector messages and documents: nothing is lost, little is added, nothing is trusted."""

import random
import tracemalloc

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.errors import (
    LocalProtocolError,
    NetcompError,
    PayloadTooBig,
    RemoteProtocolError,
    VersionMismatch,
)
from netcomp.roles import Kind, Message
from netcomp.wire.documents import DOCUMENTS, Document, Hello, Known, Ready, Welcome, decode, encode
from netcomp.wire.frames import HEADER_BYTES, Frame, FrameKind, FrameParser
from netcomp.wire.messages import (
    MAX_CONTAINERS,
    MAX_PARTS,
    VECTOR_OVERHEAD,
    Outgoing,
    document,
    read_document,
    read_message,
    vector_message,
)
from netcomp.wire.reports import Report, read_report, report_frame

VECTORS = [FrameKind.DOWNLINK, FrameKind.UPLINK, FrameKind.PROBE, FrameKind.PROBED]
ALIGNED = 1 << 16
MIB = 1 << 20
NIL = b"\xc0"


def random_bytes(nbytes):
    return np.random.default_rng(nbytes).bytes(nbytes)


def joined(outgoing):
    return b"".join(outgoing.buffers)


def arrive(stream, limit=1 << 40):
    (frame,) = FrameParser(dict.fromkeys(FrameKind, limit)).feed(stream)
    return frame


def vector_frame(body, descriptor):
    return Frame(FrameKind.UPLINK, 0, descriptor, memoryview(body))


def document_frame(body, kind=FrameKind.HELLO):
    return Frame(kind, 0, b"", memoryview(body))


part_sizes = st.one_of(
    st.just(0),
    st.integers(1, 300),
    st.integers(ALIGNED - 70, ALIGNED + 70),
    st.integers(0, 3 * ALIGNED),
)
messages = st.builds(
    lambda kind, sizes: Message(kind, tuple(memoryview(random_bytes(size)) for size in sizes)),
    st.sampled_from(Kind),
    st.lists(part_sizes, max_size=5) | st.lists(st.integers(0, 20), max_size=MAX_PARTS),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VECTORS), st.integers(0, 2**32 - 1), messages)
def test_a_vector_message_round_trips(kind, round_, message):
    """Kind, round and every part arrive; the frame's size is what was announced, and what is
    added is the header, a descriptor, five bytes a part and bounded padding of large parts.
    """
    outgoing = vector_message(kind, round_, message)
    stream = joined(outgoing)
    frame = arrive(stream)
    read = read_message(frame)
    assert (kind, round_, message.kind) == (frame.kind, frame.round, read.kind)
    assert [bytes(part) for part in message.parts] == [bytes(part) for part in read.parts]
    assert 0.0 == read.paper_bits
    assert outgoing.nbytes == len(stream) == frame.nbytes

    assert len(frame.descriptor) <= 8
    fixed = HEADER_BYTES + len(frame.descriptor) + 5 * len(message.parts)
    large = sum(part.nbytes >= ALIGNED for part in message.parts)
    padding = len(stream) - message.payload_bytes - fixed
    assert 0 <= padding <= 63 * large
    assert frame.body.nbytes <= message.payload_bytes + VECTOR_OVERHEAD


@pytest.mark.parametrize(
    ("size", "overhead"),
    [(0, 28), (10_000, 28), (ALIGNED - 1, 28), (ALIGNED, 28 + 59), (4 * MIB, 28 + 59)],
)
def test_the_overhead_of_one_part_is_a_constant(size, overhead):
    """20 bytes of header, 3 of descriptor, 5 of `bin`, and 59 nils in front of 64 KiB or more:
    from 10,000 bytes on the wire carries at most 1 % and 40 bytes more than the payload.
    """
    outgoing = vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, (memoryview(bytes(size)),)))
    assert size + overhead == outgoing.nbytes
    assert outgoing.nbytes <= 1.01 * size + 40


def test_large_parts_are_handed_over_without_a_copy():
    """Writing sends the caller's own memory, reading gives views of the frame's."""
    parts = (memoryview(bytes(ALIGNED)), memoryview(b"tail"))
    outgoing = vector_message(FrameKind.DOWNLINK, 0, Message(Kind.DELTA, parts))
    assert all(any(part is buffer for buffer in outgoing.buffers) for part in parts)
    frame = arrive(joined(outgoing))
    assert [frame.body.obj] * 2 == [part.obj for part in read_message(frame).parts]


def test_small_messages_are_one_buffer():
    """Below 64 KiB a message is one buffer, so that it is one write."""
    parts = tuple(memoryview(bytes(size)) for size in (10, 0, 30_000))
    outgoing = vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, parts))
    assert 1 == len(outgoing.buffers)


class Huge(bytes):
    """Says that it is larger than a `bin` may be."""

    nbytes = 2**32


@pytest.mark.parametrize("parts", [(memoryview(b""),) * (MAX_PARTS + 1), (Huge(),)])
def test_what_no_frame_can_carry_is_refused_at_home(parts):
    """Too many parts, or one too large for its length field, are this side's fault."""
    with pytest.raises(LocalProtocolError):
        vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, parts))


@pytest.mark.parametrize(
    "descriptor",
    [
        b"",
        NIL,
        msgpack.packb([]),
        msgpack.packb([1]),
        msgpack.packb([1, 1, 1]),
        msgpack.packb([7, 1]),
        msgpack.packb([-1, 1]),
        msgpack.packb([1, 0]),
        msgpack.packb([1, 2]),
        msgpack.packb([1, 1.0]),
        msgpack.packb([1, True]),
        msgpack.packb([True, 1]),
        msgpack.packb([1.0, 1]),
        msgpack.packb([[], 1]),
        msgpack.packb("ab"),
        msgpack.packb({"a": 1, "b": 1}),
        msgpack.packb([1, 1]) + NIL,
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 60,
    ],
)
def test_a_descriptor_says_a_kind_and_the_number_of_parts(descriptor):
    """Anything but [known kind, exact count] is refused, also what merely equals it."""
    with pytest.raises(RemoteProtocolError):
        read_message(vector_frame(b"\xc4\x01x", descriptor))
    assert b"x" == read_message(vector_frame(b"\xc4\x01x", b"\x92\x01\x01")).parts[0]


@pytest.mark.parametrize(
    "body",
    [
        b"\xc4",
        b"\xc4\x02x",
        b"\xc5\x00",
        b"\xc5\x00\x02x",
        b"\xc6\x00\x00\x00",
        b"\xc6\xff\xff\xff\xffx",
        b"\xc4\x01x\x01",
        b"\xa1x",
        b"\x80",
        b"\x90",
        b"\xc1",
        b"\xd4\x05x",
    ],
)
def test_a_body_is_nils_and_bins_only(body):
    """Other objects, and lengths that reach beyond the frame, are refused."""
    with pytest.raises(RemoteProtocolError):
        read_message(vector_frame(body, b"\x92\x01\x01"))


def test_a_run_of_nils_is_at_most_63():
    """63 align anything to 64; one more is no padding. Every reader of `bin` is understood."""
    for lead in (b"\xc4\x01", b"\xc5\x00\x01", b"\xc6\x00\x00\x00\x01"):
        body = NIL * 63 + lead + b"x" + NIL * 63
        assert (b"x",) == read_message(vector_frame(body, b"\x92\x01\x01")).parts
    for body in (NIL * 64, NIL * 64 + b"\xc4\x01x", b"\xc4\x01x" + NIL * 64, NIL * MIB):
        with pytest.raises(RemoteProtocolError, match="0xc0"):
            read_message(vector_frame(body, b"\x92\x01\x01"))


def test_a_message_has_at_most_64_parts():
    """Parts may be empty, so their number has a limit of its own."""
    full = Message(Kind.FULL, (memoryview(b""),) * MAX_PARTS)
    frame = arrive(joined(vector_message(FrameKind.UPLINK, 0, full)))
    assert MAX_PARTS == len(read_message(frame).parts)
    for count in (MAX_PARTS + 1, 100_000):
        body = b"\xc4\x00" * count
        with pytest.raises(RemoteProtocolError, match="too many"):
            read_message(vector_frame(body, msgpack.packb([1, count])))


def nested(lead, depth):
    return b"\x81\xa1a" + lead * depth + NIL


ROWS = (b"\xdc\x10\x00" + b"\x80" * 4096) * 4096
BOMBS = {
    "arrays in arrays": nested(b"\x91", 100_000),
    "maps in maps": nested(b"\x81\xa1a", 100_000),
    "arrays announced in arrays": nested(b"\xdc\x10\x00", 1300),
    "maps announced in maps": nested(b"\xde\x10\x00\xa1a", 1300),
    "16 MiB of empty maps": b"\x81\xa1a\xdd" + (16 * MIB).to_bytes(4, "big") + b"\x80" * 16 * MIB,
    "16 MiB of empty maps in rows": b"\x81\xa1a\xdc\x10\x00" + ROWS,
    "16 MiB of rows without a map": b"\xdc\x10\x00" + ROWS,
    "16 MiB of empty arrays in rows": b"\x81\xa1a\xdc\x10\x00" + ROWS.replace(b"\x80", b"\x90"),
    "a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "a key twice, deeper": b"\x81\xa1b\x82\xa1a\x01\xa1a\x01",
    "an integer as key": b"\x81\x01\x01",
    "bytes as key": b"\x81\xc4\x00\x01",
    "an array as key": b"\x81\x90\x01",
    "an extension": b"\x81\xa1a\xd4\x05x",
    "an empty extension": b"\x81\xa1a\xc7\x00\x05",
    "a time": b"\x81\xa1a\xd6\xff\x00\x00\x00\x00",
    "bytes": b"\x81\xa1a\xc4\x01x",
    "a huge array announced": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "a huge map announced": b"\xdf\xff\xff\xff\xff",
    "a huge text announced": b"\x81\xa1a\xdb\xff\xff\xff\xff",
    "huge bytes announced": b"\x81\xa1a\xc6\xff\xff\xff\xff",
    "a huge extension announced": b"\x81\xa1a\xc9\xff\xff\xff\xff\x05",
    "text that is no UTF-8": b"\x81\xa1a\xa1\xff",
    "a surrogate": b"\x81\xa1a\xa3\xed\xa0\x80",
    "the byte that is never used": b"\xc1",
    "nothing": b"",
    "half a map": b"\x81\xa1a",
    "two maps": b"\x80\x80",
    "no map": b"\x90",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_a_msgpack_bomb_is_refused_and_takes_no_memory(body):
    """Whatever a frame's limit lets in, decoding it takes less than 50 MiB and ends in the
    documented error.
    """
    frame = document_frame(body)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="HELLO"):
            read_document(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 * MIB


def test_as_many_containers_as_allowed_are_read():
    """The number of maps and arrays is limited, not approximately but exactly."""
    rows = [[{}] * 4000] * 4
    rest = [{}] * (MAX_CONTAINERS - 2 - 4 - 16_000 - 1)
    content = {"a": [*rows, rest]}
    assert content == read_document(document_frame(msgpack.packb(content)))
    rest.append({})
    with pytest.raises(RemoteProtocolError, match=str(MAX_CONTAINERS)):
        read_document(document_frame(msgpack.packb(content)))


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=10), plain), st.sampled_from(list(DOCUMENTS)))
def test_a_document_round_trips(content, kind):
    """What msgpack and JSON have in common arrives as it was."""
    frame = arrive(joined(document(kind, 3, content)))
    assert (kind, 3, b"") == (frame.kind, frame.round, frame.descriptor)
    assert content == read_document(frame)


def seeds():
    part = memoryview(random_bytes(200))
    large = Message(Kind.DELTA, (memoryview(b"index"), memoryview(random_bytes(ALIGNED + 5))))
    spec = {"problem": {"name": "mushrooms", "rows": [1, 2, 3]}, "seed": 7, "dtype": "float32"}
    constants = {"L": Known(value=1.5, origin="bound"), "mu": Known(value=0.1, origin="exact")}
    outgoing: list[Outgoing] = [
        vector_message(FrameKind.UPLINK, 1, Message(Kind.FULL, (part, part[:0], part[:70]))),
        vector_message(FrameKind.DOWNLINK, 2, Message(Kind.START)),
        vector_message(FrameKind.UPLINK, 3, large),
        report_frame(Report(compute=0.5, compress=0.25, elapsed=1.0, paper_bits=3200.0), 1),
        encode(Hello(netcomp="0.1.0", worker=3)),
        encode(Welcome(worker=0, workers=2, run="r", spec=spec, rate=1e6, latency=0.0)),
        encode(Ready(dim=10, rows=5, digest="abc", constants=constants)),
    ]
    return [joined(one) for one in outgoing]


def mutate(rng, stream, other):
    """Damage a stream in one to three places; mostly behind the magic, to get further."""
    data = bytearray(stream)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(2 if rng.random() < 0.9 else 0, len(data))
        way = rng.randrange(8)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at] = rng.choice([0x00, 0x7F, 0x80, 0xC0, 0xC6, 0xC7, 0xDD, 0xDF, 0xFF])
        elif way == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
        elif way == 3:
            del data[at : at + rng.randint(1, 9)]
        elif way == 4:
            data[at : at + 8] = data[-8:]
        elif way == 5:
            data[at:] = other[at:]
        elif way == 6:
            size = rng.choice([0, 1, 5, len(data), 1 << 16, 1 << 20, 1 << 60, 2**64 - 1])
            data[12:20] = size.to_bytes(8, "big")
        else:
            # A true length again, so that the damage reaches what reads the body.
            data[at] ^= 0xFF
            data[12:20] = max(0, len(data) - HEADER_BYTES - data[7]).to_bytes(8, "big")
        if len(data) <= HEADER_BYTES:
            break
    return bytes(data)


def read_all(stream):
    """Read what a damaged stream still gives; return what kind of end it came to."""
    parser = FrameParser(dict.fromkeys(FrameKind, ALIGNED + 10_000))
    outcome = "part of a frame"
    try:
        for frame in parser.feed(stream):
            if frame.kind in VECTORS:
                read = read_message(frame)
                assert read.payload_bytes <= frame.body.nbytes
                assert len(read.parts) <= MAX_PARTS
            elif frame.kind is FrameKind.REPORT:
                assert min(read_report(frame)) >= 0.0
            else:
                assert isinstance(decode(frame), Document)
            outcome = "valid"
    except NetcompError as error:
        return type(error)
    return outcome


def test_mutated_frames_end_in_documented_errors():
    """20,000 damaged frames: each is read as something valid, waits for the rest or raises an
    error of the protocol; no other exception, and bounded memory.
    """
    rng = random.Random(20_260_101)  # noqa: S311 — reproducible damage, no secret
    originals = seeds()
    outcomes = dict.fromkeys(
        ["valid", "part of a frame", RemoteProtocolError, PayloadTooBig, VersionMismatch], 0
    )
    tracemalloc.start()
    try:
        for _ in range(20_000):
            stream = mutate(rng, rng.choice(originals), rng.choice(originals))
            outcomes[read_all(stream)] += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 20_000 == sum(outcomes.values())
    assert all(count >= 100 for count in outcomes.values()), outcomes
    assert peak < 50 * MIB
