"""VR-DIANA (S. Horváth, D. Kovalev, K. Mishchenko, S. Stich, P. Richtárik, arXiv 1904.05115).

Loopless variant: g_i^k = ∇f_iB(x^k) − ∇f_iB(y_i^k) + ∇f_i(y_i^k); DIANA's step with these; where
the common coin u^k falls, y_i^{k+1} = x^k.
"""

from typing import NamedTuple

import numpy as np

from textbook import diana


class State(NamedTuple):
    x: np.ndarray
    h: np.ndarray
    h_i: np.ndarray  # (n, d)
    y_i: np.ndarray  # (n, d)


def step(state, gamma, alpha, full, batch, compressors, coin):
    """Return the next state; `full` are the ∇f_i, `batch` the ∇f_iB of this round's samples."""
    x, h, h_i, y_i = state

    def reduced(i):
        return lambda point: batch[i](point) - batch[i](y_i[i]) + full[i](y_i[i])

    gradients = [reduced(i) for i in range(len(full))]
    shifted = diana.step(diana.State(x, h, h_i), gamma, alpha, gradients, compressors)
    return State(*shifted, np.array([x] * len(full)) if coin else y_i)
