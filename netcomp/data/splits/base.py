"""What a split is, and what the rules share."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from netcomp.data.dataset import Dataset
from netcomp.draw import Draw
from netcomp.errors import SpecError

__all__ = ["Split", "SplitRule", "by_assignment", "check_enough", "dealt", "without_empty"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The row indices (int64, from 0) of each worker, and how many rows nobody got."""

    parts: tuple[Rows, ...]
    dropped: int

    def digest(self, data: str) -> str:
        """Return the SHA-256, in hexadecimal, of a data set's digest and of who has which row."""
        content = hashlib.sha256(data.encode())
        for part in self.parts:
            content.update(part.size.to_bytes(8, "little"))
            content.update(part.astype("<i8", copy=False).tobytes())
        return content.hexdigest()


class SplitRule(BaseModel, ABC):
    """How rows are dealt out, with its parameters; every entry of `SPLITS` is a class of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    summary: ClassVar[str]
    """One line for listings."""

    def stamp(self) -> Hashable:
        """Return what changes when a file that the rule reads does; None if there is none."""
        return None

    @abstractmethod
    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        """Deal the rows to `workers` workers, each at least one; the same at every worker.

        `data` has its labels as they were loaded. Raises `SpecError` or `DataError` where
        somebody would get no row.
        """


def check_enough(rows: int, workers: int) -> None:
    """Raise `SpecError` unless there are workers, and a row for each."""
    if workers < 1:
        raise SpecError("cluster.workers", f"must be at least 1, not {workers}")
    if rows < workers:
        raise SpecError(
            "cluster.workers",
            f"{workers} workers cannot share {rows} rows: problem.split gives each at least one",
        )


def dealt(order: Rows, workers: int) -> Split:
    """Deal rows in this order: ⌊rows/n⌋ consecutive ones to each, the remainder to nobody."""
    check_enough(order.size, workers)
    share = order.size // workers
    parts = tuple(order[i * share : (i + 1) * share] for i in range(workers))
    return Split(parts, order.size - share * workers)


def by_assignment(owners: NDArray[np.int64], workers: int) -> tuple[Rows, ...]:
    """Return the rows of each worker, in the order of the file, from the owner of each row."""
    order = np.argsort(owners, kind="stable").astype(np.int64, copy=False)
    ends = np.cumsum(np.bincount(owners, minlength=workers))
    return tuple(np.split(order, ends[:-1]))


def without_empty(parts: Sequence[Rows]) -> tuple[Rows, ...]:
    """Give each empty part, in order, the last row of the part that is then the largest."""
    filled = list(parts)
    # Largest first, of equal ones the first.
    heap = [(-part.size, index) for index, part in enumerate(parts)]
    heapify(heap)
    for empty in [index for index, part in enumerate(parts) if part.size == 0]:
        _, largest = heap[0]
        filled[empty] = filled[largest][-1:]
        filled[largest] = filled[largest][:-1]
        heapreplace(heap, (-filled[largest].size, largest))
    return tuple(filled)
