"""The uplinks of one round, heard in worker order and added up as they come."""

from __future__ import annotations

from netcomp.algorithms.composed.composition import Composition
from netcomp.algorithms.composed.several import unpacked
from netcomp.channels import Audience, Heard, Mean
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message

__all__ = ["Hears"]


class Hears:
    """Takes a round's uplinks, worker by worker; `audience` is what the up channel receives.

    `like` gives shape and dtype. Messages are added to a vector and let go, unless the channel
    looks at each of them (`Channel.folds`) or they are forwarded: then they are kept encoded.
    """

    def __init__(self, parts: Composition, like: Array, draw: Draw) -> None:
        self._parts = parts
        self._like = like
        self._draw = draw
        self._folds = parts.up.folds and parts.down_carries != "forward"
        self._kind: Kind | None = None
        self._mean: Mean | None = None
        self._kept: list[Heard] = []
        self._count = 0

    def hear(self, worker: int, message: Message) -> None:
        """Take a worker's message, with the keys it drew from.

        Raises `RemoteProtocolError` where it is not what the worker was to send.
        """
        self._hear(worker, message, own=False)

    def take(self, worker: int, message: Message) -> None:
        """Hear a message of which nobody else has a view: its bytes may become the sum's."""
        self._hear(worker, message, own=True)

    def _hear(self, worker: int, message: Message, *, own: bool) -> None:
        parts, key = self._parts, self._parts.up_key(self._draw, worker)
        keys = [key]
        if message.kind is not Kind.FULL:
            keys = parts.participation.keys(parts.workers, worker, key)
        if message.kind is Kind.RESET or bool(keys) == (message.kind is Kind.SILENT):
            raise RemoteProtocolError(
                f"worker {worker} was to send {len(keys)} messages, not a {message.kind.name}"
            )
        if keys:
            for one in zip(unpacked(message, len(keys)), keys, strict=True):
                self._add(*one, own=own)

    def audience(self) -> Audience:
        """Return who was heard; raises `RemoteProtocolError` where only some spoke in full."""
        if self._kind is Kind.FULL and self._count < self._parts.workers:
            raise RemoteProtocolError("a FULL message where not everybody sends one")
        share = self._parts.participation.share
        return Audience(self._kept, self._senders, share, self._mean)

    @property
    def _senders(self) -> int:
        """How many messages the mean divides by."""
        parts = self._parts
        whole = self._kind is Kind.FULL
        return parts.workers if whole else parts.participation.speakers(parts.workers)

    def _add(self, message: Message, key: Draw, *, own: bool) -> None:
        self._count += 1
        if self._kind is None:
            self._kind = message.kind
        if not self._folds:
            self._kept.append((message, key))
            return
        if self._mean is None:
            up = self._parts.up
            how = up.plain if self._kind is Kind.FULL else up.compressor
            self._mean = Mean(self._kind, how, self._like, self._senders)
        self._mean.hear(message, key, own=own)
