"""Running totals of a run: bytes each way, seconds by cause, what was reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from netcomp.results.events import RoundRecord, Times, Traffic

__all__ = ["BOTTLENECKS", "SHARE_NAMES", "Ledger", "Probe", "Reached", "time_shares"]

BOTTLENECKS = {
    "compute": "compute",
    "compress": "compression",
    "up": "uplink",
    "down": "downlink",
    "wait": "waiting",
}
"""What each time share is called when it is the largest."""

SHARE_NAMES = BOTTLENECKS | {"compress": "compress", "wait": "wait"}
"""What each time share is called in tables and figures."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The model as evaluated after `round` rounds, at `seconds` of the clock."""

    round: int
    seconds: float
    loss: float | None
    grad_norm_sq: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reached:
    """When a target was met and what it had cost: totals over all workers."""

    round: int
    seconds: float
    up: Traffic
    down: Traffic


def time_shares(times: Times) -> dict[str, float]:
    """Return each time as a fraction of their sum; all 0 when nothing ran."""
    total = times.total
    return {name: value / total if total > 0 else 0.0 for name, value in times.as_dict().items()}


class Ledger:
    """Adds up the records of a run of `workers` workers in dimension `dim`.

    `up`, `down`: totals over all workers. `worker_up[i]`, `worker_down[i]`,
    `worker_times[i]`: worker i alone. `times`: for each round the mean over the
    workers that took part, added over the rounds, so that it equals the sum of
    the rows of rounds.jsonl. `last_probe` is the newest probe, `best` the one
    with the smallest finite ‖∇f‖²; both None before there is any.
    """

    def __init__(self, workers: int, dim: int) -> None:
        self.workers = workers
        self.dim = dim
        self.rounds = 0
        self.seconds = 0.0
        self.up = Traffic()
        self.down = Traffic()
        self.times = Times()
        self.worker_up = [Traffic()] * workers
        self.worker_down = [Traffic()] * workers
        self.worker_times = [Times()] * workers
        self.last_probe: Probe | None = None
        self.best: Probe | None = None
        self.reached: dict[str, Reached] = {}

    def add(self, record: RoundRecord) -> None:
        """Take one more round.

        Raises `ValueError`, and changes nothing, when a worker does not exist
        or the round number goes back.
        """
        self._check(record)
        self.rounds = record.round
        self.seconds = record.seconds
        self.up += record.up()
        self.down += record.down()
        self.times += record.mean_times()
        for part in record.workers:
            self.worker_up[part.worker] += part.up
            self.worker_down[part.worker] += part.down
            self.worker_times[part.worker] += part.times
        if record.probed:
            self._probed(
                Probe(
                    record.round,
                    record.seconds,
                    record.loss,
                    record.grad_norm_sq,
                    record.metrics,
                ),
            )

    def mark_reached(self, target_name: str) -> Reached:
        """Note that the target is met as of the last record; the first call counts."""
        now = Reached(self.rounds, self.seconds, self.up, self.down)
        return self.reached.setdefault(target_name, now)

    def time_shares(self) -> dict[str, float]:
        """Return compute, compress, up, down, wait as fractions of their sum."""
        return time_shares(self.times)

    def bottleneck(self) -> str:
        """Name the largest time share.

        One of "compute", "compression", "uplink", "downlink", "waiting"; the
        first of equals, hence "compute" while nothing has run.
        """
        shares = self.time_shares()
        return BOTTLENECKS[max(shares, key=shares.__getitem__)]

    def _check(self, record: RoundRecord) -> None:
        if record.round < self.rounds:
            raise ValueError(f"round {record.round} recorded after round {self.rounds}")
        for part in record.workers:
            if not 0 <= part.worker < self.workers:
                raise ValueError(f"worker {part.worker} of {self.workers} does not exist")

    def _probed(self, probe: Probe) -> None:
        self.last_probe = probe
        value = probe.grad_norm_sq
        if value is None or not math.isfinite(value):
            return
        if self.best is None or self.best.grad_norm_sq is None or value < self.best.grad_norm_sq:
            self.best = probe
