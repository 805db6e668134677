"""A rate shared by many links: max-min fair, on fake time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.errors import SpecError
from netcomp.link import LATE_SECONDS, LATE_SHARE, Lag, Link, Pacer, Port, Trace, fair_rates

CAPS = st.lists(st.floats(1.0, 1e9) | st.just(math.inf) | st.just(0.0), min_size=1, max_size=30)


def finishes(port, frames):
    """Enqueue (flow, bytes, time) in order of time, let all end; return when each did."""
    transfers = [port.enqueue(flow, nbytes, now) for flow, nbytes, now in frames]
    port.advance(1e12)
    return [transfer.finish for transfer in transfers]


@given(st.floats(1.0, 1e9), CAPS)
def test_the_division_is_max_min_fair(total, caps):
    """Nothing is wasted, nobody gets more than he takes, and who gets less than others could
    not take more.
    """
    caps = np.array(caps)
    rates = fair_rates(total, caps)
    assert (rates <= caps).all()
    assert rates.sum() == pytest.approx(min(total, caps.sum()))
    short = rates < caps
    assert rates[short] == pytest.approx(rates.max())


def test_four_workers_share_twenty_megabits():
    """4 × 1 MB at 10 Mbit/s each through 20 Mbit/s: 1.6 s, all at once."""
    port = Port(2_500_000.0, [Link(1_250_000.0)] * 4)
    assert [1.6] * 4 == finishes(port, [(flow, 1_000_000, 0.0) for flow in range(4)])


def test_what_a_slow_link_leaves_is_the_others():
    """1 and 10 Mbit/s through 5: 4 remain for the fast one, and 5 − 0 once it is alone."""
    mbit = 125_000.0
    port = Port(5 * mbit, [Link(1 * mbit), Link(10 * mbit)])
    assert [8.0, 2.0] == finishes(port, [(0, 1_000_000, 0.0), (1, 1_000_000, 0.0)])


def test_who_joins_later_slows_the_others_from_then_on():
    """8 B/s: 8 s of one alone make 64; then half each."""
    port = Port(8.0, [Link(math.inf), Link(math.inf)])
    assert [16.0, 20.0] == finishes(port, [(0, 96, 0.0), (1, 64, 8.0)])


def test_frames_of_one_flow_keep_their_order():
    port = Port(100.0, [Link(10.0), Link(10.0)])
    assert [10.0, 20.0, 5.0] == finishes(port, [(0, 100, 0.0), (0, 100, 0.0), (1, 50, 0.0)])


def test_the_server_gives_no_link_more_than_its_trace():
    """A link that pauses gets nothing meanwhile, and the other everything it takes."""
    links = [Link(trace=Trace((1.0, 1.0), (50.0, 0.0))), Link(100.0)]
    assert [4.5, 2.0] == finishes(Port(100.0, links), [(0, 125, 0.0), (1, 150, 0.0)])


@given(
    st.floats(1e3, 1e8),
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 200_000), st.floats(0, 2)),
        min_size=1,
        max_size=12,
    ),
)
def test_who_asks_when_changes_nothing(rate, frames):
    """Finishes do not depend on questions in between; nothing is faster than port or link."""
    links = [Link(rate / (2 + flow)) for flow in range(4)]
    frames = sorted(frames, key=lambda frame: frame[2])
    silent = finishes(Port(rate, links), frames)

    port = Port(rate, links)
    transfers = []
    for flow, nbytes, now in frames:
        transfers.append(port.enqueue(flow, nbytes, now))
        for share in (0.3, 0.6):
            asked = now + share * (silent[0] - now)
            if asked <= now:
                [transfer.allowed(now) for transfer in transfers]
    port.advance(1e12)
    assert silent == [transfer.finish for transfer in transfers]
    for (flow, nbytes, now), finish in zip(frames, silent, strict=True):
        assert finish >= (now + links[flow].seconds(nbytes)) * (1 - 1e-12)
    total = sum(nbytes for _, nbytes, _ in frames)
    assert max(silent) >= (frames[0][2] + total / rate) * (1 - 1e-12)


@given(st.floats(1e4, 1e8), st.integers(1, 300_000), st.integers(1, 5))
def test_who_asks_when_due_hands_on_everything_by_the_end(rate, nbytes, flows):
    """Chunk by chunk, on fake time: amounts grow, and the frame ends when the port says."""
    port = Port(rate, [Link(rate / 2)] * flows)
    transfers = [port.enqueue(flow, nbytes, 5.0) for flow in range(flows)]
    first, sent, now = transfers[0], 0, 5.0
    for _ in range(2_000_000):
        now = max(math.nextafter(now, math.inf), first.due(sent))
        assert first.allowed(now) >= sent
        sent = first.allowed(now)
        if sent == nbytes:
            break
    ideal = 5.0 + max(2 * nbytes / rate, flows * nbytes / rate)
    assert (nbytes, pytest.approx(ideal, rel=1e-9)) == (sent, now)


def test_alone_a_port_is_a_pacer():
    port, pacer = Port(1e9, [Link(1e6)]), Pacer(Link(1e6))
    for now in (0.0, 0.5, 3.0):
        mine, plain = port.enqueue(0, 300_000, now), pacer.enqueue(300_000, now)
        port.advance(now + 0.05)
        assert plain.allowed(now + 0.05) == mine.allowed(now + 0.05)
    port.advance(10.0)
    assert plain.finish == pytest.approx(mine.finish)


def test_a_frame_from_before_what_is_settled_counts_from_then():
    port = Port(10.0, [Link(), Link()])
    port.enqueue(0, 10, 0.0)
    port.advance(1.0)
    late = port.enqueue(1, 10, 0.5)
    port.advance(9.0)
    assert (1.0, 2.0) == (late.start, late.finish)


def test_the_end_of_a_frame_is_told():
    told = []
    port = Port(10.0, [Link(), Link(5.0)])
    port.enqueue(0, 10, 0.0, told.append)
    port.enqueue(1, 10, 0.0, told.append)
    assert 2.0 == port.next_event()
    port.advance(1.9)
    assert [] == told
    port.advance(2.0)
    assert [2.0, 2.0] == told
    assert math.inf == port.next_event()


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_port_is_refused(rate):
    with pytest.raises(SpecError):
        Port(rate, [Link()])


def test_an_empty_frame_is_refused():
    with pytest.raises(ValueError, match="0 bytes"):
        Port(1.0, [Link()]).enqueue(0, 0, 0.0)


# Lag


@pytest.mark.parametrize(
    ("lag", "seconds", "valid"),
    [
        (0.0, 0.0, True),
        (-1.0, 0.0, True),
        (LATE_SECONDS, 0.001, True),
        (0.0081, 0.001, False),
        (0.0081, 0.5, True),
        (0.0200, 1.0, True),
        (0.0201, 1.0, False),
    ],
)
def test_a_transfer_is_late_beyond_both_8_ms_and_2_percent(lag, seconds, valid):
    total = Lag()
    total.note(lag, seconds)
    assert valid == total.valid


@pytest.mark.parametrize(("late", "valid"), [(0, True), (2, True), (3, False), (200, False)])
def test_more_than_one_late_transfer_in_a_hundred_makes_a_run_invalid(late, valid):
    total = Lag()
    for i in range(200):
        total.note(0.5 if i < late else 0.0, 1.0)
    assert (late, valid) == (total.late, total.valid)


def test_lags_add_up():
    one, two = Lag(), Lag()
    one.note(0.001, 1.0)
    two.note(0.5, LATE_SHARE)
    two.note(-0.5, 1.0)
    one += two
    expected = {"valid": False, "transfers": 3, "late": 1, "worst_lag": 0.5, "mean_lag": 0.167}
    assert expected == one.as_dict() | {"mean_lag": pytest.approx(0.167)}
    assert {**Lag().as_dict()}["mean_lag"] == 0.0
