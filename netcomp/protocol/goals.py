"""When a run ends: budgets, checked after every round, and targets, checked at probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["Goals", "Progress"]

_NONE: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: rounds done, seconds of its clock, wire bytes each way."""

    rounds: int = 0
    seconds: float = 0.0
    uplink_bytes: int = 0
    downlink_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Goals:
    """Budgets (rounds, s, wire bytes over all workers) and targets (f, ‖∇f‖², accuracy at x)."""

    rounds: int | None = None
    seconds: float | None = None
    uplink_bytes: int | None = None
    downlink_bytes: int | None = None
    grad_norm_sq: float | None = None
    loss: float | None = None
    accuracy: float | None = None

    @property
    def targets(self) -> dict[str, float]:
        """The targets that are set by name, in the order of precedence."""
        names = ("grad_norm_sq", "loss", "accuracy")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def spent(self, progress: Progress) -> str | None:
        """Return the name of a budget that is used up, else None."""
        for name in ("rounds", "seconds", "uplink_bytes", "downlink_bytes"):
            budget = getattr(self, name)
            if budget is not None and getattr(progress, name) >= budget:
                return name
        return None

    def reached(
        self, loss: float, grad_norm_sq: float, metrics: Mapping[str, float] = _NONE
    ) -> str | None:
        """Return the name of a target that is reached, or "diverged", else None.

        f and ‖∇f‖² are to be at most their target, the accuracy at least.
        """
        if not (math.isfinite(loss) and math.isfinite(grad_norm_sq)):
            return "diverged"
        if self.grad_norm_sq is not None and grad_norm_sq <= self.grad_norm_sq:
            return "grad_norm_sq"
        if self.loss is not None and loss <= self.loss:
            return "loss"
        if self.accuracy is not None and metrics.get("accuracy", -math.inf) >= self.accuracy:
            return "accuracy"
        return None
