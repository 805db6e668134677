"""Digits 0, 1, 2, five to a byte (3⁵ = 243 ≤ 256): 1.6 bits where log2 3 = 1.585 is the limit.

`count` digits take m = ⌈count/5⌉ bytes. The layout is planar: digit i stands in byte
i mod m with the weight 3^⌊i/m⌋, so that the digits of one weight are a contiguous piece
of the input and the arithmetic is a few vector operations. The places after the last
digit hold 0. A byte above 242, or a digit other than 0 in such a place, is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import RemoteProtocolError

__all__ = ["pack_trits", "unpack_trits"]

_PER_BYTE = 5
_LARGEST = 3**_PER_BYTE - 1
_CHUNK = 1 << 17


def pack_trits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the ⌈count/5⌉ bytes of the 1-D digits `values`.

    Raises ValueError where one is not 0, 1 or 2.
    """
    if values.size and (int(values.max()) > 2 or _negative(values)):  # noqa: PLR2004
        raise ValueError("a digit is 0, 1 or 2")
    digits = values.astype(np.uint8, copy=False)
    m = -(-digits.size // _PER_BYTE)
    out = np.empty(m, dtype=np.uint8)
    twice = np.empty(min(m, _CHUNK), dtype=np.uint8)
    for start in range(0, m, _CHUNK):
        part = out[start : start + _CHUNK]
        *lower, top = (
            digits[place * m : (place + 1) * m][start : start + _CHUNK]
            for place in range(_PER_BYTE)
        )
        part[: top.size] = top
        part[top.size :] = 0
        for plane in reversed(lower):
            # Sums of bytes take half the time of products.
            part += np.add(part, part, out=twice[: part.size])
            part[: plane.size] += plane
    return out


def _negative(values: NDArray[Any]) -> bool:
    return not np.issubdtype(values.dtype, np.unsignedinteger) and int(values.min()) < 0


def unpack_trits(data: Any, count: int) -> NDArray[np.uint8]:
    """Return the `count` digits in `data` (bytes-like) as uint8.

    Raises RemoteProtocolError for another length, before it allocates, and for bytes no
    digits give.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    m = -(-count // _PER_BYTE)
    if raw.size != m:
        raise RemoteProtocolError(f"{raw.size} bytes where {count} digits were announced")
    if m and int(raw.max()) > _LARGEST:
        raise RemoteProtocolError("a byte is no five digits")
    out = np.empty(_PER_BYTE * m, dtype=np.uint8)
    for start in range(0, m, _CHUNK):
        rest = raw[start : start + _CHUNK]
        for place in range(_PER_BYTE):
            quotient = rest // np.uint8(3)
            at = place * m + start
            np.subtract(rest, quotient * np.uint8(3), out=out[at : at + rest.size])
            rest = quotient
    if out[count:].any():
        raise RemoteProtocolError("digits stand after the last one")
    return out[:count]
