"""ErrorFeedback: what a message leaves out is added to the next vector.

Beznosikov et al. Alg. 1 and NEOLITHIC Alg. 3 (η = 1); DORE keeps the fraction
η = 1/(1 + ω) of it, with which an unbiased C does not blow up (MCM Remark 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netcomp.channels.audience import Audience
from netcomp.channels.base import Channel, Keys, Spoken
from netcomp.channels.messages import mean_of, scaled, speak
from netcomp.roles import Array, Kind

__all__ = ["ErrorFeedback"]


@dataclass(frozen=True)
class ErrorFeedback(Channel):
    """c = C(v + η e), e ← v + η e − c with the decoded c; the estimate is c; e⁰ = 0.

    Every listener has an error of its own.
    """

    eta: float = 1.0
    keeps_estimate = False
    folds = True

    def sender(self, known: Array | None, like: Array, listeners: int = 1) -> tuple[Array, ...]:
        return (np.zeros(like.shape, like.dtype),) * listeners

    def send(self, state: tuple[Array, ...], v: Array, keys: Keys) -> Spoken:
        errors, said = list(state), {}
        for to, key in keys.items():
            corrected = v + self.eta * errors[to]
            payload = self.compressor.compress(corrected, key)
            said[to] = speak(Kind.VALUE, payload)
            errors[to] = corrected.copy()  # the payload may be a view of `corrected`
            payload.add_to(errors[to], -1.0)
        return said, tuple(errors)

    def receiver(self, known: Array | None, like: Array) -> Array:
        return like

    def receive(self, state: Array, audience: Audience) -> tuple[Array, Array]:
        mean = mean_of(audience, Kind.VALUE, self.compressor, state)
        return scaled(mean, audience.share), state
