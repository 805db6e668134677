"""REPORT: what a worker tells of its answer, every round; four numbers, nothing to negotiate."""

from __future__ import annotations

import math
import struct
from typing import Final, NamedTuple

from netcomp.errors import RemoteProtocolError
from netcomp.wire.frames import Frame, FrameKind, header
from netcomp.wire.messages import Outgoing

__all__ = ["REPORT_BYTES", "Report", "read_report", "report_frame"]

_BODY: Final = struct.Struct("<2s4d")
_LEAD: Final = bytes((0xC4, 4 * 8))
"""The header of a msgpack `bin` of four doubles."""

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
    data = header(FrameKind.REPORT, round_, 0, REPORT_BYTES) + _BODY.pack(_LEAD, *report)
    return Outgoing(FrameKind.REPORT, (data,), len(data), round_)


def read_report(frame: Frame) -> Report:
    """Decode a report; raises `RemoteProtocolError` naming what is no time or number of bits."""
    if frame.body.nbytes != REPORT_BYTES or frame.descriptor:
        raise RemoteProtocolError(f"a REPORT of {frame.body.nbytes} bytes")
    lead, *numbers = _BODY.unpack(frame.body)
    if lead != _LEAD:
        raise RemoteProtocolError("a REPORT that is no `bin` of four numbers")
    report = Report(*numbers)
    # A sum is finite where its parts are, none of them being below zero.
    if not (min(report) >= 0.0 and sum(report) < math.inf):
        raise RemoteProtocolError(_complaint(report))
    return report


def _complaint(report: Report) -> str:
    for name, number in report._asdict().items():
        if not 0.0 <= number < math.inf:
            return f"a REPORT with {name}: {number!r}"
    return "a REPORT whose numbers add up to infinity"
