"""Figures for people: decimal units, three digits, bits and bytes told apart.

"B" is always bytes and "bit" always bits; rates are in bit/s, as links are sold.
"""

from __future__ import annotations

import math

__all__ = [
    "NOTHING",
    "format_bits",
    "format_bytes",
    "format_number",
    "format_rate",
    "format_seconds",
    "format_share",
]

NOTHING = "–"
"""What is printed where there is no figure."""

PREFIXES = ("", "k", "M", "G", "T", "P", "E")
MINUTE = 60
HOUR = 3600
# Where three digits would already be printed as the next power of ten.
BELOW_10, BELOW_100, BELOW_1000 = 9.995, 99.95, 999.5


def format_bytes(count: float | None) -> str:
    """Write bytes as "512 B", "1.23 MB"."""
    return _scaled(count, "B")


def format_bits(count: float | None) -> str:
    """Write bits as "512 bit", "1.23 Mbit"."""
    return _scaled(count, "bit")


def format_rate(bytes_per_second: float | None) -> str:
    """Write a rate given in bytes/s as "8.00 Mbit/s"."""
    return _scaled(None if bytes_per_second is None else 8 * bytes_per_second, "bit/s")


def format_seconds(seconds: float | None) -> str:
    """Write seconds as "350 µs", "350 ms", "12.3 s", "2 min 05 s", "1 h 03 min"."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds == 0:
        return "0 s"
    if seconds < MINUTE - 0.05:
        return _below_a_minute(seconds)
    if seconds < HOUR - 0.5:
        minutes, rest = divmod(round(seconds), MINUTE)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / MINUTE), MINUTE)
    return f"{hours} h {minutes:02d} min"


def format_share(fraction: float | None) -> str:
    """Write a fraction of 1 as "12.3 %"."""
    return NOTHING if fraction is None else f"{100 * fraction:.1f} %"


def format_number(value: float | None) -> str:
    """Write a value of no unit with four digits; "–" where there is none."""
    return NOTHING if value is None else f"{value:.4g}"


def _below_a_minute(seconds: float) -> str:
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < BELOW_1000:
            return f"{_digits(seconds * factor)} {unit}"
    return f"{_digits(seconds)} s"


def _scaled(value: float | None, unit: str) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < BELOW_1000:
        return f"{value:.0f} {unit}" if value == round(value) else f"{value:.3g} {unit}"
    power = 0
    while value >= BELOW_1000 and power < len(PREFIXES) - 1:
        value /= 1000
        power += 1
    return f"{_digits(value)} {PREFIXES[power]}{unit}"


def _digits(value: float) -> str:
    return f"{value:.{2 if value < BELOW_10 else 1 if value < BELOW_100 else 0}f}"
