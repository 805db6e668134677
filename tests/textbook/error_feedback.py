"""Distributed SGD with error feedback (Beznosikov et al. Algorithm 1; NEOLITHIC Algorithm 3).

The average is eq. (20): x̄^K = Σ w^k x^k / Σ w^k; the steps and weights are Theorem 21's, in
which its δ is our 1/δ.
"""

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


def theorem_21(part, L, mu, delta):
    """Return (η^k, w^k) as functions of k, for B = 0."""
    if part == "i":
        kappa = 56 * 2 / delta * L / mu
        return lambda k: 4 / (mu * (kappa + k)), lambda k: kappa + k
    eta = 1 / (14 * 2 / delta * L)
    if part == "ii":
        return lambda _: eta, lambda k: (1 - mu * eta / 2) ** -(k + 1)
    return lambda _: eta, lambda _: 1.0


def average(points, weight):
    """Return x̄ of x^0, …, x^K."""
    weights = np.array([weight(k) for k in range(len(points))])
    weights /= weights.max()
    return weights @ np.array(points) / weights.sum()
