"""Bit strings: fixed-width fields, and unary numbers.

Bits fill a byte from its most significant one (the order of `np.packbits`). The bits left
over in the last byte are zero, and anything else is refused: a bit string of a given
length has exactly one spelling.

Fixed width: value i takes the bits i·width … (i+1)·width − 1, its most significant bit
first; `count` values take ⌈count·width/8⌉ bytes. Eight values fill `width` whole bytes,
so all groups of eight are shifted into place at once, by a few operations.

Unary: a value v is v zero bits and a one; the string ends with the byte of the last one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.errors import RemoteProtocolError

__all__ = [
    "MAX_WIDTH",
    "pack_bits",
    "pack_unary",
    "packed_bytes",
    "unpack_bits",
    "unpack_unary",
]

MAX_WIDTH: Final = 32
"""The widest field (bits)."""

_CHUNK = 1 << 14
_LONG = 1 << 16
_WHOLE: Final[dict[int, np.dtype[Any]]] = {
    8: np.dtype(">u1"),
    16: np.dtype(">u2"),
    32: np.dtype(">u4"),
}


def packed_bytes(count: int, width: int) -> int:
    """Return how many bytes `count` fields of `width` bits take."""
    return (count * width + 7) // 8


def pack_bits(values: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """Return the 1-D unsigned `values` as fields of `width` bits, 1 … 32.

    Raises ValueError where a value does not fit.
    """
    _check_width(width)
    if values.size and int(values.max()) >> width:
        raise ValueError(f"a value is too large for {width} bits")
    if width == 1:
        return np.packbits(values.astype(np.uint8, copy=False))
    if width in _WHOLE:
        return values.astype(_WHOLE[width]).view(np.uint8)
    out = np.empty(packed_bytes(values.size, width), dtype=np.uint8)
    chunk, pack = (_LONG, _pack_narrow) if width < 8 else (_CHUNK, _pack_wide)  # noqa: PLR2004
    for start in range(0, values.size, chunk):
        part = values[start : start + chunk]
        groups = np.zeros((-(-part.size // 8), 8), dtype=_word(width))
        groups.reshape(-1)[: part.size] = part
        at = start // 8 * width
        size = packed_bytes(part.size, width)
        out[at : at + size] = pack(groups, width).reshape(-1)[:size]
    return out


def _pack_narrow(groups: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return (m, width) bytes from (m, 8) values of less than 8 bits: row j is a group's bytes.

    Neighbours are put together three times, the first of two above the second, until a group is
    a word of 64 bits.
    """
    words: NDArray[Any] = groups.reshape(-1)
    for word in ("<u2", "<u4", "<u8"):
        pairs = words.view(word)
        kind = pairs.dtype.type
        half = 4 * pairs.itemsize
        words = (pairs & kind((1 << half) - 1)) << kind(width)
        words |= pairs >> kind(half)
        words = words.astype(word, copy=False)
        width *= 2
    # Eight widths are shifted to the top of the word, its first bytes are the group's.
    words <<= np.uint64(64 - width)
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, : width // 8]


