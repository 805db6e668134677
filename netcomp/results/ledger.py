"""Running totals of a run: bytes each way, seconds by cause, what was reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

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
        # In the shapes of `Accounts`.
        self._bits = np.zeros((workers, 2))
        self._counts = np.zeros((workers, 2, 2), np.uint64)
        self._times = np.zeros((workers, 5))
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
        accounts = record.accounts
        self.up += accounts.up
        self.down += accounts.down
        self.times += accounts.mean_times
        workers = accounts.workers
        self._bits[workers] += accounts.bits
        self._counts[workers] += accounts.counts
        self._times[workers] += accounts.times
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

    @property
    def worker_up(self) -> list[Traffic]:
        """What each worker sent."""
        return self._traffic(0)

    @property
    def worker_down(self) -> list[Traffic]:
        """What each worker was sent."""
        return self._traffic(1)

    def _traffic(self, way: int) -> list[Traffic]:
        pairs = zip(self._bits[:, way].tolist(), self._counts[:, way].tolist(), strict=True)
        return [Traffic(bits, *counts) for bits, counts in pairs]

    @property
    def worker_times(self) -> list[Times]:
        """Where each worker's time went."""
        return [Times(*times) for times in self._times.tolist()]

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
        if len(strangers := np.flatnonzero(record.accounts.workers >= self.workers)):
            worker = record.accounts.workers[strangers[0]]
            raise ValueError(f"worker {worker} of {self.workers} does not exist")

    def _probed(self, probe: Probe) -> None:
        self.last_probe = probe
        value = probe.grad_norm_sq
        if value is None or not math.isfinite(value):
            return
        if self.best is None or self.best.grad_norm_sq is None or value < self.best.grad_norm_sq:
            self.best = probe
