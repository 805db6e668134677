"""Σ |x_i| of long vectors, read once, by BLAS and in an order that depends on the length only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, cast

import numpy as np

from netcomp.coding.aligned import LINE, aligned
from netcomp.compressors.norms import CHUNK, Values, pieces

__all__ = ["asum", "sums_of_magnitudes"]

_RUN: Final = 8192
"""So few values that no BLAS divides them among threads, and that float32 is exact enough.

Where all are equal and every addition rounds the same way, the lanes of a vector unit lose some
1e-5 of a sum, and any order 2⁻¹¹ at most; of other values 1e-8.
"""
_LEAD: Final = 48
"""Bytes before the first run: numpy's arrays begin 16 bytes after a boundary where glibc has the
system map them, which it does from 32 MiB on and often below."""


@cache
def asum(dtype: np.dtype[Any]) -> Callable[..., float]:
    """Return the BLAS function for float32 or float64: of a vector, a count and an offset."""
    # Lazy: an import of 0.15 s, which only signs need.
    from scipy.linalg.blas import get_blas_funcs  # noqa: PLC0415

    return cast(Callable[..., float], get_blas_funcs("asum", dtype=dtype))


def sums_of_magnitudes(values: Values) -> Iterator[float]:
    """Yield a number for each of `pieces(values.size)`; the sum of all is ‖x‖₁.

    It is not finite where a value is not, or where runs of `_RUN`, of which float32 ones are added
    in float32, overflow. When a number comes, its piece has just been read.

    The order in which asum adds depends on where a run lies relative to the boundaries of `LINE`.
    So every run begins at one: where the vector lies so, it is read in place, elsewhere a copy
    is, and the bits are the same.
    """
    dtype = np.dtype(np.float32 if values.dtype == np.float32 else np.float64)
    add = asum(dtype)
    lead = _LEAD // dtype.itemsize
    rest = values[lead:]
    in_place = values.dtype == dtype and rest.flags.c_contiguous and rest.ctypes.data % LINE == 0
    size = 0 if in_place else min(rest.size, CHUNK)
    scratch = np.frombuffer(aligned(size * dtype.itemsize), dtype=dtype)
    total = float(np.abs(values[:lead]).sum(dtype=np.float64))
    for part in pieces(values.size):
        runs = rest[part]
        if not in_place:
            copied = scratch[: runs.size]
            np.copyto(copied, runs)
            runs = copied
        for at in range(0, runs.size, _RUN):
            total += add(runs, min(_RUN, runs.size - at), at)
        yield total
        total = 0.0
