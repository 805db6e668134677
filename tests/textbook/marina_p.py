"""MARINA-P (MARINA-P Algorithm 1)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    w: np.ndarray  # (n, d)


def start(x, n):
    return State(x, np.array([x] * n))  # l.1


def step(state, gamma, gradients, compressors, coin):
    """Return (x^{t+1}, w^{t+1}); `coin` is c^t, `compressors` this round's functions C_i."""
    x, w = state
    g = np.mean([grad(w_i) for grad, w_i in zip(gradients, w, strict=True)], axis=0)  # l.4, 6
    x_next = x - gamma * g  # l.7
    w_next = [
        x_next if coin else w_i + C(x_next - x)  # l.9-15
        for C, w_i in zip(compressors, w, strict=True)
    ]
    return State(x_next, np.array(w_next))
