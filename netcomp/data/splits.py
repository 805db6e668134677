"""Which rows each worker holds.

Worker i of n gets the rows [i·m, (i+1)·m) of some order, m = ⌊rows / n⌋; the
remainder belongs to nobody, so that all workers weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.registry import Registry

__all__ = ["SPLITS", "Split", "SplitRule", "equal", "shuffled"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The row indices (int64, from 0) of each worker, and how many rows nobody got."""

    parts: tuple[NDArray[np.int64], ...]
    dropped: int


class SplitRule(Protocol):
    """How rows are dealt out; every entry of `SPLITS` is called like this."""

    def __call__(self, rows: int, workers: int, draw: Draw, /) -> Split:
        """Deal `rows` rows to `workers` workers; `SpecError` if someone gets none."""
        ...


def equal(rows: int, workers: int, _draw: Draw | None = None, /) -> Split:
    """Deal the rows in the order of the file; needs no randomness."""
    return _dealt(np.arange(rows, dtype=np.int64), workers)


def shuffled(rows: int, workers: int, draw: Draw, /) -> Split:
    """Deal the rows in a uniformly random order, the same at every worker.

    The order sorts one 64-bit word a row from the shared `Purpose.SPLIT` stream
    (stable, so that even equal words leave no choice).
    """
    words = draw.shared().stream(Purpose.SPLIT).words64(rows)
    return _dealt(np.argsort(words, kind="stable").astype(np.int64, copy=False), workers)


def _dealt(order: NDArray[np.int64], workers: int) -> Split:
    if workers < 1:
        raise SpecError("cluster.workers", f"must be at least 1, not {workers}")
    share = order.size // workers
    if share == 0:
        raise SpecError(
            "cluster.workers",
            f"{workers} workers cannot share {order.size} rows: problem.split gives each"
            " at least one",
        )
    parts = tuple(order[i * share : (i + 1) * share] for i in range(workers))
    return Split(parts, order.size - share * workers)


SPLITS: Registry[SplitRule] = Registry("split")
"""The rules by name: a spec's `problem.split`."""

SPLITS.register("equal", equal)
SPLITS.register("shuffled", shuffled)
