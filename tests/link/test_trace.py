"""Rates that change with time: the formula against sums by hand, files, generators."""

import math
import os
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.draw import Draw, Purpose
from netcomp.errors import NetcompError, SpecError
from netcomp.link import (
    MAX_STEPS,
    OPPORTUNITY,
    Link,
    Pacer,
    Trace,
    load_trace,
    lte_trace,
    on_off_trace,
    parse_csv,
    parse_mahimahi,
    parse_speed,
)

FIELD = "network.uplink"
# Quarters of a second and powers of two: everything is exact in binary.
STEPS = st.lists(
    st.tuples(st.integers(1, 16), st.sampled_from([0, 256, 1024, 4096])), min_size=1, max_size=6
).filter(lambda steps: any(rate for _, rate in steps))
DRAW = Draw(7, worker=3)


def made(steps):
    return Trace(tuple(s / 4 for s, _ in steps), tuple(float(r) for _, r in steps))


def carried(steps, time):
    """Return the bytes from 0 to `time`, step by step, in whole numbers."""
    total, at, index = Fraction(0), Fraction(0), 0
    while at < time:
        length, rate = Fraction(steps[index % len(steps)][0], 4), steps[index % len(steps)][1]
        total += rate * min(length, time - at)
        at, index = at + length, index + 1
    return total


@given(STEPS, st.integers(0, 200), st.integers(1, 40_000))
def test_what_is_through_is_what_the_steps_carry(steps, quarter, nbytes):
    """C(after(t, N)) = C(t) + N, and not a moment earlier: the trace repeats at its end."""
    time = quarter / 4
    end = made(steps).after(time, nbytes)
    wanted = carried(steps, Fraction(time)) + nbytes
    assert float(carried(steps, Fraction(end))) == pytest.approx(float(wanted), rel=1e-12)
    earlier = Fraction(end) - Fraction(1, 10**6)
    assert carried(steps, earlier) < wanted


@given(STEPS, st.integers(0, 200), st.integers(0, 20_000), st.integers(0, 20_000))
def test_two_frames_end_where_one_of_their_length_would(steps, quarter, first, second):
    trace, time = made(steps), quarter / 4
    in_turn = trace.after(trace.after(time, first), second)
    assert in_turn == pytest.approx(trace.after(time, first + second), rel=1e-12)


@given(STEPS, st.floats(0, 60))
def test_the_rate_at_a_moment_holds_until_the_next_step(steps, time):
    """C grows by rate × time up to the end told, which is later than now."""
    rate, until = made(steps).at(time)
    assert until > time
    grown = carried(steps, Fraction(until)) - carried(steps, Fraction(time))
    assert float(grown) == pytest.approx(rate * (until - time), abs=1e-6)


def test_a_trace_of_one_rate_is_that_rate():
    link, trace = Link(1024.0), Link(trace=Trace((2.0,), (1024.0,)))
    for now in (0.0, 1.5, 100.0):
        plain, traced = Pacer(link), Pacer(trace)
        for nbytes in (512, 4096, 100_000):
            ours, theirs = traced.enqueue(nbytes, now), plain.enqueue(nbytes, now)
            assert (theirs.start, theirs.finish) == (ours.start, ours.finish)
            assert theirs.allowed(now + 3.0) == ours.allowed(now + 3.0)


def test_a_trace_begins_with_the_first_frame_and_pauses_where_it_carries_nothing():
    """1 s of 1000 B/s, 1 s of nothing: 1500 bytes from 10 s on are through at 12.5 s."""
    pacer = Pacer(Link(trace=Trace((1.0, 1.0), (1000.0, 0.0))))
    first = pacer.enqueue(1500, 10.0)
    assert (10.0, 12.5) == (first.start, first.finish)
    assert 0 == first.allowed(10.5)  # a chunk is 1448 bytes
    assert 1448 == first.allowed(12.46)
    assert 13.0 == pacer.enqueue(500, 11.0).finish
    assert 14.5 == pacer.enqueue(500, 13.5).finish


