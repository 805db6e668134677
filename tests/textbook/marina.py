"""MARINA (MARINA Algorithm 1), VR-MARINA (Algorithms 2 and 3) and PP-MARINA (Algorithm 4)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    g: np.ndarray


def start(x, gradients):
    return State(x, np.mean([gradient(x) for gradient in gradients], axis=0))  # l.2


def step(state, gamma, gradients, compressors, coin, batches=None):
    """Return (x^{k+1}, g^{k+1}); `coin` is c_k, `compressors` this round's functions Q_i.

    `batches` are Algorithm 2's gradients of this round's I'_i, the same at both points; in
    Algorithm 3 `gradients` are those of a larger batch.
    """
    x, g = state
    x_next = x - gamma * g  # l.7
    g_i = [
        gradient(x_next) if coin else g + Q(batch(x_next) - batch(x))  # l.8
        for Q, gradient, batch in zip(compressors, gradients, batches or gradients, strict=True)
    ]
    return State(x_next, np.mean(g_i, axis=0))  # l.10


def partial_step(state, gamma, gradients, drawn, coin):
    """Return Algorithm 4's next state; `drawn` are (i, Q) for each of the r draws."""
    x, g = state
    x_next = x - gamma * g
    if coin:
        return State(x_next, np.mean([gradient(x_next) for gradient in gradients], axis=0))
    said = [g + Q(gradients[i](x_next) - gradients[i](x)) for i, Q in drawn]
    return State(x_next, sum(said) / len(drawn))


def page_step(state, gamma, gradient, batch, coin):
    """Return PAGE's next state (Z. Li, H. Bao, X. Zhang, P. Richtárik, arXiv 2008.10898)."""
    x_next = state.x - gamma * state.g
    g_next = gradient(x_next) if coin else state.g + batch(x_next) - batch(state.x)
    return State(x_next, g_next)
