"""Answers that the server takes together: each is told once, and one that is wrong is alone."""

from types import SimpleNamespace

import pytest

from netcomp.net.server import Server, _Peer
from netcomp.protocol import instructions as ins
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind
from netcomp.wire.layout import read_layout
from netcomp.wire.reports import answer_frames

LIMITS = {FrameKind.UPLINK: 100, FrameKind.REPORT: 34}


class End:
    """A connection that only notes why it failed."""

    def __init__(self):
        self.error = None

    def fail(self, error):
        self.error = error


def read_of(worker, elapsed=1.0):
    message = Message(Kind.VALUE, (memoryview(bytes([worker])),), 8.0)
    return answer_frames(5, message, 0.25, 0.5, elapsed).buffers[0]


def taken(elapsed, admitted):
    """Let answers come, of admitted workers or of others; return events and connections."""
    events = []
    coordinator = SimpleNamespace(
        workers=len(elapsed),
        stopping=False,
        on=lambda event, now: events.append((event, now)) or [],
    )
    server = Server(coordinator, [], SimpleNamespace())
    ends = [End() for _ in elapsed]
    for number, (end, known) in enumerate(zip(ends, admitted, strict=True)):
        if known is not None:
            server._peers[end] = _Peer(number, number if known else None)
    data = [read_of(number, one) for number, one in enumerate(elapsed)]
    reads = [
        (end, read, float(number))
        for number, (end, read) in enumerate(zip(ends, data, strict=True))
    ]
    server._on_answers(read_layout(data[0], LIMITS), reads)
    return events, ends


def told(events):
    """Return who reported and who answered, with the byte each said and when."""
    reported = [w for event, _ in events if isinstance(event, ins.Reported) for w in event.workers]
    answered = [
        (worker, bytes(message.parts[0])[0], time)
        for event, _ in events
        if isinstance(event, ins.Answered)
        for worker, message, time in zip(event.workers, event.messages, event.times, strict=True)
    ]
    return reported, answered


def test_answers_of_a_turn_are_one_event_each_kind():
    events, ends = taken([1.0] * 4, [True] * 4)
    assert [ins.Reported, ins.Answered] == [type(event) for event, _ in events]
    assert ([0, 1, 2, 3], [(w, w, float(w)) for w in range(4)]) == told(events)
    (_, answered), (_, now) = events[-1], events[0]
    assert (5, 29, 3.0) == (events[-1][0].round, events[-1][0].wire_bytes, now)
    assert answered == 3.0
    assert all(end.error is None for end in ends)


@pytest.mark.parametrize("wrong", [0, 2, 3])
def test_a_report_that_is_none_ends_its_own_connection_only(wrong):
    elapsed = [1.0] * 4
    elapsed[wrong] = -1.0
    events, ends = taken(elapsed, [True] * 4)
    others = [w for w in range(4) if w != wrong]
    assert (others, [(w, w, float(w)) for w in others]) == told(events)
    assert [w == wrong for w in range(4)] == [end.error is not None for end in ends]
    assert "elapsed" in str(ends[wrong].error)


def test_answers_of_those_that_are_gone_or_no_workers_are_nobodys():
    """Even such as would be refused: there is nobody to refuse."""
    events, ends = taken([1.0, -1.0, 1.0, -1.0], [True, None, True, False])
    assert ([0, 2], [(0, 0, 0.0), (2, 2, 2.0)]) == told(events)
    assert all(end.error is None for end in ends)
    assert [] == taken([1.0], [None])[0]
