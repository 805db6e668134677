"""What the theorems promise, as plain functions of plain numbers.

Letters as in `netcomp.algorithms.theory`; Δ = f(x⁰) − f*, r⁰ = ‖x⁰ − x*‖², T or K rounds.
"""

from __future__ import annotations

import math

__all__ = [
    "ec_sgd_decreasing",
    "ec_sgd_equal",
    "ec_sgd_geometric",
    "linear",
    "m3_weights",
    "online",
    "stationary",
]


def stationary(Delta: float, gamma: float, K: int) -> float:
    """Return 2Δ/(γK), which bounds (1/K) Σ_{k<K} E‖∇f(x^k)‖².

    MARINA Thm 2.1, 3.1 and 4.1, MARINA-P Thm D.1 and, with the constant its proof ends with, E.1
    and 5.1; EF21 (arXiv 2106.05203) Theorem 1 where g_i⁰ = ∇f_i(x⁰), DASHA (arXiv 2202.01268)
    Theorem 6.1.
    """
    return 2.0 * Delta / (gamma * K)


def online(Delta: float, gamma: float, K: int, sigma_sq: float, n: int, b: int, p: float) -> float:
    """Return 2Δ/(γK) + σ²/(nb) (1 + 1/(pK)) (MARINA Thm 3.2)."""
    return stationary(Delta, gamma, K) + sigma_sq / (n * b) * (1.0 + 1.0 / (p * K))


def linear(first: float, rate: float, T: int) -> float:
    """Return (1 − rate)^T Ψ⁰, which bounds E Ψ^T: of the PŁ theorems rate = γμ.

    MARINA Thm 2.2, D.2, E.2; MARINA-P Thm D.10, E.8; EF21 Theorem 2; MCM Thm 1 with σ = 0; and
    Beznosikov et al. Thm 17–19 with rates of their own.
    """
    return float((1.0 - rate) ** T) * first


def m3_weights(
    *,
    gamma: float,
    L_A: float,
    L_B: float,
    L_max: float,
    omega_D: float,
    p_P: float,
    p_D: float,
    beta: float,
    n: int,
) -> dict[str, float]:
    """Return κ, η, ν, ρ, τ of the Ψ of MARINA-P Thm E.8, as its proof has them."""
    momentum = p_P / beta**2
    return {
        "kappa": 2.0 * gamma / p_D,
        "eta": 8.0 * gamma * L_B**2 / beta,
        "nu": 8.0 * gamma * L_A**2 / beta + 24.0 * gamma * omega_D * beta * L_max**2 / (n * p_D),
        "rho": 128.0 * gamma * L_B**2 * (1.0 / p_P + momentum),
        "tau": 128.0 * gamma * L_A**2 * (1.0 / p_P + momentum)
        + 384.0 * gamma * omega_D * L_max**2 / (n * p_D) * (beta + p_P),
    }


def ec_sgd_decreasing(r0: float, mu: float, kappa: float, c: float, K: int) -> float:
    """Return 4(aκ²r⁰/K² + 4c/(aK)), a = μ/2: Beznosikov et al. Thm 21 (i), by Lemma 29.

    The theorem hides constants; the last display of its proof has E f(x̄^K) − f* ≤ 4Ψ^K, and the
    lemmas bound Ψ^K. c = C(1 + 1/n) + D(2B/n + 3/δ), where D = (1/n) Σ‖∇f_i(x*)‖².
    """
    a = mu / 2.0
    return 4.0 * (a * kappa**2 * r0 / K**2 + 4.0 * c / (a * K))


def ec_sgd_geometric(r0: float, mu: float, gamma: float, c: float, K: int) -> float:
    """Return 4(r⁰ exp(−aγK)/γ + cγ), a = μ/2: Thm 21 (ii), by the proof of Lemma 30."""
    return 4.0 * (r0 / gamma * math.exp(-mu / 2.0 * gamma * K) + c * gamma)


def ec_sgd_equal(r0: float, mu: float, gamma: float, c: float, K: int) -> float:
    """Return 4((1 − aγ)r⁰/(γ(K + 1)) + cγ), a = μ/2: Thm 21 (iii), by the proof of Lemma 31."""
    return 4.0 * ((1.0 - mu / 2.0 * gamma) * r0 / (gamma * (K + 1)) + c * gamma)
