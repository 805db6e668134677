"""DIANA: compressed differences to a learned shift.

K. Mishchenko, E. Gorbunov, M. Takáč, P. Richtárik, "Distributed Learning with Compressed
Gradient Differences", arXiv 1901.09269; as a baseline in MARINA §5 and MCM.

    1: worker i: c_i = C_i(∇f_i(x^t) − h_i^t);  h_i^{t+1} = h_i^t + α c_i
    2: server:   ĝ^t = h^t + (1/n) Σ c_i;  h^{t+1} = h^t + α (1/n) Σ c_i
    3:           x^{t+1} = x^t − γ ĝ^t

with h_i⁰ = 0 (the papers are silent).
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.plan import Algorithm, Side

__all__ = ["DIANA"]

DIANA = Algorithm(
    name="diana",
    summary="compresses the difference of each gradient to a learned shift",
    source="arXiv 1901.09269; MARINA §5, A.1.2",
    theorem="α = 1/(1+ω), γ = 1/(10 L_max √(1+ω/n) (2+ω))",
    needs=("L_max",),
    up=Side("memory", "rand-k:k=5%"),
    alpha=lambda s: theory.diana_alpha(s.omega_up),
    gamma=lambda s: theory.diana_step(s.constant("L_max"), s.omega_up, s.n),
)
