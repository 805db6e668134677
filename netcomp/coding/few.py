"""A few positions with a symbol at each, in as few bytes as counting allows.

For messages of some hundred bytes, where tables, and pieces that begin at a byte, would cost some
per cent. k positions p₁ < p₂ < … < p_k below n with symbols below m; k, n and m are known.

**k ≤ 192.** One number (`netcomp.coding.ranks`): the counts of the arrangement of the symbols, the
digit of the set of positions, the digits of the arrangement.

**k > 192.** The gaps gᵢ = pᵢ − pᵢ₋₁ − 1 (p₀ = −1) are 2^w·q + r, where w is the largest number with
2^w ≤ 123(n − k)/(128k), or 0. What is written is

1. k fields of w bits, r; the k quotients q in unary, q zero bits and a one; the first bit is the
   highest of its byte, and the last byte is filled up with zeros;
2. the number of the arrangement.

This is the Golomb code whose divisor is a power of two (R. Rice, JPL 79-22), the best for gaps as
random positions have them: 123/128 is about 2·ln(golden ratio).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import packed_bytes
from netcomp.coding.ranks import Reader, arrangement, joined, rank, unrank
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_FEW", "MAX_SYMBOLS", "decode_few", "encode_few", "like_random"]

MAX_FEW: Final = 512
"""The most positions written this way; beyond, some bytes are nothing and numbers grow long."""

MAX_SYMBOLS: Final = 64
"""The largest m: a value that never occurs costs bits too."""

_RANKED = 192
Symbols = NDArray[Any]


def encode_few(positions: NDArray[np.int64], symbols: Symbols, m: int, n: int) -> bytes:
    """Return the bytes of increasing positions below `n` and symbols below `m`.

    Raises ValueError for positions that are not increasing, none, or more than `MAX_FEW`.
    """
    gaps = np.diff(positions, prepend=-1) - 1
    if not 1 <= gaps.size <= MAX_FEW or int(gaps.min()) < 0 or int(positions[-1]) >= n:
        raise ValueError(f"positions are not 1 to {MAX_FEW} increasing ones below {n}")
    counts, digits = arrangement(symbols.tolist(), m)
    if gaps.size <= _RANKED:
        where = (rank(positions.tolist()), math.comb(n, gaps.size))
        return joined([*counts, where, *digits])
    return _encode_gaps(gaps, _parameter(gaps.size, n)) + joined([*counts, *digits])


def decode_few(data: Any, m: int, k: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (the k positions below `n`, their symbols below `m`) that `data` (bytes-like) holds.

    Raises RemoteProtocolError for bytes `encode_few` cannot have written for them, before it
    allocates memory for more bits than there may be.
    """
    if not (1 <= k <= min(n, MAX_FEW) and 1 <= m <= MAX_SYMBOLS):
        raise RemoteProtocolError(f"{k} of {n} positions announced, of {m} symbols")
    raw = bytes(data)
    ranked = k <= _RANKED
    # No digit of an arrangement is longer than 2k bits.
    most = k * n.bit_length() + 2 * m * 2 * k
    if not ranked:
        gaps, at = _decode_gaps(np.frombuffer(raw, dtype=np.uint8), k, n)
        positions, raw = np.cumsum(gaps + 1) - 1, raw[at:]
    if 8 * len(raw) > most + 8:
        raise RemoteProtocolError(f"{len(raw)} bytes where {k} of {n} positions were announced")
    reader = Reader(raw)
    counts = reader.counts(k, m)
    if ranked:
        positions = np.array(unrank(reader.take(math.comb(n, k)), k, n), dtype=np.int64)
    symbols = np.array(reader.arrangement(k, m, counts), dtype=np.int64)
    reader.end()
    if int(positions[-1]) >= n:
        raise RemoteProtocolError(f"a position is not below {n}")
    return positions, symbols


def like_random(positions: NDArray[np.int64], n: int) -> bool:
    """Return whether no more than two thirds of the gaps are below half the divisor.

    Of a random set that is about a third; a set that is dense in places may have shorter forms.
    """
    half = 1 << _parameter(positions.size, n) >> 1
    return 3 * int(np.count_nonzero(np.diff(positions, prepend=-1) <= half)) <= 2 * positions.size


def _encode_gaps(gaps: NDArray[np.int64], w: int) -> bytes:
    ones = np.cumsum((gaps >> w) + 1) - 1
    unary = np.zeros(int(ones[-1]) + 1, dtype=np.uint8)
    unary[ones] = 1
    fields = (gaps[:, None] >> np.arange(w - 1, -1, -1) & 1).astype(np.uint8).reshape(-1)
    return np.packbits(np.concatenate((fields, unary))).tobytes()


def _decode_gaps(raw: NDArray[np.uint8], k: int, n: int) -> tuple[NDArray[np.int64], int]:
    """Return (the k gaps, the position after them)."""
    w = _parameter(k, n)
    head = k * w
    bits = np.unpackbits(raw[: packed_bytes(head + k + (n >> w), 1)])
    ones = np.flatnonzero(bits[head:])
    if ones.size < k:
        raise RemoteProtocolError(f"too few bytes where {k} of {n} positions were announced")
    end = head + int(ones[k - 1]) + 1
    at = packed_bytes(end, 1)
    if bits[end : 8 * at].any():
        raise RemoteProtocolError("positions do not end where their bytes do")
    fields = (bits[:head].reshape(k, w).astype(np.int64) << np.arange(w - 1, -1, -1)).sum(axis=1)
    return ((np.diff(ones[:k], prepend=-1) - 1) << w) + fields, at


def _parameter(k: int, n: int) -> int:
    return max(0, (123 * (n - k) // (128 * k)).bit_length() - 1)
