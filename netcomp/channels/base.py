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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from netcomp.channels.audience import Audience
from netcomp.compressors import Compressor
from netcomp.draw import Draw
from netcomp.roles import Array, Message

__all__ = ["Channel", "Keys", "Spoken"]

Keys = Mapping[int, Draw]
"""The listeners of a round by number, each with the key of its message."""

Spoken = tuple[dict[int, Message], Any]
"""One message a listener, and the sender's next state."""


@dataclass(frozen=True)
class Channel(ABC):
    """A direction of an algorithm: how v⁰, v¹, … become the receiver's estimates."""

    keeps_estimate: ClassVar[bool] = True
    """Whether a receiver's state may share memory with the estimate it returned.

    Where it says no the server writes into the estimate. A subclass with a `receive` of its own
    is taken to share, unless it says otherwise again.
    """
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
        own = vars(cls)
        if "receive" in own:
            cls.folds = own.get("folds", False)
            cls.keeps_estimate = own.get("keeps_estimate", True)
        if "sender" in own and "shared" not in own:
            # What the state is that `shared` looks into is decided there.
            cls.shared = Channel.shared  # type: ignore[method-assign]

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

    def shared(self, state: Any) -> Array | None:
        """Return the memory h of a broadcast's receivers, in a sender's state; None without one.

        A worker that was away is told h, or the messages it missed, whichever is less. A subclass
        with a `sender` of its own has none, unless it says otherwise again.
        """
        return None

    @property
    def has_shared(self) -> bool:
        """Whether there is a `shared` to tell workers that were away."""
        return type(self).shared is not Channel.shared

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