@given(STEPS, st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9000)), min_size=1, max_size=6))
def test_a_schedule_is_monotone_and_complete(steps, frames):
    pacer, now = Pacer(Link(trace=made(steps))), 0.0
    for gap, nbytes in frames:
        now += gap / 4
        transfer = pacer.enqueue(nbytes, now)
        times = [transfer.start + (transfer.finish - transfer.start) * k / 8 for k in range(9)]
        amounts = [transfer.allowed(time) for time in times]
        assert sorted(amounts) == amounts
        assert nbytes == transfer.allowed(transfer.finish)
        assert all(transfer.start <= transfer.due(sent) <= transfer.finish for sent in amounts)


@pytest.mark.parametrize(
    ("seconds", "rates"),
    [
        ((), ()),
        ((1.0,), (1.0, 2.0)),
        ((0.0,), (1.0,)),
        ((-1.0,), (1.0,)),
        ((math.nan,), (1.0,)),
        ((1.0,), (-1.0,)),
        ((1.0,), (math.inf,)),
        ((1.0, 1.0), (0.0, 0.0)),
        ((1e308,) * 2, (1e308,) * 2),
        ((1.0,) * (MAX_STEPS + 1), (1.0,) * (MAX_STEPS + 1)),
    ],
)
def test_an_impossible_trace_is_refused(seconds, rates):
    with pytest.raises(SpecError) as caught:
        Trace(seconds, rates)
    assert "trace" == caught.value.field


def test_a_link_has_a_rate_or_a_trace():
    with pytest.raises(SpecError):
        Link(1.0, trace=Trace((1.0,), (1.0,)))


# mahimahi


def test_a_delivery_is_spread_over_the_millisecond_that_ends_with_it():
    trace = parse_mahimahi("1\n1\n3\n4\n", "f", FIELD)
    packet = OPPORTUNITY * 1000
    assert (0.001, 0.001, 0.002) == trace.seconds
    assert (2 * packet, 0, packet) == trace.rates
    assert [0.001, 0.003, 0.004] == [trace.after(0.0, n * OPPORTUNITY) for n in (2, 3, 4)]


def test_a_delivery_at_zero_is_one_at_the_end_of_the_pass_before():
    assert parse_mahimahi("0\n2\n", "f", FIELD) == parse_mahimahi("2\n2\n", "f", FIELD)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60).filter(any))
def test_every_delivery_counts_and_none_is_early(stamps):
    """The capacity is a packet a line; at each stamp as many are through as lines say."""
    stamps = sorted(stamps)
    trace = parse_mahimahi("\n".join(map(str, stamps)) + "\n", "f", FIELD)
    assert stamps[-1] / 1000 == pytest.approx(trace.period, rel=1e-12)
    assert len(stamps) * OPPORTUNITY == pytest.approx(trace.capacity, rel=1e-9)
    positive = [stamp for stamp in stamps if stamp]
    for count, stamp in enumerate(positive, start=1):
        end = trace.after(0.0, count * OPPORTUNITY - 1e-3)
        assert stamp / 1000 - 0.001 - 1e-9 <= end <= stamp / 1000 + 1e-9


def test_a_long_trace_is_spread_over_longer_windows():
    """Every third millisecond for 4 minutes are more steps than fit; nothing is lost."""
    lines = "\n".join(str(ms) for ms in range(3, 240_001, 3))
    trace = parse_mahimahi(lines, "f", FIELD)
    assert len(trace.rates) <= MAX_STEPS
    assert 80_000 * OPPORTUNITY == pytest.approx(trace.capacity)
    assert 240.0 == pytest.approx(trace.period)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "1 ms"),
        ("0\n", 2, "1 ms"),
        ("1\n2 3\n", 2, "whole milliseconds"),
        ("1\n-2\n", 2, "whole milliseconds"),
        ("1\n\n\n2.5\n", 4, "whole milliseconds"),
        ("5\n4\n", 2, "4 ms comes after 5 ms"),
        ("1\n٣\n", 2, "whole milliseconds"),
        (f"1\n{10**13}\n", 2, "whole milliseconds"),
        ("1\n" + "9" * 5000, 2, "whole milliseconds"),
    ],
)
def test_a_bad_line_of_mahimahi_is_named(text, line, words):
    with pytest.raises(SpecError) as caught:
        parse_mahimahi(text, "lte.down", FIELD)
    assert FIELD == caught.value.field
    assert caught.value.reason.startswith(f"lte.down, line {line}: ")
    assert words in caught.value.reason


