"""What problems check of what they are given: rows, samples, oracles of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from netcomp.errors import DataError
from netcomp.problems.base import LocalOracle
from netcomp.roles import Batch

__all__ = ["check_samples", "needed_rows", "own_oracles"]


class _Held(Protocol):
    """What a worker holds."""

    @property
    def rows(self) -> int:
        """How many rows."""
        ...


Held = TypeVar("Held", bound=_Held)
Own = TypeVar("Own", bound=LocalOracle)


def needed_rows(held: Held | None, worker: int) -> Held:
    """Return what a worker holds; raises `DataError` where that is nothing."""
    if held is None or held.rows == 0:
        raise DataError(f"shard of worker {worker}", "this problem needs rows of a data set")
    return held


def check_samples(batch: Batch) -> None:
    """Raise `ValueError` for a batch of no samples of a function without rows."""
    if batch.size < 1:
        raise ValueError(f"a batch of {batch.size} samples")


def own_oracles(kind: type[Own], oracles: Sequence[LocalOracle]) -> list[Own]:
    """Return the oracles of all workers, all of one kind; raises `TypeError` otherwise."""
    own = [oracle for oracle in oracles if isinstance(oracle, kind)]
    if not own or len(own) != len(oracles):
        raise TypeError("joint constants need the oracles of all workers, all of this problem")
    return own
