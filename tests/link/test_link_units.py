"""Units: what is understood, what is refused and what the refusal suggests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.errors import SpecError
from netcomp.link import (
    format_bytes,
    format_rate,
    format_seconds,
    parse_bytes,
    parse_rate,
    parse_seconds,
)

FOUR_DIGITS = 0.5e-3


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("250 kbit/s", 31_250.0),
        ("10 Mbit/s", 1_250_000.0),
        ("1.5 Gbit/s", 187_500_000.0),
        ("800 bit/s", 100.0),
        ("2 MB/s", 2_000_000.0),
        ("2 MiB/s", 2_097_152.0),
        ("3 kB/s", 3000.0),
        ("1 B/s", 1.0),
        ("10Mbit/s", 1_250_000.0),
        ("  10   Mbit/s ", 1_250_000.0),
        (".5 bit/s", 0.0625),
        ("1e6 bit/s", 125_000.0),
        ("unlimited", math.inf),
    ],
)
def test_a_rate_is_in_bytes_per_second(text, rate):
    assert parse_rate(text, "network.uplink") == rate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20 ms", 0.02),
        ("1.5 s", 1.5),
        ("250 us", 250e-6),
        ("250 µs", 250e-6),
        ("250 μs", 250e-6),
        ("5 ns", 5e-9),
        ("0 s", 0.0),
        ("2 min", 120.0),
        ("1 h", 3600.0),
    ],
)
def test_a_duration_is_in_seconds(text, seconds):
    assert parse_seconds(text, "network.latency") == seconds


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("4 kB", 4000), ("64 KiB", 65_536), ("1 MB", 1_000_000), ("0.1 MB", 100_000), ("0 B", 0)],
)
def test_a_size_is_a_whole_number_of_bytes(text, nbytes):
    assert parse_bytes(text, "limit") == nbytes


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("10 mbit/s", ["'Mbit/s'"]),
        ("10 Kbit/s", ["'kbit/s'"]),
        ("10 Mbit", ["'Mbit/s'"]),
        ("10 MBps", ["'MB/s'"]),
        ("10 KB/s", ["'kB/s'"]),
        ("10 mib/s", ["'MiB/s'"]),
        ("10 Mbps", ["'Mbit/s'", "'MB/s'"]),
        ("10 Mb/s", ["'Mbit/s'", "'MB/s'"]),
        ("10 b", ["'bit/s'", "'B/s'"]),
        ("10 b/s", ["'bit/s'", "'B/s'"]),
        ("10 bps", ["'bit/s'", "'B/s'"]),
        ("10 MBytes/sec", ["'MB/s'"]),
        ("10 furlongs", ["Mbit/s", "MiB/s"]),
        ("10", ["no unit", "'10 Mbit/s'"]),
        (10, ["no unit", "'10 Mbit/s'"]),
        (1.5, ["no unit", "'10 Mbit/s'"]),
        ("fast", ["no number"]),
        ("", ["no number"]),
        ("1,5 Mbit/s", ["Mbit/s"]),
        ("nan Mbit/s", ["no number"]),
        ("inf Mbit/s", ["no number"]),
        ("٣ Mbit/s", ["no number"]),
        (None, ["no number"]),
        (["1 Mbit/s"], ["no number"]),
        ("1" * 5000 + " bit/s", ["no number"]),
        ("0 Mbit/s", ["above 0", "unlimited"]),
        ("-1 Mbit/s", ["above 0"]),
        ("1e999 bit/s", ["finite"]),
        ("1e-999 bit/s", ["above 0"]),
    ],
)
def test_a_refused_rate_says_what_to_write(text, hints):
    check_refusal(parse_rate, text, hints)


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("0", ["no unit", "'20 ms'"]),
        (0, ["no unit", "'20 ms'"]),
        (0.02, ["no unit", "'20 ms'"]),
        ("5 m", ["'min'", "'ms'"]),
        ("5 sec", ["'s'"]),
        ("5 Seconds", ["'s'"]),
        ("5 MS", ["'ms'"]),
        ("5 days", ["min", "h"]),
        ("-1 ms", ["at least 0"]),
        ("1e999 s", ["finite"]),
    ],
)
def test_a_refused_duration_says_what_to_write(text, hints):
    check_refusal(parse_seconds, text, hints)


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("4", ["no unit", "'64 KiB'"]),
        (4, ["no unit", "'64 KiB'"]),
        ("4 KB", ["'kB'"]),
        ("4 kib", ["'KiB'"]),
        ("4 b", ["'B'"]),
        ("4 kbit", ["divide by 8", "'kB'"]),
        ("4 kB/s", ["'kB'"]),
        ("1.5 B", ["whole number"]),
        ("-1 B", ["from 0 B"]),
        ("1e30 B", ["2**63"]),
    ],
)
def test_a_refused_size_says_what_to_write(text, hints):
    check_refusal(parse_bytes, text, hints)


def check_refusal(parse, text, hints):
    with pytest.raises(SpecError) as caught:
        parse(text, "network.some")
    assert caught.value.field == "network.some"
    assert [hint for hint in hints if hint not in caught.value.reason] == []
    assert len(caught.value.reason) < 300


@given(st.text(max_size=80) | st.from_regex(r"\A[0-9.eE+-]{1,12} ?[kKMGi]{0,2}(bit|b|B)(/s|ps)?\Z"))
def test_any_text_is_parsed_or_refused_with_a_spec_error(text):
    for parse in (parse_rate, parse_seconds, parse_bytes):
        try:
            value = parse(text, "field")
        except SpecError:
            continue
        assert value >= 0


@given(st.floats(5e-324, 1.7e308))
def test_a_formatted_rate_parses_back_within_its_digits(rate):
    digits = FOUR_DIGITS if rate > 1e-300 else 1
    assert parse_rate(format_rate(rate), "rate") == pytest.approx(rate, rel=digits, abs=0)


@given(st.floats(0, 1e300))
def test_a_formatted_duration_parses_back_within_its_digits(seconds):
    digits = FOUR_DIGITS if seconds > 1e-300 else 1
    expected = pytest.approx(seconds, rel=digits, abs=0)
    assert parse_seconds(format_seconds(seconds), "seconds") == expected


@given(st.integers(0, 9999).flatmap(lambda m: st.integers(0, 12).map(lambda e: m * 10**e)))
def test_a_size_of_four_digits_survives_formatting_exactly(nbytes):
    assert parse_bytes(format_bytes(nbytes), "size") == nbytes


@given(st.integers(0, 10**18))
def test_a_formatted_size_parses_back_within_its_digits(nbytes):
    assert parse_bytes(format_bytes(nbytes), "size") == pytest.approx(nbytes, rel=FOUR_DIGITS)


@pytest.mark.parametrize(
    ("formatted", "text"),
    [
        (format_rate(1_250_000.0), "10 Mbit/s"),
        (format_rate(31_250.0), "250 kbit/s"),
        (format_rate(0.0), "0 bit/s"),
        (format_rate(124_999.9), "1 Mbit/s"),
        (format_rate(math.inf), "unlimited"),
        (format_bytes(999), "999 B"),
        (format_bytes(999_999), "1 MB"),
        (format_bytes(1_500_000), "1.5 MB"),
        (format_bytes(0), "0 B"),
        (format_seconds(0.02), "20 ms"),
        (format_seconds(0.9999999), "1 s"),
        (format_seconds(90.0), "90 s"),
        (format_seconds(150.0), "2.5 min"),
        (format_seconds(10_800.0), "3 h"),
        (format_seconds(250e-6), "250 us"),
        (format_seconds(0.0), "0 s"),
    ],
)
def test_formatting_picks_the_unit_people_would(formatted, text):
    assert text == formatted
