"""Symbols at their entropy: rANS with one static table, many lanes at once.

`count` symbols below `alphabet` (both known to the reader) begin with a byte that says how:

| byte | what follows |
|---|---|
| 0 | the symbols as fields of ⌈log2 alphabet⌉ bits (`netcomp.coding.bits`) |
| 1 | varint: the one symbol that is repeated |
| 2, 3, 4 | rANS over groups of G = 1, 2, 4 symbols |
| 8 + c | mostly the symbol c ≤ 246: the rest by position (below) |
| 255 | varint c ≥ 247, then the same |

**Mostly c.** varint k, the number of other symbols; varint n; the k positions (the form of
`netcomp.coding.gaps` with d = count); the k other symbols in order, those above c less 1,
of an alphabet that is 1 smaller: n bytes in one of the forms 0 to 4, or, where n = 0,
form 0 without its first byte. The positions take what lies between.

**rANS.** A frequency table (`netcomp.coding.model`); varint L, the number of lanes; L states
of 4 bytes; words of 2 bytes to the end; all little-endian. Symbols become numbers by their
rank among the K that occur, groups of G the numbers Σ rankⱼ·K^(G−1−j), j = 0 … G − 1 (the last
group is filled up with rank 0). With f the frequency of a group's number (sum 2^16; for
G = 2 those of pairs, for G = 4 of pairs of pairs) and c the sum of the frequencies of
smaller numbers, group t·L + l belongs to lane l and is read in step t. A step, for all
lanes l that still have a group:

1. s = x_l mod 2^16; the group is the one with c ≤ s < c + f;
2. x_l ← f·⌊x_l/2^16⌋ + s − c;
3. in the order of the lanes, each with x_l < 2^16 takes a word w: x_l ← 2^16·x_l + w.

At the end every state is 2^16 and no word is left. The writer goes backwards: from
x = 2^16, step by step from the last, x ≥ 2^16·f gives off its low 16 bits as a word, then
x ← 2^16·⌊x/f⌋ + c + x mod f. A lane costs 24 bits on average; L is chosen for less than 1 %
of the whole, at least ⌈groups/8192⌉ (the reader insists) and at most 16384.

Source: J. Duda, "Asymmetric numeral systems", arXiv:1311.2540; the interleaving is that
of F. Giesen, "Interleaved entropy coders", arXiv:1402.3392.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.bits import pack_bits, packed_bytes, unpack_bits
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.coding.groups import group_numbers, group_symbols, grouped
from netcomp.coding.model import histogram, read_table, write_table
from netcomp.coding.varint import read_varint, write_varint
from netcomp.errors import RemoteProtocolError

__all__ = ["MAX_ALPHABET", "decode_symbols", "encode_symbols"]

MAX_ALPHABET: Final = 1 << 16
"""The largest alphabet: symbols are uint8 up to 256 and uint16 above."""

_RAW, _SAME, _MOSTLY, _MOSTLY_LONG = 0, 1, 8, 255
_GROUPS = {2: 1, 3: 2, 4: 4}
_RARE = 16
_LANE_BITS = 3000
_FREE_LANES = 6
_MAX_LANES = 1 << 14
_MAX_STEPS = 1 << 13
_HALF = np.uint32(16)
_LOW = np.uint32(0xFFFF)
_HIGH = np.uint32(0xFFFF_0000)
_ONE = np.uint32(1 << 16)

Symbols = NDArray[Any]


def encode_symbols(symbols: Symbols, alphabet: int) -> bytes:
    """Return the bytes of 1-D `symbols` (uint8 or uint16) below `alphabet`.

    The size is never more than that of plain fields plus one byte and, for 10⁴ symbols and
    more, at most 1.02 times the empirical entropy plus the table plus 32 bytes.
    Raises ValueError for a symbol outside the alphabet.
    """
    if not 1 <= alphabet <= MAX_ALPHABET:
        raise ValueError(f"an alphabet has 1 to {MAX_ALPHABET} symbols, not {alphabet}")
    symbols = np.ascontiguousarray(symbols, dtype=_dtype(alphabet))
    counts = histogram(symbols, alphabet)
    return _encode(symbols, counts)


def decode_symbols(data: Any, count: int, alphabet: int) -> Symbols:
    """Return the `count` symbols below `alphabet` in `data` (bytes-like), uint8 or uint16.

    Raises RemoteProtocolError for bytes `encode_symbols` cannot have written for them.
    Takes memory for the symbols, tables of at most 2^16 entries and the bytes' copy, and at
    most 8192 vectorised steps, whatever the bytes say.
    """
    view = memoryview(data).cast("B")
    if len(view) == 0:
        raise RemoteProtocolError("symbols have no bytes")
    mode = view[0]
    if mode < _MOSTLY:
        return _decode_plain(view, count, alphabet)
    common, at = read_varint(view, 1) if mode == _MOSTLY_LONG else (mode - _MOSTLY, 1)
    others, at = read_varint(view, at)
    size, at = read_varint(view, at)
    bare = size == 0
    size = packed_bytes(others, _width(alphabet - 1)) if bare else size
    if common >= alphabet or alphabet == 1 or others > count or size > len(view) - at:
        raise RemoteProtocolError("symbols in an impossible form")
    positions = decode_indices(view[at : len(view) - size], others, count)
    tail = view[len(view) - size :]
    read = _decode_raw if bare else _decode_plain
    rest = read(tail, others, alphabet - 1).astype(_dtype(alphabet))
    rest += rest >= common
    out = np.full(count, common, dtype=_dtype(alphabet))
    out[positions] = rest
    return out


def _encode(symbols: Symbols, counts: NDArray[np.int64]) -> bytes:
    raw_size = 1 + packed_bytes(symbols.size, _width(counts.size))
    common = int(counts.argmax())
    others = symbols.size - int(counts[common])
    if symbols.size and not others:
        out = bytes([_SAME]) + write_varint(common)
    elif others * _RARE <= symbols.size:
        out = _encode_mostly(symbols, counts, common)
    else:
        out = _encode_rans(symbols, counts)
    return out if len(out) < raw_size else bytes([_RAW]) + _encode_raw(symbols, counts.size)


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
    if mode not in _GROUPS:
        raise RemoteProtocolError(f"symbols in the unknown form {mode}")
    return _decode_rans(view, count, alphabet, _GROUPS[mode])


def _encode_raw(symbols: Symbols, alphabet: int) -> bytes:
    return pack_bits(symbols, _width(alphabet)).tobytes() if alphabet > 1 else b""


def _decode_raw(view: memoryview, count: int, alphabet: int) -> Symbols:
    if alphabet == 1:
        if len(view):
            raise RemoteProtocolError("bytes follow symbols that need none")
        return np.zeros(count, dtype=np.uint8)
    out = unpack_bits(view, count, _width(alphabet))
    if count and int(out.max()) >= alphabet:
        raise RemoteProtocolError(f"a symbol is not below {alphabet}")
    return out.astype(_dtype(alphabet))


def _encode_mostly(symbols: Symbols, counts: NDArray[np.int64], common: int) -> bytes:
    positions = np.flatnonzero(symbols != common)
    rest = symbols[positions]
    rest -= rest > common
    rest = rest.astype(_dtype(counts.size - 1))
    nested = _encode_rest(rest, np.delete(counts, common))
    bare = nested[0] == _RAW and len(nested) > 1
    head = (
        write_varint(common) if common >= _MOSTLY_LONG - _MOSTLY else b"",
        write_varint(positions.size),
        write_varint(0 if bare else len(nested)),
        encode_indices(positions, symbols.size).tobytes(),
    )
    mode = min(_MOSTLY + common, _MOSTLY_LONG)
    return b"".join((bytes([mode]), *head, nested[bare:]))


def _encode_rest(rest: Symbols, counts: NDArray[np.int64]) -> bytes:
    """Return `rest` in one of the forms 0 to 4: what is rare among the rare stays so."""
    raw = bytes([_RAW]) + _encode_raw(rest, counts.size)
    if np.count_nonzero(counts) == 1:
        other = bytes([_SAME]) + write_varint(int(counts.argmax()))
    else:
        other = _encode_rans(rest, counts)
    return min(raw, other, key=len)


def _encode_rans(symbols: Symbols, counts: NDArray[np.int64]) -> bytes:
    if not symbols.size:
        return bytes(2)
    table, base, present = write_table(counts)
    size, frequencies, bits = grouped(base, counts[present], wide=symbols.dtype != np.uint8)
    numbers = group_numbers(symbols, present, size)
    lanes = _FREE_LANES + int(bits) // _LANE_BITS
    lanes = min(max(lanes, _fewest_lanes(numbers.size)), _MAX_LANES, numbers.size)
    states, words = _push(numbers, frequencies, max(lanes, _fewest_lanes(numbers.size)))
    mode = next(mode for mode, group in _GROUPS.items() if group == size)
    head = bytes([mode]) + table + write_varint(states.size)
    return b"".join((head, states.astype("<u4").tobytes(), words.astype("<u2").tobytes()))


def _push(
    numbers: NDArray[np.uint16], frequencies: NDArray[np.int64], lanes: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Return (states, words in the reader's order)."""
    starts = np.cumsum(frequencies) - frequencies
    table = (frequencies << 16 | starts).astype(np.uint32)
    words = np.empty(numbers.size, dtype=np.uint16)
    at = words.size
    states = np.full(lanes, _ONE, dtype=np.uint32)
    shift = np.empty(lanes, dtype=np.uint32)
    for first in reversed(range(0, numbers.size, lanes)):
        entry = table.take(numbers[first : first + lanes])
        x = states[: entry.size]
        full = x >= (entry & _HIGH)
        low = x.take(np.flatnonzero(full))
        words[at - low.size : at] = low
        at -= low.size
        np.multiply(full, _HALF, out=shift[: x.size])
        x >>= shift[: x.size]
        f = entry >> _HALF
        # Exact: x < 2^32 and f < 2^16, so a quotient that is no integer is at least
        # 2^-16 away from one, more than a double's error.
        quotient = np.divide(x, f).astype(np.uint32)
        x += quotient * (_ONE - f)
        x += entry & _LOW
    return states, words[at:]


