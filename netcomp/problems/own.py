"""That the oracles handed back to a problem are its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from netcomp.problems.base import LocalOracle

__all__ = ["own_oracles"]

Own = TypeVar("Own", bound=LocalOracle)


def own_oracles(kind: type[Own], oracles: Sequence[LocalOracle]) -> list[Own]:
    """Return the oracles of all workers, all of one kind; raises `TypeError` otherwise."""
    own = [oracle for oracle in oracles if isinstance(oracle, kind)]
    if not own or len(own) != len(oracles):
        raise TypeError("joint constants need the oracles of all workers, all of this problem")
    return own
