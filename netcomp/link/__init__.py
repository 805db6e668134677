"""Slowed links without root: the pacing formulas and the units they are given in.

Nothing here reads a clock, sleeps or opens a socket; time is an argument.
"""

from __future__ import annotations

from netcomp.link.lag import LATE_MOST, LATE_SECONDS, LATE_SHARE, Lag
from netcomp.link.model import (
    MAX_CHUNK,
    MIN_CHUNK,
    WIRE_SHARE,
    Link,
    Pacer,
    Schedule,
    Transfer,
    chunk_size,
)
from netcomp.link.notation import SPEEDS, link_of, parse_speed
from netcomp.link.profiles import PROFILES, Profile, profile
from netcomp.link.shared import Port, Ports, SharedTransfer, fair_rates
from netcomp.link.trace import MAX_STEPS, Trace
from netcomp.link.traces import (
    OPPORTUNITY,
    load_trace,
    lte_trace,
    on_off_trace,
    parse_csv,
    parse_mahimahi,
)
from netcomp.link.units import (
    format_bytes,
    format_rate,
    format_seconds,
    parse_bytes,
    parse_rate,
    parse_seconds,
)

__all__ = [
    "LATE_MOST",
    "LATE_SECONDS",
    "LATE_SHARE",
    "MAX_CHUNK",
    "MAX_STEPS",
    "MIN_CHUNK",
    "OPPORTUNITY",
    "PROFILES",
    "SPEEDS",
    "WIRE_SHARE",
    "Lag",
    "Link",
    "Pacer",
    "Port",
    "Ports",
    "Profile",
    "Schedule",
    "SharedTransfer",
    "Trace",
    "Transfer",
    "chunk_size",
    "fair_rates",
    "format_bytes",
    "format_rate",
    "format_seconds",
    "link_of",
    "load_trace",
    "lte_trace",
    "on_off_trace",
    "parse_bytes",
    "parse_csv",
    "parse_mahimahi",
    "parse_rate",
    "parse_seconds",
    "parse_speed",
    "profile",
]
