"""Messages from payloads, and payloads from messages: what the channels have in common."""

from __future__ import annotations

from netcomp.channels.audience import Audience
from netcomp.channels.mean import Mean
from netcomp.compressors import All, Chain, Compressor, FloatFormat, Payload
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message

__all__ = ["after", "exactly", "mean_of", "opened", "scaled", "speak"]

_new = tuple.__new__
"""A named tuple of its values, without the function in between."""


def exactly(vector: Array, key: Draw) -> Payload:
    """Return a vector as it is, in its own dtype: one part."""
    return _exact(vector.dtype.itemsize).compress(vector, key)


def after(whole: Payload, message: Message) -> Message:
    """Return a DELTA with the receiver's memory, from `exactly`, in front of it."""
    bits = whole.paper_bits + message.paper_bits
    return Message(Kind.RESET, (*whole.parts, *message.parts), bits)


def opened(message: Message, memory: Array, key: Draw) -> tuple[Array, Message]:
    """Return the memory a message is a DELTA to, new if it is a RESET, and the DELTA.

    Raises `RemoteProtocolError` for any other kind.
    """
    if message.kind is Kind.RESET and message.parts:
        whole = _exact(memory.dtype.itemsize).decode(message.parts[:1], memory.size, key)
        return whole.dense(memory.dtype), Message(Kind.DELTA, message.parts[1:])
    if message.kind is not Kind.DELTA:
        raise RemoteProtocolError(f"a {message.kind.name} message where DELTA belongs")
    return memory, message


def _exact(itemsize: int) -> Compressor:
    return Chain(All(), FloatFormat(f"f{8 * itemsize}"))


def speak(kind: Kind, payload: Payload) -> Message:
    """Return the message that carries a payload."""
    said = kind, payload.parts, payload.paper_bits
    return _new(Message, said)


def mean_of(audience: Audience, kind: Kind, compressor: Compressor, like: Array) -> Array:
    """Decode messages of one kind; return their sum over the senders, a fresh array.

    Raises `RemoteProtocolError` where a message is of another kind or does not decode.
    """
    mean = audience.mean or Mean(kind, compressor, like, audience.senders)
    if audience.kind is not None:
        mean.expect(kind)
    for message, draw in audience.heard:
        mean.hear(message, draw)
    return mean.total


def scaled(mean: Array, share: float) -> Array:
    """Return mean/share, the very same array where everybody speaks."""
    return mean if share == 1.0 else mean / share
