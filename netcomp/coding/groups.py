"""Groups of symbols as one: fewer steps of the coder a symbol.

Where few symbols occur, two or four neighbours are coded together; `netcomp.coding.ans`
says how a group is numbered and `netcomp.coding.model` what its frequency is.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.model import Frequencies, cross_entropy, joint

__all__ = ["MAX_NUMBERS", "group_numbers", "group_symbols", "grouped"]

MAX_NUMBERS: Final = 4096
"""How many different groups of two or four symbols there may be."""

_LOSS = 1.007
_CHUNK = 1 << 17
_FEW = 1 << 11
_WORD: Final[dict[int, np.dtype[Any]]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<u8"),
}


def grouped(base: Frequencies, counts: Frequencies) -> tuple[int, Frequencies, float]:
    """Return (the group's size 1, 2 or 4, its frequencies, the bits all symbols will take).

    The largest size whose rounded frequencies cost at most 0.7 % more than those of single
    symbols.
    """
    bits = cross_entropy(counts, base)
    best = 1, base, bits
    frequencies = base
    share = counts / counts.sum()
    for size in (2, 4):
        if frequencies.size**2 > MAX_NUMBERS:
            break
        frequencies = joint(frequencies)
        share = (share[:, None] @ share[None]).reshape(-1)
        cost = cross_entropy(share, frequencies) * float(counts.sum()) / size
        if cost > _LOSS * bits:
            break
        best = size, frequencies, cost
    return best


def group_numbers(
    symbols: NDArray[Any], present: NDArray[np.int64], size: int
) -> NDArray[np.uint16]:
    """Return the numbers of the ⌈count/size⌉ groups of 1-D `symbols`."""
    out = np.empty(-(-symbols.size // size), dtype=np.uint16)
    K, lowest = present.size, int(present[0])
    together = int(present[-1]) - lowest == K - 1
    # Of few enough symbols to be grouped, ranks are bytes whatever the alphabet.
    dtype = symbols.dtype if size == 1 else np.dtype(np.uint8)
    rank = np.zeros(int(present[-1]) + 1, dtype=dtype)
    rank[present] = np.arange(K)
    # Of few symbols a quarter at a time, in whole groups: numpy makes an int64 copy to look up.
    step = min(_CHUNK, max(_FEW, symbols.size // 16 * 4))
    for start in range(0, symbols.size, step):
        part = symbols[start : start + step]
        ranks = part - symbols.dtype.type(lowest) if together else rank.take(part)
        ranks = ranks.astype(dtype, copy=False)
        if ranks.size % size:
            ranks = np.append(ranks, np.zeros(-ranks.size % size, dtype=ranks.dtype))
        piece = out[start // size : start // size + ranks.size // size]
        piece[:] = ranks if size == 1 else _combined(ranks.view(_WORD[size]), K, size)
    return out


def _combined(words: NDArray[Any], K: int, size: int) -> NDArray[Any]:
    """Return the numbers of groups whose ranks are the bytes of little-endian words."""
    if size == 2:  # noqa: PLR2004
        return (words & 0xFF) * np.uint16(K) + (words >> 8)
    pairs = (words & 0x00FF_00FF) * np.uint32(K) + (words >> 8 & 0x00FF_00FF)
    return (pairs & 0xFFFF) * np.uint32(K * K) + (pairs >> 16)


def group_symbols(
    base: Frequencies, present: NDArray[np.int64], size: int, dtype: np.dtype[Any]
) -> tuple[Frequencies, NDArray[Any]]:
    """Return (frequencies, each number's symbols as one little-endian word) of all groups.

    The inverse of `group_numbers`: words viewed as `dtype` are the symbols.
    """
    frequencies = base
    columns = present.astype(dtype)[:, None]
    while columns.shape[1] < size:
        K = columns.shape[0]
        frequencies = joint(frequencies)
        columns = np.hstack((np.repeat(columns, K, axis=0), np.tile(columns, (K, 1))))
    if size == 1:
        return frequencies, columns.reshape(-1)
    return frequencies, np.ascontiguousarray(columns).view(_WORD[size * dtype.itemsize]).reshape(-1)
