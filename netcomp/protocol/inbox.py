"""Messages that arrive in any order and are taken in worker order.

Sums of floats depend on their order, and a run's must not depend on the network's: so a message
waits, encoded, until those of all workers with lower numbers are there. A process with many
slots answers in worker order, hence the queue is as long as processes differ in pace. How long
it may get is a window: only so many workers from the one whose turn it is are read at all, the
others' bytes stay where they are, in the sockets' buffers and with their senders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from netcomp.roles import Message

__all__ = ["Inbox", "window"]

_AHEAD_BYTES: Final = 64 << 20
_AHEAD_LEAST: Final = 8
"""Fewer at a time would make links stand still that could all be in use."""


def window(largest: int) -> int:
    """Return how many messages of at most `largest` bytes may be on their way in at a time."""
    return max(_AHEAD_LEAST, _AHEAD_BYTES // max(1, largest))


class Inbox:
    """What `workers` send, each one message; `window` of them may be read at a time."""

    def __init__(self, workers: Iterable[int] = (), window: int | None = None) -> None:
        self._order = sorted(workers)
        self._turn = 0
        self._open = len(self._order) if window is None else min(window, len(self._order))
        self._window = window
        self._early: dict[int, Message] = {}
        self._ready: list[tuple[Sequence[int], Sequence[Message]]] = []

    @property
    def empty(self) -> bool:
        """Whether every message has been taken."""
        return self._turn == len(self._order) and not self._ready

    @property
    def shut(self) -> list[int]:
        """The workers that are not to be read yet, in their order."""
        return self._order[self._open :]

    def put(self, workers: Sequence[int], messages: Sequence[Message]) -> None:
        """Keep messages, one a worker, until they are taken."""
        end = self._turn + len(workers)
        if not self._early and self._order[self._turn : end] == list(workers):
            # It is their turn: what is one stays one.
            self._ready.append((workers, messages))
            self._turn = end
        else:
            self._early.update(zip(workers, messages, strict=True))

    def take(self) -> list[tuple[Sequence[int], Sequence[Message]]]:
        """Return the messages whose turn has come, in worker order, and let go of them."""
        ready, self._ready = self._ready, []
        workers, messages = [], []
        early = self._early
        for worker in islice(self._order, self._turn, None) if early else ():
            message = early.pop(worker, None)
            if message is None:
                break
            workers.append(worker)
            messages.append(message)
        self._turn += len(workers)
        return [*ready, (workers, messages)] if workers else ready

    def opened(self) -> list[int]:
        """Return the workers that may be read from now on, after what was taken."""
        start, order = self._open, self._order
        if self._window is None or start == len(order):
            return []
        self._open = min(self._turn + self._window, len(order))
        return order[start : self._open]