# t,bit/s


def test_a_table_holds_each_rate_until_the_next_and_the_last_as_long_as_the_one_before():
    trace = parse_csv("t,bit/s\n5, 8000\n6,0\n8,16e3\n", "f.csv", FIELD)
    assert ((1.0, 2.0, 2.0), (1000.0, 0.0, 2000.0)) == (trace.seconds, trace.rates)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "two lines"),
        ("t,bit/s\n1,2\n", 3, "two lines"),
        ("0,1\nt,bit/s\n", 2, "t,bit/s"),
        ("0,1\n1\n", 2, "t,bit/s"),
        ("0,1\n1,2,3\n", 2, "t,bit/s"),
        ("0,1\n1,nan\n", 2, "t,bit/s"),
        ("0,1\ninf,1\n", 2, "t,bit/s"),
        ("0,1\n1_0,1\n", 2, "t,bit/s"),
        ("0,1\n0,1\n", 2, "follow"),
        ("1,1\n0,1\n", 2, "follow"),
        ("0,1\n1,-1\n", 2, "-1 bit/s"),
    ],
)
def test_a_bad_line_of_a_table_is_named(text, line, words):
    with pytest.raises(SpecError) as caught:
        parse_csv(text, "f.csv", FIELD)
    assert caught.value.reason.startswith(f"f.csv, line {line}: ")
    assert words in caught.value.reason


def test_a_table_that_carries_nothing_is_refused_with_its_name():
    with pytest.raises(SpecError, match=r"network\.uplink: f\.csv: "):
        parse_csv("0,0\n1,0\n", "f.csv", FIELD)


@given(st.text(max_size=200) | st.from_regex(r"\A([0-9.,e\-]{1,8}\n){0,6}\Z"))
def test_any_text_is_a_trace_or_refused_with_file_and_line(text):
    for parse in (parse_mahimahi, parse_csv):
        try:
            trace = parse(text, "file", FIELD)
        except SpecError as error:
            told = (error.field, error.reason[:4], len(error.reason) < 300)
        else:
            told = (FIELD, "file", 0 < trace.mean < math.inf)
        assert (FIELD, "file", True) == told


# Files and notation


def test_the_name_decides_how_a_file_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("0,8000\n1,8000\n")
    (tmp_path / "a.down").write_text("1\n")
    assert 1000.0 == load_trace(str(tmp_path / "a.csv"), FIELD).mean
    assert OPPORTUNITY * 1000 == pytest.approx(load_trace(str(tmp_path / "a.down"), FIELD).mean)


def test_a_table_may_begin_with_a_byte_order_mark(tmp_path):
    """As spreadsheets write it."""
    (tmp_path / "a.csv").write_text("t,bit/s\n0,8000\n1,8000\n", encoding="utf-8-sig")
    assert 1000.0 == load_trace(str(tmp_path / "a.csv"), FIELD).mean


