"""What is to be reached, as ratios of rounds a second in one run, and whether it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

__all__ = ["GOALS", "LINK", "STALL", "Goal", "ratio", "slope", "verdicts"]

GATE = 0.8
LINK = "one link"
"""Requests and replies over a netcomp connection, without a run around it."""
STALL = 0.25
"""Seconds for which the server's event loop may stand still at d = 10⁷."""


@dataclass(frozen=True)
class Goal:
    """Our rounds a second over a peer's, with n workers in dimension d; `who` is ours."""

    peer: str
    n: int
    d: int
    factor: float
    who: str = "netcomp"


GOALS = (
    *(Goal("uvloop", n, 1000, 0.6) for n in (10, 100, 1000)),
    Goal("pyzmq", 1000, 1000, 1.2),
    *(Goal("grpc", n, 1000, 3.0) for n in (10, 100, 1000)),
    Goal("flower", 10, 1000, 25.0),
    Goal("flower", 10, 1_000_000, 8.0),
    Goal("sockets", 1, 1000, 0.6, LINK),
    Goal("sockets", 1, 250_000, 0.6, LINK),
    Goal("sockets", 1, 10_000_000, 0.85, LINK),
    Goal("grpc", 1, 1000, 4.0, LINK),
)
"""Over one link a round is a request and its reply: 4 KB, 1 MB and 40 MB each way."""


def ratio(
    rows: Iterable[Mapping[str, Any]], peer: str, n: int, d: int, who: str = "netcomp"
) -> float | None:
    """Return the median over the turns of our speed over a peer's in the same turn."""
    found = {
        row["who"]: row["turns"] for row in rows if (row["n"], row["d"]) == (n, d) and row["turns"]
    }
    if who not in found or peer not in found:
        return None
    pairs = zip(found[who], found[peer], strict=False)
    return median(theirs / ours for ours, theirs in pairs)


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each goal with the figure and whether it holds."""
    found = []
    for goal in GOALS:
        figure = ratio(rows, goal.peer, goal.n, goal.d, goal.who)
        if figure is None:
            verdict = "not measured"
        elif figure >= goal.factor:
            verdict = "holds"
        else:
            verdict = "within the gate" if figure >= GATE * goal.factor else "does not hold"
        found.append({**vars(goal), "figure": figure, "verdict": verdict})
    return found


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the exponent p of seconds ≈ c·size^p, fitted to (size, seconds)."""
    if len(points) < 2:
        return None
    sizes, seconds = np.log(np.array(points, dtype=np.float64)).T
    return float(np.polyfit(sizes, seconds, 1)[0])
