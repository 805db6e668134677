"""DIANA (K. Mishchenko, E. Gorbunov, M. Takáč, P. Richtárik, arXiv 1901.09269, Algorithm 1).

     4: Δ_i^k = ∇f_i(x^k) − h_i^k;  Δ̂_i^k = C_i(Δ_i^k)
     5: h_i^{k+1} = h_i^k + α Δ̂_i^k
     7: Δ̂^k = (1/n) Σ Δ̂_i^k;  ĝ^k = h^k + Δ̂^k
     8: x^{k+1} = x^k − γ ĝ^k;  h^{k+1} = h^k + α Δ̂^k

without the momentum and the regulariser, full gradients, h⁰ the mean of the h_i⁰ = 0.
"""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    h: np.ndarray  # the server's
    h_i: np.ndarray  # (n, d)


def step(state, gamma, alpha, gradients, compressors):
    """Return the next state; `compressors` are this round's functions C_i."""
    x, h, h_i = state
    delta = [
        C(gradient(x) - shift)  # l.4
        for C, gradient, shift in zip(compressors, gradients, h_i, strict=True)
    ]
    mean = np.mean(delta, axis=0)  # l.7
    g = h + mean  # l.7
    # l.8, l.5
    return State(x - gamma * g, h + alpha * mean, h_i + alpha * np.array(delta))