def _decode_rans(view: memoryview, count: int, alphabet: int, size: int) -> Symbols:
    base, present, at = read_table(view, 1, alphabet)
    lanes, at = read_varint(view, at)
    groups = -(-count // size)
    if not _fewest_lanes(groups) <= lanes <= groups or 4 * lanes > len(view) - at:
        raise RemoteProtocolError(f"{lanes} lanes for {groups} groups of symbols")
    states = np.frombuffer(view, dtype="<u4", count=lanes, offset=at).astype(np.uint32)
    tail = view[at + 4 * lanes :]
    if len(tail) % 2 or len(tail) > 2 * groups or int(states.min()) < _ONE:
        raise RemoteProtocolError("states or words of a wrong length or size")
    frequencies, symbols = group_symbols(base, present, size, _dtype(alphabet))
    words = np.frombuffer(tail, dtype="<u2").astype(np.uint32)
    out = np.empty(groups, dtype=symbols.dtype)
    _pop(states, words, frequencies, symbols, out)
    return out.view(_dtype(alphabet))[:count]


def _pop(
    states: NDArray[np.uint32],
    words: NDArray[np.uint32],
    frequencies: NDArray[np.int64],
    symbols: Symbols,
    out: Symbols,
) -> None:
    """Fill `out` with the groups, `symbols` being what each number stands for."""
    starts = np.cumsum(frequencies) - frequencies
    bias = np.arange(1 << 16) - np.repeat(starts, frequencies)
    table = (np.repeat(frequencies, frequencies) << 16 | bias).astype(np.uint32)
    symbol_at = np.repeat(symbols, frequencies)
    slots = np.empty(states.size, dtype=np.intp)
    at = 0
    for first in range(0, out.size, states.size):
        row = out[first : first + states.size]
        x = states[: row.size]
        slot = slots[: row.size]
        np.copyto(slot, x & _LOW)
        row[:] = symbol_at.take(slot)
        entry = table.take(slot)
        x >>= _HALF
        x *= entry >> _HALF
        x += entry & _LOW
        hungry = np.flatnonzero(x < _ONE)
        word = words[at : at + hungry.size]
        if word.size < hungry.size:
            raise RemoteProtocolError("symbols are cut off")
        at += hungry.size
        x[hungry] = x.take(hungry) << _HALF | word
    if at != words.size or bool(np.any(states != _ONE)):
        raise RemoteProtocolError("symbols do not end where their bytes do")


def _fewest_lanes(groups: int) -> int:
    return max(1, -(-groups // _MAX_STEPS))


def _width(alphabet: int) -> int:
    return (alphabet - 1).bit_length()


def _dtype(alphabet: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if alphabet <= 256 else np.uint16)  # noqa: PLR2004
