"""A few positions with a small number at each, in one string of bits.

For messages of some hundred bytes: the pieces of `netcomp.coding.gaps` and the numbers, each from a
byte's beginning, would waste two or three bytes more. k positions p₁ < p₂ < … with numbers of e
bits are written with a parameter w, where the gaps gᵢ = pᵢ − pᵢ₋₁ − 1 (p₀ = −1) are 2^w·q + r:

1. k fields of w + e bits, r·2^e + number;
2. the k quotients q in unary: q zero bits and a one.

The first bit is the highest of its byte; the last byte is filled up with zeros. k itself is not
written: it is the number for which k ones follow the first k·(w + e) bits, and there is only one,
because of fewer bits no more are ones. This is the Golomb code whose divisor is a power of two
(R. Rice, JPL 79-22).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import packed_bytes
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_FEW", "decode_few", "encode_few"]

MAX_FEW: Final = 4096
"""The most positions written this way; beyond, two bytes are nothing."""

_MAX_PARAMETER: Final = 31
# With the mean gap's w the quotients take less than two bits each on average, and a smaller w
# is only chosen where the whole gets shorter.
_MOST_UNARY: Final = _MAX_PARAMETER + 2


def encode_few(
    positions: NDArray[np.int64], numbers: NDArray[Any], width: int
) -> tuple[int, bytes]:
    """Return (w, the bytes) of increasing positions and numbers of `width` bits, the shortest.

    Raises ValueError for positions that are not increasing from 0, or more than `MAX_FEW`.
    """
    gaps = np.diff(positions, prepend=-1) - 1
    if not 1 <= gaps.size <= MAX_FEW or int(gaps.min()) < 0:
        raise ValueError(f"positions are not 1 to {MAX_FEW} increasing ones")
    w = _best(gaps)
    fields = ((gaps & ((1 << w) - 1)) << width) | numbers
    places = np.arange(w + width - 1, -1, -1)
    ones = np.cumsum((gaps >> w) + 1) - 1
    unary = np.zeros(int(ones[-1]) + 1, dtype=np.uint8)
    unary[ones] = 1
    head = (fields[:, None] >> places & 1).astype(np.uint8).reshape(-1)
    return w, np.packbits(np.concatenate((head, unary))).tobytes()


def decode_few(
    data: Any, w: int, width: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (the positions below `count`, their numbers) that `data` (bytes-like) holds.

    Raises RemoteProtocolError for bytes `encode_few` cannot have written for them, before it
    allocates memory for more bits than that may be.
    """
    raw, length = np.frombuffer(data, dtype=np.uint8), w + width
    if not 1 <= raw.size <= packed_bytes(min(count, MAX_FEW), length + _MOST_UNARY):
        raise RemoteProtocolError(f"positions below {count} in {raw.size} bytes")
    bits = np.unpackbits(raw)
    k = _how_many(bits, length)
    ones = np.flatnonzero(bits[k * length :])
    if not 1 <= k <= MAX_FEW or ones.size != k or bits.size - k * length - int(ones[-1]) > 8:  # noqa: PLR2004 — a byte
        raise RemoteProtocolError("positions do not end where their bytes do")
    places = np.arange(length - 1, -1, -1)
    fields = (bits[: k * length].reshape(k, length).astype(np.int64) << places).sum(axis=1)
    positions = np.cumsum(((np.diff(ones, prepend=-1) - 1) << w) + (fields >> width) + 1) - 1
    if int(positions[-1]) >= count:
        raise RemoteProtocolError(f"a position is not below {count}")
    return positions, fields & ((1 << width) - 1)


def _how_many(bits: NDArray[np.uint8], length: int) -> int:
    """Return the k for which k ones follow the first k·length bits, or one near it."""
    if length == 0:
        return int(bits.sum())
    fields = bits[: bits.size // length * length].reshape(-1, length)
    before = np.cumsum(fields.sum(axis=1, dtype=np.int64))
    following = int(bits.sum()) - np.append(0, before)
    return int(np.count_nonzero(following > np.arange(following.size)))


def _best(gaps: NDArray[np.int64]) -> int:
    """Return the w with the fewest bits, from the mean gap's down."""
    w = min(int(gaps.sum() // gaps.size).bit_length(), _MAX_PARAMETER)

    def cost(w: int) -> int:
        return gaps.size * w + int((gaps >> w).sum())

    while w > 0 and cost(w - 1) <= cost(w):
        w -= 1
    return w
