"""What frames say: documents (one msgpack map) and vector messages.

Nothing here trusts its input: msgpack is read with explicit limits on every container and
on their number, no extension types, string keys only and each once; vectors are walked
object by object without a copy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgpack

from netcomp.errors import LocalProtocolError, RemoteProtocolError
from netcomp.roles import Kind, Message
from netcomp.wire.frames import HEADER_FORMAT, LEADS, Frame, FrameKind, header

__all__ = [
    "BIN32",
    "DESCRIPTORS",
    "MAX_CONTAINERS",
    "MAX_PARTS",
    "PART_HEAD",
    "VECTOR_OVERHEAD",
    "Outgoing",
    "document",
    "read_document",
    "read_message",
    "vector_message",
]

MAX_PARTS: Final = 64
"""The most vectors' parts a message may have."""

VECTOR_OVERHEAD: Final = MAX_PARTS * (5 + 63)
"""Bytes by which a body may exceed the payload it carries: `bin` headers and padding."""

MAX_CONTAINERS: Final = 1 << 14
"""The most maps and arrays a document may hold: a byte announces one, 64 bytes keep it."""

PART_HEAD: Final = struct.Struct(">BI")
"""What is in front of a part: BIN32 and its bytes."""
_ONE_PART = struct.Struct(f"{HEADER_FORMAT}3s{PART_HEAD.format[1:]}")
"""All that is in front of the part of a message of one: header, descriptor, `bin` header."""
_new = tuple.__new__
_NIL = 0xC0
_BIN8, _BIN16, BIN32 = 0xC4, 0xC5, 0xC6
_ALIGN = 64
_ALIGN_FROM = 1 << 16
_JOIN_BELOW = 1 << 16
_SHORT_BELOW = _JOIN_BELOW - _ONE_PART.size
_LARGEST_BIN = 2**32 - 1
_WIDTHS = {_BIN8: 1, _BIN16: 2, BIN32: 4}
DESCRIPTORS: Final = {
    bytes((0x92, kind, count)): (kind, count) for kind in Kind for count in range(MAX_PARTS + 1)
}
"""What descriptors tell as this program writes them: the message's kind, its number of parts."""
_OF_ONE_PART = {kind: bytes((0x92, kind, 1)) for kind in Kind}
_LIMITS = {
    "max_array_len": 4096,
    "max_map_len": 4096,
    "max_str_len": 1 << 20,
    "max_bin_len": 0,
    "max_ext_len": 0,
}


class Outgoing(NamedTuple):
    """An encoded frame: buffers to be written in order. The same one may go to many peers.

    `ahead` of its `nbytes`, in the first buffer, are a REPORT's that goes in front of it.
    """

    kind: FrameKind
    buffers: tuple[bytes | memoryview, ...]
    nbytes: int
    round: int = 0
    ahead: int = 0

    def apart(self) -> tuple[Outgoing, ...]:
        """Return the frames one by one: the REPORT, if there is one in front, and the other."""
        if not self.ahead:
            return (self,)
        first = memoryview(self.buffers[0])
        report = Outgoing(FrameKind.REPORT, (first[: self.ahead],), self.ahead, self.round)
        buffers = (first[self.ahead :], *self.buffers[1:])
        return report, Outgoing(self.kind, buffers, self.nbytes - self.ahead, self.round)


def document(kind: FrameKind, round_: int, content: Mapping[str, Any]) -> Outgoing:
    """Encode a document frame; the content is what msgpack and JSON have in common."""
    body = bytes(msgpack.packb(dict(content), use_bin_type=True))
    return _outgoing(kind, round_, b"", [body], len(body))


