"""Memory: both ends learn a shift h, and only the difference to it is compressed.

The shift of DIANA (Mishchenko et al., arXiv 1901.09269; MARINA §1.2 compares with it),
of MCM's H (MCM eq. (3)), one a worker in Rand-MCM (§2.2), and, with α = 1, of EF21.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import mean_of, opened, scaled, speak
from netcomp.roles import Array, Kind

__all__ = ["Memory"]


@dataclass(frozen=True)
class Memory(Channel):
    """c = C(v − h), estimate h + c, and at both ends h ← h + α c; h⁰ is what both know, or 0.

    Every listener has a memory of its own, which moves only when it is spoken to. With
    `opens_whole` the first vector goes in full and is h (EF21's g_i⁰ = ∇f_i(x⁰)).
    """

    alpha: float = 1.0
    opens_whole: bool = False
    keeps_estimate = False
    folds = True

    def sender(
        self, known: Array | None, like: Array, listeners: int = 1
    ) -> tuple[Array | None, ...]:
        return (self._first(known, like),) * listeners

    def send(self, state: tuple[Array | None, ...], v: Array, keys: Keys) -> Spoken:
        memories, said = list(state), {}
        for to, key in keys.items():
            h = memories[to]
            if h is None:
                payload = self.plain.compress(v, key)
                said[to], memories[to] = speak(Kind.FULL, payload), payload.dense(v.dtype)
                continue
            payload = self.compressor.compress(v - h, key)
            moved = h.copy()
            payload.add_to(moved, self.alpha)
            said[to], memories[to] = speak(Kind.DELTA, payload), moved
        return said, tuple(memories)

    def shared(self, state: tuple[Array | None, ...]) -> Array | None:
        return state[0]

    def sends_whole(self, state: tuple[Array | None, ...], key: object) -> bool:
        return state[0] is None

    def receiver(self, known: Array | None, like: Array) -> tuple[Array | None, Array]:
        return self._first(known, like), like

    def receive(
        self, state: tuple[Array | None, Array], audience: Audience
    ) -> tuple[Array, tuple[Array | None, Array]]:
        h, like = state
        if h is None:
            h = mean_of(audience, Kind.FULL, self.plain, like)
            return h.copy(), (h, like)
        if len(audience.heard) == 1:
            ((message, key),) = audience.heard
            h, message = opened(message, h, key)
            audience = replace(audience, heard=[(message, key)])
        c = mean_of(audience, Kind.DELTA, self.compressor, like)
        return h + scaled(c, audience.share), (h + self.alpha * c, like)

    def _first(self, known: Array | None, like: Array) -> Array | None:
        if known is not None or self.opens_whole:
            return known
        return np.zeros(like.shape, like.dtype)
