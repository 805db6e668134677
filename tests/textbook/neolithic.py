"""NEOLITHIC (NEOLITHIC Algorithms 1 and 2); with R = 1 it is Double-Squeeze (arXiv 1905.05957)."""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    er: np.ndarray  # the server's
    er_i: np.ndarray  # (n, d)


def fcc(v, compressors):
    """Return v^(R) of Algorithm 1; `compressors` are the R messages' functions C."""
    sent = np.zeros(v.size)
    for C in compressors:
        sent = sent + C(v - sent)
    return sent


def step(state, gamma, gradients, up, down):
    """Return the next state; `gradients` of a worker are R functions, as are `up` of a worker.

    `down` are the server's R functions, None for unidirectional compression (C_0 = I).
    """
    x, er, er_i = state
    g_hat = [np.mean([query(x) for query in samples], axis=0) for samples in gradients]
    g_tilde = np.array(g_hat) + er_i
    said = np.array([fcc(v, C) for v, C in zip(g_tilde, up, strict=True)])
    total = said.mean(axis=0) + er
    update = total if down is None else fcc(total, down)
    return State(x - gamma * update, total - update, g_tilde - said)
