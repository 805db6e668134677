"""The facts of a round, as plain data: bytes sent, seconds spent, model probed.

A leaf: only plain data, imported by whoever measures and whoever records.
Three byte counts are kept apart everywhere: `paper_bits` is what the paper's
formula charges, `payload_bytes` is what the compressor's encoding takes, and
`wire_bytes` is what the socket carried, framing included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "WORKER_RECORD",
    "Accounts",
    "Overhead",
    "RoundRecord",
    "Times",
    "Traffic",
    "WorkerRound",
]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went one way: paper's bits, encoded bytes, bytes on the socket."""

    paper_bits: float = 0.0
    payload_bytes: int = 0
    wire_bytes: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.paper_bits + other.paper_bits,
            self.payload_bytes + other.payload_bytes,
            self.wire_bytes + other.wire_bytes,
        )

    @classmethod
    def total(cls, parts: Iterable[Traffic]) -> Traffic:
        """Add up any number of them; none gives the zero `Traffic()`."""
        bits, payload, wire = 0.0, 0, 0
        for part in parts:
            bits += part.paper_bits
            payload += part.payload_bytes
            wire += part.wire_bytes
        return cls(bits, payload, wire)

    def as_dict(self) -> dict[str, float]:
        """Return {"paper_bits", "payload_bytes", "wire_bytes"}."""
        # Not `asdict`, which takes ten times as long: a row is written every round.
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Times:
    """Where a worker's time went, in seconds.

    `compute` gradients, `compress` encoding and decoding, `up` and `down` the
    links, `wait` for others or for a shared processor.
    """

    compute: float = 0.0
    compress: float = 0.0
    up: float = 0.0
    down: float = 0.0
    wait: float = 0.0

    def __add__(self, other: Times) -> Times:
        return Times(
            self.compute + other.compute,
            self.compress + other.compress,
            self.up + other.up,
            self.down + other.down,
            self.wait + other.wait,
        )

    def scaled(self, factor: float) -> Times:
        """Return every share multiplied by `factor`."""
        return Times(
            self.compute * factor,
            self.compress * factor,
            self.up * factor,
            self.down * factor,
            self.wait * factor,
        )

    @property
    def total(self) -> float:
        """Sum of the five shares, in seconds."""
        return self.compute + self.compress + self.up + self.down + self.wait

    def as_dict(self) -> dict[str, float]:
        """Return {"compute", "compress", "up", "down", "wait"} in seconds."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class WorkerRound:
    """One worker's part in one round; `worker` counts from 0."""

    worker: int
    up: Traffic
    down: Traffic
    times: Times


WORKER_RECORD = np.dtype(
    [
        ("round", "<u4"),
        ("worker", "<u4"),
        ("up_paper_bits", "<f8"),
        ("up_payload_bytes", "<u8"),
        ("up_wire_bytes", "<u8"),
        ("down_paper_bits", "<f8"),
        ("down_payload_bytes", "<u8"),
        ("down_wire_bytes", "<u8"),
        ("compute", "<f8"),
        ("compress", "<f8"),
        ("up", "<f8"),
        ("down", "<f8"),
        ("wait", "<f8"),
    ]
)
"""One worker in one round, 96 bytes; times in seconds."""

_WORDS = WORKER_RECORD.itemsize // 8
_TRAFFIC = slice(1, 7)
_SHARES = slice(7, _WORDS)
"""Where both ways' traffic and the times are, counted in fields of 8 bytes."""


