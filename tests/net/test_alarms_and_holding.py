"""Waking and holding back on fake time: exactness, the limit of spinning, order, lag."""

import asyncio
import heapq
from itertools import count

import pytest

from netcomp.draw import Draw
from netcomp.link import Lag, Link, Port, Ports
from netcomp.net import alarm, holding
from netcomp.net.alarm import Alarm
from netcomp.net.holding import Holding
from netcomp.protocol.session import Event
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind


class Loop:
    """A loop on fake time whose timers fire `late` seconds late; a turn takes 10 µs."""

    TURN = 1e-5

    def __init__(self):
        self.now, self.late, self.soon = 100.0, 0.0, 0
        self._heap, self._order = [], count()

    def call_later(self, delay, callback, *args):
        handle = asyncio.Handle(callback, args, self)
        heapq.heappush(self._heap, (self.now + delay + self.late, next(self._order), handle))
        return handle

    def call_soon(self, callback, *args):
        self.soon += 1
        handle = asyncio.Handle(callback, args, self)
        heapq.heappush(self._heap, (self.now + self.TURN, next(self._order), handle))
        return handle

    def get_debug(self):
        return False

    def run(self):
        while self._heap:
            at, _, handle = heapq.heappop(self._heap)
            if not handle.cancelled():
                # Time goes on while a turn is taken, or a rounded delay would never end.
                self.now = max(self.now + 1e-9, at)
                handle._run()


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    for module in (alarm, holding):
        monkeypatch.setattr(module, "clock", lambda: loop.now)
    monkeypatch.setattr(Alarm, "_rest_until", 0.0)
    return loop


def waker(loop, due, exact):
    """Return the list that will hold when an alarm for `due` was through."""
    woken = []

    def wake():
        if loop.now >= due:
            woken.append(loop.now)
        else:
            one.set(due, exact=exact)

    one = Alarm(wake)
    one.set(due, exact=exact)
    return woken


def test_an_exact_alarm_makes_up_for_a_late_timer(loop):
    """Where a timer is 0.4 ms late an exact alarm is one turn of the loop late, a plain one 0.4."""
    loop.late = 0.0004
    exact = waker(loop, 100.1, exact=True)
    loop.run()
    plain = waker(loop, 100.2, exact=False)
    loop.run()
    assert [100.1, 100.2004] == [pytest.approx(exact[0], abs=2e-5), pytest.approx(plain[0])]


def test_spinning_is_limited_to_a_twentieth_of_the_time(loop):
    """A thousand exact alarms within a second spin for at most a twentieth, together."""
    woken = [waker(loop, 100.0 + 1e-3 * k, exact=True) for k in range(1, 1001)]
    loop.run()
    assert all(len(one) == 1 for one in woken)
    assert 0 < loop.soon * Loop.TURN <= 0.05 * 1.1


def test_an_alarm_set_anew_forgets_what_was_set(loop):
    seen = []
    one = Alarm(lambda: seen.append(loop.now))
    one.set(101.0)
    one.set(100.5)
    loop.run()
    one.set(102.0)
    one.cancel()
    loop.run()
    assert [100.5] == seen


def held(loop, link, rounds, gap=0.0, ports=None):
    """Let data frames of these rounds arrive, `gap` apart; return [(round, time)] handed on."""
    handed, lag = [], Lag()
    port = None if ports is None else ports.receive
    hand_on = lambda event, now: handed.append((event.round, now))  # noqa: E731 — it is short
    one = Holding(hand_on, link, Draw(1, worker=0), port, 0, lag)
    for number in rounds:
        message = Message(Kind.FULL, (memoryview(b""),))
        one.arrived(Event(FrameKind.UPLINK, number, message, 1000))
        loop.now += gap
    loop.run()
    return handed, lag


def test_jitter_never_changes_the_order(loop):
    """A frame that would overtake another arrives with it; none is before its own time."""
    link, gap = Link(latency=0.02, jitter=0.05), 0.001
    handed, lag = held(loop, link, range(200), gap)

    assert [*range(200)] == [number for number, _ in handed]
    latest = 0.0
    for number, at in handed:
        latest = max(latest, 100 + gap * number + link.delay(Draw(1, round=number, worker=0)))
        assert latest <= at <= latest + 1e-3
    assert (200, True) == (lag.transfers, lag.valid)


def test_a_frame_that_is_neither_delayed_nor_limited_is_handed_on_at_once(loop):
    handed, lag = held(loop, Link(), [0, 1])
    assert ([(0, 100.0), (1, 100.0)], 0) == (handed, lag.transfers)


def test_a_late_loop_is_counted_as_lag(loop):
    loop.late = 0.05
    _, lag = held(loop, Link(latency=0.1), [0])
    assert (1, 1, False) == (lag.transfers, lag.late, lag.valid)
    assert 0.0495 == pytest.approx(lag.worst, abs=1e-4)


def test_the_receivers_own_rate_holds_frames_back(loop):
    """Two frames of 1000 bytes through 1000 B/s and 0.1 s of delay, one behind the other."""
    link = Link(latency=0.1)
    ports = Ports(receive=Port(1000.0, [link]))
    handed, lag = held(loop, link, [0, 1], ports=ports)
    assert [(0, pytest.approx(101.1, abs=1e-4)), (1, pytest.approx(102.1, abs=1e-4))] == handed
    assert lag.valid
