"""Frames: what a connection carries, cut out of a byte stream without doing any I/O.

A frame is a header of 20 bytes, a descriptor and a body:

    offset  size  field
         0     2  magic "NC"
         2     1  protocol version
         3     1  kind
         4     2  flags, zero in version 1
         6     2  descriptor length in bytes
         8     4  round
        12     8  body length in bytes

all big-endian. The descriptor of a vector message is a msgpack array of small integers;
the body is a sequence of msgpack objects: one map (a document), or `bin` objects holding
the vectors' bytes. A `bin` of 64 KiB or more is preceded by up to 63 msgpack nils so that
its contents start on a 64-byte boundary of the body: kernel copies into an aligned buffer
are two to three times faster. Any msgpack library can read a body object by object.

Every length is checked against what the conversation allows now, before any allocation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from netcomp.coding.aligned import aligned
from netcomp.errors import NetcompError, PayloadTooBig, RemoteProtocolError, VersionMismatch

__all__ = [
    "HEADER_BYTES",
    "HEADER_FORMAT",
    "LEADS",
    "MAX_DESCRIPTOR",
    "VERSION",
    "Frame",
    "FrameKind",
    "FrameParser",
    "header",
]

VERSION: Final = 3
"""The protocol version; any change of a golden frame raises it."""

HEADER_BYTES: Final = 20
MAX_DESCRIPTOR: Final = 64

_HEADER = struct.Struct(">2sBBHHIQ")
_MAGIC = b"NC"
HEADER_FORMAT: Final = ">6sHIQ"
"""A header for `struct`, with all that a kind of frame begins with as one: `LEADS` has it."""
_AS_ONE = struct.Struct(HEADER_FORMAT)
_DIRECT = 1 << 13
"""A longer frame that is not whole yet gets memory of its own; a shorter one is kept as it came."""
_ALIGNED = 1 << 16
_new = tuple.__new__
"""A named tuple of its values, without the function in between."""


class FrameKind(IntEnum):
    """What a frame is; `protocol.session` says which may come when."""

    HELLO = 1
    WELCOME = 2
    READY = 3
    BEGIN = 4
    DOWNLINK = 5
    UPLINK = 6
    REPORT = 7
    PROBE = 8
    PROBED = 9
    STOP = 10
    BYE = 11
    ERROR = 12


LEADS: Final = {kind: _HEADER.pack(_MAGIC, VERSION, kind, 0, 0, 0, 0)[:6] for kind in FrameKind}
"""Magic, version, kind and flags as the frames of a kind have them."""
_KINDS: Final = {lead: kind for kind, lead in LEADS.items()}


class Frame(NamedTuple):
    """One frame as received; `nbytes` counts it whole, header included."""

    kind: FrameKind
    round: int
    descriptor: bytes
    body: memoryview

    @property
    def nbytes(self) -> int:
        """Bytes of the frame on the wire."""
        return HEADER_BYTES + len(self.descriptor) + self.body.nbytes


def header(kind: FrameKind, round_: int, descriptor: int, body: int) -> bytes:
    """Return the header of a frame with a descriptor and a body of so many bytes."""
    return _HEADER.pack(_MAGIC, VERSION, kind, 0, descriptor, round_, body)


class FrameParser:
    """Cuts frames out of a byte stream.

    The owner gives what it reads to `feed`, which yields the frames that are complete, one at a
    time. While a large body is under way, `room` is the memory where its bytes belong: what is
    read straight into it is told by `received`. `limits` maps the kinds that may come now to
    their largest body in bytes; its owner may change it between two frames. After an exception
    the stream is lost: close the connection.
    """

    def __init__(self, limits: Mapping[FrameKind, int]) -> None:
        self.limits = limits
        self._rest = b""
        self._body: memoryview | None = None
        self._body_filled = 0
        self._head: tuple[FrameKind, int, bytes] = (FrameKind.HELLO, 0, b"")

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two frames: an end here is a clean one."""
        return self._body is None and not self._rest

    @property
    def arriving(self) -> tuple[FrameKind, int, int] | None:
        """The frame whose body is being read: its kind, its bytes, how many of them are here.

        None between frames, and while a frame is too short or too new to be told.
        """
        if self._body is None:
            return None
        head = HEADER_BYTES + len(self._head[2])
        return self._head[0], head + self._body.nbytes, head + self._body_filled

    @property
    def room(self) -> memoryview | None:
        """Where the rest of a large body belongs, never empty; None while there is no such body."""
        return None if self._body is None else self._body[self._body_filled :]

    def received(self, nbytes: int) -> Iterable[Frame]:
        """Take `nbytes` that were written to `room`; yield the frame should they complete it."""
        self._body_filled += nbytes
        return self._completed()

    def feed(self, data: bytes | memoryview) -> Iterable[Frame]:
        """Take the next bytes of the stream; yield the complete frames.

        A tuple of one frame where that is all there is: anything else is to be exhausted before
        the next call. Frames are views of `data` where that is `bytes`. Raises
        `RemoteProtocolError`, `VersionMismatch` or `PayloadTooBig`.
        """
        if self._body is None:
            return self._frames(bytes(data))
        return self._filled_up(memoryview(data))

    def _frames(self, data: bytes) -> Iterable[Frame]:
        """Yield the frames of the stream's next bytes: mostly they are one, and nothing else."""
        if not self._rest and HEADER_BYTES <= len(data) < _ALIGNED:
            lead, descriptor, round_, size = _AS_ONE.unpack_from(data)
            start = HEADER_BYTES + descriptor
            kind = self._allowed(lead, descriptor, size)
            if kind is not None and start + size == len(data):
                said = kind, round_, data[HEADER_BYTES:start], memoryview(data)[start:]
                return (_new(Frame, said),)
        return self._cut(data)

    def _allowed(self, lead: bytes, descriptor: int, size: int) -> FrameKind | None:
        """Return the kind of the frame with this header, None where it may not come now."""
        kind = _KINDS.get(lead)
        if kind is None or descriptor > MAX_DESCRIPTOR or size > self.limits.get(kind, -1):
            return None
        return kind

    def _filled_up(self, data: memoryview) -> Iterator[Frame]:
        """Yield the large frame under way, should `data` complete it, and the frames behind it."""
        body = self._body
        assert body is not None  # noqa: S101 — there is a large frame under way
        taken = min(body.nbytes - self._body_filled, data.nbytes)
        body[self._body_filled : self._body_filled + taken] = data[:taken]
        self._body_filled += taken
        yield from self._completed()
        if taken < data.nbytes:
            yield from self._cut(bytes(data[taken:]))

    def _completed(self) -> Iterator[Frame]:
        if self._body is not None and self._body_filled == self._body.nbytes:
            body, self._body = self._body, None
            yield Frame(*self._head, body)

    def _cut(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames of the stream's next bytes, none of which belongs to a large body."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, filled = 0, len(data)
        view = memoryview(data)
        while filled - at >= HEADER_BYTES:
            lead, descriptor, round_, size = _AS_ONE.unpack_from(data, at)
            kind = self._allowed(lead, descriptor, size)
            if kind is None:
                raise _refusal(data, at, self.limits)
            start = at + HEADER_BYTES + descriptor
            end = start + size
            if filled < (end if end - at <= _DIRECT else start):
                break
            head = kind, round_, data[at + HEADER_BYTES : start]
            if end <= filled and size < _ALIGNED:
                at = end
                yield Frame(*head, view[start:end])
                continue
            body = aligned(size)
            taken = min(size, filled - start)
            body[:taken] = view[start : start + taken]
            at = start + taken
            self._head, self._body, self._body_filled = head, body, taken
            yield from self._completed()
        if at < filled:
            self._rest = data[at:]


def _refusal(data: bytes, at: int, limits: Mapping[FrameKind, int]) -> NetcompError:
    """Return what is wrong with a header that may not come now."""
    magic, version, kind, flags, descriptor, _, body = _HEADER.unpack_from(data, at)
    limit = limits.get(kind)
    if magic != _MAGIC:
        return RemoteProtocolError("these bytes are not netcomp's protocol")
    if version != VERSION:
        return VersionMismatch(VERSION, version)
    if flags:
        return RemoteProtocolError(f"unknown flags {flags:#06x}")
    if descriptor > MAX_DESCRIPTOR:
        return PayloadTooBig(descriptor, MAX_DESCRIPTOR)
    if limit is None:
        return RemoteProtocolError(f"a frame of kind {kind} has no place here")
    return PayloadTooBig(body, limit)
