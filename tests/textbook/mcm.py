"""MCM and Rand-MCM (MCM eq. (3), §2.2, §4.1), all workers or some.

    up    Δ_i = g_i(ŵ_k) − h_k^i;  w_{k+1} = w_k − γ ĝ,  h_{k+1}^i = h_k^i + α_up C_up(Δ_i)
    down  Ω = w_{k+1} − H_k;  ŵ_{k+1} = H_k + C_dwn(Ω);  H_{k+1} = H_k + α_dwn C_dwn(Ω)

Every worker has a row of H and ŵ; where they share C_dwn and everybody hears, the rows are equal.
Workers S of round k speak, those of round k + 1 hear. With probability p each,
ĝ = h + (1/(pn)) Σ_S C_up(Δ_i), h ← h + (α_up/n) Σ_S C_up(Δ_i); nothing of an absent worker moves.
"""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    w: np.ndarray
    local: np.ndarray  # ŵ, (n, d)
    H: np.ndarray  # (n, d)
    h: np.ndarray
    h_i: np.ndarray  # (n, d)


def up(state, gamma, alpha_up, gradients, compressors, here, p):
    """Return (w_{k+1}, h_{k+1}, h_{k+1}^i)."""
    n = len(state.h_i)
    said = np.zeros_like(state.h_i)
    for i in here:
        said[i] = compressors[i](gradients[i](state.local[i]) - state.h_i[i])
    g = state.h + said.sum(axis=0) / (p * n)
    return (
        state.w - gamma * g,
        state.h + alpha_up * said.sum(axis=0) / n,
        state.h_i + alpha_up * said,
    )


def step(state, gamma, alphas, gradients, compressors, down, *, here, hearers, p=1.0):
    """Return the next state; `down` are the functions C_dwn,i, `alphas` (α_up, α_dwn)."""
    w, h, h_i = up(state, gamma, alphas[0], gradients, compressors, here, p)
    local, H = state.local.copy(), state.H.copy()
    for i in hearers:
        said = down[i](w - state.H[i])
        local[i] = state.H[i] + said
        H[i] = state.H[i] + alphas[1] * said
    return State(w, local, H, h, h_i)


def one_memory_step(state, gamma, alphas, gradients, compressors, down, *, here, hearers, p):
    """Partial participation where all hear one message: H moves if anybody is there to hear.

    Whoever returns is told the messages it missed, so rows of H of those that hear are equal
    to the newest of all rows.
    """
    w, h, h_i = up(state, gamma, alphas[0], gradients, compressors, here, p)
    newest, local = state.H[0], state.local.copy()
    if hearers:
        said = down(w - newest)
        local[hearers] = newest + said
        newest = newest + alphas[1] * said
    return State(w, local, np.array([newest] * len(h_i)), h, h_i)


class Single(NamedTuple):
    w: np.ndarray
    local: np.ndarray
    H: np.ndarray  # the workers' own, (n, d)
    mean: np.ndarray  # H̄, the server's
    h: np.ndarray
    h_i: np.ndarray


def single_step(state, gamma, alphas, gradients, compressors, down, *, here, hearers, reset, p):
    """§4.1 (2), first solution, in this project's reading; `reset` are those reset to H̄."""
    w, h, h_i = up(state, gamma, alphas[0], gradients, compressors, here, p)
    local, H, mean = state.local.copy(), state.H.copy(), state.mean
    for i in hearers:
        said = down[i](w - state.mean)
        mean = mean + alphas[1] / len(H) * said
        before = state.mean if i in reset else state.H[i]
        local[i], H[i] = before + said, before + alphas[1] * said
    return Single(w, local, H, mean, h, h_i)
