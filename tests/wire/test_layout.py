"""Reads that are alike: what is cut once stands for the others, and for nothing else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.errors import NetcompError, RemoteProtocolError
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind, FrameParser
from netcomp.wire.layout import read_layout
from netcomp.wire.messages import read_message, vector_message
from netcomp.wire.reports import Report, answer_frames, read_report, report_frame

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)
LIMITS = {FrameKind.UPLINK: 5000, FrameKind.DOWNLINK: 5000, FrameKind.REPORT: 34}
REPORT = Report(1.0, 2.0, 3.0, 4.0)

parts = st.lists(st.binary(max_size=300), max_size=4)
kinds = st.sampled_from(Kind)
rounds = st.integers(0, 2**32 - 1)
ways = st.sampled_from(["down", "up", "answer"])


def message_of(kind, contents):
    return Message(kind, tuple(map(memoryview, contents)), REPORT.paper_bits)


def read_of(way, round_, message, report=REPORT):
    """Return the bytes of a read: a message, or a report and one."""
    if way == "answer":
        return answer_frames(round_, message, *report[:3]).buffers[0]
    kind = FrameKind.DOWNLINK if way == "down" else FrameKind.UPLINK
    return vector_message(kind, round_, message).buffers[0]


def parsed(data, limits=LIMITS):
    """Return (kind, round, bytes, content) of each frame, as a session reads it."""
    read = {FrameKind.REPORT: read_report}
    return [
        (frame.kind, frame.round, frame.nbytes, read.get(frame.kind, read_message)(frame))
        for frame in FrameParser(limits).feed(data)
    ]


def told(layout, data):
    """Return the same of a layout."""
    contents = [*layout.reports([data]), layout.chorus([data])[0]]
    return [
        (kind, layout.round, nbytes, content)
        for (kind, nbytes), content in zip(layout.kinds, contents, strict=True)
    ]


@seeded
@given(ways, rounds, kinds, parts)
def test_a_layout_tells_what_the_parser_tells(way, round_, kind, contents):
    """Kinds, round, sizes, report and message."""
    data = read_of(way, round_, message_of(kind, contents))
    layout = read_layout(data, LIMITS)
    assert parsed(data) == told(layout, data)
    assert (len(data), LIMITS) == (layout.size, layout.limits)
    assert layout.kinds[-1] == (layout.kind, layout.wire_bytes)


@seeded
@given(ways, rounds, kinds, parts, st.data())
def test_reads_that_fit_are_cut_as_the_first(way, round_, kind, contents, data):
    """Other contents of the same lengths fit, and the layout of one is the layout of all."""
    others = [data.draw(st.binary(min_size=len(one), max_size=len(one))) for one in contents]
    first = read_of(way, round_, message_of(kind, contents))
    report = Report(*data.draw(st.tuples(*[st.floats(0, 1e9)] * 3)), REPORT.paper_bits)
    second = read_of(way, round_, message_of(kind, others), report)
    layout = read_layout(first, LIMITS)
    assert layout.fits(second)
    assert parsed(second) == told(layout, second)
    chorus = layout.chorus([first, second])
    assert (2, kind, tuple(map(len, contents))) == (len(chorus), chorus.kind, chorus.sizes)
    for place, pair in enumerate(zip(contents, others, strict=True)):
        assert b"".join(pair) == chorus.joined(place)
    assert [*chorus[1:]] == [chorus[1]] == [parsed(second)[-1][3]]


@pytest.mark.parametrize("way", ["down", "up", "answer"])
def test_nothing_but_contents_may_differ(way):
    """One bit of any byte in front of a content, or of any length, and a read does not fit."""
    contents = [b"abcdef", b"", b"xyz"]
    data = read_of(way, 7, message_of(Kind.VALUE, contents))
    layout = read_layout(data, LIMITS)
    fitting = set()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        if layout.fits(bytes(changed)):
            fitting.add(at)
    assert 9 + (32 if way == "answer" else 0) == len(fitting)
    assert b"abcdefxyz" == bytes(data[at] for at in sorted(fitting)[-9:])


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.6:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif rng.random() < 0.5:
            del data[rng.randrange(len(data)) :]
        else:
            data += rng.randbytes(rng.randint(1, 40))
        if not data:
            break
    return bytes(data)


def test_mutated_reads_are_cut_as_the_parser_cuts_them_or_not_at_all():
    """50,000 mutations: where there is a layout, the parser finds the same or refuses a report."""
    rng = random.Random(5)  # noqa: S311 — reproducible, no secret
    valid = [
        read_of(way, 3, message_of(Kind.VALUE, contents))
        for way in ("down", "up", "answer")
        for contents in ([b"a" * 40], [b"b" * 7, b"c" * 30], [])
    ]
    cut = 0
    for number in range(50_000):
        data = mutated(rng, valid[number % len(valid)])
        layout = read_layout(data, LIMITS)
        if layout is None:
            continue
        cut += 1
        try:
            assert parsed(data) == told(layout, data)
        except NetcompError:
            with pytest.raises(RemoteProtocolError):
                layout.reports([data])
    assert cut > 3000


def test_what_may_not_come_or_is_too_large_has_no_layout():
    """Limits are the parser's: a kind that has none, a body above, a report where none may be."""
    answer = read_of("answer", 1, message_of(Kind.VALUE, [b"x" * 100]))
    body = 105
    for limits in (
        {},
        {FrameKind.UPLINK: body},
        {FrameKind.REPORT: 34},
        {FrameKind.UPLINK: body - 1, FrameKind.REPORT: 34},
        {FrameKind.UPLINK: body, FrameKind.REPORT: 33},
        {FrameKind.DOWNLINK: body, FrameKind.REPORT: 34},
    ):
        assert read_layout(answer, limits) is None
    assert read_layout(answer, {FrameKind.UPLINK: body, FrameKind.REPORT: 34}) is not None


@pytest.mark.parametrize(
    "frames",
    [
        [vector_message(FrameKind.PROBE, 1, message_of(Kind.FULL, [b"x"]))],
        [report_frame(REPORT, 1)],
        [report_frame(REPORT, 1), vector_message(FrameKind.DOWNLINK, 1, message_of(Kind.FULL, []))],
        [report_frame(REPORT, 1), vector_message(FrameKind.UPLINK, 2, message_of(Kind.FULL, []))],
        [vector_message(FrameKind.UPLINK, 1, message_of(Kind.FULL, [b"x"]))] * 2,
    ],
    ids=["probe", "report alone", "report and downlink", "two rounds", "twice"],
)
def test_other_reads_have_no_layout(frames):
    """What is not said by everybody in a round, or not in this way, is the parser's to cut."""
    data = b"".join(buffer for frame in frames for buffer in frame.buffers)
    assert read_layout(data, dict.fromkeys(FrameKind, 1000)) is None


def test_a_wrong_report_among_many_is_named():
    """Many at once, or few: whichever it is that is no report."""
    message = message_of(Kind.VALUE, [b"x" * 8])
    good = read_of("answer", 1, message)
    bad = read_of("answer", 1, message, REPORT._replace(elapsed=-1.0))
    layout = read_layout(good, LIMITS)
    for count in (1, 3, 20):
        assert [REPORT] * count == layout.reports([good] * count)
        with pytest.raises(RemoteProtocolError, match=r"a REPORT with elapsed: -1\.0"):
            layout.reports([good] * count + [bad])
    huge = read_of("answer", 1, message, REPORT._replace(elapsed=1e308))
    assert 20 == len(layout.reports([huge] * 20))
