"""Sets of indices near their information limit, log2 C(d, k) bits.

The first byte says how k increasing indices below d are written; k and d are known.

| byte | what follows |
|---|---|
| 0 | nothing: k = 0 or k = d |
| 1 … 120 | Golomb code of the k gaps with the divisor M of that number (below) |
| 126 | the indices as k fields of ⌈log2 d⌉ bits |
| 127 | d bits, bit i set where i is in the set |
| 128 + b | k > d/2: byte b's form of the d − k indices that are *not* in the set |

Bits and fields are those of `netcomp.coding.bits`. A gap is gᵢ = iᵢ − iᵢ₋₁ − 1 with
i₋₁ = −1. Divisors are M(p) = p for p < 4 and (4 + p mod 4)·2^(⌊p/4⌋−1) otherwise: 1, 2, 3,
4, 5, 6, 7, 8, 10, 12, 14, 16, 20, …, fine enough that the best of them is within 0.01 bits
an index of the best of all; the powers of two among them are the Rice codes. A divisor
M > 4d/k is refused. With g = qM + r, three pieces follow one another, each from a byte's
beginning:

1. M a power of two: the k remainders r as fields of log2 M bits (none for M = 1).
   Otherwise truncated binary: let w = ⌊log2 M⌋ and t = 2^(w+1) − M. Each r gives a
   field of w bits: r where r < t, else ⌊(r + t)/2⌋;
2. otherwise only: for each r ≥ t in order one bit, (r + t) mod 2;
3. the quotients q in unary.

Elias–Fano coding takes the same fields with the indices' own quotients in place of the
gaps'; because Σ⌊gᵢ/M⌋ ≤ ⌊Σgᵢ/M⌋ it is never shorter, so there is no such form.

Source: S. Golomb, "Run-length encodings", IEEE Trans. IT 12 (1966); R. Rice, "Some
practical universal noiseless coding techniques", JPL 79-22 (1979).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import pack_bits, pack_unary, packed_bytes, unpack_bits, unpack_unary
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_DIMENSION", "decode_indices", "encode_indices"]

MAX_DIMENSION: Final = 2**31 - 1
"""The largest d: the largest dimension of `netcomp.draw`."""

_TRIVIAL, _FIXED, _BITMAP, _COMPLEMENT = 0, 126, 127, 128
_LAST_DIVISOR = 120
_SAMPLE = 1 << 13
_CHUNK = 1 << 16
_FEW = 1 << 11

Indices = NDArray[np.int64]
_Integer = TypeVar("_Integer", np.int64, np.uint32)


def encode_indices(indices: Indices, d: int) -> NDArray[np.uint8]:
    """Return the bytes of strictly increasing `indices` in 0 … d − 1, the shortest form.

    For uniformly random sets the size is at most 1.05·log2 C(d, k)/8 + 8 bytes at every
    k (the worst is a density of 0.38, with 1.043: one bit a coordinate), and at most
    1.01 times plus 8 bytes for k ≤ d/10.
    Raises ValueError for indices out of order or range.
    """
    k = indices.size
    if not 0 <= k <= d <= MAX_DIMENSION:
        raise ValueError(f"{k} of {d} indices cannot be written")
    if k and (indices[0] < 0 or indices[-1] >= d or not _increasing(indices)):
        raise ValueError(f"indices are not increasing within 0 … {d - 1}")
    if k in (0, d):
        return np.array([_TRIVIAL], dtype=np.uint8)
    if 2 * k <= d:
        return _encode_sparse(indices, d)
    out = _encode_sparse(_complement(indices, d, np.uint32), d)
    out[0] |= _COMPLEMENT
    return out


def _increasing(indices: Indices) -> bool:
    for start in range(0, indices.size - 1, _CHUNK):
        few = indices[start : start + _CHUNK + 1]
        if np.any(few[1:] <= few[:-1]):
            return False
    return True


def _encode_sparse(indices: NDArray[np.integer[Any]], d: int) -> NDArray[np.uint8]:
    k = indices.size
    gaps = indices.astype(np.uint32)
    gaps[1:] -= gaps[:-1].copy()
    gaps[1:] -= np.uint32(1)
    parameter = _best_parameter(gaps, d)
    divisor = _divisor(parameter)
    quotients = gaps // np.uint32(divisor) if divisor > 1 else gaps
    width = _fixed_width(d)
    plain, form = min((packed_bytes(k, width), _FIXED), (packed_bytes(d, 1), _BITMAP))
    if _most(k, d, divisor) <= plain or _cost(gaps, quotients, divisor) <= plain:
        form, pieces = parameter, _pack_gaps(gaps, quotients, divisor)
    elif form == _FIXED:
        pieces = [pack_bits(indices, width)]
    else:
        pieces = [_pack_bitmap(indices, d)]
    return np.concatenate([np.array([form], dtype=np.uint8), *pieces])


def decode_indices(data: Any, count: int, d: int) -> Indices:
    """Return the `count` increasing indices below `d` that `data` (bytes-like) holds.

    Raises RemoteProtocolError for bytes `encode_indices` cannot have written for them.
    Memory is bounded by a small multiple of 8·count bytes and of `data`, and checked
    against the length of `data` before it is taken.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    if not 0 <= count <= d <= MAX_DIMENSION:
        raise RemoteProtocolError(f"{count} of {d} indices announced")
    if raw.size == 0:
        raise RemoteProtocolError("a set of indices has no bytes")
    form, rest = int(raw[0]), raw[1:]
    if (form == _TRIVIAL) != (count in (0, d)):
        raise RemoteProtocolError("a set of indices in an impossible form")
    if form == _TRIVIAL:
        if rest.size:
            raise RemoteProtocolError("bytes follow a set of indices")
        return np.arange(count, dtype=np.int64)
    if (form >= _COMPLEMENT) != (2 * count > d):
        raise RemoteProtocolError("a set of indices in an impossible form")
    if form >= _COMPLEMENT:
        others = _decode_sparse(form - _COMPLEMENT, rest, d - count, d)
        return _complement(others, d, np.int64)
    return _decode_sparse(form, rest, count, d)


