"""SingleMemory: n listeners with memories of their own, the sender keeping their mean only.

MCM §4.1 (2), first solution: the server holds H̄ in place of H_1 … H_n, and resets the
workers' H_i to it now and then. The paper has no formula for H̄ under partial
participation; ours:

    c_i = C_i(v − H̄) to those who take part, S;   H̄ ← H̄ + (α/n) Σ_S c_i
    worker i ∈ S: estimate H_i + c_i;  H_i ← H_i + α c_i

A reset is H̄ in full in front of c_i: the first message worker i gets at or after every
`reset`-th round. Without one the H_i walk away from H̄.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import after, exactly, opened, speak
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind

__all__ = ["SingleMemory"]


@dataclass(frozen=True)
class SingleMemory(Channel):
    """`alpha` is α; `reset` the rounds between resets, 0 for never."""

    alpha: float = 1.0
    reset: int = 0
    keeps_estimate = False

    def max_bytes(self, d: int) -> int:
        return self.compressor.max_bytes(d) + (8 * d if self.reset else 0)

    def sender(
        self, known: Array | None, like: Array, listeners: int = 1
    ) -> tuple[Array, tuple[int, ...]]:
        mean = np.zeros(like.shape, like.dtype) if known is None else known
        return mean, (0,) * listeners

    def send(self, state: tuple[Array, tuple[int, ...]], v: Array, keys: Keys) -> Spoken:
        mean, last = state
        moved, resets, said = mean.copy(), list(last), {}
        for to, key in keys.items():
            payload = self.compressor.compress(v - mean, key)
            payload.add_to(moved, self.alpha / len(last))
            said[to] = speak(Kind.DELTA, payload)
            if self.reset and key.round // self.reset > last[to] // self.reset:
                resets[to] = key.round
                said[to] = after(exactly(mean, key), said[to])
        return said, (moved, tuple(resets))

    def receiver(self, known: Array | None, like: Array) -> Array:
        return np.zeros(like.shape, like.dtype) if known is None else known

    def receive(self, state: Array, audience: Audience) -> tuple[Array, Array]:
        ((message, key),) = audience.heard
        if message.kind is Kind.RESET and not self.reset:
            raise RemoteProtocolError("a RESET message where none is ever due")
        h, message = opened(message, state, key)
        payload = self.compressor.decode(message.parts, h.size, key)
        estimate, moved = h.copy(), h.copy()
        payload.add_to(estimate)
        payload.add_to(moved, self.alpha)
        return estimate, moved
