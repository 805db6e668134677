"""The summary of a run: one JSON-able dict, the same that `--json` prints.

Its keys are an interface: scripts read them, so a key is never renamed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netcomp.link import Lag
from netcomp.results.events import Overhead
from netcomp.results.jsonable import jsonable
from netcomp.results.ledger import Ledger

__all__ = ["SUMMARY_KEYS", "Target", "summarise"]

SUMMARY_KEYS = (
    "algorithm",
    "problem",
    "network",
    "workers",
    "dim",
    "rounds",
    "seconds",
    "loss",
    "grad_norm_sq",
    "metrics",
    "reached_target",
    "stopped_by",
    "uplink",
    "downlink",
    "overhead",
    "time_shares",
    "bottleneck",
    "target",
    "resolved",
    "run_dir",
    "consistent",
    "emulation",
)
"""Every key of a summary, in its order."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the run was to reach: "grad_norm_sq" below 1e-6, say."""

    name: str
    value: float


def summarise(
    ledger: Ledger,
    overhead: Overhead,
    *,
    algorithm: str,
    stopped_by: str,
    consistent: bool,
    lag: Lag | None = None,
    problem: str = "",
    network: str = "",
    target: Target | None = None,
    resolved: Mapping[str, Any] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Build the summary; what is not finite (a diverged run) becomes None.

    `loss`, `grad_norm_sq` and `metrics` are the last probe's. `problem` and `network` are
    short labels. `consistent` says whether both ends counted the same bytes, `lag` how late
    the emulated links were; a run with late transfers is not valid.
    `target` is null without one; with one not reached, its round, seconds,
    uplink and downlink are null. `resolved` holds what the spec left open
    (step size, constants). Raises `TypeError` where it has no form in JSON.
    """
    parts = {
        "algorithm": algorithm,
        "problem": problem,
        "network": network,
        **_state(ledger),
        "reached_target": target is not None and target.name in ledger.reached,
        "stopped_by": stopped_by,
        "uplink": ledger.up.as_dict(),
        "downlink": ledger.down.as_dict(),
        "overhead": overhead.as_dict(),
        "time_shares": ledger.time_shares(),
        "bottleneck": ledger.bottleneck(),
        "target": _target(ledger, target) if target else None,
        "resolved": dict(resolved or {}),
        "run_dir": run_dir,
        "consistent": consistent,
        "emulation": (lag or Lag()).as_dict(),
    }
    summary: dict[str, Any] = jsonable(parts)
    return summary


def _state(ledger: Ledger) -> dict[str, Any]:
    probe = ledger.last_probe
    return {
        "workers": ledger.workers,
        "dim": ledger.dim,
        "rounds": ledger.rounds,
        "seconds": ledger.seconds,
        "loss": probe.loss if probe else None,
        "grad_norm_sq": probe.grad_norm_sq if probe else None,
        "metrics": dict(probe.metrics) if probe else {},
    }


def _target(ledger: Ledger, target: Target) -> dict[str, Any]:
    reached = ledger.reached.get(target.name)
    return {
        "name": target.name,
        "value": target.value,
        "round": reached.round if reached else None,
        "seconds": reached.seconds if reached else None,
        "uplink": reached.up.as_dict() if reached else None,
        "downlink": reached.down.as_dict() if reached else None,
    }
