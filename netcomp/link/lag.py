"""How far the emulation fell behind its own schedule, and whether a run may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

__all__ = ["LATE_MOST", "LATE_SECONDS", "LATE_SHARE", "Lag"]

LATE_SECONDS: Final = 0.008
"""A transfer that ends later than this after its schedule is late …"""

LATE_SHARE: Final = 0.02
"""… unless that is at most this share of the time it had to take."""

LATE_MOST: Final = 0.01
"""A run may be believed as long as no larger share of its transfers was late."""


@dataclass(slots=True)
class Lag:
    """Adds up how late transfers were; seconds.

    A transfer is one frame's passage through one emulated thing: a rate, or a delay. It is
    late where it ends more than max(8 ms, 2 % of its own time) after its schedule. `worst` is
    the largest lag of all, `total` their sum, `seconds` what the transfers had to take.
    """

    transfers: int = 0
    late: int = 0
    worst: float = 0.0
    total: float = 0.0
    seconds: float = 0.0

    def note(self, lag: float, seconds: float) -> None:
        """Take down a transfer that had to take `seconds` and ended `lag` seconds after that."""
        lag = max(0.0, lag)
        self.transfers += 1
        self.late += lag > max(LATE_SECONDS, LATE_SHARE * seconds)
        self.worst = max(self.worst, lag)
        self.total += lag
        self.seconds += seconds

    def __iadd__(self, other: Lag) -> Self:
        self.transfers += other.transfers
        self.late += other.late
        self.worst = max(self.worst, other.worst)
        self.total += other.total
        self.seconds += other.seconds
        return self

    @property
    def valid(self) -> bool:
        """Whether hardly any transfer was late: the links were what they were said to be."""
        return self.late <= LATE_MOST * self.transfers

    def as_dict(self) -> dict[str, Any]:
        """Return {"valid", "transfers", "late", "worst_lag", "mean_lag"}, lags in seconds."""
        return {
            "valid": self.valid,
            "transfers": self.transfers,
            "late": self.late,
            "worst_lag": self.worst,
            "mean_lag": self.total / self.transfers if self.transfers else 0.0,
        }
