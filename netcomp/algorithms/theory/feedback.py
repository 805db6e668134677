"""Steps of error feedback: EC-SGD, EF21 and NEOLITHIC."""

from __future__ import annotations

import math

__all__ = [
    "ec_sgd_kappa",
    "ec_sgd_step",
    "ef21_delay",
    "ef21_pl_step",
    "ef21_step",
    "ef21_theta",
    "neolithic_step",
]


def ec_sgd_step(L: float, delta: float, B: float = 0.0) -> float:
    """Return 1/(14(2/δ + B)L): Beznosikov et al. Thm 21 (ii) and (iii).

    Its own δ is our 1/δ. L bounds every L_i; B is that of Assumption 1, 0 for full gradients and
    for noise of bounded variance.
    """
    return 1.0 / (14.0 * (2.0 / delta + B) * L)


def ec_sgd_kappa(L: float, mu: float, delta: float, B: float = 0.0) -> float:
    """Return κ = 56(2/δ + B)L/μ; the steps are 4/(μ(κ + k)) (Beznosikov et al. Thm 21 (i))."""
    return 56.0 * (2.0 / delta + B) * L / mu


def ef21_step(L: float, L_tilde: float, delta: float) -> float:
    """Return 1/(L + L̃ √(β/θ)), θ = 1 − √(1−δ), β = (1−δ)/θ.

    EF21: P. Richtárik, I. Sokolov, I. Fatkhullin, arXiv 2106.05203, Theorem 1; L̃ = √(mean
    L_i²). With L̃ = L it is the step of EF21-P (Gruntkowska et al., arXiv 2209.15218).
    """
    return 1.0 / (L + L_tilde * ef21_delay(delta))


def ef21_pl_step(L: float, L_tilde: float, mu: float, delta: float) -> float:
    """Return min{1/(L + L̃ √(2β/θ)), θ/(2μ)}: EF21 under PŁ (arXiv 2106.05203, Theorem 2)."""
    slow = 1.0 / (L + L_tilde * math.sqrt(2.0) * ef21_delay(delta))
    return min(slow, ef21_theta(delta) / (2.0 * mu))


def ef21_theta(delta: float) -> float:
    """Return θ = 1 − √(1−δ) (arXiv 2106.05203, Theorem 1)."""
    # δ/(1 + √(1−δ)): nothing cancels for a small δ.
    return delta / (1.0 + math.sqrt(1.0 - delta))


def ef21_delay(delta: float) -> float:
    """Return √(β/θ) of `ef21_step`, √(1−δ)/(1 − √(1−δ)): about 2/δ − 1, and 0 for δ = 1."""
    return math.sqrt(1.0 - delta) / ef21_theta(delta)


def neolithic_step(
    *,
    L: float,
    delta: float,
    R: int,
    sigma_sq: float,
    b_sq: float,
    Delta: float,
    K: int,
    n: int,
) -> float:
    """Return γ of NEOLITHIC eq. (52), θ = 4(1−δ)^R, for iterations k = 0 … K.

    The theorem wants θ ≤ 1/2, which R of eq. (54) gives; for a larger θ ≥ 1 there is no
    step: raises `ValueError`. For θ in between, eq. (50) bounds γ as well.
    """
    theta = 4.0 * (1.0 - delta) ** R
    if theta >= 1.0:
        raise ValueError(f"R = {R} messages leave theta = 4(1-delta)^R = {theta:.3g}, not below 1")
    noise = math.sqrt(sigma_sq * (K + 1) * L / (2.0 * n * R * Delta))
    spread = 32.0 * (K + 1) * L**2 * theta * (b_sq + sigma_sq / R)
    gamma = 1.0 / (11.0 * L + noise + math.cbrt(spread / (3.0 * (1.0 - theta) * Delta)))
    limit = math.sqrt((1.0 - theta) / theta) / (11.0 * L) if theta > 0.0 else math.inf
    return min(gamma, limit)
