"""EF21 and its relatives (arXiv 2106.05203 Alg. 2; 2209.15218; 2110.03294 Alg. 5).

ef21       x^{t+1} = x^t − γ g^t;  g_i^{t+1} = g_i^t + C_i(∇f_i(x^{t+1}) − g_i^t);  g = mean g_i
ef21-p     x^{t+1} = x^t − γ ∇f(w^t);  w^{t+1} = w^t + C(x^{t+1} − w^t)
           (+dcgd: with (1/n) Σ Q_i(∇f_i(w^t)) in place of ∇f(w^t))
ef21-bc    x^{t+1} = x^t − γ g^t;  g̃_i as ef21's g_i;  g^{t+1} = g^t + C_M(g̃^{t+1} − g^t)
"""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    g: np.ndarray
    g_i: np.ndarray  # (n, d)


def start(x, gradients):
    g_i = np.array([gradient(x) for gradient in gradients])
    return State(x, g_i.mean(axis=0), g_i)


def step(state, gamma, gradients, compressors):
    x, g, g_i = state
    x_next = x - gamma * g
    g_next = np.array(
        [
            own + C(gradient(x_next) - own)
            for C, gradient, own in zip(compressors, gradients, g_i, strict=True)
        ]
    )
    return State(x_next, g_next.mean(axis=0), g_next)


class Primal(NamedTuple):
    x: np.ndarray
    w: np.ndarray


def primal_step(state, gamma, gradients, primal, dual):
    """Return EF21-P's next state; `primal` is C, `dual` the Q_i, identities without dcgd."""
    x, w = state
    said = [Q(gradient(w)) for Q, gradient in zip(dual, gradients, strict=True)]
    x_next = x - gamma * np.mean(said, axis=0)
    return Primal(x_next, w + primal(x_next - w))


def two_way_step(state, gamma, gradients, compressors, master):
    """Return EF21-BC's next state, whose g is the server's, not the mean of the g_i."""
    one_way = step(state, gamma, gradients, compressors)
    return one_way._replace(g=state.g + master(one_way.g - state.g))
