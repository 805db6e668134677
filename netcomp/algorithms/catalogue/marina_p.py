"""MARINA-P and M3: the same idea downlink, and in both directions with momentum.

K. Gruntkowska, A. Tyurin, P. Richtárik, "Improving the Worst-Case Bidirectional
Communication Complexity for Nonconvex Distributed Optimization under Function Similarity",
NeurIPS 2024.

Algorithm 1 (marina-p), per round:

     4: worker i sends ∇f_i(w_i^t);  6: g^t = (1/n) Σ ∇f_i(w_i^t);  7: x^{t+1} = x^t − γ g^t
     8: c^t ∼ Be(p);  10, 12: to worker i: C_i^t(x^{t+1} − x^t) if c^t = 0, else x^{t+1}
    15: w_i^{t+1} = x^{t+1} if c^t = 1, else w_i^t + C_i^t(x^{t+1} − x^t)

Algorithm 2 (m3) adds z_i^{t+1} = β w_i^{t+1} + (1−β) z_i^t (l. 8) and marina's uplink at
z_i with a coin of its own (l. 9–15).
"""

from __future__ import annotations

from typing import Any

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.rules import By
from netcomp.algorithms.setting import Setting
from netcomp.compressors import Chain, FloatFormat, PermK, RandK

__all__ = ["ENTRIES"]


def _is_theorem_5_1(s: Setting) -> bool:
    """Whether this is Theorem 5.1's own case: perm-k down, rand-k with k = d/n exactly up."""
    return (
        isinstance(s.down, Chain)
        and isinstance(s.up, Chain)
        and isinstance(s.down.sparsifier, PermK)
        and isinstance(s.up.sparsifier, RandK)
        and isinstance(s.down.quantizer, FloatFormat)
        and isinstance(s.up.quantizer, FloatFormat)
        and s.up.sparsifier.k.value * s.n == s.d
    )


def _m3_beta(s: Setting) -> float:
    """Return β = n^(−2/3) (Thm 5.1), else min{(n/(ω_D ω_P (ω_D+1)))^(1/3), 1} (Cor. E.2)."""
    if _is_theorem_5_1(s):
        return float(s.n ** (-2 / 3))
    return theory.m3_momentum(s.omega_down, s.omega_up, s.n)


def _m3_gamma(s: Setting) -> float:
    L, L_A, L_B, L_max = (s.constant(name) for name in ("L", "L_A", "L_B", "L_max"))
    own = (s.p_up, s.p_down, s.beta) == (1 / s.n, 1 / s.n, s.n ** (-2 / 3))
    if _is_theorem_5_1(s) and own:
        return theory.m3_step_perm_k(L, L_A, L_B, L_max, s.n)
    return theory.m3_step(L=L, L_A=L_A, L_B=L_B, L_max=L_max, **_m3_numbers(s))


def _m3_pl_gamma(s: Setting) -> float:
    L, L_A, L_B, L_max = (s.constant(name) for name in ("L", "L_A", "L_B", "L_max"))
    mu = s.constant("mu")
    return theory.m3_pl_step(L=L, L_A=L_A, L_B=L_B, L_max=L_max, mu=mu, **_m3_numbers(s))


def _m3_numbers(s: Setting) -> dict[str, Any]:
    """Return what Theorems E.1 and E.8 ask for besides the constants."""
    return {
        "omega_P": s.omega_down,
        "theta": s.theta,
        "omega_D": s.omega_up,
        "p_P": s.p_down,
        "p_D": s.p_up,
        "beta": s.beta,
        "n": s.n,
    }


def _pl_gamma(s: Setting) -> float:
    L, L_A, L_B, mu = (s.constant(name) for name in ("L", "L_A", "L_B", "mu"))
    return theory.marina_p_pl_step(L, L_A, L_B, mu, s.omega_down, s.theta, s.p_down)


MARINA_P = Algorithm(
    name="marina-p",
    summary="rarely the full model, else compressed model changes, different for each worker",
    source="MARINA-P Alg. 1",
    theorem="Thm D.1: p = 1/(ω+1), γ = 1/(L + √((L_A²ω + L_B²θ)(1/p − 1))); preset pl: Thm D.10",
    needs=("L", "L_A", "L_B"),
    down=Side(
        "marina",
        "perm-k",
        p=By(theory.marina_p_probability, "omega_down"),
        collection="independent",
    ),
    gamma=lambda s: theory.marina_p_step(
        s.constant("L"), s.constant("L_A"), s.constant("L_B"), s.omega_down, s.theta, s.p_down
    ),
    presets={"pl": {"gamma": _pl_gamma}},
)

M3 = Algorithm(
    name="m3",
    summary="marina-p down, momentum, marina up",
    source="MARINA-P Alg. 2",
    theorem="Thm 5.1 for perm-k down and rand-k:k=d/n up, else Thm E.1 with Cor. E.2"
    "; preset pl: Thm E.8",
    needs=("L", "L_A", "L_B", "L_max"),
    down=Side(
        "marina",
        "perm-k",
        p=By(theory.marina_p_probability, "omega_down"),
        collection="independent",
    ),
    up=Side("marina", "rand-k:k=d/n", p=By(theory.marina_p_probability, "omega_up")),
    beta=_m3_beta,
    gamma=_m3_gamma,
    presets={"pl": {"gamma": _m3_pl_gamma}},
)

ENTRIES = (MARINA_P, M3)
