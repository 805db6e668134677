"""Artemis (MCM §1, Table 1), its non-degraded variants (MCM Fig. 1), and DORE (MCM Remark 2).

Δ̂_i = C_up,i(g_i − h_i);  ĝ = h + (1/n) Σ Δ̂_i;  h_i += α Δ̂_i;  h += α (1/n) Σ Δ̂_i
artemis      x ← x − γ C_dwn(ĝ)
direct       w ← w − γ ĝ;  ŵ ← C_dwn(w)
memory       w ← w − γ ĝ;  ŵ ← ŵ + C_dwn(w − ŵ)
update       w ← w − γ ĝ;  ŵ ← ŵ + C_dwn(w_new − w_old)
dore         s = γ ĝ + η e;  ŝ = C_dwn(s);  e ← s − ŝ;  x ← x − ŝ
"""

from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    x: np.ndarray
    h: np.ndarray
    h_i: np.ndarray  # (n, d)
    extra: np.ndarray  # ŵ, or DORE's e


def shifted(state, at, alpha, gradients, compressors):
    """Return (ĝ, h, h_i): the uplink all of them share."""
    said = np.array(
        [
            C(gradient(at) - h_i)
            for C, gradient, h_i in zip(compressors, gradients, state.h_i, strict=True)
        ]
    )
    mean = said.mean(axis=0)
    return state.h + mean, state.h + alpha * mean, state.h_i + alpha * said


def step(state, gamma, alpha, gradients, compressors, down):
    g, h, h_i = shifted(state, state.x, alpha, gradients, compressors)
    return State(state.x - gamma * down(g), h, h_i, state.extra)


def non_degraded_step(variant, state, gamma, alpha, gradients, compressors, down):
    g, h, h_i = shifted(state, state.extra, alpha, gradients, compressors)
    w, local = state.x - gamma * g, state.extra
    local = {
        "direct": lambda: down(w),
        "memory": lambda: local + down(w - local),
        "update": lambda: local + down(w - state.x),
    }[variant]()
    return State(w, h, h_i, local)


def dore_step(state, gamma, alpha, eta, gradients, compressors, down):
    g, h, h_i = shifted(state, state.x, alpha, gradients, compressors)
    s = gamma * g + eta * state.extra
    said = down(s)
    return State(state.x - said, h, h_i, s - said)
