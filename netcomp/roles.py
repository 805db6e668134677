"""What every algorithm is made of: two roles, the messages between them, an oracle.

A role is pure: its state is an argument and a result, its randomness is a `Draw`,
and it knows nothing of sockets, clocks or processes. The shell around it may call
`ServerRole.downlink` twice and gets the same messages; only `ServerRole.aggregate`
advances the server.

Arrays kept in a state or viewed by a message are never written again by anybody: a
message may be a view of them that is still on its way. Only bytes that were received, and are
seen by nobody else, may be written by who takes them (`Hearing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw, Purpose

__all__ = [
    "Array",
    "Batch",
    "Chorus",
    "FoldingRole",
    "Hearing",
    "Kind",
    "Message",
    "Oracle",
    "ServerRole",
    "WorkerRole",
]

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
    RESET = 4
    """The receiver's memory itself, and then a DELTA to it."""
    SEVERAL = 5
    """Several messages in one, each with its kind."""
    SILENT = 6
    """Nothing: this worker was not drawn to speak in this round."""


class Message(NamedTuple):
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


class Chorus(Sequence[Message]):
    """Messages that are alike but for their contents: of one kind, their parts of one length each.

    They are made when somebody asks for them. `reads` hold their bytes, each in the places
    `where`, a slice a part.
    """

    __slots__ = ("_reads", "_where", "kind")

    def __init__(self, kind: Kind, reads: Sequence[bytes], where: Sequence[slice]) -> None:
        self.kind = kind
        self._reads = reads
        self._where = where

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each part of a message."""
        return tuple([part.stop - part.start for part in self._where])

    def joined(self, part: int) -> bytes:
        """Return a part of all messages, one behind the other."""
        where = self._where[part]
        return b"".join([read[where] for read in self._reads])

    def __len__(self) -> int:
        return len(self._reads)

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> Chorus: ...

    def __getitem__(self, index: int | slice) -> Message | Chorus:
        if isinstance(index, slice):
            return Chorus(self.kind, self._reads[index], self._where)
        view = memoryview(self._reads[index])
        return Message(self.kind, tuple([view[part] for part in self._where]))


@dataclass(frozen=True, slots=True)
class Batch:
    """The samples of a stochastic gradient, as a key: equal batches are the same samples.

    So two gradients over one batch at two points share their samples, and nothing of a
    batch is ever stored. A worker's own key makes its samples independent of the others'.
    """

    size: int
    draw: Draw
    replace: bool = False
    """Whether a sample may come twice; without, `size` = m is every one of m rows."""

    def rows(self, count: int) -> NDArray[np.int64]:
        """Return the rows of a worker that has `count`, shape (size,).

        Without replacement they are distinct and sorted, with it in the order drawn. Raises
        `ValueError` where `size` is not in 1..count, or below 1 with replacement.
        """
        if self.size < 1 or (self.size > count and not self.replace):
            raise ValueError(f"a batch of {self.size} from {count} rows")
        stream = self.draw.stream(Purpose.MINIBATCH)
        return (stream.below if self.replace else stream.distinct)(count, self.size)


class Oracle(Protocol):
    """A worker's local function f_i: the only thing a role sees of problem and data."""

    @property
    def dim(self) -> int:
        """The dimension d."""
        ...

    def loss(self, x: Array) -> float:
        """Return f_i(x)."""
        ...

    @property
    def rows(self) -> int:
        """The number m of rows that f_i is the mean over; 0 where there are none."""
        ...

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x), or the mean gradient of a batch of its samples at x.

        Shape (d,), in the dtype of x, in an array of its own.
        """
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


class Hearing(Protocol):
    """One round's uplinks on their way into a server's state.

    It may have `take(workers, messages)` besides, for what some workers in a row said: mostly a
    `Chorus`. Nobody else has a view of their bytes: it may write where they can be written to.
    """

    def hear(self, worker: int, message: Message) -> None:
        """Take the message of the next worker, in worker order; it need not be kept.

        Raises `RemoteProtocolError` when it is not what the algorithm speaks.
        """
        ...


class FoldingRole(ServerRole, Protocol):
    """A server's half that adds uplinks up as they come: its memory is O(d), whatever n is."""

    folds: ClassVar[bool]
    """Whether it does; a subclass with an `aggregate` of its own is asked for that again."""

    def hearing(self, state: Any, draw: Draw) -> Hearing:
        """Return what takes in the uplinks of the round that `downlink` began."""
        ...

    def aggregate(self, state: Any, uplinks: Mapping[int, Message] | Hearing, draw: Draw) -> Any:
        """Return the state after the round, from all the messages or from what heard them.

        The two are the same bit for bit. What heard them is used up by it.
        """
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
