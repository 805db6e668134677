"""CORE as MARINA-P §1.1 and Table 1 describe it: m shared Gaussians both ways.

Numbers travel as 32-bit floats: p_i up, their mean p̄ down.
"""

import numpy as np


def step(x, gamma, gradients, xi):
    """Return x^{t+1}; `xi` is Ξ^t, shape (m, d)."""
    p_i = np.array([(xi @ gradient(x)).astype(np.float32) for gradient in gradients])
    p = p_i.mean(axis=0, dtype=np.float64).astype(np.float32)
    return x - gamma * (xi.T @ p.astype(np.float64)) / len(xi)
