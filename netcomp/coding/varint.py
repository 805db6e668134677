"""Whole numbers in as few bytes as they need: unsigned LEB128.

A number is cut into groups of 7 bits, the lowest group first, a byte a group; bit 7 of a
byte says that another byte follows. Only the shortest form is legal: a last byte of zero
is refused unless it is the only one, so a number has exactly one spelling.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_VARINT", "read_varint", "read_varints", "write_varint", "write_varints"]

MAX_VARINT: Final = 2**63 - 1
"""The largest number written: nine bytes."""

_MAX_BYTES = 9
_ARRAY_BYTES = 5
_MORE = 0x80
_GROUP = 0x7F


def write_varint(value: int) -> bytes:
    """Return the 1 to 9 bytes of `value`.

    Raises ValueError outside 0 … 2⁶³ − 1.
    """
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"{value} cannot be written: 0 … 2⁶³ − 1 can")
    out = bytearray()
    while value > _GROUP:
        out.append(value & _GROUP | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return (the number that begins at byte `at`, the position after it).

    Raises RemoteProtocolError where it is cut off, too long or not the shortest form.
    """
    value = 0
    for i, byte in enumerate(bytes(data[at : at + _MAX_BYTES])):
        value |= (byte & _GROUP) << 7 * i
        if not byte & _MORE:
            if byte == 0 and i > 0:
                raise RemoteProtocolError("a number is not in its shortest form")
            return value, at + i + 1
    raise RemoteProtocolError("a number is cut off or too long")


def write_varints(values: NDArray[np.int64]) -> bytes:
    """Return the varints of 1-D `values` one after the other, all at once.

    Raises ValueError outside 0 … 2³⁵ − 1.
    """
    if values.size == 0:
        return b""
    if values.min() < 0 or values.max() >> 7 * _ARRAY_BYTES:
        raise ValueError("a number cannot be written: 0 … 2³⁵ − 1 can")
    lengths = np.ones(values.size, dtype=np.int64)
    for i in range(1, _ARRAY_BYTES):
        lengths += values >> 7 * i > 0
    starts = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), dtype=np.uint8)
    for i in range(int(lengths.max())):
        has = lengths > i
        more = (lengths[has] > i + 1) * _MORE
        out[starts[has] + i] = values[has] >> 7 * i & _GROUP | more
    return out.tobytes()


def read_varints(data: memoryview, count: int, at: int) -> tuple[NDArray[np.int64], int]:
    """Return (`count` numbers < 2³⁵ that begin at byte `at`, the position after them).

    Raises RemoteProtocolError like `read_varint`, before allocating where `count` is
    more than the bytes there are.
    """
    if count > len(data) - at:
        raise RemoteProtocolError(f"{count} numbers announced in {len(data) - at} bytes")
    if count == 0:
        return np.empty(0, dtype=np.int64), at
    window = np.frombuffer(data[at : at + _ARRAY_BYTES * count], dtype=np.uint8)
    last = np.flatnonzero(window < _MORE)[:count]
    if last.size < count:
        raise RemoteProtocolError("a number is cut off or too long")
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if lengths.max() > _ARRAY_BYTES or bool(np.any((window[last] == 0) & (lengths > 1))):
        raise RemoteProtocolError("a number is too long or not in its shortest form")
    values = np.zeros(count, dtype=np.int64)
    for i in range(int(lengths.max())):
        has = lengths > i
        values[has] |= (window[first[has] + i].astype(np.int64) & _GROUP) << 7 * i
    return values, at + int(last[-1]) + 1
