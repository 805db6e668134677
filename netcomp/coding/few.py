"""A few positions with a small number at each, in one string of bits.

For messages of some hundred bytes: the pieces of `netcomp.coding.gaps` and the numbers, each from a
byte's beginning, would waste two or three bytes more. k positions p₁ < p₂ < … below n, k and n
known, with numbers of e bits: the gaps gᵢ = pᵢ − pᵢ₋₁ − 1 (p₀ = −1) are 2^w·q + r, where w is the
largest number with 2^w ≤ 123(n − k)/(128k), or 0. What is written is

1. k fields of w + e bits, r·2^e + number;
2. the k quotients q in unary: q zero bits and a one.

The first bit is the highest of its byte; the last byte is filled up with zeros. This is the Golomb
code whose divisor is a power of two (R. Rice, JPL 79-22), the best for gaps as random positions
have them: 123/128 is about 2·ln(golden ratio).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import packed_bytes
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_FEW", "decode_few", "encode_few", "like_random"]

MAX_FEW: Final = 4096
"""The most positions written this way; beyond, two bytes are nothing."""


def encode_few(positions: NDArray[np.int64], numbers: NDArray[Any], width: int, n: int) -> bytes:
    """Return the bytes of increasing positions below `n` and numbers of `width` bits.

    Raises ValueError for positions that are not increasing, none, or more than `MAX_FEW`.
    """
    gaps = np.diff(positions, prepend=-1) - 1
    if not 1 <= gaps.size <= MAX_FEW or int(gaps.min()) < 0 or int(positions[-1]) >= n:
        raise ValueError(f"positions are not 1 to {MAX_FEW} increasing ones below {n}")
    w = _parameter(gaps.size, n)
    fields = ((gaps & ((1 << w) - 1)) << width) | numbers
    places = np.arange(w + width - 1, -1, -1)
    ones = np.cumsum((gaps >> w) + 1) - 1
    unary = np.zeros(int(ones[-1]) + 1, dtype=np.uint8)
    unary[ones] = 1
    head = (fields[:, None] >> places & 1).astype(np.uint8).reshape(-1)
    return np.packbits(np.concatenate((head, unary))).tobytes()


def decode_few(
    data: Any, width: int, k: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (the k positions below `n`, their numbers) that `data` (bytes-like) holds.

    Raises RemoteProtocolError for bytes `encode_few` cannot have written for them, before it
    allocates memory for more bits than there may be.
    """
    if not 1 <= k <= min(n, MAX_FEW):
        raise RemoteProtocolError(f"{k} of {n} positions announced")
    raw, w = np.frombuffer(data, dtype=np.uint8), _parameter(k, n)
    head = k * (w + width)
    if not packed_bytes(head + k, 1) <= raw.size <= packed_bytes(head + k + (n >> w), 1):
        raise RemoteProtocolError(f"{raw.size} bytes where {k} of {n} positions were announced")
    bits = np.unpackbits(raw)
    ones = np.flatnonzero(bits[head:])
    if ones.size != k or bits.size - head - int(ones[-1]) > 8:  # noqa: PLR2004 — a byte
        raise RemoteProtocolError("positions do not end where their bytes do")
    places = np.arange(w + width - 1, -1, -1)
    fields = (bits[:head].reshape(k, -1).astype(np.int64) << places).sum(axis=1)
    positions = np.cumsum(((np.diff(ones, prepend=-1) - 1) << w) + (fields >> width) + 1) - 1
    if int(positions[-1]) >= n:
        raise RemoteProtocolError(f"a position is not below {n}")
    return positions, fields & ((1 << width) - 1)


def like_random(positions: NDArray[np.int64], n: int) -> bool:
    """Return whether no more than two thirds of the gaps are below half the divisor.

    Of a random set that is about a third; a set that is dense in places may have shorter forms.
    """
    half = 1 << _parameter(positions.size, n) >> 1
    return 3 * int(np.count_nonzero(np.diff(positions, prepend=-1) <= half)) <= 2 * positions.size


def _parameter(k: int, n: int) -> int:
    return max(0, (123 * (n - k) // (128 * k)).bit_length() - 1)
