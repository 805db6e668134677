"""Memory: both ends learn a shift h, and only the difference to it is compressed.

The shift of DIANA (Mishchenko et al., arXiv 1901.09269; MARINA §1.2 compares with it),
of MCM's H (MCM eq. (3)) and, with α = 1, of EF21.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netcomp.channels.base import Channel, Heard, mean_of, speak
from netcomp.draw import Draw
from netcomp.errors import SpecError
from netcomp.roles import Array, Kind, Message

__all__ = ["Memory"]


@dataclass(frozen=True)
class Memory(Channel):
    """c = C(v − h), estimate h + c, and at both ends h ← h + α c; h⁰ is what both know, or 0."""

    alpha: float = 1.0

    def sender(self, known: Array | None, like: Array) -> Array:
        return np.zeros(like.shape, like.dtype) if known is None else known

    def send(self, state: Array, v: Array, draws: Sequence[Draw]) -> tuple[list[Message], Array]:
        if len(draws) != 1:
            raise SpecError("algorithm.down", "a shared memory hears one message for all workers")
        payload = self.compressor.compress(v - state, draws[0])
        h = state.copy()
        payload.add_to(h, self.alpha)
        return [speak(Kind.DELTA, payload)], h

    def receiver(self, known: Array | None, like: Array) -> Array:
        return self.sender(known, like)

    def receive(self, state: Array, heard: Sequence[Heard]) -> tuple[Array, Array]:
        c = mean_of(heard, Kind.DELTA, self.compressor, state)
        return state + c, state + self.alpha * c
