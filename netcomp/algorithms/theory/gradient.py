"""Steps of compressed gradient descent, plain, with shifts and with reference points."""

from __future__ import annotations

import math

__all__ = [
    "artemis_step",
    "cgd_step",
    "dasha_rate",
    "dasha_step",
    "dcgd_step",
    "diana_alpha",
    "diana_convex_step",
    "diana_step",
    "dore_fraction",
    "gd_step",
    "vr_diana_step",
]


def gd_step(L: float) -> float:
    """Return 1/L: gradient descent (MARINA-P §1.1)."""
    return 1.0 / L


def dcgd_step(L: float, omega: float, n: int) -> float:
    """Return 1/(L(1 + 2ω/n)): distributed compressed gradient descent, unbiased C.

    Not in the five papers for n > 1 and unbiased C: Khirirat, Feyzmahdavian, Johansson,
    arXiv 1806.06573, in the form of Gorbunov, Hanzely, Richtárik, arXiv 1905.11261. L bounds
    every L_i.
    """
    return 1.0 / (L * (1.0 + 2.0 * omega / n))


def cgd_step(L: float, beta: float) -> float:
    """Return 1/(βL): one worker, C ∈ B¹(α, β) or B²(γ, β) (Beznosikov et al. Thm 17, 18).

    For C ∈ B³ the step is 1/L, `gd_step` (Thm 19).
    """
    return 1.0 / (beta * L)


def diana_alpha(omega: float) -> float:
    """Return α = 1/(1 + ω), the learning rate of the shifts (DIANA, arXiv 1901.09269)."""
    return 1.0 / (1.0 + omega)


def diana_step(L: float, omega: float, n: int) -> float:
    """Return 1/(10 L √(1 + ω/n) (2 + ω)): DIANA for non-convex f, full gradients.

    `vr_diana_step` with m = b, which MARINA A.1.2 uses in its experiments. L bounds every L_i.
    """
    return vr_diana_step(L, omega, n, 1, 1)


def diana_convex_step(L: float, omega: float, n: int) -> float:
    """Return 1/(L(1 + 6ω/n)): DIANA for strongly convex f and convex f_i, full gradients.

    E. Gorbunov, F. Hanzely, P. Richtárik, arXiv 1905.11261, with σ² = (1/n) Σ‖h_i − ∇f_i(x*)‖² and
    M = 4ω/(nα): E V shrinks by max{1 − γμ, 1 − α/2}, V = ‖x − x*‖² + Mγ²σ². L bounds every L_i.
    """
    return 1.0 / (L * (1.0 + 6.0 * omega / n))


def vr_diana_step(L: float, omega: float, n: int, m: int, b: int) -> float:
    """Return 1/(10 L √(1 + ω/n) ((m/b)^{2/3} + ω + 1)): VR-DIANA for non-convex f.

    Horváth et al., arXiv 1904.05115, Theorem 6, as MARINA A.1.2 has it for batches. L bounds
    the smoothness of every sample.
    """
    return 1.0 / (10.0 * L * math.sqrt(1.0 + omega / n) * (math.pow(m / b, 2 / 3) + omega + 1.0))


def dasha_rate(omega: float) -> float:
    """Return a = 1/(2ω + 1) (Tyurin, Richtárik, arXiv 2202.01268, Theorem 6.1)."""
    return 1.0 / (2.0 * omega + 1.0)


def dasha_step(L: float, L_rms: float, omega: float, n: int) -> float:
    """Return 1/(L + L̂ √(16ω(2ω + 1)/n)), L̂² = mean L_i² (arXiv 2202.01268, Theorem 6.1)."""
    return 1.0 / (L + L_rms * math.sqrt(16.0 * omega * (2.0 * omega + 1.0) / n))


def dore_fraction(omega: float) -> float:
    """Return η = 1/(1 + ω), the fraction of an error that DORE keeps (MCM Remark 2)."""
    return 1.0 / (1.0 + omega)


def artemis_step(L: float, omega_up: float, omega_down: float, n: int) -> float:
    """Return 1/(8L(1 + ω_dwn)(1 + ω_up/n)) (MCM §3, the constraint of degraded updates)."""
    return 1.0 / (8.0 * L * (1.0 + omega_down) * (1.0 + omega_up / n))