def _decode_sparse(form: int, rest: NDArray[np.uint8], k: int, d: int) -> Indices:
    if form == _BITMAP:
        return _unpack_bitmap(rest, k, d)
    if form == _FIXED:
        indices = unpack_bits(rest, k, _fixed_width(d)).astype(np.int64)
        if bool(np.any(indices[1:] <= indices[:-1])):
            raise RemoteProtocolError("indices are not increasing")
    elif 1 <= form <= _LAST_DIVISOR and k * _divisor(form) <= 4 * d:
        indices = _unpack_gaps(rest, k, _divisor(form), d)
    else:
        raise RemoteProtocolError(f"a set of indices in the unknown form {form}")
    if indices[-1] >= d:
        raise RemoteProtocolError(f"index {indices[-1]} where the dimension is {d}")
    return indices


def _pack_gaps(
    gaps: NDArray[np.uint32], quotients: NDArray[np.uint32], divisor: int
) -> list[NDArray[np.uint8]]:
    """Return the pieces 1, 2, 3 of the module's layout, given the gaps' quotients."""
    if divisor == 1:
        return [pack_unary(quotients)]
    fields = gaps - quotients * np.uint32(divisor)
    width, short = _truncation(divisor)
    if not short:
        return [pack_bits(fields, width), pack_unary(quotients)]
    long = (fields >= short).nonzero()[0]
    lifted = fields + np.uint32(short)
    extra = np.packbits((lifted.take(long) & np.uint32(1)).astype(np.uint8))
    # Half of r + t is less than r just where r is above t.
    np.minimum(fields, lifted >> np.uint32(1), out=fields)
    return [pack_bits(fields, width), extra, pack_unary(quotients)]


def _unpack_gaps(rest: NDArray[np.uint8], k: int, divisor: int, d: int) -> Indices:
    width, short = _truncation(divisor)
    at = packed_bytes(k, width)
    if rest.size < at + packed_bytes(k, 1):
        raise RemoteProtocolError("a set of indices is cut off")
    fields = np.zeros(k, dtype=np.int64)
    if width:
        fields += unpack_bits(rest[:at], k, width)
    if short:
        long = np.flatnonzero(fields >= short)
        end = at + packed_bytes(long.size, 1)
        fields[long] += fields[long] + unpack_bits(rest[at:end], long.size, 1) - short
        at = end
    quotients = unpack_unary(rest[at:], k)
    # With this and k·M ≤ 4d no sum below can leave 64 bits.
    if int(quotients.sum()) > d // divisor:
        raise RemoteProtocolError(f"indices beyond the dimension {d}")
    quotients *= divisor
    fields += quotients
    fields += 1
    np.cumsum(fields, out=fields)
    fields -= 1
    return fields


