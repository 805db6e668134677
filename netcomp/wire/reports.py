"""REPORT: what a worker tells of its answer, every round; four numbers, nothing to negotiate."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from netcomp.errors import RemoteProtocolError
from netcomp.roles import Message
from netcomp.wire.frames import Frame, FrameKind, header
from netcomp.wire.messages import Outgoing, vector_message

__all__ = [
    "REPORT_BYTES",
    "REPORT_LEAD",
    "Report",
    "answer_frames",
    "read_numbers",
    "read_report",
    "report_frame",
]

_BODY: Final = struct.Struct("<2s4d")
REPORT_LEAD: Final = bytes((0xC4, 4 * 8))
"""The header of a msgpack `bin` of four doubles."""

_NUMBERS: Final = struct.Struct("<4d")
_MANY: Final = 8
"""Reports from which on numpy is faster in looking at their numbers."""

REPORT_BYTES: Final = _BODY.size
"""Bytes of a REPORT's body."""


class Report(NamedTuple):
    """How long the answer took (s) and what the papers would count for it (bits).

    `elapsed` runs from the delivery of the downlink message to the uplink message's
    hand-over; what is neither computing nor compressing in it is waiting for a processor.
    """

    compute: float
    compress: float
    elapsed: float
    paper_bits: float


def report_frame(report: Report, round_: int) -> Outgoing:
    """Return the frame that carries a report."""
    data = _head(round_) + _NUMBERS.pack(*report)
    return Outgoing(FrameKind.REPORT, (data,), len(data), round_)


def answer_frames(
    round_: int, message: Message, compute: float, compress: float, elapsed: float
) -> Outgoing:
    """Return a worker's answer: the frame of its UPLINK message behind that of its report."""
    ahead = _head(round_) + _NUMBERS.pack(compute, compress, elapsed, message.paper_bits)
    return vector_message(FrameKind.UPLINK, round_, message, ahead)


@lru_cache(maxsize=8)
def _head(round_: int) -> bytes:
    """Return all that is in front of a report's numbers: n workers say it in a round."""
    return header(FrameKind.REPORT, round_, 0, REPORT_BYTES) + REPORT_LEAD


def read_report(frame: Frame) -> Report:
    """Decode a report; raises `RemoteProtocolError` naming what is no time or number of bits."""
    if frame.body.nbytes != REPORT_BYTES or frame.descriptor:
        raise RemoteProtocolError(f"a REPORT of {frame.body.nbytes} bytes")
    lead, *numbers = _BODY.unpack(frame.body)
    if lead != REPORT_LEAD:
        raise RemoteProtocolError("a REPORT that is no `bin` of four numbers")
    return _checked(Report(*numbers))


def read_numbers(bodies: Sequence[bytes]) -> list[Report]:
    """Decode the numbers of many reports, 32 bytes each.

    Raises `RemoteProtocolError` naming what is no time or number of bits in one of them.
    """
    data = b"".join(bodies)
    reports = list(map(Report._make, _NUMBERS.iter_unpack(data)))
    if len(reports) < _MANY:
        return list(map(_checked, reports))
    numbers = np.frombuffer(data, "<f8")
    if not _sound(float(numbers.min()), float(numbers.max()) * numbers.size):
        # Each may be sound where this cannot tell.
        return list(map(_checked, reports))
    return reports


def _checked(report: Report) -> Report:
    if not _sound(min(report), sum(report)):
        raise RemoteProtocolError(_complaint(report))
    return report


def _sound(least: float, total: float) -> bool:
    # A sum is finite where its parts are, none of them being below zero.
    return bool(least >= 0.0 and total < math.inf)


def _complaint(report: Report) -> str:
    for name, number in report._asdict().items():
        if not 0.0 <= number < math.inf:
            return f"a REPORT with {name}: {number!r}"
    return "a REPORT whose numbers add up to infinity"
