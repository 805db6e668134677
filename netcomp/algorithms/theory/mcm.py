"""Learning rates and steps of MCM and Rand-MCM."""

from __future__ import annotations

import math

__all__ = [
    "mcm_alpha_down",
    "mcm_alpha_up",
    "mcm_step",
]


def mcm_alpha_up(omega_up: float) -> float:
    """Return α_up = 1/(2(1 + ω_up)), the largest of MCM's heterogeneous theorems (App. G).

    MCM's program takes it for both directions.
    """
    return 1.0 / (2.0 * (1.0 + omega_up))


def mcm_alpha_down(omega_down: float) -> float:
    """Return α_dwn = min{1, 1/(8ω_dwn)} (MCM Thm 1); 1 where nothing is lost."""
    return min(1.0, 1.0 / (8.0 * omega_down)) if omega_down > 0.0 else 1.0


def mcm_step(L: float, omega_up: float, omega_down: float, n: int) -> float:
    """Return γ_max = min{1/(2L(1 + ω_up/n)), 1/(8Lω_dwn), 1/(8√2 Lω_dwn √(8ω_dwn + ω_up/n))}.

    MCM §3, "limit learning rate"; the last two drop out where ω_dwn = 0.
    """
    step = 1.0 / (2.0 * L * (1.0 + omega_up / n))
    if omega_down == 0.0:
        return step
    both = math.sqrt(8.0 * omega_down + omega_up / n)
    return min(
        step, 1.0 / (8.0 * L * omega_down), 1.0 / (8.0 * math.sqrt(2.0) * L * omega_down * both)
    )