def read_document(frame: Frame) -> dict[str, Any]:
    """Decode a document frame; raises `RemoteProtocolError` for anything but one map."""
    count = _Containers()
    try:
        content = msgpack.unpackb(
            frame.body,
            object_pairs_hook=count.map,
            list_hook=count.array,
            ext_hook=_no_extension,
            strict_map_key=True,
            raw=False,
            **_LIMITS,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise RemoteProtocolError(f"a damaged {frame.kind.name} frame: {reason}") from error
    if not isinstance(content, dict):
        raise RemoteProtocolError(f"a {frame.kind.name} frame without a map")
    return content


class _Containers:
    """Checks the maps of one document as they are closed, and counts maps and arrays."""

    def __init__(self) -> None:
        self._left = MAX_CONTAINERS

    def map(self, pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
        self._count()
        content = dict(pairs)
        if len(content) != len(pairs) or not all(isinstance(key, str) for key in content):
            raise ValueError("keys must be strings, each once")
        return content

    def array(self, items: list[Any]) -> list[Any]:
        self._count()
        return items

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {MAX_CONTAINERS} maps and arrays")


def _no_extension(code: int, _data: bytes) -> None:
    # A length limit of zero still lets an empty one through.
    raise ValueError(f"extension type {code}")


def vector_message(kind: FrameKind, round_: int, message: Message, ahead: bytes = b"") -> Outgoing:
    """Encode a vector message: descriptor [message kind, number of parts], `bin` bodies.

    `ahead` is the frame of a REPORT that goes in front. Raises `LocalProtocolError` for more or
    larger parts than a frame may have, and for a part that is no flat view of bytes.
    """
    if len(message.parts) == 1:
        # Most are of one part, and many are short: all of it is packed at once.
        part = message.parts[0]
        size = part.nbytes
        if size == len(part) and size < _SHORT_BELOW:
            descriptor, lead = _OF_ONE_PART[message.kind], LEADS[kind]
            body = PART_HEAD.size + size
            head = _ONE_PART.pack(lead, 3, round_, body, descriptor, BIN32, size)
            data = b"".join((ahead, head, part))
            frame = kind, (data,), len(data), round_, len(ahead)
            return _new(Outgoing, frame)
    if len(message.parts) > MAX_PARTS:
        raise LocalProtocolError(f"{len(message.parts)} parts where {MAX_PARTS} are the most")
    pieces: list[bytes | memoryview] = []
    body = 0
    for part in message.parts:
        size = part.nbytes
        if size > _LARGEST_BIN:
            raise LocalProtocolError(f"a part of {size} bytes exceeds {_LARGEST_BIN}")
        if size != len(part):
            raise LocalProtocolError(f"a part of {size} bytes that is not flat bytes")
        lead = PART_HEAD.pack(BIN32, size)
        if size >= _ALIGN_FROM:
            lead = bytes([_NIL]) * (-(body + 5) % _ALIGN) + lead
        pieces += (lead, part)
        body += len(lead) + size
    # A msgpack array of two small integers, MAX_PARTS being one.
    descriptor = bytes((0x92, message.kind, len(message.parts)))
    return _outgoing(kind, round_, descriptor, pieces, body, ahead)


def _outgoing(
    kind: FrameKind,
    round_: int,
    descriptor: bytes,
    pieces: Sequence[bytes | memoryview],
    body: int,
    ahead: bytes = b"",
) -> Outgoing:
    head = ahead + header(kind, round_, len(descriptor), body) + descriptor
    nbytes = len(head) + body
    buffers = (b"".join((head, *pieces)),) if nbytes < _JOIN_BELOW else (head, *pieces)
    return Outgoing(kind, buffers, nbytes, round_, len(ahead))


def read_message(frame: Frame) -> Message:
    """Decode a vector message; its parts are views of the frame's body.

    Raises `RemoteProtocolError` where descriptor and body do not fit together.
    """
    kind, count = DESCRIPTORS.get(frame.descriptor) or _described(frame.descriptor)
    body = frame.body
    size = body.nbytes - PART_HEAD.size
    if count == 1 and size >= 0 and PART_HEAD.unpack_from(body) == (BIN32, size):
        # One part as this program writes it: there is nothing to walk.
        parts: tuple[memoryview, ...] = (body[PART_HEAD.size :],)
    else:
        parts = _walk(body)
    if type(count) is not int or count != len(parts):
        raise RemoteProtocolError(f"{len(parts)} parts where the descriptor says {count!r}")
    said = kind, parts, 0.0
    return _new(Message, said)


def _described(descriptor: bytes) -> tuple[Kind, Any]:
    """Return what a descriptor tells that is not as this program writes them."""
    try:
        kind_number, count = msgpack.unpackb(descriptor, **_LIMITS)
        kind = Kind(kind_number)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise RemoteProtocolError(f"a damaged descriptor: {error}") from error
    if type(kind_number) is not int:  # an enumeration takes true and 1.0 for 1
        raise RemoteProtocolError(f"a damaged descriptor: {kind_number!r} is no message kind")
    return kind, count


def _walk(body: memoryview) -> tuple[memoryview, ...]:
    """Return the contents of the `bin` objects of a body, skipping nils."""
    parts: list[memoryview] = []
    at, end = 0, body.nbytes
    padding = 0
    while at < end:
        tag = body[at]
        if tag == _NIL and padding < _ALIGN - 1:
            padding += 1
            at += 1
            continue
        width = _WIDTHS.get(tag)
        start = end if width is None else at + 1 + width
        if width is None or start > end:
            raise RemoteProtocolError(f"byte {tag:#04x} where a vector's bytes belong")
        at = start + int.from_bytes(body[at + 1 : start], "big")
        if at > end or len(parts) == MAX_PARTS:
            raise RemoteProtocolError("a vector longer than its frame, or too many of them")
        parts.append(body[start:at])
        padding = 0
    return tuple(parts)
