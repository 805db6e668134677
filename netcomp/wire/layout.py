"""How reads are laid out that hold what is said in every round: a message, or a REPORT and one.

In a round all workers answer with frames that differ in their contents alone, and all slots of a
process hear frames that may not differ at all. So one such read is looked at byte by byte, and
the others are held against it: where what is not content is the same bytes, headers, descriptor
and the lengths of all parts are the same, and contents stand in the same places.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from netcomp.roles import Chorus, Kind
from netcomp.wire.frames import HEADER_BYTES, HEADER_FORMAT, LEADS, FrameKind
from netcomp.wire.messages import BIN32, DESCRIPTORS, PART_HEAD
from netcomp.wire.reports import REPORT_BYTES, REPORT_LEAD, Report, read_numbers

__all__ = ["Layout", "read_layout"]

_HEADER: Final = struct.Struct(HEADER_FORMAT)
_REPORT: Final = struct.Struct(f"{HEADER_FORMAT}2s")
_REPORT_FRAME: Final = HEADER_BYTES + REPORT_BYTES
_DESCRIPTOR: Final = 3
_MESSAGES: Final = {LEADS[kind]: kind for kind in (FrameKind.UPLINK, FrameKind.DOWNLINK)}


class Layout:
    """Reads with the same frames: `kinds` with their bytes on the wire, all of one `round`.

    `limits` are the largest bodies by kind that let the first of them in; `size` is a read's
    bytes, `wire_bytes` those of the message's frame.
    """

    __slots__ = (
        "_begins",
        "_fixed",
        "_kind",
        "_parts",
        "_report",
        "kinds",
        "limits",
        "round",
        "size",
    )

    def __init__(
        self,
        data: bytes,
        limits: Mapping[FrameKind, int],
        kinds: Sequence[tuple[FrameKind, int]],
        round_: int,
        kind: Kind,
        contents: Sequence[slice],
    ) -> None:
        """Keep what is not in `contents`, which are the report's numbers if any and the parts."""
        self.kinds = kinds
        self.limits = limits
        self.round = round_
        self.size = len(data)
        self._kind = kind
        reported = len(kinds) > 1
        self._report = contents[0] if reported else None
        self._parts = contents[reported:]
        starts = [0, *(one.stop for one in contents)]
        stops = [*(one.start for one in contents), len(data)]
        fixed = [slice(*ends) for ends in zip(starts, stops, strict=True) if ends[0] < ends[1]]
        self._begins = data[fixed[0]]
        self._fixed = [(one, data[one]) for one in fixed[1:]]

    @property
    def kind(self) -> FrameKind:
        """The kind of the message's frame."""
        return self.kinds[-1][0]

    @property
    def wire_bytes(self) -> int:
        """Bytes of the message's frame on the wire."""
        return self.kinds[-1][1]

    def fits(self, data: bytes) -> bool:
        """Whether a read of `size` bytes is like these but for its contents."""
        if not data.startswith(self._begins):
            return False
        for where, same in self._fixed:  # noqa: SIM110 — a generator takes twice as long
            if data[where] != same:
                return False
        return True

    def chorus(self, reads: Sequence[bytes]) -> Chorus:
        """Return the messages of reads that fit."""
        return Chorus(self._kind, reads, self._parts)

    def reports(self, reads: Sequence[bytes]) -> list[Report]:
        """Return the reports of reads that fit, none where there are none.

        Raises `RemoteProtocolError` where one of them has a number that is none of a report.
        """
        where = self._report
        return [] if where is None else read_numbers([data[where] for data in reads])


def read_layout(data: bytes, limits: Mapping[FrameKind, int]) -> Layout | None:
    """Return how a read is cut that is nothing but what is said in every round.

    None for anything else, be it other frames, parts of some, what `limits` do not let in, or
    another spelling than this program's. Numbers of a report are not looked at.
    """
    kinds, contents, at, round_ = [], [], 0, None
    if data.startswith(LEADS[FrameKind.REPORT]):
        round_ = _report_round(data)
        at = _REPORT_FRAME
        kinds, contents = [(FrameKind.REPORT, at)], [slice(_REPORT.size, at)]
        if round_ is None or limits.get(FrameKind.REPORT, -1) < REPORT_BYTES:
            return None
    if len(data) < at + HEADER_BYTES + _DESCRIPTOR:
        return None
    lead, descriptor, number, size = _HEADER.unpack_from(data, at)
    kind = _MESSAGES.get(lead)
    body = at + HEADER_BYTES + _DESCRIPTOR
    said = DESCRIPTORS.get(data[body - _DESCRIPTOR : body])
    if kinds and kind is not FrameKind.UPLINK:
        return None
    if kind is None or said is None or descriptor != _DESCRIPTOR or body + size != len(data):
        return None
    parts = _parts(data, body, said[1])
    if parts is None or limits.get(kind, -1) < size or round_ not in (None, number):
        return None
    kinds.append((kind, len(data) - at))
    return Layout(data, limits, kinds, number, said[0], [*contents, *parts])


def _report_round(data: bytes) -> int | None:
    """Return the round of the REPORT a read begins with, None where it is none of ours."""
    if len(data) < _REPORT_FRAME:
        return None
    _, descriptor, round_, size, lead = _REPORT.unpack_from(data)
    ours = (descriptor, size, lead) == (0, REPORT_BYTES, REPORT_LEAD)
    return int(round_) if ours else None


def _parts(data: bytes, at: int, count: int) -> list[slice] | None:
    """Return where a body's parts are, each with a head as this program writes it."""
    found = []
    for _ in range(count):
        start = at + PART_HEAD.size
        if start > len(data):
            return None
        tag, size = PART_HEAD.unpack_from(data, at)
        at = start + size
        if tag != BIN32 or at > len(data):
            return None
        found.append(slice(start, at))
    return found if at == len(data) else None
