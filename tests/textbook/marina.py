"""MARINA (MARINA Algorithm 1)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    g: np.ndarray


def start(x, gradients):
    return State(x, np.mean([gradient(x) for gradient in gradients], axis=0))  # l.2


def step(state, gamma, gradients, compressors, coin):
    """Return (x^{k+1}, g^{k+1}); `coin` is c_k, `compressors` this round's functions Q_i."""
    x, g = state
    x_next = x - gamma * g  # l.7
    g_i = [
        gradient(x_next) if coin else g + Q(gradient(x_next) - gradient(x))  # l.8
        for Q, gradient in zip(compressors, gradients, strict=True)
    ]
    return State(x_next, np.mean(g_i, axis=0))  # l.10
