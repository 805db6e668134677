"""Direct: every round the receiver's estimate is C(v), nothing is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcomp.channels.base import Channel, Heard, mean_of, speak
from netcomp.draw import Draw
from netcomp.roles import Array, Kind, Message

__all__ = ["Direct"]


@dataclass(frozen=True)
class Direct(Channel):
    """c = C(v), and the estimate is c: gd with the identity, dcgd with any compressor."""

    def sender(self, known: Array | None, like: Array) -> None:
        return None

    def send(self, state: None, v: Array, draws: Sequence[Draw]) -> tuple[list[Message], None]:
        return [speak(Kind.VALUE, self.compressor.compress(v, draw)) for draw in draws], None

    def receiver(self, known: Array | None, like: Array) -> Array:
        return like

    def receive(self, state: Array, heard: Sequence[Heard]) -> tuple[Array, Array]:
        return mean_of(heard, Kind.VALUE, self.compressor, state), state
