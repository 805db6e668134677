"""Gradient descent, plain and with compressed gradients (no memory).

    1: for t = 0, 1, …
    2:   worker i sends C_i(∇f_i(x^t));   C = identity for gd
    3:   x^{t+1} = x^t − γ (1/n) Σ C_i(∇f_i(x^t))

gd: MARINA-P §1.1. dcgd: Beznosikov et al. §3 (n = 1: cgd) and §5.1; the unbiased
n-worker step is `theory.dcgd_step`'s.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.plan import Algorithm, Setting, Side

__all__ = ["DCGD", "GD"]


def _dcgd_gamma(setting: Setting) -> float:
    if setting.n == 1 and not setting.up.unbiased:
        # One worker, B³ (Beznosikov et al. Thm 19): γ = 1/L.
        return theory.gd_step(setting.constant("L"))
    return theory.dcgd_step(setting.constant("L_max"), setting.omega_up, setting.n)


GD = Algorithm(
    name="gd",
    summary="gradient descent, nothing compressed",
    source="MARINA-P §1.1",
    theorem="γ = 1/L",
    needs=("L",),
    gamma=lambda s: theory.gd_step(s.constant("L")),
)

DCGD = Algorithm(
    name="dcgd",
    summary="gradient descent with compressed gradients, no memory: stalls at a noise level",
    source="Beznosikov et al. §3, §5.1; arXiv 1806.06573",
    theorem="γ = 1/(L_max(1 + 2ω/n)); one worker and a biased C: 1/L",
    needs=("L_max",),
    up=Side(default="rand-k:k=5%"),
    gamma=_dcgd_gamma,
)
