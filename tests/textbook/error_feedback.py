"""Distributed SGD with error feedback (Beznosikov et al. Algorithm 1, full gradients)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    e: np.ndarray  # (n, d)


def start(x, n):
    return State(x, np.zeros((n, x.size)))


def step(state, eta, gradients, compressors):
    """Return the next state; `eta` is η^k, `compressors` are this round's functions C_i."""
    x, e = state
    said, errors = [], []
    for C, gradient, e_i in zip(compressors, gradients, e, strict=True):
        g_i = gradient(x)
        said.append(C(e_i + eta * g_i))  # eq. (21)
        errors.append(e_i + eta * g_i - said[-1])  # eq. (22)
    return State(x - np.mean(said, axis=0), np.array(errors))  # eq. (23)
