"""Probabilities, momentum and steps of MARINA-P and M3."""

from __future__ import annotations

import math

__all__ = [
    "m3_momentum",
    "m3_pl_step",
    "m3_step",
    "m3_step_perm_k",
    "marina_p_pl_step",
    "marina_p_probability",
    "marina_p_step",
]


def marina_p_probability(omega: float) -> float:
    """Return p = 1/(ω + 1) (MARINA-P §4 after eq. (6), Cor. 4.7)."""
    return 1.0 / (omega + 1.0)


def marina_p_step(L: float, L_A: float, L_B: float, omega: float, theta: float, p: float) -> float:
    """Return 1/(L + √((L_A² ω_P + L_B² θ)(1/p − 1))) (MARINA-P Thm D.1).

    With θ = 0 (perm-k) it is the step of Thm 4.6.
    """
    return 1.0 / (L + math.sqrt((L_A**2 * omega + L_B**2 * theta) * (1.0 / p - 1.0)))


def marina_p_pl_step(
    L: float, L_A: float, L_B: float, mu: float, omega: float, theta: float, p: float
) -> float:
    """Return min{1/(L + √(2(L_A² ω_P + L_B² θ)(1/p − 1))), p/(2μ)} (MARINA-P Thm D.10)."""
    root = math.sqrt(2.0 * (L_A**2 * omega + L_B**2 * theta) * (1.0 / p - 1.0))
    return min(1.0 / (L + root), p / (2.0 * mu))


def m3_step_perm_k(L: float, L_A: float, L_B: float, L_max: float, n: int) -> float:
    """Return 1/(L + 34 (n L_A + n^{2/3} (L_B + L_max))) (MARINA-P Thm 5.1).

    For perm-k down, rand-k with k = d/n up, p_P = p_D = 1/n and β = n^{−2/3}.
    """
    return 1.0 / (L + 34.0 * (n * L_A + math.pow(n, 2 / 3) * (L_B + L_max)))


def m3_momentum(omega_P: float, omega_D: float, n: int) -> float:
    """Return β = min{(n / (ω_D ω_P (ω_D + 1)))^{1/3}, 1} (MARINA-P Cor. E.2).

    The text of the corollary is damaged in extraction ("n/(ω_P(ω_D+1…"); this is the value
    that gives Thm 5.1's β = Θ(n^{−2/3}) for ω_P = ω_D = n − 1 and minimises the bound.
    """
    product = omega_D * omega_P * (omega_D + 1.0)
    return 1.0 if product <= n else math.cbrt(n / product)


def m3_step(
    *,
    L: float,
    L_A: float,
    L_B: float,
    L_max: float,
    omega_P: float,
    theta: float,
    omega_D: float,
    p_P: float,
    p_D: float,
    beta: float,
    n: int,
) -> float:
    """Return the step of MARINA-P Thm E.1 for any compressors.

    The formula is illegible in extraction; the three coefficients follow from the last
    display of its proof (64γ, 64γ and 144γ times those below) and 288 = 2 · 144:

        1/γ = L + √(288 (b L_B² + a L_A² + m L_max²)),
        b = θ/p_P + (1 + θ p_P)/β²,  a = ω_P/p_P + (1 + ω_P p_P)/β²,
        m = ω_D ω_P β/(n p_D) + ω_D (1 + ω_P p_P)/(n p_D).

    Every coefficient is at most what Thm 5.1's 34 allows in its case.
    """
    drift = _m3_drift(L_A, L_B, L_max, omega_P, theta, omega_D, p_P, p_D, beta, n)
    return 1.0 / (L + math.sqrt(288.0 * drift))


def m3_pl_step(
    *,
    L: float,
    L_A: float,
    L_B: float,
    L_max: float,
    mu: float,
    omega_P: float,
    theta: float,
    omega_D: float,
    p_P: float,
    p_D: float,
    beta: float,
    n: int,
) -> float:
    """Return the step of M3 under PŁ (MARINA-P Thm E.8).

    min{1/(L + √(1536 (b L_B² + a L_A² + m L_max²))), p_P/(2μ), p_D/(2μ), β/(4μ)} with the b, a
    and m of `m3_step`. The second line of the condition is illegible in extraction. It follows
    from the proof, whose last display but one shrinks the terms of Ψ by 1 − p_D/2 (κ),
    1 − β/4 (η, ν) and 1 − p_P/2 (ρ, τ) where the claim needs 1 − γμ.
    """
    drift = _m3_drift(L_A, L_B, L_max, omega_P, theta, omega_D, p_P, p_D, beta, n)
    fastest = min(p_P / 2.0, p_D / 2.0, beta / 4.0)
    return min(1.0 / (L + math.sqrt(1536.0 * drift)), fastest / mu)


def _m3_drift(
    L_A: float,
    L_B: float,
    L_max: float,
    omega_P: float,
    theta: float,
    omega_D: float,
    p_P: float,
    p_D: float,
    beta: float,
    n: int,
) -> float:
    """Return b L_B² + a L_A² + m L_max² of `m3_step`."""
    b = theta / p_P + (1.0 + theta * p_P) / beta**2
    a = omega_P / p_P + (1.0 + omega_P * p_P) / beta**2
    m = (omega_D * omega_P * beta + omega_D * (1.0 + omega_P * p_P)) / (n * p_D)
    return b * L_B**2 + a * L_A**2 + m * L_max**2
