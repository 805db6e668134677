"""ErrorFeedback: what a message leaves out is added to the next vector.

Beznosikov et al. Alg. 1 and NEOLITHIC Alg. 3 (η = 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netcomp.channels.base import Channel, Heard, mean_of, speak
from netcomp.draw import Draw
from netcomp.errors import SpecError
from netcomp.roles import Array, Kind, Message

__all__ = ["ErrorFeedback"]


@dataclass(frozen=True)
class ErrorFeedback(Channel):
    """c = C(v + η e), e ← v + η e − c with the decoded c; the estimate is c; e⁰ = 0."""

    eta: float = 1.0

    def sender(self, known: Array | None, like: Array) -> Array:
        return np.zeros(like.shape, like.dtype)

    def send(self, state: Array, v: Array, draws: Sequence[Draw]) -> tuple[list[Message], Array]:
        if len(draws) != 1:
            raise SpecError("algorithm.down", "a shared error hears one message for all workers")
        corrected = v + self.eta * state
        payload = self.compressor.compress(corrected, draws[0])
        e = corrected.copy()
        payload.add_to(e, -1.0)
        return [speak(Kind.VALUE, payload)], e

    def receiver(self, known: Array | None, like: Array) -> Array:
        return like

    def receive(self, state: Array, heard: Sequence[Heard]) -> tuple[Array, Array]:
        return mean_of(heard, Kind.VALUE, self.compressor, state), state
