"""Direct: every round the receiver's estimate is C(v), nothing is remembered."""

from __future__ import annotations

from dataclasses import dataclass

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import mean_of, scaled, speak
from netcomp.roles import Array, Kind

__all__ = ["Direct"]


@dataclass(frozen=True)
class Direct(Channel):
    """c = C(v), and the estimate is c: gd with the identity, dcgd with any compressor."""

    keeps_estimate = False
    folds = True

    def sender(self, known: Array | None, like: Array, listeners: int = 1) -> None:
        return None

    def send(self, state: None, v: Array, keys: Keys) -> Spoken:
        compress = self.compressor.compress
        return {to: speak(Kind.VALUE, compress(v, key)) for to, key in keys.items()}, None

    def receiver(self, known: Array | None, like: Array) -> Array:
        return like

    def receive(self, state: Array, audience: Audience) -> tuple[Array, Array]:
        mean = mean_of(audience, Kind.VALUE, self.compressor, state)
        return scaled(mean, audience.share), state