class Accounts(Sequence[WorkerRound]):
    """The rows of one round, in worker order, and their totals `up` and `down`; read-only.

    In columns, laid out as in workers.bin, so that a thousand workers cost little more than ten;
    a `WorkerRound` is made when somebody asks for it. Of n rows, `bits` has shape (n, 2): up,
    down; `counts` (n, 2, 2): up, down by payload, wire bytes; `times` (n, 5): the shares in the
    order of the fields of `Times`.
    """

    def __init__(self, rows: NDArray[np.void]) -> None:
        self.rows = np.ascontiguousarray(rows)
        floats = self.rows.view("<f8").reshape(-1, _WORDS)
        whole = self.rows.view("<u8").reshape(-1, _WORDS)
        self.bits: NDArray[np.float64] = floats[:, _TRAFFIC].reshape(-1, 2, 3)[:, :, 0]
        self.counts: NDArray[np.uint64] = whole[:, _TRAFFIC].reshape(-1, 2, 3)[:, :, 1:]
        self.times: NDArray[np.float64] = floats[:, _SHARES]

    @classmethod
    def blank(cls, round_: int, workers: Sequence[int]) -> Accounts:
        """Return rows of these workers; who asks for them fills bits, counts and times in."""
        rows = np.empty(len(workers), WORKER_RECORD)
        rows["round"] = round_
        rows["worker"] = workers
        return cls(rows)

    @classmethod
    def of(cls, parts: Iterable[WorkerRound], round_: int) -> Accounts:
        """Return the rows of single workers' parts in a round."""
        if isinstance(parts, cls):
            return parts
        rows = [
            (
                round_,
                part.worker,
                *(part.up.paper_bits, part.up.payload_bytes, part.up.wire_bytes),
                *(part.down.paper_bits, part.down.payload_bytes, part.down.wire_bytes),
                *(part.times.compute, part.times.compress),
                *(part.times.up, part.times.down, part.times.wait),
            )
            for part in parts
        ]
        return cls(np.array(rows, dtype=WORKER_RECORD))

    @property
    def workers(self) -> NDArray[np.integer[Any]]:
        """The workers' numbers."""
        return self.rows["worker"]

    @cached_property
    def up(self) -> Traffic:
        """What went up, over all workers."""
        return self._total(0)

    @cached_property
    def down(self) -> Traffic:
        """What went down, over all workers."""
        return self._total(1)

    def _total(self, way: int) -> Traffic:
        bits, counts = self.bits[:, way].sum(), self.counts[:, way].sum(axis=0)
        return Traffic(float(bits), *counts.tolist())

    @cached_property
    def mean_times(self) -> Times:
        """The mean over the workers; zero where there are none."""
        count = len(self.rows)
        return Times(*(self.times.sum(axis=0) / count).tolist()) if count else Times()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> WorkerRound: ...

    @overload
    def __getitem__(self, index: slice) -> Accounts: ...

    def __getitem__(self, index: int | slice) -> WorkerRound | Accounts:
        if isinstance(index, slice):
            return Accounts(self.rows[index])
        _, worker, *figures = self.rows[index].item()
        up, down, times = figures[:3], figures[3:6], figures[6:]
        return WorkerRound(worker, Traffic(*up), Traffic(*down), Times(*times))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One completed round.

    `round` is the number of rounds completed, 0 being the state before the
    first; `seconds` is the experiment's clock at its end, probes excluded;
    `workers` holds those that took part; `loss` and `grad_norm_sq` are set
    where the model was probed, and `metrics` to what the problem measures.
    """

    round: int
    seconds: float
    workers: Sequence[WorkerRound] = ()
    loss: float | None = None
    grad_norm_sq: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", Accounts.of(self.workers, self.round))

    @property
    def accounts(self) -> Accounts:
        """`workers` in columns."""
        assert isinstance(self.workers, Accounts)  # noqa: S101 — see __post_init__
        return self.workers

    @property
    def probed(self) -> bool:
        """Whether the model was evaluated at the end of this round."""
        return self.loss is not None or self.grad_norm_sq is not None

    def up(self) -> Traffic:
        """Uplink traffic of this round, over all workers that took part."""
        return self.accounts.up

    def down(self) -> Traffic:
        """Downlink traffic of this round, over all workers that took part."""
        return self.accounts.down

    def mean_times(self) -> Times:
        """Mean over the workers that took part; zero where there were none."""
        return self.accounts.mean_times


@dataclass(frozen=True, slots=True)
class Overhead:
    """Wire bytes outside the method, over all workers; never part of `Traffic`."""

    handshake_up: int = 0
    handshake_down: int = 0
    control_up: int = 0
    control_down: int = 0
    probe_up: int = 0
    probe_down: int = 0

    def __add__(self, other: Overhead) -> Overhead:
        return Overhead(
            self.handshake_up + other.handshake_up,
            self.handshake_down + other.handshake_down,
            self.control_up + other.control_up,
            self.control_down + other.control_down,
            self.probe_up + other.probe_up,
            self.probe_down + other.probe_down,
        )

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return {"handshake": {"up", "down"}, "control": …, "probe": …}."""
        return {
            "handshake": {"up": self.handshake_up, "down": self.handshake_down},
            "control": {"up": self.control_up, "down": self.control_down},
            "probe": {"up": self.probe_up, "down": self.probe_down},
        }