def test_a_pipe_is_no_trace(tmp_path):
    """Reading from it would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="is no file"):
        load_trace(str(tmp_path / "pipe"), FIELD)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(SpecError) as caught:
            load_trace(str(path), FIELD)
        assert FIELD == caught.value.field
        assert str(path) in caught.value.reason


@given(st.integers(0, 1000), st.floats(1.0, 1e10))
def test_generated_traces_are_their_keys(seed, rate):
    """Equal keys, equal traces; another key, another trace; the mean is what was asked for."""

    def stream(worker):
        return Draw(seed, worker=worker).stream(Purpose.LINK)

    lte = lte_trace(rate, stream(1))
    assert lte_trace(rate, stream(1)) == lte != lte_trace(rate, stream(2))
    assert rate == pytest.approx(lte.mean)
    assert 60.0 == pytest.approx(lte.period)
    switched = on_off_trace(rate, 2.0, 1.0, stream(1))
    assert on_off_trace(rate, 2.0, 1.0, stream(1)) == switched
    assert {0.0, rate} == set(switched.rates)
    assert all(length >= 0.001 for length in switched.seconds)


def test_a_speed_is_a_rate_a_distribution_or_a_trace(tmp_path):
    (tmp_path / "t.csv").write_text("0,8000\n1,16000\n")
    rate = parse_speed("lognormal:median=8 Mbit/s,sigma=0", FIELD, DRAW)
    assert [1e6, 1e6] == [rate, parse_speed("8 Mbit/s", FIELD, DRAW)]
    assert math.inf == parse_speed("unlimited", FIELD, DRAW)
    low = parse_speed("uniform:low=1 kB/s, high=2 kB/s", FIELD, DRAW)
    assert 1000 <= low < 2000
    assert (1000.0, 2000.0) == parse_speed(f"trace:{tmp_path}/t.csv", FIELD, DRAW).rates
    assert 1e6 == pytest.approx(parse_speed("lte:mean=1 MB/s", FIELD, DRAW).mean)
    assert 0.0 in parse_speed("on-off:rate=1 MB/s,on=2 s,off=1 s", FIELD, DRAW).rates


def test_a_distribution_has_the_shape_it_says():
    """Of a thousand workers' lognormal rates half are below the median, e^σ is a deviation."""
    text = "lognormal:median=1 MB/s,sigma=0.5"
    rates = [parse_speed(text, FIELD, Draw(1, worker=worker)) for worker in range(1000)]
    logs = [math.log(rate / 1e6) for rate in rates]
    assert 0 == pytest.approx(sum(logs) / 1000, abs=0.06)
    assert 0.5 == pytest.approx(math.sqrt(sum(x * x for x in logs) / 1000), abs=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "normal:mean=1 MB/s",
        "lognormal:",
        "lognormal:median=1 MB/s",
        "lognormal:median=1 MB/s,sigma=x",
        "lognormal:median=1 MB/s,sigma=-1",
        "lognormal:median=1 MB/s,sigma=nan",
        "lognormal:median=unlimited,sigma=1",
        "lognormal:median=1 MB/s,sigma=1,sigma=1",
        "uniform:low=2 MB/s,high=1 MB/s",
        "uniform:low=1 MB/s,high=3",
        "uniform:low=1 MB/s,top=3 MB/s",
        "trace:",
        "trace:/no/such/file",
        "lte:mean=0 bit/s",
        "on-off:rate=1 MB/s,on=0 s,off=1 s",
        "10 Mbps",
    ],
)
def test_nonsense_is_refused_with_the_fields_name(text):
    with pytest.raises(NetcompError) as caught:
        parse_speed(text, FIELD, DRAW)
    assert FIELD == caught.value.field


@given(
    st.text(max_size=60) | st.from_regex(r"\A(lognormal|uniform|lte|on-off):[a-z=,.0-9 /]{0,30}\Z")
)
def test_any_speed_is_read_or_refused_with_the_fields_name(text):
    try:
        speed = parse_speed(text, FIELD, DRAW)
    except SpecError as error:
        told = (error.field, len(error.reason) < 400)
    else:
        told = (FIELD, isinstance(speed, Trace) or speed > 0)
    assert (FIELD, True) == told


def test_jitter_is_added_to_the_latency_by_key():
    """Uniform in [latency, latency + jitter): never earlier than the link, equal for equal keys."""
    link = Link(latency=0.02, jitter=0.01)
    delays = [link.delay(DRAW.at(round_=round_)) for round_ in range(2000)]
    assert delays[5] == link.delay(DRAW.at(round_=5))
    assert all(0.02 <= delay < 0.03 for delay in delays)
    assert 0.025 == pytest.approx(sum(delays) / 2000, abs=3e-4)
    assert 0.025 == link.seconds(1000)
    assert 0.02 == Link(latency=0.02).delay(DRAW)


@pytest.mark.parametrize("jitter", [-1.0, math.nan, math.inf])
def test_an_impossible_jitter_is_refused(jitter):
    with pytest.raises(SpecError) as caught:
        Link(jitter=jitter)
    assert "jitter" == caught.value.field
