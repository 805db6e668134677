"""How a link's speed is written: a rate, a distribution of rates, or a trace.

10 Mbit/s    unlimited
lognormal:median=10 Mbit/s,sigma=0.5      each worker draws its own, once
uniform:low=1 Mbit/s,high=10 Mbit/s
trace:PATH                                a file of rates over time
lte:mean=10 Mbit/s                        a minute of ups and downs, each worker its own
on-off:rate=10 Mbit/s,on=2 s,off=1 s
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.link.model import Link
from netcomp.link.trace import Trace
from netcomp.link.traces import load_trace, lte_trace, on_off_trace
from netcomp.link.units import parse_rate, parse_seconds

__all__ = ["SPEEDS", "link_of", "parse_speed"]

_MAX_SIGMA: Final = 5.0
_Parse = Callable[[str, str], float]


def parse_speed(text: str, field: str, draw: Draw) -> float | Trace:
    """Return the rate (bytes/s, infinite for "unlimited") or the trace that `text` names.

    `draw` is the key of a worker and a direction, for what is random. Raises `SpecError` for
    `field` where the notation, a number in it or the trace's file makes no sense.
    """
    name, colon, rest = text.partition(":")
    if not colon:
        return parse_rate(text, field)
    if name not in SPEEDS:
        raise SpecError(field, f"{name!r} is none of {', '.join(SPEEDS)}, and no rate")
    return SPEEDS[name](rest, field, draw)


def _trace(path: str, field: str, _draw: Draw) -> Trace:
    if not path:
        raise SpecError(field, "write trace:PATH")
    return load_trace(path, field)


def _lognormal(text: str, field: str, draw: Draw) -> float:
    given = _options(text, field, {"median": _rate, "sigma": _sigma})
    normal = float(draw.stream(Purpose.LINK).normals(1)[0])
    return _finite(given["median"] * math.exp(given["sigma"] * normal), field)


def _uniform(text: str, field: str, draw: Draw) -> float:
    given = _options(text, field, {"low": _rate, "high": _rate})
    low, high = given["low"], given["high"]
    if low > high:
        raise SpecError(field, f"uniform: low is above high in {text!r}")
    return low + (high - low) * float(draw.stream(Purpose.LINK).uniforms(1)[0])


def _lte(text: str, field: str, draw: Draw) -> Trace:
    given = _options(text, field, {"mean": _rate})
    return lte_trace(given["mean"], draw.stream(Purpose.LINK))


def _on_off(text: str, field: str, draw: Draw) -> Trace:
    given = _options(text, field, {"rate": _rate, "on": _length, "off": _length})
    return on_off_trace(given["rate"], given["on"], given["off"], draw.stream(Purpose.LINK))


SPEEDS: Final[dict[str, Callable[[str, str, Draw], float | Trace]]] = {
    "lognormal": _lognormal,
    "uniform": _uniform,
    "trace": _trace,
    "lte": _lte,
    "on-off": _on_off,
}
"""What may stand before the colon."""


def _options(text: str, field: str, wanted: dict[str, _Parse]) -> dict[str, float]:
    """Read key=value,key=value; every key of `wanted` once and no other."""
    found: dict[str, float] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in wanted or key in found:
            shown = ", ".join(f"{name}=…" for name in wanted)
            raise SpecError(field, f"{part.strip()[:64]!r} where {shown} are wanted, each once")
        found[key] = wanted[key](value, field)
    if missing := [name for name in wanted if name not in found]:
        raise SpecError(field, f"{', '.join(missing)} is missing in {text[:64]!r}")
    return found


def _rate(text: str, field: str) -> float:
    return _finite(parse_rate(text, field), field)


def _finite(rate: float, field: str) -> float:
    if not 0 < rate < math.inf:
        raise SpecError(field, "a distribution or a trace of rates needs rates that are finite")
    return rate


def _length(text: str, field: str) -> float:
    seconds = parse_seconds(text, field)
    if not seconds:
        raise SpecError(field, "must be longer than 0 s")
    return seconds


def _sigma(text: str, field: str) -> float:
    try:
        sigma = float(text)
    except ValueError:
        sigma = math.nan
    if not 0 <= sigma <= _MAX_SIGMA:
        raise SpecError(field, f"sigma = {text[:64]} is no number from 0 to {_MAX_SIGMA:g}")
    return sigma


def link_of(speed: float | Trace, latency: float, jitter: float) -> Link:
    """Return the link with that speed."""
    if isinstance(speed, Trace):
        return Link(latency=latency, jitter=jitter, trace=speed)
    return Link(speed, latency, jitter)
