"""Memory that begins where a cache line does."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["LINE", "aligned"]

LINE: Final = 64
"""Bytes of a cache line, and of the widest registers."""


def aligned(nbytes: int) -> memoryview:
    """Return `nbytes` of uninitialised memory that begins on a boundary of `LINE` bytes."""
    raw = np.empty(nbytes + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + nbytes].data
