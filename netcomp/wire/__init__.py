"""The wire: frames cut out of bytes, and what they say."""

from netcomp.wire.frames import Frame, FrameKind, FrameParser
from netcomp.wire.messages import (
    Outgoing,
    document,
    read_document,
    read_message,
    vector_message,
)

__all__ = [
    "Frame",
    "FrameKind",
    "FrameParser",
    "Outgoing",
    "document",
    "read_document",
    "read_message",
    "vector_message",
]
