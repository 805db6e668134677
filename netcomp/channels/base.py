"""What a channel is: a sequence of vectors moved from a sender to a receiver's estimate.

The same channels serve both directions. A sender may speak to several *listeners* in one
round, each with a key and a message of its own: one listener is a broadcast, n of them hear
messages that differ, G of them are groups, and who is not among the keys is not spoken to. A
receiver may hear several senders at once and keeps the mean of what they say: every channel
is linear in its messages, so one aggregate state of size O(d) serves n senders.

States are immutable to the outside: `send` and `receive` return new ones. Both ends
advance by what the receiver decodes, so wire rounding never lets them drift.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netcomp.compressors import Compressor
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message

__all__ = ["Audience", "Channel", "Heard", "Keys", "Mean", "Spoken"]

Heard = tuple[Message, Draw]
"""A received message with the key its sender drew from."""

Keys = Mapping[int, Draw]
"""The listeners of a round by number, each with the key of its message."""

Spoken = tuple[dict[int, Message], Any]
"""One message a listener, and the sender's next state."""


class Mean:
    """The mean over the senders of messages of one kind, taken in one at a time: O(d) memory.

    `total` has the shape and dtype of `like`; sums run in the order of hearing.
    """

    def __init__(self, kind: Kind, compressor: Compressor, like: Array, senders: int) -> None:
        self.kind = kind
        self.total: Array = np.zeros(like.shape, like.dtype)
        self._compressor = compressor
        self._weight = 1.0 / senders

    def hear(self, message: Message, key: Draw) -> None:
        """Decode a message and add it; raises `RemoteProtocolError` where that cannot be."""
        self.expect(message.kind)
        payload = self._compressor.decode(message.parts, self.total.size, key)
        payload.add_to(self.total, self._weight)

    def expect(self, kind: Kind) -> None:
        """Raise `RemoteProtocolError` where `kind` is another than that of the messages."""
        if kind is not self.kind:
            raise RemoteProtocolError(f"a {kind.name} message where {self.kind.name} belongs")


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a receiver hears in one round: `heard` of `senders`, each present at `share`.

    The sum of what is heard over `senders` is the mean of all of them where everybody
    speaks. Where each speaks with probability `share`, that sum over `share` is the unbiased
    estimate of this round's mean, and the plain one what the senders' own states moved by.
    Messages that were added up as they came are in `mean`, and not in `heard`.
    """

    heard: Sequence[Heard]
    senders: int
    share: float = 1.0
    mean: Mean | None = None

    @property
    def kind(self) -> Kind | None:
        """What the first message is; None where nobody spoke."""
        if self.mean is not None:
            return self.mean.kind
        return self.heard[0][0].kind if self.heard else None

    @classmethod
    def all(cls, heard: Sequence[Heard]) -> Audience:
        """Return the audience of a round in which every sender speaks."""
        return cls(heard, len(heard))


@dataclass(frozen=True)
class Channel(ABC):
    """A direction of an algorithm: how v⁰, v¹, … become the receiver's estimates."""

    keeps_estimate: ClassVar[bool] = False
    """Whether the receiver's state shares memory with the estimate it returned."""
    folds: ClassVar[bool] = False
    """Whether `receive` asks only for the `kind` and the mean of more than one message.

    Then a server adds them up as they come. A subclass with a `receive` of its own is taken to
    look at each, unless it says otherwise again.
    """

    compressor: Compressor
    """Resolved for the dimension and the number of workers."""
    plain: Compressor
    """How a vector travels uncompressed: all coordinates in the wire's float format."""

    def __init_subclass__(cls) -> None:
        if "receive" in vars(cls) and "folds" not in vars(cls):
            cls.folds = False

    def max_bytes(self, d: int) -> int:
        """Return the largest payload (bytes) this channel ever sends in dimension d."""
        return max(self.compressor.max_bytes(d), self.plain.max_bytes(d))

    @abstractmethod
    def sender(self, known: Array | None, like: Array, listeners: int = 1) -> Any:
        """Return the sender's first state; `known` is the vector the receivers have already.

        `like` gives shape and dtype; its values mean nothing and it takes no memory.
        """

    @abstractmethod
    def send(self, state: Any, v: Array, keys: Keys) -> Spoken:
        """Say v to the listeners of `keys`."""

    def sends_whole(self, state: Any, key: Draw) -> bool:
        """Whether the next message is the vector itself, whoever may be silent otherwise."""
        return False

    @abstractmethod
    def receiver(self, known: Array | None, like: Array) -> Any:
        """Return the receiver's first state, the counterpart of `sender`."""

    @abstractmethod
    def receive(self, state: Any, audience: Audience) -> tuple[Array, Any]:
        """Return the estimate of the mean of the senders' vectors, and the next state.

        Sums run in the order of the audience. Raises `RemoteProtocolError` for a message this
        channel does not speak.
        """
