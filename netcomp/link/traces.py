"""Where traces come from: mahimahi's files, tables of (t, bit/s), and seeded generators."""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Stream
from netcomp.errors import SpecError
from netcomp.link.trace import MAX_STEPS, Trace

__all__ = ["OPPORTUNITY", "load_trace", "lte_trace", "on_off_trace", "parse_csv", "parse_mahimahi"]

OPPORTUNITY: Final = 1504
"""Bytes one line of a mahimahi trace lets pass: an Ethernet payload and a TUN header."""

_MAX_FILE: Final = 1 << 26
_MAX_STAMP: Final = 10**12
_DIGITS: Final = 13
_HEADER: Final = ("t", "bit/s")
_WINDOWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_LTE_STEP: Final = 0.1
_LTE_STEPS: Final = 600
_LTE_SIGMA: Final = 0.6
_LTE_MEMORY: Final = math.exp(-_LTE_STEP / 2.0)
_CYCLES: Final = 64
_SHORTEST: Final = 0.001


def load_trace(path: str, field: str) -> Trace:
    """Read a trace: a table of (t, bit/s) where the name ends in .csv, else mahimahi's format.

    Raises `SpecError` for `field`, naming file and line.
    """
    try:
        if not Path(path).is_file() and Path(path).exists():
            raise SpecError(field, f"{path}: is no file")
        with Path(path).open("rb") as file:
            raw = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise SpecError(field, f"{path}: {error.strerror or 'cannot be read'}") from None
    if len(raw) > _MAX_FILE:
        raise SpecError(field, f"{path}: more than {_MAX_FILE >> 20} MiB")
    text = raw.removeprefix(BOM_UTF8).decode("ascii", errors="replace")
    parse = parse_csv if path.lower().endswith(".csv") else parse_mahimahi
    return parse(text, path, field)


