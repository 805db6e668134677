"""What absent workers have not heard: kept until they return.

MCM §4.1: a worker that has missed S rounds receives their S messages, as long as that costs
less than the whole. The whole, here, is the memory H itself in the dtype of the state, so that
both ends agree on it to the last bit, with the newest message after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netcomp.algorithms.composed.several import several
from netcomp.channels.messages import after, exactly
from netcomp.compressors import MAX_PARTS
from netcomp.draw import Draw
from netcomp.roles import Array, Message

__all__ = ["Missed"]


@dataclass(frozen=True)
class Missed:
    """The newest broadcasts, and up to which one each worker has heard them.

    Broadcasts are counted from 1 in the order they were spoken: a round without any hearer
    speaks none.
    """

    spoken: int
    log: tuple[Message, ...]
    heard: tuple[int, ...]

    @classmethod
    def none(cls, workers: int) -> Missed:
        """Return the state in which everybody knows all there is."""
        return cls(0, (), (0,) * workers)

    def tell(
        self, message: Message, memory: Array, hearers: Sequence[int], key: Draw
    ) -> tuple[Mapping[int, Message], Missed]:
        """Return what each hearer is told, one Message object for equals, and the next state.

        `memory` is H before `message`, `key` the message's own.
        """
        spoken, log = self.spoken + 1, (*self.log, message)
        due = {worker: spoken - self.heard[worker] for worker in hearers}
        cheap = _cheap(log, memory.nbytes)
        words = {
            count: several(log[-count:]) if count <= cheap else after(exactly(memory, key), message)
            for count in set(due.values())
        }
        heard = tuple(spoken if worker in due else last for worker, last in enumerate(self.heard))
        # What costs more than the whole is never told again, so it need not be kept.
        keep = min(spoken - min(heard), cheap)
        said = {worker: words[count] for worker, count in due.items()}
        return said, Missed(spoken, log[len(log) - keep :], heard)


def _cheap(log: Sequence[Message], whole: int) -> int:
    """Return how many of the newest messages together cost at most the whole (bytes)."""
    nbytes, parts = -log[-1].payload_bytes, 1  # the newest is told in either case
    for count, message in enumerate(reversed(log)):
        nbytes += message.payload_bytes
        parts += len(message.parts)
        if nbytes > whole or parts > MAX_PARTS:
            return max(count, 1)
    return len(log)
