"""The pacing formula on fake time."""

import ast
import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import netcomp.link
from netcomp.errors import SpecError
from netcomp.link import MAX_CHUNK, MIN_CHUNK, Link, Pacer, Transfer, chunk_size

MBIT = 1e6 / 8
CLOCK = st.floats(0, 1e7)
RATES = st.floats(1, 1e11)
SIZES = st.integers(0, 50_000_000)

# Rates that are powers of two and times that are multiples of 1/1024 s: all sums
# below are exact in binary, so these laws are checked without any tolerance.
DYADIC_RATES = st.integers(4, 30).map(lambda k: 2.0**k)
DYADIC_GAPS = st.integers(0, 4096).map(lambda k: k / 1024)
FRAMES = st.lists(st.tuples(DYADIC_GAPS, st.integers(0, 200_000)), min_size=1, max_size=12)


def transfers(rate: float, frames: list[tuple[float, int]]) -> list[Transfer]:
    """Enqueue (gap since the last enqueue, bytes) pairs on one pacer, from time 0."""
    pacer, now, schedules = Pacer(Link(rate)), 0.0, []
    for gap, nbytes in frames:
        now += gap
        schedules.append(pacer.enqueue(nbytes, now))
    return schedules


def replay(transfer: Transfer) -> list[float]:
    """List the times at which a caller that sleeps exactly until `due` sends."""
    sent, times = 0, []
    while sent < transfer.nbytes:
        times.append(transfer.due(sent))
        step = transfer.allowed(times[-1])
        assert step > sent
        sent = step
    return times


def test_a_megabyte_at_ten_megabits_finishes_exactly_0_8_seconds_after_enqueue():
    assert Pacer(Link(10 * MBIT)).enqueue(1_000_000, 0.0).finish == 0.8
    assert Pacer(Link(10 * MBIT)).enqueue(1_000_000, 1234.5).finish == 1234.5 + 0.8


@given(DYADIC_RATES, FRAMES, DYADIC_GAPS, DYADIC_GAPS)
def test_no_window_passes_more_than_its_length_times_rate_plus_one_chunk(rate, frames, at, length):
    schedules = transfers(rate, frames)
    passed = sum(t.allowed(at + length) - t.allowed(at) for t in schedules)
    assert passed <= length * rate + chunk_size(rate)


@given(DYADIC_RATES, FRAMES, DYADIC_GAPS)
def test_serialisation_is_paid_before_a_chunk_leaves(rate, frames, after):
    """From the first enqueue on, no more than rate × time has passed: no burst at all."""
    schedules = transfers(rate, frames)
    assert sum(t.allowed(frames[0][0] + after) for t in schedules) <= rate * after


@given(DYADIC_RATES, FRAMES)
def test_frames_follow_the_virtual_time_recurrence(rate, frames):
    """A frame has start = max(TAT, now) and leaves TAT = start + bytes / rate."""
    tat, now = -math.inf, 0.0
    for transfer, (gap, nbytes) in zip(transfers(rate, frames), frames, strict=True):
        now += gap
        start = max(tat, now)
        tat = start + nbytes / rate
        assert (transfer.start, transfer.finish) == (start, tat)


def test_idle_time_earns_no_credit():
    pacer = Pacer(Link(10 * MBIT))
    pacer.enqueue(1_000_000, 0.0)
    late = pacer.enqueue(1_000_000, 3600.0)
    assert (late.start, late.finish) == (3600.0, 3600.8)
    assert late.allowed(3600.0) == 0


@given(st.floats(1e3, 1e9), st.integers(1, 1_000_000), CLOCK)
def test_a_thousand_messages_end_exactly_where_one_of_their_total_length_would(rate, nbytes, now):
    pacer = Pacer(Link(rate))
    for _ in range(1000):
        last = pacer.enqueue(nbytes, now)
    assert last.finish == now + 1000 * nbytes / rate
    exact = Fraction(now) + 1000 * Fraction(nbytes) / Fraction(rate)
    assert last.finish == pytest.approx(float(exact), rel=2**-51, abs=0)


def test_twenty_pacers_are_independent():
    """What is queued for one worker delays no other."""
    pacers = [Pacer(Link(worker * MBIT)) for worker in range(1, 21)]
    finishes = [pacer.enqueue(1_000_000, 5.0).finish for pacer in pacers]
    assert finishes == [5.0 + 8 / worker for worker in range(1, 21)]


@given(DYADIC_RATES, st.integers(1, 1_000_000), st.floats(0, 1))
def test_a_late_caller_catches_up(rate, nbytes, share):
    """What is allowed depends on the time alone, not on when anyone asked before."""
    transfer = Pacer(Link(rate)).enqueue(nbytes, 0.0)
    now = transfer.finish * share
    on_time = max((transfer.allowed(t) for t in replay(transfer) if t <= now), default=0)
    assert transfer.allowed(now) == on_time
    assert transfer.allowed(transfer.finish + 100.0) == nbytes