def parse_mahimahi(text: str, name: str, field: str) -> Trace:
    """Read a mahimahi trace: a line a delivery of `OPPORTUNITY` bytes, its time in whole ms.

    The deliveries stamped t are spread over the millisecond that ends at t; stamp 0 is the
    end of the pass before, and the last stamp is the period. Where that makes more than
    `MAX_STEPS` steps, deliveries within 2, 5, 10, … ms are spread evenly.

    Raises `SpecError` for `field`, naming `name` and the line, unless there is at least one
    line, each a whole number, none smaller than the one before, the last above 0.
    """
    stamps: list[int] = []
    for number, line in _lines(text):
        readable = line.isascii() and line.isdecimal() and len(line) <= _DIGITS
        stamp = int(line) if readable else -1
        if not 0 <= stamp <= _MAX_STAMP:
            raise _error(field, name, number, f"{line[:40]!r} is no time in whole milliseconds")
        if stamps and stamp < stamps[-1]:
            raise _error(field, name, number, f"{stamp} ms comes after {stamps[-1]} ms")
        stamps.append(stamp)
    if not stamps or not stamps[-1]:
        raise _error(field, name, text.count("\n") + 1, "the trace ends before it lasts 1 ms")
    period = stamps[-1]
    # In which millisecond each delivery ends; a delivery at 0 is one at the period's end.
    slots = (np.array(stamps, dtype=np.int64) - 1) % period
    for window in _WINDOWS:
        places, counts = np.unique(slots // window, return_counts=True)
        steps = _merged(_windows(places, counts, window, period))
        if len(steps) <= MAX_STEPS:
            return _trace(steps)
    raise SpecError(field, f"{name}: {period} ms are too long for {MAX_STEPS} steps")


def parse_csv(text: str, name: str, field: str) -> Trace:
    """Read a table: lines of t in seconds and a rate in bit/s that holds until the next t.

    A first line "t,bit/s" is allowed; the first t need not be 0. The last rate holds for as
    long as the one before it.

    Raises `SpecError` for `field`, naming `name` and the line, unless there are 2 …
    `MAX_STEPS` lines, t increasing, rates at least 0 and not all 0.
    """
    times: list[float] = []
    rates: list[float] = []
    for number, line in _lines(text):
        cells = tuple(cell.strip() for cell in line.split(","))
        if not times and number == 1 and cells == _HEADER:
            continue
        numbers = [_number(cell) for cell in cells]
        if len(cells) != len(_HEADER) or not all(map(math.isfinite, numbers)):
            raise _error(field, name, number, f"{line[:40]!r} is not of the form t,bit/s")
        time, rate = numbers
        if times and time <= times[-1]:
            raise _error(field, name, number, f"t = {time:g} s does not follow {times[-1]:g} s")
        if rate < 0:
            raise _error(field, name, number, f"a rate of {rate:g} bit/s")
        if len(times) == MAX_STEPS:
            raise _error(field, name, number, f"more than {MAX_STEPS} lines")
        times.append(time)
        rates.append(rate / 8)
    if len(times) < 2:  # noqa: PLR2004 — one alone does not say how long it holds
        raise _error(field, name, text.count("\n") + 1, "a trace has two lines or more")
    lengths = [b - a for a, b in pairwise(times)]
    try:
        return Trace((*lengths, lengths[-1]), tuple(rates))
    except SpecError as error:
        raise SpecError(field, f"{name}: {error.reason}") from None


def lte_trace(mean: float, stream: Stream) -> Trace:
    """Draw a minute of something like LTE: mean rate exactly `mean` bytes/s, steps of 100 ms.

    The logarithm of the rate is a stationary Gauss–Markov process with standard deviation 0.6
    and a correlation time of 2 s; a plain stand-in for recorded traces, without outages.
    """
    noise = stream.normals(_LTE_STEPS)
    fresh = math.sqrt(1.0 - _LTE_MEMORY**2)
    level, levels = float(noise[0]), [float(noise[0])]
    for shock in noise[1:]:
        level = _LTE_MEMORY * level + fresh * float(shock)
        levels.append(level)
    shape = np.exp(_LTE_SIGMA * np.array(levels))
    rates = mean * shape / shape.mean()
    return Trace((_LTE_STEP,) * _LTE_STEPS, tuple(rates.tolist()))


def on_off_trace(rate: float, on: float, off: float, stream: Stream) -> Trace:
    """Draw 64 times on and off in turn: `rate` bytes/s, then nothing.

    How long is exponentially distributed with means `on` and `off` seconds, at least 1 ms.
    """
    lengths = -np.log1p(-stream.uniforms(2 * _CYCLES)).reshape(_CYCLES, 2) * (on, off)
    seconds = np.maximum(lengths, _SHORTEST).ravel()
    return Trace(tuple(seconds.tolist()), (rate, 0.0) * _CYCLES)


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Yield (number, content) of the lines that are not blank, from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped


def _error(field: str, name: str, line: int, reason: str) -> SpecError:
    return SpecError(field, f"{name}, line {line}: {reason}")


def _number(text: str) -> float:
    try:
        return float(text) if len(text) <= 40 and "_" not in text else math.nan  # noqa: PLR2004
    except ValueError:
        return math.nan


Steps = list[tuple[int, float]]
"""(milliseconds, bytes/s)"""


def _windows(
    places: NDArray[np.int64], counts: NDArray[np.int64], window: int, period: int
) -> Iterable[tuple[int, float]]:
    """Yield the steps of deliveries counted by windows of so many ms, empty ones between."""
    at = 0
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        begin = place * window
        if begin > at:
            yield begin - at, 0.0
        at = min(begin + window, period)
        yield at - begin, count * OPPORTUNITY * 1000 / (at - begin)
    if at < period:
        yield period - at, 0.0


def _merged(steps: Iterable[tuple[int, float]]) -> Steps:
    """Return the steps with neighbours of one rate as one."""
    merged: Steps = []
    for length, rate in steps:
        if merged and merged[-1][1] == rate:
            merged[-1] = (merged[-1][0] + length, rate)
        else:
            merged.append((length, rate))
    return merged


def _trace(steps: Sequence[tuple[int, float]]) -> Trace:
    return Trace(tuple(length / 1000 for length, _ in steps), tuple(rate for _, rate in steps))
