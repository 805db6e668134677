"""What every algorithm is made of: two roles, the messages between them, an oracle.

A role is pure: its state is an argument and a result, its randomness is a `Draw`,
and it knows nothing of sockets, clocks or processes. The shell around it may call
`ServerRole.downlink` twice and gets the same messages; only `ServerRole.aggregate`
advances the server.

Arrays kept in a state or viewed by a message are never written again by anybody: a
message may be a view of them that is still on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw

__all__ = ["Array", "Kind", "Message", "Oracle", "ServerRole", "WorkerRole"]

Array = NDArray[np.floating[Any]]
"""A vector in the state's dtype, shape (d,)."""


class Kind(IntEnum):
    """What a message says, told explicitly and never guessed from its payload."""

    START = 0
    """Nothing but "begin": the receiver holds the starting point already."""
    FULL = 1
    """The vector itself: replaces the receiver's estimate."""
    VALUE = 2
    """C(v) of the vector: replaces the receiver's estimate."""
    DELTA = 3
    """C of a difference: the receiver adds it to what it holds."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a role, its vectors encoded.

    `parts` are flat views of bytes, the payload as it goes onto the wire. `paper_bits`
    is what the papers would count for it; on a received message it is 0, because
    only the sender knows it.
    """

    kind: Kind
    parts: tuple[memoryview, ...] = ()
    paper_bits: float = 0.0

    @property
    def payload_bytes(self) -> int:
        """Bytes of the encoded vectors, without any header."""
        return sum(part.nbytes for part in self.parts)


class Oracle(Protocol):
    """A worker's local function f_i: the only thing a role sees of problem and data."""

    @property
    def dim(self) -> int:
        """The dimension d."""
        ...

    def loss(self, x: Array) -> float:
        """Return f_i(x)."""
        ...

    def gradient(self, x: Array) -> Array:
        """Return ∇f_i(x), shape (d,), in the dtype of x, in an array of its own."""
        ...


class ServerRole(Protocol):
    """The server's half of an algorithm."""

    def init(self, x0: Array) -> Any:
        """Return the state before the first round; x0 is known to every worker."""
        ...

    def downlink(self, state: Any, draw: Draw) -> Mapping[int, Message]:
        """Return the messages of round `draw.round`, one a worker taking part.

        Workers that get the very same message share one `Message` object.
        """
        ...

    def aggregate(self, state: Any, uplinks: Mapping[int, Message], draw: Draw) -> Any:
        """Return the state after the round; sums run in worker order.

        Raises `RemoteProtocolError` when an uplink is not what the algorithm speaks.
        """
        ...

    def model(self, state: Any) -> Array:
        """Return the server's model x, the point at which targets are judged."""
        ...


class WorkerRole(Protocol):
    """One worker's half of an algorithm."""

    def init(self, x0: Array) -> Any:
        """Return the state before the first round."""
        ...

    def step(self, state: Any, message: Message, oracle: Oracle, draw: Draw) -> tuple[Any, Message]:
        """Answer one downlink message: return the new state and the uplink message.

        Raises `RemoteProtocolError` when the message is not what the algorithm speaks.
        """
        ...
