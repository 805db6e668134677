"""DASHA, gradient version (A. Tyurin, P. Richtárik, arXiv 2202.01268, Algorithm 1).

 4: x^{t+1} = x^t − γ g^t
 7: h_i^{t+1} = ∇f_i(x^{t+1})
 8: m_i^{t+1} = C_i(h_i^{t+1} − h_i^t − a(g_i^t − h_i^t))
 9: g_i^{t+1} = g_i^t + m_i^{t+1}
12: g^{t+1} = g^t + (1/n) Σ m_i^{t+1}
"""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    g: np.ndarray
    g_i: np.ndarray  # (n, d)
    h_i: np.ndarray  # (n, d)


def start(x, gradients):
    h_i = np.array([gradient(x) for gradient in gradients])
    return State(x, h_i.mean(axis=0), h_i, h_i)


def step(state, gamma, a, gradients, compressors):
    x, g, g_i, h_i = state
    x_next = x - gamma * g  # l.4
    h_next = np.array([gradient(x_next) for gradient in gradients])  # l.7
    moves = h_next - h_i - a * (g_i - h_i)
    m = np.array([C(move) for C, move in zip(compressors, moves, strict=True)])  # l.8
    return State(x_next, g + m.mean(axis=0), g_i + m, h_next)  # l.9, 12
