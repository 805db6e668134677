"""rANS over many lanes at once: group numbers to states and words, and back.

The inner loop of `netcomp.coding.ans`, which documents the format. What does not depend on the
states is done for some 16,384 groups at a time; a step then takes a dozen vector operations
on all lanes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.model import Frequencies
from netcomp.errors import RemoteProtocolError

__all__ = ["fewest_lanes", "lanes_for", "pop", "push"]

_MAX_LANES: Final = 1 << 14
_MAX_STEPS: Final = 1 << 13
_STATE_BITS = 24
_LEAST_LANE_BITS = 8
_FREE_BITS = 144
_FREE_SHARE = 0.04
_SHARE = 0.008
_BLOCK = 1 << 14
_HALF = np.uint32(16)
_LOW = np.uint32(0xFFFF)
_HIGH = np.uint32(0xFFFF_0000)
_ONE = np.uint32(1 << 16)

_LOG_HALF = 4
_FEW_LANES = 8
_RAMP = np.arange(1 << 16, dtype=np.uint32)
_STATE = np.dtype("<u4")
_WORD = np.dtype("<u2")

States = NDArray[np.uint32]
Words = NDArray[np.uint16]


def fewest_lanes(groups: int) -> int:
    """Return the number of lanes with which 8192 steps read `groups` groups."""
    return max(1, -(-groups // _MAX_STEPS))


def lanes_for(groups: int, bits: float) -> int:
    """Return the number of lanes that cost 0.8 % of the `bits` of all groups and a bit more.

    That is 18 bytes or, for the shortest messages, 4 % of their bits. A lane costs its
    state, 24 bits more than the state holds on average, less the one group that needs no
    word. Never more than 16384 lanes, never fewer than the steps allow.
    """
    each = max(_STATE_BITS - bits / groups, _LEAST_LANE_BITS)
    wanted = min(int((min(_FREE_BITS, _FREE_SHARE * bits) + _SHARE * bits) / each), _MAX_LANES)
    return min(max(wanted, fewest_lanes(groups)), groups)


def push(
    numbers: NDArray[np.uint16], frequencies: Frequencies, lanes: int
) -> tuple[States, NDArray[np.uint16]]:
    """Return (the states, the words in the reader's order) of the groups' numbers.

    `frequencies` have the sum 2^16 and are positive; 1 ≤ lanes ≤ numbers.size.
    """
    table = frequencies.astype(np.uint32)
    starts = np.cumsum(table, dtype=np.uint32)
    starts -= table
    if lanes <= _FEW_LANES:
        return _push_few(numbers.tolist(), frequencies.tolist(), starts.tolist(), lanes)
    table <<= _HALF
    table |= starts
    del starts
    coded = numbers.size - lanes
    states = (numbers[coded:] + _ONE).astype(_STATE)
    words = np.empty(coded, dtype=np.uint16)
    at = coded
    block = _block(lanes, coded)
    for begin in reversed(range(0, coded, block)):
        entries = table.take(numbers[begin : min(begin + block, coded)])
        limits = entries & _HIGH
        biases = entries & _LOW
        entries >>= _HALF
        steps = _ONE - entries
        rows = (limits, entries, steps, biases)
        whole = entries.size - entries.size % lanes
        if whole < entries.size:
            last = states[: entries.size - whole]
            at = _write(last, tuple(row[None, whole:] for row in rows), words, at)
        at = _write(states, tuple(row[:whole].reshape(-1, lanes) for row in rows), words, at)
    return states, words[at:]


def _push_few(
    numbers: list[int], frequencies: list[int], starts: list[int], lanes: int
) -> tuple[States, Words]:
    """Do what `push` does, group by group: so few lanes that numpy's calls would take longer."""
    coded = len(numbers) - lanes
    states = [(1 << 16) + number for number in numbers[coded:]]
    words = []
    for at in range(coded - 1, -1, -1):
        x, f, c = states[at % lanes], frequencies[numbers[at]], starts[numbers[at]]
        if x >= f << 16:
            words.append(x & 0xFFFF)
            x >>= 16
        states[at % lanes] = (x // f << 16) + x % f + c
    return np.array(states, dtype=np.uint32), np.array(words[::-1], dtype=np.uint16)


def _block(lanes: int, groups: int) -> int:
    """Return how many of the groups are worked on at a time: whole steps, of few a quarter.

    So the memory for a block is less than that of the symbols, however short they are.
    """
    return lanes * max(1, min(_BLOCK, groups // 4) // lanes)


def _write(x: States, rows: tuple[NDArray[np.uint32], ...], words: Words, at: int) -> int:
    """Write groups, a row a step, the last row first; return where the words begin.

    Constants have the lanes' shape: numpy takes longer to make one of a scalar than to use it.
    """
    low = x.view(_WORD)[::2]
    sixteen = np.full(x.size, _LOG_HALF, dtype=np.uint32)
    for limit, frequency, step, bias in zip(*(row[::-1] for row in rows), strict=True):
        full = x >= limit
        spilled = low[full.nonzero()[0]]
        words[at - spilled.size : at] = spilled
        at -= spilled.size
        shift = full.astype(np.uint32)
        shift <<= sixteen
        x >>= shift
        quotient = x // frequency
        quotient *= step
        x += quotient
        x += bias
    return at


def pop(
    states: States,
    words: Words,
    frequencies: Frequencies,
    symbols: NDArray[Any],
    groups: int,
) -> NDArray[Any]:
    """Return the `groups` groups, symbols[number] for each; `states` are used up.

    Raises RemoteProtocolError where the words do not last, or states or words are left over.
    """
    starts = np.cumsum(frequencies) - frequencies
    lanes = states.size
    out = np.empty(groups, dtype=symbols.dtype)
    if lanes <= _FEW_LANES:
        found, states, at = _pop_few(states, words, frequencies.tolist(), starts.tolist(), groups)
        out[: groups - lanes] = symbols.take(found)
    else:
        # In slot s stand f and s − c: the difference is taken of whole entries.
        table = np.repeat(((frequencies << 16) - starts).astype(np.uint32), frequencies)
        table += _RAMP
        states = states.astype(_STATE, copy=False)
        symbol_at = np.repeat(symbols, frequencies)
        at = _pop_many(states, words, table, symbol_at, out[: groups - lanes])
    states -= _ONE
    if at != words.size or int(states.max()) >= symbols.size:
        raise RemoteProtocolError("symbols do not end where their bytes do")
    out[groups - lanes :] = symbols.take(states)
    return out


def _pop_few(
    states: States, words: Words, frequencies: list[int], starts: list[int], groups: int
) -> tuple[list[int], States, int]:
    """Return (the numbers of all but the last groups, the states then, the words taken).

    Group by group, as `_push_few`.
    """
    xs, ws, out, at = states.tolist(), words.tolist(), [], 0
    for i in range(groups - len(xs)):
        x = xs[i % len(xs)]
        slot = x & 0xFFFF
        number = bisect_right(starts, slot) - 1
        x = frequencies[number] * (x >> 16) + slot - starts[number]
        if x < 1 << 16:
            if at == len(ws):
                raise RemoteProtocolError("symbols are cut off")
            x = x << 16 | ws[at]
            at += 1
        xs[i % len(xs)] = x
        out.append(number)
    return out, np.array(xs, dtype=_STATE), at


def _pop_many(
    states: States,
    words: Words,
    table: NDArray[np.uint32],
    symbol_at: NDArray[Any],
    out: NDArray[Any],
) -> int:
    """Write all but the last groups, leave their states; return how many words were taken."""
    lanes, at = states.size, 0
    block = _block(lanes, out.size)
    slots = np.empty(min(block, out.size), dtype=np.intp)
    for begin in range(0, out.size, block):
        some = slots[: min(block, out.size - begin)]
        whole = some.size - some.size % lanes
        at = _read(states, some[:whole].reshape(-1, lanes), table, words, at)
        if whole < some.size:
            at = _read(states[: some.size - whole], some[None, whole:], table, words, at)
        out[begin : begin + some.size] = symbol_at.take(some)
    return at


def _read(
    x: States, slots: NDArray[np.intp], table: NDArray[np.uint32], words: Words, at: int
) -> int:
    """Read a group in each lane, a row of slots a step; return how many words were taken.

    Constants have the lanes' shape, as in `_write`.
    """
    low, high = x.view(_WORD)[::2], x.view(_WORD)[1::2]
    half, mask, least = (np.full(x.size, value) for value in (_HALF, _LOW, _ONE))
    for slot in slots:
        np.copyto(slot, low)
        entry = table.take(slot)
        x >>= half
        x *= entry >> half
        entry &= mask
        x += entry
        hungry = (x < least).nonzero()[0]
        taken = words[at : at + hungry.size]
        if taken.size < hungry.size:
            raise RemoteProtocolError("symbols are cut off")
        high[hungry] = low[hungry]
        low[hungry] = taken
        at += hungry.size
    return at
