"""Several messages in one: rounds a worker has missed, or draws it was drawn for twice.

The first part has two bytes a message, its kind and its number of parts; theirs follow.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcomp.compressors import MAX_PARTS
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Kind, Message

__all__ = ["MOST_MESSAGES", "several", "unpacked"]

MOST_MESSAGES = MAX_PARTS - 1
"""How many messages fit into one at most: each has a part or more."""


def several(messages: Sequence[Message]) -> Message:
    """Return the messages as one; a single message is itself."""
    if len(messages) == 1:
        return messages[0]
    counts = bytes(byte for one in messages for byte in (one.kind, len(one.parts)))
    parts = [part for one in messages for part in one.parts]
    bits = sum(one.paper_bits for one in messages)
    return Message(Kind.SEVERAL, (memoryview(counts), *parts), bits)


def unpacked(message: Message, expected: int) -> list[Message]:
    """Return the messages in one; raises `RemoteProtocolError` unless there are `expected`."""
    if expected == 1 and message.kind is not Kind.SEVERAL:
        return [message]
    counts = bytes(message.parts[0]) if message.parts else b""
    whole = message.kind is Kind.SEVERAL and len(counts) == 2 * expected
    if not whole or sum(counts[1::2]) != len(message.parts) - 1:
        raise RemoteProtocolError(f"a {message.kind.name} message where {expected} are due in one")
    found, start = [], 1
    for number, count in zip(counts[::2], counts[1::2], strict=True):
        try:
            kind = Kind(number)
        except ValueError:
            raise RemoteProtocolError(f"{number} is no message kind") from None
        if kind not in (Kind.VALUE, Kind.DELTA):
            raise RemoteProtocolError(f"a {kind.name} message among several")
        found.append(Message(kind, message.parts[start : start + count]))
        start += count
    return found
