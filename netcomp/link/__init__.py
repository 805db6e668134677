"""Slowed links without root: the pacing formula and the units it is given in.

Nothing here reads a clock, sleeps or opens a socket; time is an argument.
"""

from __future__ import annotations

from netcomp.link.model import MAX_CHUNK, MIN_CHUNK, Link, Pacer, Transfer, chunk_size
from netcomp.link.units import (
    format_bytes,
    format_rate,
    format_seconds,
    parse_bytes,
    parse_rate,
    parse_seconds,
)

__all__ = [
    "MAX_CHUNK",
    "MIN_CHUNK",
    "Link",
    "Pacer",
    "Transfer",
    "chunk_size",
    "format_bytes",
    "format_rate",
    "format_seconds",
    "parse_bytes",
    "parse_rate",
    "parse_seconds",
]
