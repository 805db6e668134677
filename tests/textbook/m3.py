"""M3 (MARINA-P Algorithm 2)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    g: np.ndarray
    w: np.ndarray  # (n, d)
    z: np.ndarray  # (n, d)


def start(x, gradients):
    g = np.mean([gradient(x) for gradient in gradients], axis=0)
    shifts = np.array([x] * len(gradients))
    return State(x, g, shifts, shifts)  # l.1


def step(state, gamma, beta, gradients, *, primal, dual, coins):
    """Return the next state.

    `primal` are this round's functions C_i (downlink), `dual` its Q_i (uplink), `coins` is
    (c_P, c_D).
    """
    x, g, w, z = state
    c_P, c_D = coins
    x_next = x - gamma * g  # l.3
    # l.5, 7
    w_next = [x_next if c_P else w_i + C(x_next - x) for C, w_i in zip(primal, w, strict=True)]
    z_next = beta * np.array(w_next) + (1 - beta) * z  # l.8
    if c_D:
        said = [grad(new) for grad, new in zip(gradients, z_next, strict=True)]  # l.9
        g_next = np.mean(said, axis=0)  # l.12
    else:
        said = [
            Q(grad(new) - grad(old))  # l.9
            for Q, grad, new, old in zip(dual, gradients, z_next, z, strict=True)
        ]
        g_next = g + np.mean(said, axis=0)  # l.14
    return State(x_next, g_next, np.array(w_next), z_next)
