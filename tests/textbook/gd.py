"""Gradient descent (MARINA-P §1.1): x^{t+1} = x^t − γ (1/n) Σ ∇f_i(x^t)."""

import numpy as np


def step(x, gamma, gradients):
    """Return x^{t+1}; `gradients` are the functions ∇f_i."""
    return x - gamma * np.mean([gradient(x) for gradient in gradients], axis=0)
