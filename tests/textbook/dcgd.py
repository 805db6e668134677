"""Distributed compressed gradient descent (Beznosikov et al. §5.1; n = 1: CGD, §3).

x^{k+1} = x^k − η (1/n) Σ C_i(∇f_i(x^k))
"""

import numpy as np


def step(x, gamma, gradients, compressors):
    """Return x^{k+1}; `compressors` are this round's functions C_i."""
    said = [C(gradient(x)) for C, gradient in zip(compressors, gradients, strict=True)]
    return x - gamma * np.mean(said, axis=0)
