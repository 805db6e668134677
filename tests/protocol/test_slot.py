"""A worker's slot: which rounds it answers, and which are none of its business."""

import numpy as np
import pytest

from netcomp.errors import RemoteProtocolError
from netcomp.protocol.session import Event
from netcomp.protocol.slot import Local, Slot
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Begin, Ready, Welcome
from netcomp.wire.frames import FrameKind


class Listener:
    """A worker role that notes the rounds it is asked for."""

    def __init__(self):
        self.rounds = []

    def init(self, x0):
        return 0

    def step(self, state, message, oracle, draw):
        self.rounds.append(draw.round)
        return state + 1, Message(Kind.SILENT)


@pytest.fixture
def begun():
    """Return a slot in its first round, and its role."""
    role = Listener()
    ready = Ready(dim=2, rows=0, digest="", constants={})
    local = Local(oracle=None, ready=ready, begin=lambda _plan: (role, np.zeros(2), 1))
    slot = Slot(lambda _welcome: local, clock=lambda: 0.0)
    welcome = Welcome(worker=0, workers=2, run="t", spec={}, rate=1.0, latency=0.0)
    begin = Begin(plan={}, max_down=9, max_up=9, max_probe=9)
    for kind, content in ((FrameKind.WELCOME, welcome), (FrameKind.BEGIN, begin)):
        slot.answer(Event(kind, 0, content, 1), 0.0)
    return slot, role


def hear(slot, round_):
    return slot.answer(Event(FrameKind.DOWNLINK, round_, Message(Kind.START), 1), 0.0)


def test_a_slot_answers_only_the_rounds_it_is_spoken_to_in(begun):
    """Rounds may be skipped: each downlink is one step of its own round, and one answer."""
    slot, role = begun
    for round_ in (0, 3, 4, 1000):
        frames = hear(slot, round_)
        kinds = [one.kind for frame in frames for one in frame.apart()]
        assert [FrameKind.REPORT, FrameKind.UPLINK] == kinds
    assert [0, 3, 4, 1000] == role.rounds


def test_a_slot_may_begin_late(begun):
    """A worker that is absent in round 0 begins with the first round it is spoken to in."""
    slot, role = begun
    hear(slot, 7)
    assert [7] == role.rounds


@pytest.mark.parametrize("again", [3, 2, 0])
def test_a_round_never_comes_back(begun, again):
    """A round that was answered, or one before it, is the server's fault."""
    slot, role = begun
    hear(slot, 3)
    with pytest.raises(RemoteProtocolError, match=f"round {again} came where 4 was due"):
        hear(slot, again)
    assert [3] == role.rounds
