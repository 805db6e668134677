"""Splits by an order of the rows: worker i of n gets the rows [i·m, (i+1)·m) of it.

m = ⌊rows / n⌋; the remainder belongs to nobody, so that all workers hold equally many.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from netcomp.data.dataset import Dataset
from netcomp.data.splits.base import Rows, Split, SplitRule, dealt
from netcomp.draw import Draw, Purpose

__all__ = ["Equal", "Shuffled", "Sorted", "equal", "random_order", "shuffled"]


def equal(rows: int, workers: int) -> Split:
    """Deal the rows in the order of the file; needs no randomness."""
    return dealt(np.arange(rows, dtype=np.int64), workers)


def shuffled(rows: int, workers: int, draw: Draw) -> Split:
    """Deal the rows in a uniformly random order, the same at every worker."""
    return dealt(random_order(rows, draw), workers)


def random_order(rows: int, draw: Draw) -> Rows:
    """Return a uniformly random order of the numbers below `rows`.

    It sorts one 64-bit word a row from the shared `Purpose.SPLIT` stream (stable, so
    that even equal words leave no choice).
    """
    words = draw.shared().stream(Purpose.SPLIT).words64(rows)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)


class Equal(SplitRule):
    """The order of the file."""

    summary: ClassVar[str] = "consecutive rows of the file, equally many for each"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        return equal(data.rows, workers)


class Shuffled(SplitRule):
    """A random order."""

    summary: ClassVar[str] = "the same after a seeded shuffle"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        return shuffled(data.rows, workers, draw)


class Sorted(SplitRule):
    """Rows in increasing order of their targets; equal targets in the order of the file."""

    summary: ClassVar[str] = "consecutive rows after sorting by label or target"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        order = np.argsort(data.targets, kind="stable").astype(np.int64, copy=False)
        return dealt(order, workers)
