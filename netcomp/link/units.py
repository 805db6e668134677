"""Rates, durations and sizes as people write them: "10 Mbit/s", "20 ms", "4 kB".

A number without a unit is refused, and so is every spelling in which bits and
bytes could be taken for each other ("Mbps", "Mb/s"); the error says what to
write instead. Prefixes are SI (k = 1000) or IEC (Ki = 1024), case matters.

Parsing is exact (rational arithmetic, one rounding at the end). Formatting
prints four significant digits, which parse back to the same four digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from netcomp.errors import SpecError

__all__ = [
    "format_bytes",
    "format_rate",
    "format_seconds",
    "parse_bytes",
    "parse_rate",
    "parse_seconds",
]

_UNLIMITED: Final = "unlimited"
_DIGITS: Final = 4
_MAX_TEXT: Final = 64
_MAX_BYTES: Final = 2**63 - 1

_SI: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_IEC: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

_SIZES: Final = {f"{p}B": Fraction(f) for p, f in (_SI | _IEC).items()}
_BIT_RATES: Final = {f"{p}bit/s": Fraction(f, 8) for p, f in _SI.items()}
_RATES: Final = _BIT_RATES | {f"{unit}/s": factor for unit, factor in _SIZES.items()}
_SHORT_TIMES: Final = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "s": Fraction(1),
}
_TIMES: Final = _SHORT_TIMES | {
    "µs": Fraction(1, 10**6),  # MICRO SIGN, as on keyboards
    "μs": Fraction(1, 10**6),  # GREEK SMALL LETTER MU, as Unicode recommends
    "min": Fraction(60),
    "h": Fraction(3600),
}

_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(?P<unit>.*)",
    re.ASCII | re.DOTALL,
)
_DATA_UNIT: Final = re.compile(
    r"(?P<prefix>[kmgt]?)(?P<iec>i?)(?P<what>bits?|bytes?|b)(?:/s(?:ec(?:ond)?)?|ps)?",
    re.IGNORECASE,
)
_TIME_NAMES: Final = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "s": "s",
    "msec": "ms", "msecs": "ms", "millisecond": "ms", "milliseconds": "ms", "ms": "ms",
    "usec": "us", "usecs": "us", "microsecond": "us", "microseconds": "us", "us": "us",
    "nsec": "ns", "nanosecond": "ns", "nanoseconds": "ns", "ns": "ns",
    "mins": "min", "minute": "min", "minutes": "min", "min": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "h": "h",
}  # fmt: skip


def parse_rate(text: object, field: str) -> float:
    """Return the rate `text` names in bytes per second, `math.inf` for "unlimited".

    `field` is the dotted path for the error. Raises `SpecError` unless `text` is
    a string such as "10 Mbit/s" or "2 MiB/s", above 0 and finite.
    """
    if text == _UNLIMITED:
        return math.inf
    number, unit = _split(text, field, "10 Mbit/s")
    if unit not in _RATES:
        raise SpecError(field, f"{_quote(text)}: {_data_hint(unit, rate=True)}")
    rate = _to_float(number * _RATES[unit])
    if not 0 < rate < math.inf:
        raise SpecError(field, f"{_quote(text)}: a rate is above 0 and finite, or {_UNLIMITED!r}")
    return rate


def parse_seconds(text: object, field: str) -> float:
    """Return the duration `text` names in seconds.

    Raises `SpecError` unless `text` is a string such as "20 ms", "1.5 s", "250 us"
    or "2 min", at least 0 and finite; zero needs a unit too ("0 s").
    """
    number, unit = _split(text, field, "20 ms")
    if unit not in _TIMES:
        raise SpecError(field, f"{_quote(text)}: {_time_hint(unit)}")
    seconds = _to_float(number * _TIMES[unit])
    if not 0 <= seconds < math.inf:
        raise SpecError(field, f"{_quote(text)}: a duration is at least 0 s and finite")
    return seconds


def parse_bytes(text: object, field: str) -> int:
    """Return the size `text` names in bytes.

    Raises `SpecError` unless `text` is a string such as "4 kB", "64 KiB" or
    "1 MB" and comes to a whole number of bytes from 0 to 2**63 - 1.
    """
    number, unit = _split(text, field, "64 KiB")
    if unit not in _SIZES:
        raise SpecError(field, f"{_quote(text)}: {_data_hint(unit, rate=False)}")
    size = number * _SIZES[unit]
    if not 0 <= size <= _MAX_BYTES:
        raise SpecError(field, f"{_quote(text)}: a size is from 0 B to 2**63 - 1 B")
    if size.denominator != 1:
        raise SpecError(field, f"{_quote(text)}: comes to {float(size):g} B, not a whole number")
    return size.numerator


def format_rate(rate: float) -> str:
    """Return a rate (bytes per second, not NaN) in bits per second: "10 Mbit/s"."""
    if math.isinf(rate):
        return _UNLIMITED
    return _format(Fraction(rate), _BIT_RATES)


def format_bytes(nbytes: int) -> str:
    """Return a size (bytes) with an SI prefix: "1.5 MB"."""
    return _format(Fraction(nbytes), {f"{p}B": Fraction(f) for p, f in _SI.items()})


def format_seconds(seconds: float) -> str:
    """Return a finite duration (seconds): "20 ms", "1.5 s", "2.5 min", "3 h"."""
    exact = Fraction(seconds)
    if not exact:
        return "0 s"
    # 90 s reads better than 1.5 min: the long units start at two of themselves.
    for unit in ("h", "min"):
        if abs(exact) >= 2 * _TIMES[unit]:
            return _format(exact, {unit: _TIMES[unit]})
    return _format(exact, _SHORT_TIMES)


def _split(text: object, field: str, example: str) -> tuple[Fraction, str]:
    """Split "10 Mbit/s" into its exact number and its unit, else `SpecError`."""
    if isinstance(text, int | float):
        raise SpecError(field, f"{text!r} has no unit; write a string such as {example!r}")
    # The limit also keeps hostile digit strings away from big-integer arithmetic.
    match = None
    if isinstance(text, str) and len(text) <= _MAX_TEXT:
        match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise SpecError(field, f"{_quote(text)} is no number with a unit, such as {example!r}")
    if not match["unit"]:
        raise SpecError(field, f"{_quote(text)} has no unit; write one, as in {example!r}")
    return Fraction(match["number"]), match["unit"]


def _quote(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"


def _to_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _data_hint(unit: str, *, rate: bool) -> str:
    """Say what to write instead of an unknown unit of data or data rate."""
    known = _RATES if rate else _SIZES
    match = _DATA_UNIT.fullmatch(unit)
    if match is None:
        return f"unknown unit {unit!r}; write one of {', '.join(known)}"
    prefix = {"k": "k", "m": "M", "g": "G", "t": "T", "": ""}[match["prefix"].lower()]
    iec = f"{prefix.upper()}i" if match["iec"] and prefix else prefix
    per = "/s" if rate else ""
    in_bits, in_bytes = f"{prefix}bit{per}", f"{iec}B{per}"
    what = match["what"]
    if not rate:
        if what.lower().startswith("bit"):
            return f"a size is in bytes, not bits: divide by 8 and write {in_bytes!r}"
        return f"unknown unit {unit!r}; write {in_bytes!r} (bytes)"
    if what.lower().startswith("bit"):
        return f"unknown unit {unit!r}; write {in_bits!r}"
    if what == "b":
        return f"{unit!r} could mean bits or bytes; write {in_bits!r} or {in_bytes!r}"
    return f"unknown unit {unit!r}; write {in_bytes!r} (bytes) or {in_bits!r} (bits)"


def _time_hint(unit: str) -> str:
    """Say what to write instead of an unknown unit of time."""
    if unit in ("m", "M"):
        return f"{unit!r} could mean minutes or milliseconds; write 'min' or 'ms'"
    meant = _TIME_NAMES.get(unit.lower())
    wanted = repr(meant) if meant else f"one of {', '.join(_TIMES)}"
    return f"unknown unit {unit!r}; write {wanted}"


def _format(value: Fraction, units: Mapping[str, Fraction]) -> str:
    """Print `value` in the largest of `units` (ascending) that it reaches when rounded."""
    chosen, factor = next(iter(units.items()))
    for unit, size in units.items():
        # Rounded first: 999.99 k must print as 1 M, not as 1000 k.
        if float(f"{_to_float(abs(value) / size):.{_DIGITS - 1}e}") >= 1:
            chosen, factor = unit, size
    return f"{float(value / factor):.{_DIGITS}g} {chosen}"
