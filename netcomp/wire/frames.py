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
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from netcomp.errors import PayloadTooBig, RemoteProtocolError, VersionMismatch

__all__ = [
    "HEADER_BYTES",
    "MAX_DESCRIPTOR",
    "SCRATCH_BYTES",
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
SCRATCH_BYTES: Final = 1 << 14
"""What short frames are read into, and the headers of long ones."""
_DIRECT = SCRATCH_BYTES // 2
_ALIGN = 64


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


_KINDS: Final = {int(kind): kind for kind in FrameKind}


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

    The owner reads into `buffer()` and then iterates over `received(n)`, which yields the
    frames that are complete, one at a time. Large bodies are read straight into memory of
    their own. `limits` maps the kinds that may come now to their largest body in bytes; its
    owner may change it between two frames. After an exception the stream is lost: close the
    connection.

    Parsers that take turns, each from `buffer()` to the last frame of `received(n)`, may share
    one `scratch` of SCRATCH_BYTES: the processor's cache holds one, not a thousand.
    """

    def __init__(self, limits: Mapping[FrameKind, int], scratch: bytearray | None = None) -> None:
        self.limits = limits
        self._scratch = memoryview(bytearray(SCRATCH_BYTES) if scratch is None else scratch)
        self._rest = b""
        self._filled = 0
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

    def buffer(self) -> memoryview:
        """Return where the next bytes of the stream belong; never empty."""
        if self._body is not None:
            return self._body[self._body_filled :]
        self._filled = len(self._rest)
        if not self._rest:
            return self._scratch
        self._scratch[: self._filled] = self._rest
        return self._scratch[self._filled :]

    def received(self, nbytes: int) -> Iterator[Frame]:
        """Take `nbytes` that were written to `buffer()`; yield the complete frames.

        Exhaust the iterator before the next call. Raises `RemoteProtocolError`,
        `VersionMismatch` or `PayloadTooBig`.
        """
        if self._body is None:
            self._filled += nbytes
            return self._cut()
        self._body_filled += nbytes
        if self._body_filled < self._body.nbytes:
            return iter(())
        body, self._body = self._body, None
        return iter((Frame(*self._head, body),))

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Take bytes of the stream from elsewhere; yield the complete frames."""
        rest = memoryview(data)
        while rest.nbytes:
            room = self.buffer()
            taken = min(room.nbytes, rest.nbytes)
            room[:taken] = rest[:taken]
            rest = rest[taken:]
            yield from self.received(taken)

    def _cut(self) -> Iterator[Frame]:
        at, filled, scratch = 0, self._filled, self._scratch
        while filled - at >= HEADER_BYTES:
            kind, round_, descriptor_size, body_size = self._header(at)
            end = at + HEADER_BYTES + descriptor_size
            whole = end + body_size
            if filled < (whole if whole - at <= _DIRECT else end):
                break
            descriptor = bytes(scratch[at + HEADER_BYTES : end])
            if whole <= filled:
                at = whole
                yield Frame(kind, round_, descriptor, memoryview(bytes(scratch[end:whole])))
            else:
                self._head = (kind, round_, descriptor)
                self._body = _aligned(body_size)
                self._body_filled = filled - end
                self._body[: self._body_filled] = scratch[end:filled]
                at = filled
        self._rest = bytes(scratch[at:filled])

    def _header(self, at: int) -> tuple[FrameKind, int, int, int]:
        magic, version, kind, flags, descriptor, round_, body = _HEADER.unpack_from(
            self._scratch, at
        )
        if magic != _MAGIC:
            raise RemoteProtocolError("these bytes are not netcomp's protocol")
        if version != VERSION:
            raise VersionMismatch(VERSION, version)
        if flags:
            raise RemoteProtocolError(f"unknown flags {flags:#06x}")
        if descriptor > MAX_DESCRIPTOR:
            raise PayloadTooBig(descriptor, MAX_DESCRIPTOR)
        limit = self.limits.get(kind)
        if limit is None:
            raise RemoteProtocolError(f"a frame of kind {kind} has no place here")
        if body > limit:
            raise PayloadTooBig(body, limit)
        return _KINDS[kind], round_, descriptor, body


def _aligned(nbytes: int) -> memoryview:
    """Return `nbytes` of uninitialised memory that begins on a 64-byte boundary."""
    raw = np.empty(nbytes + _ALIGN, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGN
    return raw[start : start + nbytes].data
