"""When a run ends: budgets, checked after every round, and targets, checked at probes."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Goals", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: rounds done, seconds of its clock, wire bytes each way."""

    rounds: int = 0
    seconds: float = 0.0
    uplink_bytes: int = 0
    downlink_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Goals:
    """Budgets (rounds, s, wire bytes over all workers) and targets (f and ‖∇f‖² at x)."""

    rounds: int | None = None
    seconds: float | None = None
    uplink_bytes: int | None = None
    downlink_bytes: int | None = None
    grad_norm_sq: float | None = None
    loss: float | None = None

    def spent(self, progress: Progress) -> str | None:
        """Return the name of a budget that is used up, else None."""
        for name in ("rounds", "seconds", "uplink_bytes", "downlink_bytes"):
            budget = getattr(self, name)
            if budget is not None and getattr(progress, name) >= budget:
                return name
        return None

    def reached(self, loss: float, grad_norm_sq: float) -> str | None:
        """Return the name of a target that is reached, or "diverged", else None."""
        if not (math.isfinite(loss) and math.isfinite(grad_norm_sq)):
            return "diverged"
        if self.grad_norm_sq is not None and grad_norm_sq <= self.grad_norm_sq:
            return "grad_norm_sq"
        if self.loss is not None and loss <= self.loss:
            return "loss"
        return None
