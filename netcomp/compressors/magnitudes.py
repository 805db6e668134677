"""Σ |x_i| of long vectors, read once, by BLAS and with the same bits wherever a vector lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, cast

import numpy as np

from netcomp.coding.aligned import LINE, aligned
from netcomp.compressors.norms import CHUNK, Values, pieces

__all__ = ["asum", "sums_of_magnitudes", "wide_sum"]

_FEW: Final = 1024
"""Up to so many values float64 adds: it takes no longer, and equal magnitudes keep their size."""
_RUN: Final = 8192
"""So few values that no BLAS divides them among threads, and that float32 is exact enough.

Where few magnitudes occur and additions round the same way, the lanes of a vector unit lose some
1e-5 of a sum, and any order 2⁻¹¹ at most; otherwise it is some 1e-7.
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
    """Yield a number for each of `pieces(values.size)`, the sum of about that piece's magnitudes.

    All together are ‖x‖₁. It is not finite where a value is not, or where float32 sums of a run
    overflow. When a number comes, its piece has just been read.

    The order in which asum adds depends on where a run lies relative to the boundaries of `LINE`.
    So every run begins at one: where the vector lies so, it is read in place, elsewhere a copy
    is, and the bits are the same.
    """
    dtype = np.dtype(np.float32 if values.dtype == np.float32 else np.float64)
    add = asum(dtype)
    lead = _LEAD // dtype.itemsize if values.size > _FEW else values.size
    rest = values[lead:]
    in_place = values.dtype == dtype and rest.flags.c_contiguous and rest.ctypes.data % LINE == 0
    size = 0 if in_place else min(rest.size, CHUNK)
    scratch = np.frombuffer(aligned(size * dtype.itemsize), dtype=dtype)
    total = wide_sum(values[:lead])
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


def wide_sum(values: Values) -> float:
    """Return Σ |x_i| of a piece, in float64 from the start, where nothing of float32 overflows.

    Five times as slow as the runs, and with a temporary as long as the values.
    """
    with np.errstate(over="ignore"):
        return float(np.abs(values).sum(dtype=np.float64))
