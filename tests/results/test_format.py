"""Units: decimal, three digits, bits and bytes never mixed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.results.format import (
    format_bits,
    format_bytes,
    format_number,
    format_rate,
    format_seconds,
    format_share,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.00 kB"),
        (1000, "1.00 kB"),
        (9_996, "10.0 kB"),
        (999_499, "999 kB"),
        (999_600, "1.00 MB"),
        (1_234_567, "1.23 MB"),
        (5e21, "5000 EB"),
    ],
)
def test_bytes(count, text):
    """Rounding never prints 1000 of a unit that has a larger one."""
    assert text == format_bytes(count)


def test_bits_and_rates_are_in_bits():
    """Bits stay bits; a rate given in bytes is printed in bits."""
    assert format_bits(1_234_567) == "1.23 Mbit"
    assert format_bits(0.5) == "0.5 bit"
    assert format_rate(1.25e6) == "10.0 Mbit/s"
    assert format_rate(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (5e-7, "0.50 µs"),
        (0.00035, "350 µs"),
        (0.9996, "1.00 s"),
        (0.35, "350 ms"),
        (12.34, "12.3 s"),
        (59.97, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.9, "1 h 00 min"),
        (3780, "1 h 03 min"),
    ],
)
def test_seconds(seconds, text):
    """Each unit ends where rounding would show the next one."""
    assert text == format_seconds(seconds)


def test_shares_and_numbers():
    """Shares are percent with one digit, numbers have four."""
    assert format_share(0.1234) == "12.3 %"
    assert format_number(1.23456e-6) == "1.235e-06"
    assert [format_share(None), format_number(None)] == ["–", "–"]


@given(st.floats(1, 1e20))
def test_bytes_keep_three_digits(count):
    """What is printed is within half a percent of what was counted."""
    number, unit = format_bytes(count).split()
    factor = 1000 ** ("", "k", "M", "G", "T", "P", "E").index(unit.removesuffix("B"))
    assert float(number) * factor == pytest.approx(count, rel=5.1e-3)
