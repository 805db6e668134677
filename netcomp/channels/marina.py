"""Marina: rarely the vector itself, else the compressed change since the last one.

MARINA Alg. 1 l. 8 (gradients, up), MARINA-P Alg. 1 l. 9–15 (models, down) and
eq. (14) (both, with independent coins).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcomp.channels.base import Channel, Heard, mean_of, speak
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message

__all__ = ["Marina"]


@dataclass(frozen=True)
class Marina(Channel):
    """Coin 1 (probability p): v itself; coin 0: C(v − v_prev), which the receiver adds.

    One coin a round and direction serves all workers. v_prev is the sender's true previous
    vector, not the receiver's estimate (that would be Memory(1)). Where nothing is known
    yet, the first vector goes in full (marina's g⁰ = ∇f(x⁰)).
    """

    p: float = 1.0
    keeps_estimate = True

    def sender(self, known: Array | None, like: Array) -> Array | None:
        return known

    def send(
        self, state: Array | None, v: Array, draws: Sequence[Draw]
    ) -> tuple[list[Message], Array]:
        if state is None or draws[0].coin(self.p):
            # One encoding for everybody: the very same Message object is a broadcast.
            full = speak(Kind.FULL, self.plain.compress(v, draws[0]))
            return [full] * len(draws), v
        change = v - state
        return [speak(Kind.DELTA, self.compressor.compress(change, draw)) for draw in draws], v

    def receiver(self, known: Array | None, like: Array) -> tuple[Array | None, Array]:
        return known, like

    def receive(
        self, state: tuple[Array | None, Array], heard: Sequence[Heard]
    ) -> tuple[Array, tuple[Array | None, Array]]:
        estimate, like = state
        if heard[0][0].kind is Kind.FULL:
            estimate = mean_of(heard, Kind.FULL, self.plain, like)
        elif estimate is None:
            raise RemoteProtocolError("the first vector did not come in full")
        else:
            estimate = estimate + mean_of(heard, Kind.DELTA, self.compressor, like)
        return estimate, (estimate, like)
