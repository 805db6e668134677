"""The uplinks of one round, heard in worker order and added up as they come."""

from __future__ import annotations

from collections.abc import Sequence

from netcomp.algorithms.composed.composition import Composition
from netcomp.algorithms.composed.several import unpacked
from netcomp.channels import Audience, Heard, Mean
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Chorus, Kind, Message

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
        self._add(self._heard(worker, message))

    def take(self, workers: Sequence[int], messages: Sequence[Message]) -> None:
        """Hear workers whose messages nobody else has a view of, as `hear` would one by one."""
        if isinstance(messages, Chorus) and self._folds and self._once(messages.kind):
            self._count += len(messages)
            self._mean_of(messages.kind).hear_all(messages, lambda i: self._key(workers[i]))
            return
        for worker, message in zip(workers, messages, strict=True):
            self._add(self._heard(worker, message), own=True)

    def _once(self, kind: Kind) -> bool:
        """Whether everybody says one message of this kind, with one key."""
        said = self._parts.participation.once and kind in (Kind.VALUE, Kind.DELTA)
        return said or kind is Kind.FULL

    def _key(self, worker: int) -> Draw:
        return self._parts.up_key(self._draw, worker)

    def _heard(self, worker: int, message: Message) -> Sequence[Heard]:
        """Return what a worker said, with the keys it drew from: mostly one message."""
        parts, key = self._parts, self._key(worker)
        kind, keys = message.kind, [key]
        if kind is not Kind.FULL:
            keys = parts.participation.keys(parts.workers, worker, key)
            if kind is Kind.RESET or bool(keys) == (kind is Kind.SILENT):
                raise RemoteProtocolError(
                    f"worker {worker} was to send {len(keys)} messages, not a {kind.name}"
                )
            if kind is Kind.SEVERAL or len(keys) != 1:
                return list(zip(unpacked(message, len(keys)), keys, strict=True)) if keys else ()
        return ((message, keys[0]),)

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

    def _add(self, heard: Sequence[Heard], *, own: bool = False) -> None:
        self._count += len(heard)
        for message, key in heard:
            if self._folds:
                self._mean_of(message.kind).hear(message, key, own=own)
            else:
                self._kind = message.kind if self._kind is None else self._kind
                self._kept.append((message, key))

    def _mean_of(self, kind: Kind) -> Mean:
        """Return the mean, which is of the kind of the first message heard."""
        if self._mean is None:
            up, self._kind = self._parts.up, kind
            how = up.plain if kind is Kind.FULL else up.compressor
            self._mean = Mean(kind, how, self._like, self._senders)
        return self._mean
