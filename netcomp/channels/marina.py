"""Marina: rarely the vector itself, else the compressed change since the last one.

MARINA Alg. 1 l. 8 (gradients, up), MARINA-P Alg. 1 l. 9–15 (models, down) and
eq. (14) (both, with independent coins).
"""

from __future__ import annotations

from dataclasses import dataclass

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import mean_of, speak
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind

__all__ = ["Marina"]


@dataclass(frozen=True)
class Marina(Channel):
    """Coin 1 (probability p): v itself; coin 0: C(v − v_prev), which the receiver adds.

    One coin a round and direction serves all workers. v_prev is the sender's true previous
    vector, not the receiver's estimate (that would be Memory(1)). Where nothing is known
    yet, the first vector goes in full (marina's g⁰ = ∇f(x⁰)).
    """

    p: float = 1.0
    folds = True

    def sender(self, known: Array | None, like: Array, listeners: int = 1) -> Array | None:
        return known

    def sends_whole(self, state: Array | None, key: Draw) -> bool:
        return state is None or key.coin(self.p)

    def send(self, state: Array | None, v: Array, keys: Keys) -> Spoken:
        first = next(iter(keys.values()))
        if state is None or self.sends_whole(state, first):
            # One encoding for everybody: the very same Message object is a broadcast.
            return dict.fromkeys(keys, speak(Kind.FULL, self.plain.compress(v, first))), v
        return self.send_change(v, v - state, keys)

    def send_change(self, state: Array, change: Array, keys: Keys) -> Spoken:
        """Say C(change), a difference the caller formed (VR-MARINA's of two minibatches)."""
        compress = self.compressor.compress
        return {to: speak(Kind.DELTA, compress(change, key)) for to, key in keys.items()}, state

    def receiver(self, known: Array | None, like: Array) -> tuple[Array | None, Array]:
        return known, like

    def receive(
        self, state: tuple[Array | None, Array], audience: Audience
    ) -> tuple[Array, tuple[Array | None, Array]]:
        estimate, like = state
        if audience.kind is None:
            raise RemoteProtocolError("nobody spoke")
        if audience.kind is Kind.FULL:
            estimate = mean_of(audience, Kind.FULL, self.plain, like)
        elif estimate is None:
            raise RemoteProtocolError("the first vector did not come in full")
        else:
            estimate = estimate + mean_of(audience, Kind.DELTA, self.compressor, like)
        return estimate, (estimate, like)