@given(SIZES, CLOCK, CLOCK)
def test_an_unlimited_link_passes_everything_at_once(nbytes, now, later):
    pacer = Pacer(Link())
    first = pacer.enqueue(nbytes, now)
    assert (first.start, first.finish, first.allowed(now)) == (now, now, nbytes)
    assert pacer.enqueue(nbytes, now + later).finish == now + later


@given(st.lists(st.tuples(SIZES, st.floats(0, 3)), min_size=1, max_size=5), RATES, CLOCK, st.data())
def test_who_wakes_when_due_always_has_something_to_send(frames, rate, now, data):
    """allowed(due(sent)) > sent, and never before: whatever the clock's origin and rounding."""
    pacer = Pacer(Link(rate))
    for nbytes, gap in frames:
        now += gap
        transfer = pacer.enqueue(nbytes, now)
    if nbytes:
        sent = data.draw(st.integers(0, nbytes - 1))
        due = transfer.due(sent)
        assert transfer.allowed(due) > sent
        assert transfer.allowed(math.nextafter(due, -math.inf)) <= sent
        assert transfer.start <= due <= transfer.finish


@given(SIZES, RATES, CLOCK, st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=20))
def test_allowed_is_monotone_whole_chunks_and_complete_at_finish(nbytes, rate, now, shares):
    transfer = Pacer(Link(rate)).enqueue(nbytes, now)
    span = transfer.finish - transfer.start
    amounts = [transfer.allowed(now + share * span) for share in sorted(shares)]
    assert amounts == sorted(amounts)
    assert all(a % transfer.chunk == 0 or a == nbytes for a in amounts)
    assert transfer.allowed(transfer.finish) == nbytes
    assert transfer.due(nbytes) == transfer.finish


@given(SIZES, RATES, CLOCK)
def test_chunk_k_is_due_when_its_last_byte_is_serialised(nbytes, rate, now):
    transfer = Pacer(Link(rate)).enqueue(nbytes, now)
    for k in range(min(3, nbytes // transfer.chunk)):
        end = min((k + 1) * transfer.chunk, nbytes)
        assert transfer.due(k * transfer.chunk) == now + end / rate


@pytest.mark.parametrize(
    ("rate", "chunk"),
    [
        (1.0, MIN_CHUNK),
        (724_000.0, MIN_CHUNK),
        (1e7, 20_000),
        (1e12, MAX_CHUNK),
        (math.inf, MAX_CHUNK),
    ],
)
def test_a_chunk_is_two_milliseconds_within_limits(rate, chunk):
    assert chunk_size(rate) == chunk


def test_an_empty_frame_takes_no_time():
    pacer = Pacer(Link(1000.0))
    pacer.enqueue(500, 0.0)
    empty = pacer.enqueue(0, 0.0)
    assert (empty.start, empty.finish, empty.allowed(0.0), empty.due(0)) == (0.5, 0.5, 0, 0.5)


def test_a_clock_that_steps_back_does_not_rewind_the_queue():
    pacer = Pacer(Link(1000.0))
    pacer.enqueue(1000, 10.0)
    assert pacer.enqueue(1000, 9.0).finish == 12.0


def test_free_at_is_the_finish_of_the_last_frame():
    pacer = Pacer(Link(1000.0))
    assert pacer.free_at == -math.inf
    assert pacer.enqueue(1000, 10.0).finish == pacer.free_at == 11.0


def test_a_link_takes_its_serialisation_and_its_latency():
    assert Link(1000.0, 0.25).seconds(500) == 0.75
    assert Link(latency=0.25).seconds(500) == 0.25


@pytest.mark.parametrize(
    ("link", "unlimited"), [(Link(), True), (Link(1e9), False), (Link(latency=0.1), False)]
)
def test_only_a_link_without_rate_and_latency_is_unlimited(link, unlimited):
    assert link.unlimited == unlimited


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, -math.inf])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(SpecError) as caught:
        Link(rate)
    assert caught.value.field == "rate"


@pytest.mark.parametrize("latency", [-1.0, math.nan, math.inf])
def test_an_impossible_latency_is_refused(latency):
    with pytest.raises(SpecError) as caught:
        Link(latency=latency)
    assert caught.value.field == "latency"


def test_a_negative_frame_is_refused():
    with pytest.raises(ValueError, match="-1 bytes"):
        Pacer(Link(1.0)).enqueue(-1, 0.0)


def test_the_link_model_reads_no_clock_and_no_socket():
    """Of netcomp, it imports errors, draws and itself; of the library, nothing with a clock."""
    imported = set()
    for path in Path(netcomp.link.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    assert imported.isdisjoint({"asyncio", "time", "random", "socket"})
    ours = {name for name in imported if name.startswith("netcomp")}
    others = {name for name in ours if not name.startswith("netcomp.link.")}
    assert others == {"netcomp.draw", "netcomp.errors"}
