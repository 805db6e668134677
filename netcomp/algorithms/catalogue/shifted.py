"""DIANA, VR-DIANA and DASHA: compressed differences to what the server knows already.

DIANA (K. Mishchenko, E. Gorbunov, M. Takáč, P. Richtárik, "Distributed Learning with Compressed
Gradient Differences", arXiv 1901.09269; a baseline in MARINA §5 and MCM):

    1: worker i: c_i = C_i(g_i^t − h_i^t);  h_i^{t+1} = h_i^t + α c_i
    2: server:   ĝ^t = h^t + (1/n) Σ c_i;  h^{t+1} = h^t + α (1/n) Σ c_i
    3:           x^{t+1} = x^t − γ ĝ^t

with h_i⁰ = 0 (the papers are silent) and g_i = ∇f_i. VR-DIANA (S. Horváth et al., arXiv
1904.05115) takes g_i from loopless SVRG. DASHA is in `netcomp.channels.dasha`.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.rules import By, inverse_l_max
from netcomp.algorithms.setting import Setting

__all__ = ["ENTRIES"]


def _vr_diana_gamma(s: Setting) -> float:
    return theory.vr_diana_step(s.constant("L_sample"), s.omega_up, s.n, s.m, s.b)


DIANA = Algorithm(
    name="diana",
    summary="compresses the difference of each gradient to a learned shift",
    source="arXiv 1901.09269; MARINA §5, A.1.2",
    theorem="α = 1/(1+ω), γ = 1/(10 L_max √(1+ω/n) (2+ω))"
    "; preset strongly-convex: arXiv 1905.11261",
    needs=("L_max",),
    up=Side("memory", "rand-k:k=5%", alpha=By(theory.diana_alpha, "omega_up")),
    gamma=lambda s: theory.diana_step(s.constant("L_max"), s.omega_up, s.n),
    presets={
        "strongly-convex": {
            "gamma": lambda s: theory.diana_convex_step(s.constant("L_max"), s.omega_up, s.n)
        },
        "mcm-program": {
            "alpha_up": By(theory.mcm_alpha_up, "omega_up"),
            "gamma": inverse_l_max,
        },
    },
)

VR_DIANA = Algorithm(
    name="vr-diana",
    summary="diana with loopless SVRG's gradients",
    source="arXiv 1904.05115; MARINA §5, A.1.2",
    theorem="α = 1/(1+ω), γ = 1/(10 L_sample √(1+ω/n) ((m/b)^{2/3}+ω+1))",
    needs=("L_sample",),
    up=Side("memory", "rand-k:k=5%", alpha=By(theory.diana_alpha, "omega_up")),
    oracle="svrg:b=1%",
    gamma=_vr_diana_gamma,
)

DASHA = Algorithm(
    name="dasha",
    summary="compressed momentum variance reduction: never a full vector after the first",
    source="arXiv 2202.01268; MARINA-P §1.1",
    theorem="Thm 6.1: a = 1/(2ω+1), γ = 1/(L + L_rms √(16ω(2ω+1)/n))",
    needs=("L", "L_rms"),
    up=Side("dasha", "rand-k:k=5%", alpha=By(theory.dasha_rate, "omega_up")),
    gamma=lambda s: theory.dasha_step(s.constant("L"), s.constant("L_rms"), s.omega_up, s.n),
)

ENTRIES = (DIANA, VR_DIANA, DASHA)
