"""Probabilities and steps of MARINA and its variants."""

from __future__ import annotations

import math

__all__ = [
    "marina_correlated_pl_step",
    "marina_correlated_step",
    "marina_pl_step",
    "marina_probability",
    "marina_step",
    "perm_k_spread",
    "pp_marina_pl_step",
    "pp_marina_probability",
    "pp_marina_step",
    "vr_marina_pl_step",
    "vr_marina_probability",
    "vr_marina_step",
]


def marina_probability(density: float, omega: float, d: int) -> float:
    """Return p = ζ_Q/d (MARINA Cor. 2.1), or 1/(1 + ω) where C is dense.

    A dense quantizer has ζ_Q = d, and p = 1 would make marina gd: there the balance of
    sent bits is not one of coordinates, and marina-p's p = 1/(1 + ω) is taken instead.
    """
    return density / d if density < d else 1.0 / (1.0 + omega)


def vr_marina_probability(p: float, b: int, whole: int) -> float:
    """Return min{p, b'/(whole + b')} (MARINA Cor. 3.1, 3.2).

    `p` is `marina_probability`; `whole` is m, the samples of a full gradient, or the b of an
    online one.
    """
    return min(p, b / (whole + b))


def pp_marina_probability(p: float, r: int, n: int) -> float:
    """Return p·r/n, that is ζ_Q r/(dn) with p = ζ_Q/d (MARINA Cor. 4.1)."""
    return p * r / n


def marina_step(L_rms: float, omega: float, p: float, n: int) -> float:
    """Return 1/(L (1 + √((1−p) ω / (p n)))), L² = mean L_i² (MARINA Thm 2.1)."""
    return 1.0 / (L_rms * (1.0 + math.sqrt((1.0 - p) * omega / (p * n))))


def marina_pl_step(L_rms: float, mu: float, omega: float, p: float, n: int) -> float:
    """Return min{1/(L(1 + √(2(1−p)ω/(pn)))), p/(2μ)}: under PŁ (MARINA Thm 2.2)."""
    step = 1.0 / (L_rms * (1.0 + math.sqrt(2.0 * (1.0 - p) * omega / (p * n))))
    return min(step, p / (2.0 * mu))


def perm_k_spread(n: int, written: float) -> float:
    """Return B = (n − q)/(q(n − 1)): perm-k whose every coordinate q of n workers write.

    For d ≥ n, q = 1 and B = 1: a coordinate of (1/n) Σ C_i(a_i) is that of one a_i drawn
    uniformly, so E‖(1/n) Σ C_i(a_i) − ā‖² = (1/n) Σ‖a_i‖² − ‖ā‖² (R. Szlendak, A. Tyurin,
    P. Richtárik, arXiv 2110.03300: the AB inequality with A = B = 1). For d < n it is the mean of
    q drawn without replacement, whose variance is B times that one's.
    """
    return (n - written) / (written * (n - 1.0)) if n > 1 else 0.0


def marina_correlated_step(
    L: float, L_rms: float, L_pm: float, theta: float, spread: float, p: float
) -> float:
    """Return 1/(L + √((1−p)/p (θL_rms² + B L_±²))): MARINA with perm-k uplink.

    R. Szlendak, A. Tyurin, P. Richtárik, arXiv 2110.03300, their MARINA theorem, with A = B + θ:
    θ is 0 for perm-k and what a quantizer after it adds, L_± the Hessian variance (Definition 2
    there), and √(mean L_i²) bounds its L_+. Not in the five papers.
    """
    return 1.0 / (L + math.sqrt((1.0 - p) / p * (theta * L_rms**2 + spread * L_pm**2)))


def marina_correlated_pl_step(
    L: float, L_rms: float, L_pm: float, mu: float, theta: float, spread: float, p: float
) -> float:
    """Return the same under PŁ: 2(1−p) under the root and at most p/(2μ), as MARINA Thm 2.2."""
    root = math.sqrt(2.0 * (1.0 - p) / p * (theta * L_rms**2 + spread * L_pm**2))
    return min(1.0 / (L + root), p / (2.0 * mu))


def vr_marina_step(
    L_rms: float, calL: float, omega: float, p: float, n: int, b: int, *, doubled: bool = False
) -> float:
    """Return 1/(L + √((1−p)/(pn) (ωL² + (1 + ω)ℒ²/b'))) (MARINA Thm 3.1, 3.2).

    Where b' samples are all there are, ℒ = 0 (the remark under Assumption 3.1). `doubled`
    doubles (1 − p), as under PŁ.
    """
    variance = omega * L_rms**2 + (1.0 + omega) * calL**2 / b
    return 1.0 / (L_rms + math.sqrt((1 + doubled) * (1.0 - p) / (p * n) * variance))


def vr_marina_pl_step(
    L_rms: float, calL: float, mu: float, omega: float, p: float, n: int, b: int
) -> float:
    """Return the step of VR-MARINA under PŁ (MARINA Thm D.2): at most p/(2μ)."""
    step = vr_marina_step(L_rms, calL, omega, p, n, b, doubled=True)
    return min(step, p / (2.0 * mu))


def pp_marina_step(L_rms: float, omega: float, p: float, r: int, *, doubled: bool = False) -> float:
    """Return 1/(L(1 + √((1−p)(1+ω)/(pr)))) (MARINA Thm 4.1); `doubled` as under PŁ."""
    root = math.sqrt((1 + doubled) * (1.0 - p) * (1.0 + omega) / (p * r))
    return 1.0 / (L_rms * (1.0 + root))


def pp_marina_pl_step(L_rms: float, mu: float, omega: float, p: float, r: int) -> float:
    """Return the step of PP-MARINA under PŁ (MARINA Thm E.2): at most p/(2μ)."""
    return min(pp_marina_step(L_rms, omega, p, r, doubled=True), p / (2.0 * mu))
