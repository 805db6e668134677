"""A message as it arrives: encoded, cut out of the bytes again and read, without a socket."""

from __future__ import annotations

from netcomp.errors import RemoteProtocolError
from netcomp.roles import Message
from netcomp.wire.frames import FrameKind, FrameParser
from netcomp.wire.messages import read_message, vector_message

__all__ = ["carried"]


def carried(message: Message, round_: int) -> Message:
    """Return a message as its receiver reads it: read-only bytes of its own, no paper bits.

    Raises `LocalProtocolError` where it cannot be sent, `RemoteProtocolError` where what was
    sent cannot be read.
    """
    outgoing = vector_message(FrameKind.UPLINK, round_, message)
    data = b"".join(outgoing.buffers)
    frames = list(FrameParser({FrameKind.UPLINK: len(data)}).feed(data))
    if len(frames) != 1:
        raise RemoteProtocolError(f"{len(frames)} frames of one message")
    return read_message(frames[0])
