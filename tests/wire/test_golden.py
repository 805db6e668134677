"""The bytes on the wire, pinned.

`tests/golden/frames.json` holds one frame of each kind. If a change of the code makes one of
these tests fail, older peers no longer understand this version: raise `VERSION` in
`netcomp.wire.frames` and only then write the file anew.
"""

import json
from pathlib import Path

import pytest

from netcomp.roles import Kind, Message
from netcomp.wire.documents import (
    Begin,
    Bye,
    Failure,
    Hello,
    Known,
    Ready,
    Stop,
    Welcome,
    decode,
    encode,
)
from netcomp.wire.frames import VERSION, FrameKind, FrameParser
from netcomp.wire.messages import read_message, vector_message
from netcomp.wire.reports import Report, read_report, report_frame

K = FrameKind
GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "frames.json").read_text())


def vectors(kind, *parts):
    return Message(kind, tuple(memoryview(part) for part in parts))


CONTENTS = {
    K.HELLO: (0, Hello(netcomp="0.1.0", worker=None)),
    K.WELCOME: (
        0,
        Welcome(
            worker=1,
            workers=2,
            run="golden",
            spec={"problem": {"name": "quadratic", "d": 3}, "seed": 7, "dtype": "float64"},
            rate=1_250_000.0,
            latency=0.02,
        ),
    ),
    K.READY: (
        0,
        Ready(
            dim=3,
            rows=100,
            dropped=1,
            digest="c0ffee",
            constants={"L": Known(value=2.5, origin="exact")},
            metrics=["accuracy"],
            layers=[2, 1],
        ),
    ),
    K.BEGIN: (
        0,
        Begin(plan={"name": "gd", "gamma": 0.4}, max_down=4376, max_up=4376, max_probe=4384),
    ),
    K.DOWNLINK: (0, vectors(Kind.START)),
    K.UPLINK: (2**32 - 1, vectors(Kind.DELTA, b"\x00\x01\x02\x03", b"", b"\xff" * 5)),
    K.REPORT: (1, Report(compute=0.25, compress=0.125, elapsed=0.5, paper_bits=96.0)),
    K.PROBE: (2, vectors(Kind.FULL, bytes(range(24)))),
    K.PROBED: (2, vectors(Kind.FULL, bytes(16), bytes(range(24)))),
    K.STOP: (3, Stop(reason="rounds ≥ 3")),
    K.BYE: (
        0,
        Bye(
            sent={"handshake": 200, "data": 70_000, "control": 90, "probe": 0},
            received={"handshake": 300, "data": 2**40, "control": 40, "probe": 1},
        ),
    ),
    K.ERROR: (0, Failure(code=3, reason="a damaged HELLO frame")),
}


def encoded(kind):
    round_, content = CONTENTS[kind]
    if isinstance(content, Message):
        outgoing = vector_message(kind, round_, content)
    elif isinstance(content, Report):
        outgoing = report_frame(content, round_)
    else:
        outgoing = encode(content, round_)
    return b"".join(outgoing.buffers)


def test_every_kind_has_its_golden_frame():
    """The file is of today's version and leaves no kind out."""
    assert VERSION == GOLDEN["version"]
    assert [kind.name for kind in FrameKind] == list(GOLDEN["frames"])
    assert [int(kind) for kind in FrameKind] == [
        bytes.fromhex(frame)[3] for frame in GOLDEN["frames"].values()
    ]


@pytest.mark.parametrize("kind", FrameKind)
def test_the_encoder_gives_exactly_these_bytes(kind):
    """A change of any byte is a new protocol version."""
    assert GOLDEN["frames"][kind.name] == encoded(kind).hex()


@pytest.mark.parametrize("kind", FrameKind)
def test_the_decoder_reads_these_bytes(kind):
    """A frame of this version written by any release is read to the same contents."""
    stream = bytes.fromhex(GOLDEN["frames"][kind.name])
    (frame,) = FrameParser({kind: 4096}).feed(stream)
    round_, content = CONTENTS[kind]
    readers = {Message: read_message, Report: read_report}
    read = readers.get(type(content), decode)(frame)
    assert (kind, round_, content) == (frame.kind, frame.round, read)


def test_the_padding_of_large_parts_is_part_of_the_format():
    """What stands in front of 64 KiB is pinned as well, to be followed by the bytes alone."""
    part = bytes(1 << 16)
    outgoing = vector_message(K.DOWNLINK, 5, vectors(Kind.FULL, b"abc", part))
    assert GOLDEN["before_64_KiB"] == b"".join(outgoing.buffers)[: -len(part)].hex()
    stream = bytes.fromhex(GOLDEN["before_64_KiB"]) + part
    (frame,) = FrameParser({K.DOWNLINK: 1 << 17}).feed(stream)
    assert vectors(Kind.FULL, b"abc", part) == read_message(frame)
