"""Symbols at their entropy: rANS with one static table, many lanes at once.

`count` symbols below `alphabet` (both known to the reader) begin with a byte that says how:

| byte | what follows |
|---|---|
| 0 | the symbols as fields of ⌈log2 alphabet⌉ bits (`netcomp.coding.bits`) |
| 1 | varint: the one symbol that is repeated |
| 2, 3, 4 | rANS over groups of G = 1, 2, 4 symbols |
| 8 + 2c + b | mostly the symbol c ≤ 58: the rest by position (below) |
| 126 + b | varint c ≥ 59, then the same |
| 128 + k | mostly 0: the 1 ≤ k ≤ 127 others, less 1, by position (`netcomp.coding.few`) |
| 128 | varint k − 128, then the same |

**Mostly c.** varint k ≥ 1, the number of other symbols; only for b = 0 varint n; the k
positions (the form of `netcomp.coding.gaps` with d = count); the k other symbols in order,
those above c less 1, of an alphabet that is 1 smaller: for b = 0 n bytes in one of the forms
0 to 4, for b = 1 form 0 without its first byte. The positions take what lies between.

**Mostly 0.** As symbols of `netcomp.coding.few` the others are below alphabet − 1.

**rANS.** A frequency table (`netcomp.coding.model`); varint L, the number of lanes; L states
of 4 bytes; words of 2 bytes to the end; all little-endian. Symbols become numbers by their
rank among the K that occur, groups of G the numbers Σ rankⱼ·K^(G−1−j), j = 0 … G − 1 (the
last group is filled up with rank 0); G > 1 needs K^G ≤ 4096. With f the
frequency of a group's number (sum 2^16; for G = 2 those of pairs, for G = 4 of pairs of
pairs) and c the sum of the frequencies of smaller numbers, group t·L + l belongs to lane l
and is read in step t, except for the last L groups. A step, for all lanes l that have a
group in it:

1. s = x_l mod 2^16; the group is the one with c ≤ s < c + f;
2. x_l ← f·⌊x_l/2^16⌋ + s − c;
3. in the order of the lanes, each with x_l < 2^16 takes a word w: x_l ← 2^16·x_l + w.

At the end no word is left and the states are 2^16 + the numbers of the last L groups.
The writer starts from there and goes backwards, step by step: x ≥ 2^16·f gives off its
low 16 bits as a word, then x ← 2^16·⌊x/f⌋ + c + x mod f. A lane costs 24 bits less what its
last group would have taken; the writer chooses L for less than 1 % of the whole, and the
reader insists on groups/8192 ≤ L ≤ groups.

Source: J. Duda, "Asymmetric numeral systems", arXiv:1311.2540; the interleaving is that
of F. Giesen, "Interleaved entropy coders", arXiv:1402.3392.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import pack_bits, packed_bytes, unpack_bits
from netcomp.coding.few import MAX_FEW, MAX_SYMBOLS, decode_few, encode_few, like_random
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.coding.groups import (
    MAX_NUMBERS,
    group_numbers,
    group_symbols,
    grouped,
)
from netcomp.coding.model import histogram, read_table, write_table
from netcomp.coding.rans import fewest_lanes, lanes_for, pop, push
from netcomp.coding.varint import read_varint, write_varint
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_ALPHABET", "decode_sparse", "decode_symbols", "encode_sparse", "encode_symbols"]

MAX_ALPHABET: Final = 1 << 16
"""The largest alphabet: symbols are uint8 up to 256 and uint16 above."""

_RAW, _SAME, _MOSTLY, _MOSTLY_LONG, _FEW = 0, 1, 8, 126, 128
_LONG_FROM = 59
_FEW_LONG_FROM = 128
_FEW_VALUES = 9
_MODES = {1: 2, 2: 3, 4: 4}
_SIZES = {mode: size for size, mode in _MODES.items()}
_RARE = 8
_SAMPLE = 1 << 12
_LEAST_STATE = 1 << 16
_BYTE = 256

Symbols = NDArray[Any]


def encode_symbols(symbols: Symbols, alphabet: int) -> bytes:
    """Return the bytes of 1-D `symbols` (uint8 or uint16) below `alphabet`.

    The size is never more than that of plain fields plus one byte and, for 10⁴ symbols and
    more, at most 1.02 times the empirical entropy plus the table plus 32 bytes.
    Raises ValueError for a symbol outside the alphabet.
    """
    if not 1 <= alphabet <= MAX_ALPHABET:
        raise ValueError(f"an alphabet has 1 to {MAX_ALPHABET} symbols, not {alphabet}")
    if symbols.size == 0:
        return bytes([_RAW])
    if int(symbols.max()) >= alphabet:
        raise ValueError(f"a symbol is not below {alphabet}")
    symbols = np.ascontiguousarray(symbols, dtype=_dtype(alphabet))
    common = _frequent(symbols)
    others = np.count_nonzero(symbols != common)
    if others == 0 or others * _RARE > symbols.size:
        return _encode_plain(symbols, alphabet)
    positions = np.flatnonzero(symbols != common)
    out = _shortest(positions, symbols[positions], common, symbols.size, alphabet)
    short = len(out) <= packed_bytes(symbols.size, _width(alphabet))
    return out if short else _encode_raw(symbols, alphabet)


def encode_sparse(
    positions: NDArray[np.int64], symbols: Symbols, count: int, alphabet: int
) -> bytes:
    """Return what `encode_symbols` does for zeros but for `symbols` at increasing `positions`.

    In time and memory for those, where they are few. Raises ValueError for positions out of
    order or range, and for a symbol that is 0 or not below the alphabet.
    """
    if symbols.size and not 1 <= int(symbols.min()) <= int(symbols.max()) < alphabet:
        raise ValueError(f"a symbol is not in 1 … {alphabet - 1}")
    if np.any(np.diff(positions, prepend=-1, append=count) < 1):
        raise ValueError(f"positions are not increasing within 0 … {count - 1}")
    if symbols.size and symbols.size * _RARE <= count:
        out = _shortest(positions, symbols, 0, count, alphabet)
        if len(out) <= packed_bytes(count, _width(alphabet)):
            return out
    dense = np.zeros(count, dtype=_dtype(alphabet))
    dense[positions] = symbols
    return encode_symbols(dense, alphabet)


def decode_sparse(data: Any, count: int, alphabet: int) -> tuple[NDArray[np.int64], Symbols] | None:
    """Return (positions, symbols) of those other than 0, None where most are not 0.

    In time and memory for those. Raises RemoteProtocolError like `decode_symbols`, which is for
    what gives None.
    """
    view = np.frombuffer(data, dtype=np.uint8).data
    if len(view) == 0 or view[0] < _MOSTLY or _MOSTLY + 1 < view[0] < _FEW:
        return None
    _, positions, symbols = _decode_mostly(view, count, alphabet)
    return positions, symbols


def decode_symbols(data: Any, count: int, alphabet: int) -> Symbols:
    """Return the `count` symbols below `alphabet` in `data` (bytes-like), uint8 or uint16.

    Raises RemoteProtocolError for bytes `encode_symbols` cannot have written for them.
    Takes memory for the symbols, tables of at most 2^16 entries and the bytes' copy, and at
    most 8192 vectorised steps, whatever the bytes say.
    """
    view = np.frombuffer(data, dtype=np.uint8).data
    if len(view) == 0:
        raise RemoteProtocolError("symbols have no bytes")
    mode = view[0]
    if mode < _MOSTLY:
        return _decode_plain(view, count, alphabet)
    common, positions, others = _decode_mostly(view, count, alphabet)
    out = np.full(count, common, dtype=_dtype(alphabet))
    out[positions] = others
    return out


def _decode_mostly(
    view: memoryview, count: int, alphabet: int
) -> tuple[int, NDArray[np.int64], Symbols]:
    """Return (the common symbol, where others stand, these)."""
    mode = view[0]
    if mode >= _FEW:
        k, at = mode - _FEW, 1
        if k == 0:
            k, at = read_varint(view, 1)
            k += _FEW_LONG_FROM
        positions, rest = decode_few(view[at:], alphabet - 1, k, count)
        return 0, positions, (rest + 1).astype(_dtype(alphabet))
    common, at = ((mode - _MOSTLY) // 2, 1) if mode < _MOSTLY_LONG else read_varint(view, 1)
    others, at = read_varint(view, at)
    if common >= alphabet or alphabet == 1 or not 1 <= others < count:
        raise RemoteProtocolError("symbols in an impossible form")
    bare = mode % 2 == 1
    size, at = (packed_bytes(others, _width(alphabet - 1)), at) if bare else read_varint(view, at)
    if size > len(view) - at or (mode >= _MOSTLY_LONG) != (common >= _LONG_FROM):
        raise RemoteProtocolError("symbols in an impossible form")
    positions = decode_indices(view[at : len(view) - size], others, count)
    tail = view[len(view) - size :]
    read = _decode_raw if bare else _decode_plain
    rest = read(tail, others, alphabet - 1).astype(_dtype(alphabet))
    rest += rest >= common
    return common, positions, rest


def _frequent(symbols: Symbols) -> int:
    """Return a symbol that is the most frequent one where one is nearly all there is."""
    sample = symbols[:: -(-symbols.size // _SAMPLE)]
    return int(np.bincount(sample).argmax())


def _decode_plain(view: memoryview, count: int, alphabet: int) -> Symbols:
    if len(view) == 0:
        raise RemoteProtocolError("symbols have no bytes")
    mode = view[0]
    if mode == _RAW:
        return _decode_raw(view[1:], count, alphabet)
    if mode == _SAME:
        symbol, at = read_varint(view, 1)
        if symbol >= alphabet or at != len(view) or count == 0:
            raise RemoteProtocolError("a repeated symbol in an impossible form")
        return np.full(count, symbol, dtype=_dtype(alphabet))
    if mode not in _SIZES:
        raise RemoteProtocolError(f"symbols in the unknown form {mode}")
    return _decode_rans(view, count, alphabet, _SIZES[mode])


def _encode_raw(symbols: Symbols, alphabet: int) -> bytes:
    fields = pack_bits(symbols, _width(alphabet)).tobytes() if alphabet > 1 else b""
    return bytes([_RAW]) + fields


def _decode_raw(view: memoryview, count: int, alphabet: int) -> Symbols:
    if alphabet == 1:
        if len(view):
            raise RemoteProtocolError("bytes follow symbols that need none")
        return np.zeros(count, dtype=np.uint8)
    out = unpack_bits(view, count, _width(alphabet))
    if count and int(out.max()) >= alphabet:
        raise RemoteProtocolError(f"a symbol is not below {alphabet}")
    return out.astype(_dtype(alphabet))


def _shortest(
    positions: NDArray[np.int64], others: Symbols, common: int, count: int, alphabet: int
) -> bytes:
    k = positions.size
    if common != 0 or k > MAX_FEW or alphabet - 1 > MAX_SYMBOLS:
        return _encode_mostly(positions, others, common, count, alphabet)
    long = k >= _FEW_LONG_FROM
    head = bytes([_FEW]) + write_varint(k - _FEW_LONG_FROM) if long else bytes([_FEW + k])
    few = head + encode_few(positions, others - 1, alphabet - 1, count)
    # Nothing beats counting but for positions that flock together and symbols of many values.
    if alphabet <= _FEW_VALUES and like_random(positions, count):
        return few
    return min(few, _encode_mostly(positions, others, common, count, alphabet), key=len)


def _encode_mostly(
    positions: NDArray[np.int64], others: Symbols, common: int, count: int, alphabet: int
) -> bytes:
    """Return `others`, of which there is at least one, at `positions` amid the common symbol."""
    rest = others - (others > common)
    nested = _encode_plain(rest.astype(_dtype(alphabet - 1)), alphabet - 1)
    bare = nested[0] == _RAW
    long = common >= _LONG_FROM
    head = (
        bytes([bare + (_MOSTLY_LONG if long else _MOSTLY + 2 * common)]),
        write_varint(common) if long else b"",
        write_varint(positions.size),
        b"" if bare else write_varint(len(nested)),
        encode_indices(positions, count).tobytes(),
    )
    return b"".join((*head, nested[bare:]))


def _encode_plain(symbols: Symbols, alphabet: int) -> bytes:
    """Return the symbols, at least one, in the shortest of the forms 0 to 4."""
    counts = histogram(symbols, alphabet)
    limit = 1 + packed_bytes(symbols.size, _width(alphabet))
    if np.count_nonzero(counts) == 1:
        out = bytes([_SAME]) + write_varint(int(counts.argmax()))
    else:
        out = _encode_rans(symbols, counts, limit)
    return out if 0 < len(out) < limit else _encode_raw(symbols, alphabet)


def _encode_rans(symbols: Symbols, counts: NDArray[np.int64], limit: int) -> bytes:
    """Return the symbols coded, or nothing where that is sure to take `limit` bytes."""
    table, base, present = write_table(counts)
    size, frequencies, bits = grouped(base, counts[present])
    if len(table) + bits / 8 >= limit:
        return b""
    numbers = group_numbers(symbols, present, size)
    states, words = push(numbers, frequencies, lanes_for(numbers.size, bits))
    head = (bytes([_MODES[size]]), table, write_varint(states.size))
    return b"".join((*head, states.astype("<u4").tobytes(), words.astype("<u2").tobytes()))


def _decode_rans(view: memoryview, count: int, alphabet: int, size: int) -> Symbols:
    base, present, at = read_table(view, 1, alphabet)
    if size > 1 and present.size**size > MAX_NUMBERS:
        raise RemoteProtocolError(f"groups of {size} of {present.size} symbols")
    lanes, at = read_varint(view, at)
    groups = -(-count // size)
    if not fewest_lanes(groups) <= lanes <= groups or 4 * lanes > len(view) - at:
        raise RemoteProtocolError(f"{lanes} lanes for {groups} groups of symbols")
    tail = view[at + 4 * lanes :]
    states = np.frombuffer(view[at : at + 4 * lanes], dtype="<u4").astype(np.uint32)
    if len(tail) % 2 or len(tail) > 2 * (groups - lanes) or int(states.min()) < _LEAST_STATE:
        raise RemoteProtocolError("states or words of a wrong length or size")
    frequencies, symbols = group_symbols(base, present, size, _dtype(alphabet))
    words = np.frombuffer(tail, dtype="<u2").astype(np.uint16)
    out: Symbols = pop(states, words, frequencies, symbols, groups).view(_dtype(alphabet))
    if size > 1 and bool(np.any(out[count:] != present[0])):
        raise RemoteProtocolError("symbols stand after the last one")
    return out[:count]


def _width(alphabet: int) -> int:
    return (alphabet - 1).bit_length()


def _dtype(alphabet: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if alphabet <= _BYTE else np.uint16)
