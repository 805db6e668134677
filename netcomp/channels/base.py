"""What a channel is: a sequence of vectors moved from a sender to a receiver's estimate.

The same channels serve both directions. A sender may speak to several receivers in one
round: `draws` holds one key a *distinct* message, so one key is a broadcast and n keys are
n messages that differ. A receiver may hear several senders at once and keeps the mean of
what they say: every channel is linear in its messages, so one aggregate state of size O(d)
serves n senders.

States are immutable to the outside: `send` and `receive` return new ones. Both ends
advance by what the receiver decodes, so wire rounding never lets them drift.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netcomp.compressors import Compressor, Payload
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message

__all__ = ["Channel", "Heard", "mean_of", "speak"]

Heard = tuple[Message, Draw]
"""A received message with the key its sender drew from."""


@dataclass(frozen=True)
class Channel(ABC):
    """A direction of an algorithm: how v⁰, v¹, … become the receiver's estimates."""

    keeps_estimate: ClassVar[bool] = False
    """Whether the receiver's state shares memory with the estimate it returned."""

    compressor: Compressor
    """Resolved for the dimension and the number of workers."""
    plain: Compressor
    """How a vector travels uncompressed: all coordinates in the wire's float format."""

    def max_bytes(self, d: int) -> int:
        """Return the largest payload (bytes) this channel ever sends in dimension d."""
        return max(self.compressor.max_bytes(d), self.plain.max_bytes(d))

    @abstractmethod
    def sender(self, known: Array | None, like: Array) -> Any:
        """Return the sender's first state; `known` is the vector the receiver has already.

        `like` gives shape and dtype; its values mean nothing and it takes no memory.
        """

    @abstractmethod
    def send(self, state: Any, v: Array, draws: Sequence[Draw]) -> tuple[list[Message], Any]:
        """Return one message a key, and the sender's next state."""

    @abstractmethod
    def receiver(self, known: Array | None, like: Array) -> Any:
        """Return the receiver's first state, the counterpart of `sender`."""

    @abstractmethod
    def receive(self, state: Any, heard: Sequence[Heard]) -> tuple[Array, Any]:
        """Return the estimate of the mean of the senders' vectors, and the next state.

        Sums run in the order of `heard`. Raises `RemoteProtocolError` for a message this
        channel does not speak.
        """


def speak(kind: Kind, payload: Payload) -> Message:
    """Return the message that carries a payload."""
    return Message(kind, payload.parts, payload.paper_bits)


def mean_of(heard: Sequence[Heard], kind: Kind, compressor: Compressor, like: Array) -> Array:
    """Decode messages of one kind and return their mean, a fresh array like `like`.

    Raises `RemoteProtocolError` where a message is of another kind or does not decode.
    """
    total = np.zeros(like.shape, like.dtype)
    for message, draw in heard:
        if message.kind is not kind:
            raise RemoteProtocolError(f"a {message.kind.name} message where {kind.name} belongs")
        payload = compressor.decode(message.parts, like.size, draw)
        payload.add_to(total, 1.0 / len(heard))
    return total
