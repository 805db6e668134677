"""The facts of a round, as plain data: bytes sent, seconds spent, model probed.

A leaf: only dataclasses, imported by whoever measures and whoever records.
Three byte counts are kept apart everywhere: `paper_bits` is what the paper's
formula charges, `payload_bytes` is what the compressor's encoding takes, and
`wire_bytes` is what the socket carried, framing included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

__all__ = ["Overhead", "RoundRecord", "Times", "Traffic", "WorkerRound"]


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
        return asdict(self)


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
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerRound:
    """One worker's part in one round; `worker` counts from 0."""

    worker: int
    up: Traffic
    down: Traffic
    times: Times


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
    workers: tuple[WorkerRound, ...] = ()
    loss: float | None = None
    grad_norm_sq: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def probed(self) -> bool:
        """Whether the model was evaluated at the end of this round."""
        return self.loss is not None or self.grad_norm_sq is not None

    def up(self) -> Traffic:
        """Uplink traffic of this round, over all workers that took part."""
        return Traffic.total(w.up for w in self.workers)

    def down(self) -> Traffic:
        """Downlink traffic of this round, over all workers that took part."""
        return Traffic.total(w.down for w in self.workers)

    def mean_times(self) -> Times:
        """Mean over the workers that took part; zero where there were none."""
        total = Times()
        for part in self.workers:
            total += part.times
        return total.scaled(1 / len(self.workers)) if self.workers else total


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
