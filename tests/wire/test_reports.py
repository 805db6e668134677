"""REPORT frames: four numbers that are times and bits, or a refusal that names the wrong one."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.errors import RemoteProtocolError
from netcomp.roles import Kind, Message
from netcomp.wire.frames import Frame, FrameKind, FrameParser
from netcomp.wire.messages import vector_message
from netcomp.wire.reports import REPORT_BYTES, Report, answer_frames, read_report, report_frame

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)
NUMBERS = st.floats(0.0, 1e300)


def frame_of(body, descriptor=b""):
    return Frame(FrameKind.REPORT, 0, descriptor, memoryview(body))


def body_of(*numbers):
    return struct.pack("<2s4d", b"\xc4\x20", *numbers)


@seeded
@given(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.integers(0, 2**32 - 1))
def test_a_report_arrives_as_it_was_sent(numbers, round_):
    """Encoding, cutting and decoding give the same four numbers, bit for bit."""
    outgoing = report_frame(Report(*numbers), round_)
    (frame,) = FrameParser({FrameKind.REPORT: REPORT_BYTES}).feed(b"".join(outgoing.buffers))
    assert (outgoing.nbytes, round_) == (frame.nbytes, frame.round)
    assert Report(*numbers) == read_report(frame)


@pytest.mark.parametrize("wrong", [-1.0, -math.inf, math.inf, math.nan, -5e-324])
@pytest.mark.parametrize("name", Report._fields)
def test_what_is_no_time_and_no_number_of_bits_is_named(name, wrong):
    """Negative, infinite and undefined numbers would poison every total."""
    numbers = Report(1.0, 2.0, 3.0, 4.0)._replace(**{name: wrong})
    with pytest.raises(RemoteProtocolError, match=f"a REPORT with {name}: "):
        read_report(frame_of(body_of(*numbers)))


def test_numbers_whose_sum_is_infinite_are_refused():
    """Each may be finite: no total of a run may overflow."""
    with pytest.raises(RemoteProtocolError, match="add up to infinity"):
        read_report(frame_of(body_of(1e308, 1e308, 1.0, 1.0)))


@pytest.mark.parametrize("body", [b"", body_of(1, 2, 3, 4)[:-1], body_of(1, 2, 3, 4) + b"\xc0"])
def test_a_report_of_another_size_is_refused(body):
    """Neither less nor more than four numbers."""
    with pytest.raises(RemoteProtocolError, match=f"a REPORT of {len(body)} bytes"):
        read_report(frame_of(body))


def test_a_report_with_a_descriptor_or_another_lead_is_refused():
    """There is one way to write a report."""
    body = body_of(1, 2, 3, 4)
    with pytest.raises(RemoteProtocolError):
        read_report(frame_of(body, b"\x90"))
    with pytest.raises(RemoteProtocolError, match="no `bin`"):
        read_report(frame_of(b"\xc4\x21" + body[2:]))


@seeded
@given(
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 10, 65_000, 65_536, 200_000]),
)
def test_an_answer_is_a_report_and_a_message(times, round_, size):
    """One piece of data where it is short; apart, the frames they would have been alone."""
    message = Message(Kind.VALUE, (memoryview(bytes(size)),), 32.0)
    answer = answer_frames(round_, message, *times)
    report = report_frame(Report(*times, 32.0), round_)
    alone = vector_message(FrameKind.UPLINK, round_, message)
    data = b"".join(answer.buffers)
    assert b"".join((*report.buffers, *alone.buffers)) == data
    assert (len(data), report.nbytes) == (answer.nbytes, answer.ahead)
    found = [(one.kind, b"".join(one.buffers), one.nbytes, one.ahead) for one in answer.apart()]
    assert [(one.kind, b"".join(one.buffers), one.nbytes, 0) for one in (report, alone)] == found
    assert (alone,) == alone.apart()
