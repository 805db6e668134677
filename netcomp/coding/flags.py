"""Packed flags, the first in a byte's most significant bit: how many are set, and which.

Where few are, `ones` looks for words of four bytes that are not zero, for the bytes of those that
are not, takes the last bit of each, and looks for bits only in bytes that have more, or in all
where these are many: a third of the time of a search through as many flags.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_ones", "invert", "ones"]

_PIECE: Final = 1 << 17
"""Bytes looked at at a time: the system takes back large blocks, and clears them when it gives."""
_MANY: Final = 0.965
"""All bits are looked at where more than this share of the words of four bytes is not zero.

Of random bits a tenth is set there, and from there on numpy looks for them another way.
"""
_CROWDED: Final = 1 / 8
"""All bits of the bytes are looked at where more than this share of them has more than one."""


def invert(raw: NDArray[np.uint8], count: int) -> None:
    """Turn `count` flags in ⌈count/8⌉ bytes round, in place; the bits after them become 0."""
    np.invert(raw, out=raw)
    # No byte where there is no flag.
    raw[-1:] &= np.uint8(0xFF << (-count % 8) & 0xFF)


def count_ones(raw: NDArray[np.uint8]) -> int:
    """Return how many bits of a string of bytes are set."""
    return int(np.bitwise_count(_padded(raw, np.uint64)).sum())


def ones(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return which bits of a string of bytes are set, increasing."""
    found = [_ones(raw[start : start + _PIECE], 8 * start) for start in range(0, raw.size, _PIECE)]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _ones(raw: NDArray[np.uint8], start: int) -> NDArray[np.int64]:
    """Return what `ones` does, plus `start`."""
    words = _padded(raw, np.uint32)
    word = (words != 0).nonzero()[0]
    if word.size > _MANY * words.size:
        return np.flatnonzero(np.unpackbits(raw).view(bool)) + start
    some = words.take(word).view(np.uint8)
    byte = (some != 0).nonzero()[0]
    bits = some.take(byte)
    # Where a byte's last bit stands. Byte i of these is byte i mod 4 of word ⌊i/4⌋ of those, and
    # 32·word + 8·(i mod 4) = 32·(word − ⌊i/4⌋) + 8i.
    word -= np.arange(word.size)
    word <<= 5
    word += start + 7
    last: NDArray[np.int64] = word.take(byte >> 2)
    byte <<= 3
    last += byte
    others = bits & (bits - 1)
    more = (others != 0).nonzero()[0]
    if more.size > _CROWDED * bits.size:
        return _in_bytes(bits, last)
    # Behind the last bit that is set stand as many as there are ones below it.
    found = last - np.bitwise_count((bits - 1) & ~bits)
    out = np.concatenate((found, _in_bytes(others.take(more), last.take(more))))
    # The stable sort merges what increases already.
    out.sort(kind="stable")
    return out


def _in_bytes(raw: NDArray[np.uint8], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where bits are set, all looked at, given where the last bits of the bytes stand."""
    bit = np.unpackbits(raw).view(bool).nonzero()[0]
    out: NDArray[np.int64] = last.take(bit >> 3)
    bit &= 7
    out += bit
    out -= 7
    return out


def _padded(raw: NDArray[np.uint8], word: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Return bytes as words: these, or with zeros after them."""
    size = np.dtype(word).itemsize
    if raw.size % size == 0 and raw.flags.c_contiguous:
        return raw.view(word)
    out = np.zeros(-(-raw.size // size), dtype=word)
    out.view(np.uint8)[: raw.size] = raw
    return out
