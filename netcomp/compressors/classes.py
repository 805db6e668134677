"""The classes of biased compressors and how one follows from another.

A. Beznosikov, S. Horváth, P. Richtárik, M. Safaryan, "On Biased Compression for Distributed
Learning", arXiv 2002.12410, §2.1. For all x:

    U(ζ)      E C(x) = x and E‖C(x)‖² ≤ ζ‖x‖²                        Def. 1
    B¹(α, β)  α‖x‖² ≤ E‖C(x)‖² ≤ β⟨E C(x), x⟩                        Def. 2
    B²(γ, β)  max{γ‖x‖², E‖C(x)‖²/β} ≤ ⟨E C(x), x⟩                   Def. 4
    B³(δ)     E‖C(x) − x‖² ≤ (1 − 1/δ)‖x‖²                           Def. 5

The letters here are that paper's: its δ ≥ 1 is 1/`Compressor.delta`, and U(ζ) is the class
U(ω) of `Compressor.omega` with ζ = ω + 1. The functions are Theorems 6 and 7; a constant no
compressor can have is a ValueError.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = [
    "b1_scaled",
    "b1_to_b2",
    "b1_to_b3",
    "b2_scaled",
    "b2_scaled_to_b3",
    "b2_to_b1",
    "b2_to_b3",
    "b3_to_b1",
    "b3_to_b2",
    "unbiased_to_b1",
    "unbiased_to_b2",
    "unbiased_to_b3",
]

_ROUNDING: Final = 1e-12
"""By how much computed constants may break β² ≥ α, β ≥ γ, δ ≥ 1 or ζ ≥ 1."""


def b1_scaled(alpha: float, beta: float, scale: float) -> tuple[float, float]:
    """Return (α, β) of λC for C ∈ B¹(α, β): λC ∈ B¹(λ²α, λβ). Theorem 6.1 (i)."""
    _check_b1(alpha, beta)
    return scale**2 * alpha, scale * beta


def b1_to_b2(alpha: float, beta: float) -> tuple[float, float]:
    """Return (γ, β) for C ∈ B¹(α, β): C ∈ B²(α/β, β). Theorem 6.1 (ii)."""
    _check_b1(alpha, beta)
    return alpha / beta, beta


def b1_to_b3(alpha: float, beta: float) -> float:
    """Return δ of C/β for C ∈ B¹(α, β): C/β ∈ B³(β²/α). Theorem 6.1 (ii)."""
    _check_b1(alpha, beta)
    return beta**2 / alpha


def b2_scaled(gamma: float, beta: float, scale: float) -> tuple[float, float]:
    """Return (γ, β) of λC for C ∈ B²(γ, β): λC ∈ B²(λγ, λβ). Theorem 6.2 (i)."""
    _check_b2(gamma, beta)
    return scale * gamma, scale * beta


def b2_to_b1(gamma: float, beta: float) -> tuple[float, float]:
    """Return (α, β) for C ∈ B²(γ, β): C ∈ B¹(γ², β). Theorem 6.2 (ii)."""
    _check_b2(gamma, beta)
    return gamma**2, beta


def b2_to_b3(gamma: float, beta: float) -> float:
    """Return δ of C/β for C ∈ B²(γ, β): C/β ∈ B³(β/γ). Theorem 6.2 (ii)."""
    _check_b2(gamma, beta)
    return beta / gamma


def b2_scaled_to_b3(gamma: float, beta: float, scale: float) -> float | None:
    """Return δ of λC for C ∈ B²(γ, β), None unless λβ < 2.

    From the proof of Theorem 6.2: E‖λC(x) − x‖² = λ²E‖C(x)‖² − 2λ⟨E C(x), x⟩ + ‖x‖²
    ≤ ‖x‖² − λ(2 − λβ)⟨E C(x), x⟩ ≤ (1 − λ(2 − λβ)γ)‖x‖², so λC ∈ B³(1/(λ(2 − λβ)γ)).
    λ = 1/β is the best choice and gives β/γ; for an unbiased C (γ = 1, β = ζ) it is
    Theorem 7 (iii).
    """
    _check_b2(gamma, beta)
    kept = scale * (2.0 - scale * beta) * gamma
    return 1.0 / kept if kept > 0.0 else None


def b3_to_b2(delta: float) -> tuple[float, float]:
    """Return (γ, β) for C ∈ B³(δ): C ∈ B²(1/(2δ), 2). Theorem 6.3 (ii)."""
    _require(delta >= 1.0 - _ROUNDING, f"B³({delta}) is empty: δ ≥ 1")
    return 1.0 / (2.0 * delta), 2.0


def b3_to_b1(delta: float) -> tuple[float, float]:
    """Return (α, β) for C ∈ B³(δ): C ∈ B¹(1/(4δ²), 2). Theorem 6.3 (ii)."""
    return b2_to_b1(*b3_to_b2(delta))


def unbiased_to_b1(zeta: float, scale: float = 1.0) -> tuple[float, float]:
    """Return (α, β) of λC for C ∈ U(ζ): λC ∈ B¹(λ², λζ). Theorem 7 (i)."""
    _check_unbiased(zeta)
    return scale**2, scale * zeta


def unbiased_to_b2(zeta: float, scale: float = 1.0) -> tuple[float, float]:
    """Return (γ, β) of λC for C ∈ U(ζ): λC ∈ B²(λ, λζ). Theorem 7 (ii)."""
    _check_unbiased(zeta)
    return scale, scale * zeta


def unbiased_to_b3(zeta: float, scale: float = 1.0) -> float | None:
    """Return δ of λC for C ∈ U(ζ), None unless λζ < 2: B³(1/(λ(2 − ζλ))). Theorem 7 (iii)."""
    _check_unbiased(zeta)
    kept = scale * (2.0 - zeta * scale)
    return 1.0 / kept if kept > 0.0 else None


def _check_b1(alpha: float, beta: float) -> None:
    fits = alpha > 0.0 and beta > 0.0 and alpha <= beta**2 * (1.0 + _ROUNDING)
    _require(fits, f"B¹({alpha}, {beta}) is empty: 0 < α ≤ β²")


def _check_b2(gamma: float, beta: float) -> None:
    fits = gamma > 0.0 and gamma <= beta * (1.0 + _ROUNDING)
    _require(fits, f"B²({gamma}, {beta}) is empty: 0 < γ ≤ β")


def _check_unbiased(zeta: float) -> None:
    _require(zeta >= 1.0 - _ROUNDING and math.isfinite(zeta), f"U({zeta}) is empty: ζ ≥ 1")


def _require(fits: bool, reason: str) -> None:  # noqa: FBT001 — a condition, not an option
    if not fits:
        raise ValueError(reason)