def _best_parameter(gaps: NDArray[np.uint32], d: int) -> int:
    """Return the p whose divisor gives the fewest bytes: from the geometric optimum down.

    Gaps that are no geometric ones want a smaller divisor, never one above 2d/k. Of more
    than 8,192 gaps every ⌈k/8192⌉-th takes part; of so many the next neighbours are enough.
    """
    sample = np.ascontiguousarray(gaps[:: -(-gaps.size // _SAMPLE)])

    @cache
    def cost(p: int) -> int:
        return _cost(sample, sample // np.uint32(_divisor(p)), _divisor(p))

    density = gaps.size / d
    # Golomb's condition: the smallest M with (1 − p)^M + (1 − p)^(M+1) ≤ 1.
    ideal = max(1, math.ceil(-math.log(2 - density) / math.log1p(-density)))
    p = bisect_right(_DIVISORS, ideal)
    while p > 1 and cost(p - 1) < cost(p):
        p -= 1
    around = 2 if gaps.size <= _SAMPLE else 1
    most = min(p + around, bisect_right(_DIVISORS, 4 * d // gaps.size))
    return min(range(max(1, p - around), most + 1), key=cost)


def _cost(gaps: NDArray[np.uint32], quotients: NDArray[np.uint32], divisor: int) -> int:
    """Return how many bytes the three pieces of the gaps take with that divisor."""
    width, short = _truncation(divisor)
    size = packed_bytes(gaps.size, width)
    # Below d, so that a sum in 32 bits, which is faster, is enough.
    size += packed_bytes(gaps.size + int(quotients.sum(dtype=np.uint32)), 1)
    if short:
        long = np.count_nonzero(gaps - quotients * np.uint32(divisor) >= short)
        size += packed_bytes(int(long), 1)
    return size


def _most(k: int, d: int, divisor: int) -> int:
    """Return what the pieces of no k gaps exceed: one bit more for each, and quotients' sums."""
    width, _ = _truncation(divisor)
    return packed_bytes(k, width) + packed_bytes(k, 1) + packed_bytes(k + (d - k) // divisor, 1)


def _divisor(parameter: int) -> int:
    return parameter if parameter < 4 else (4 + parameter % 4) << (parameter // 4 - 1)  # noqa: PLR2004


_DIVISORS: Final = [_divisor(parameter) for parameter in range(1, _LAST_DIVISOR + 1)]


def _truncation(divisor: int) -> tuple[int, int]:
    """Return (field width w, threshold t); t = 0 where all remainders have w bits."""
    width = divisor.bit_length() - 1
    return width, 2 ** (width + 1) - divisor if divisor & (divisor - 1) else 0


def _fixed_width(d: int) -> int:
    return max(1, (d - 1).bit_length())


def _complement(indices: Indices, d: int, dtype: type[_Integer]) -> NDArray[_Integer]:
    """Return what of 0 … d − 1 is not there; by pieces, since places found take 64 bits each."""
    other = np.ones(d, dtype=bool)
    other[indices] = False
    out, found = np.empty(d - indices.size, dtype=dtype), 0
    step = min(_CHUNK, max(_FEW, d // 8))
    for start in range(0, d, step):
        few = np.flatnonzero(other[start : start + step])
        np.add(few, start, out=out[found : found + few.size], casting="unsafe")
        found += few.size
    return out


def _pack_bitmap(indices: NDArray[np.integer[Any]], d: int) -> NDArray[np.uint8]:
    bits = np.zeros(d, dtype=bool)
    bits[indices] = True
    return np.packbits(bits)


def _unpack_bitmap(rest: NDArray[np.uint8], k: int, d: int) -> Indices:
    if rest.size != packed_bytes(d, 1):
        raise RemoteProtocolError(f"{rest.size} bytes where a bit for each of {d} was announced")
    bits = np.unpackbits(rest)
    if bits[d:].any() or np.count_nonzero(bits) != k:
        raise RemoteProtocolError(f"a bitmap does not hold {k} of {d} indices")
    return np.flatnonzero(bits.view(bool))
