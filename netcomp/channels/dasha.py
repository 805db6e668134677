"""Dasha: momentum variance reduction, compressed against what the receiver believes.

A. Tyurin, P. Richtárik, "DASHA: Distributed Nonconvex Optimization with Communication
Compression and Optimal Oracle Complexity", arXiv 2202.01268, Algorithm 1, the gradient
version; a baseline in MARINA-P §1.1. In its letters, for one worker:

    h^{t+1} = ∇f(x^{t+1});  m^{t+1} = C(h^{t+1} − h^t − a(g^t − h^t));  g^{t+1} = g^t + m^{t+1}

with h⁰ = g⁰ = ∇f(x⁰), sent in full and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import mean_of, speak
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind

__all__ = ["Dasha"]


@dataclass(frozen=True)
class Dasha(Channel):
    """c = C(v − h − a(ĝ − h)), ĝ ← ĝ + c, h ← v; the estimate is ĝ. One listener."""

    a: float = 1.0
    folds = True

    def sender(
        self, known: Array | None, like: Array, listeners: int = 1
    ) -> tuple[Array, Array] | None:
        return None if known is None else (known, known)

    def sends_whole(self, state: tuple[Array, Array] | None, key: object) -> bool:
        return state is None

    def send(self, state: tuple[Array, Array] | None, v: Array, keys: Keys) -> Spoken:
        ((to, key),) = keys.items()
        if state is None:
            payload = self.plain.compress(v, key)
            return {to: speak(Kind.FULL, payload)}, (v, payload.dense(v.dtype))
        h, g = state
        payload = self.compressor.compress(v - h - self.a * (g - h), key)
        g = g.copy()
        payload.add_to(g)
        return {to: speak(Kind.DELTA, payload)}, (v, g)

    def receiver(self, known: Array | None, like: Array) -> tuple[Array | None, Array]:
        return known, like

    def receive(
        self, state: tuple[Array | None, Array], audience: Audience
    ) -> tuple[Array, tuple[Array, Array]]:
        g, like = state
        if audience.kind is None:
            raise RemoteProtocolError("nobody spoke")
        if g is None:
            g = mean_of(audience, Kind.FULL, self.plain, like)
        else:
            g = g + mean_of(audience, Kind.DELTA, self.compressor, like)
        return g, (g, like)