def _pack_wide(groups: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """Return (m, width) bytes from (m, 8) values: row j of the result is a group's bytes."""
    columns = np.ascontiguousarray(groups.T)
    out = np.empty((columns.shape[1], width), dtype=np.uint8)
    for j in range(width):
        byte = np.zeros(columns.shape[1], dtype=columns.dtype)
        for i in range(8 * j // width, (8 * j + 7) // width + 1):
            # Bits beyond the byte's top are cut off by the cast to uint8.
            byte |= _shifted(columns[i], (i + 1) * width - 8 * (j + 1))
        out[:, j] = byte
    return out


def unpack_bits(data: Any, count: int, width: int) -> NDArray[np.uint32]:
    """Return the `count` fields of `width` bits in `data` (bytes-like) as uint32.

    Raises RemoteProtocolError where `data` has another length or a bit after the last
    field is set, before it allocates.
    """
    _check_width(width)
    raw = np.frombuffer(data, dtype=np.uint8)
    if raw.size != packed_bytes(count, width):
        raise RemoteProtocolError(f"{raw.size} bytes where {count} × {width} bits were announced")
    spare = raw.size * 8 - count * width
    if spare and int(raw[-1]) & ((1 << spare) - 1):
        raise RemoteProtocolError("bits are set after the last field")
    if width == 1:
        return np.unpackbits(raw, count=count).astype(np.uint32)
    if width in _WHOLE:
        return raw.view(_WHOLE[width]).astype(np.uint32)
    out = np.empty(count, dtype=np.uint32)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        groups = np.zeros((-(-(stop - start) // 8), width), dtype=np.uint8)
        at = start // 8 * width
        size = packed_bytes(stop - start, width)
        groups.reshape(-1)[:size] = raw[at : at + size]
        out[start:stop] = _unpack_groups(groups, width).reshape(-1)[: stop - start]
    return out


def _unpack_groups(groups: NDArray[np.uint8], width: int) -> NDArray[Any]:
    """Return (m, 8) values from (m, width) bytes."""
    columns = groups.T.astype(_word(width), order="C")
    out = np.empty((groups.shape[0], 8), dtype=columns.dtype)
    mask = columns.dtype.type((1 << width) - 1)
    for i in range(8):
        value = np.zeros(groups.shape[0], dtype=columns.dtype)
        for j in range(i * width // 8, ((i + 1) * width - 1) // 8 + 1):
            value |= _shifted(columns[j], 8 * (j + 1) - (i + 1) * width)
        value &= mask
        out[:, i] = value
    return out


def pack_unary(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the 1-D integers `values` ≥ 0 in unary.

    The result has ⌈(count + sum)/8⌉ bytes; temporary memory is twice that and a few times that of
    16,384 values and their bits.
    """
    out = [np.empty(0, dtype=np.uint8)]
    begun = 0
    for start in range(0, values.size, _CHUNK):
        ends = values[start : start + _CHUNK].astype(np.int64)
        ends += 1
        np.cumsum(ends, out=ends)
        ends += begun - 1
        bits = np.zeros(int(ends[-1]) + 1, dtype=np.uint8)
        bits[ends] = 1
        packed = np.packbits(bits)
        if begun:
            # The byte in which two chunks meet has bits of both.
            packed[0] |= out[-1][-1]
            out[-1] = out[-1][:-1]
        out.append(packed)
        begun = bits.size % 8
    return np.concatenate(out)


def unpack_unary(data: Any, count: int) -> NDArray[np.int64]:
    """Return the `count` unary numbers that fill `data` (bytes-like) as int64.

    Raises RemoteProtocolError where `data` holds another number of ones or its last byte
    none, before it allocates more than 8 bytes a bit of `data`.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    if count > 8 * raw.size or (raw.size and not raw[-1]):
        raise RemoteProtocolError("unary numbers do not fill their bytes")
    ends = np.empty(count + 1, dtype=np.int64)
    ends[0] = -1
    found = 0
    for start in range(0, raw.size, _CHUNK // 4):
        at = np.flatnonzero(np.unpackbits(raw[start : start + _CHUNK // 4]).view(bool))
        if found + at.size > count:
            raise RemoteProtocolError("more unary numbers than announced")
        np.add(at, 8 * start, out=ends[found + 1 : found + 1 + at.size])
        found += at.size
    if found != count:
        raise RemoteProtocolError("fewer unary numbers than announced")
    return np.diff(ends) - 1


def _shifted(values: NDArray[Any], right: int) -> NDArray[Any]:
    kind = values.dtype.type
    shifted: NDArray[Any] = values >> kind(right) if right >= 0 else values << kind(-right)
    return shifted


def _word(width: int) -> np.dtype[Any]:
    """Return the narrowest type of `width` bits or more: shifts in it may lose high bits."""
    return next(word.newbyteorder("=") for limit, word in _WHOLE.items() if width <= limit)


def _check_width(width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"a field has 1 to {MAX_WIDTH} bits, not {width}")
