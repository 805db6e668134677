"""rANS over many lanes at once: group numbers to states and words, and back.

The inner loop of `netcomp.coding.ans`, which documents the format. What does not depend on the
states is done for some 16,384 groups at a time; a step then takes a dozen vector operations
on all lanes.
"""

from __future__ import annotations

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

States = NDArray[np.uint32]


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
    starts = np.cumsum(frequencies) - frequencies
    table = (frequencies << 16 | starts).astype(np.uint32)
    coded = numbers.size - lanes
    states = numbers[coded:] + _ONE
    shift = np.empty(lanes, dtype=np.uint32)
    words = np.empty(coded, dtype=np.uint16)
    at = coded
    block = lanes * max(1, _BLOCK // lanes)
    for begin in reversed(range(0, coded, block)):
        entries = table.take(numbers[begin : min(begin + block, coded)])
        limits = entries & _HIGH
        biases = entries & _LOW
        entries >>= _HALF
        steps = _ONE - entries
        for first in reversed(range(0, entries.size, lanes)):
            now = slice(first, min(first + lanes, entries.size))
            x = states[: now.stop - first]
            full = x >= limits[now]
            low = x.take(np.flatnonzero(full))
            words[at - low.size : at] = low
            at -= low.size
            x >>= np.multiply(full, _HALF, out=shift[: x.size])
            quotient = x // entries[now]
            quotient *= steps[now]
            x += quotient
            x += biases[now]
    return states, words[at:]


def pop(
    states: States,
    words: NDArray[np.uint16],
    frequencies: Frequencies,
    symbols: NDArray[Any],
    groups: int,
) -> NDArray[Any]:
    """Return the `groups` groups, symbols[number] for each; `states` are used up.

    Raises RemoteProtocolError where the words do not last, or states or words are left over.
    """
    starts = np.cumsum(frequencies) - frequencies
    bias = np.arange(1 << 16) - np.repeat(starts, frequencies)
    table = (np.repeat(frequencies, frequencies) << 16 | bias).astype(np.uint32)
    symbol_at = np.repeat(symbols, frequencies)
    lanes = states.size
    out = np.empty(groups, dtype=symbols.dtype)
    coded = groups - lanes
    block = lanes * max(1, _BLOCK // lanes)
    slots = np.empty(min(block, coded), dtype=np.intp)
    at = 0
    for begin in range(0, coded, block):
        size = min(block, coded - begin)
        for first in range(0, size, lanes):
            slot = slots[first : min(first + lanes, size)]
            at += _step(states[: slot.size], slot, table, words[at : at + slot.size])
        out[begin : begin + size] = symbol_at.take(slots[:size])
    states -= _ONE
    if at != words.size or int(states.max()) >= symbols.size:
        raise RemoteProtocolError("symbols do not end where their bytes do")
    out[coded:] = symbols.take(states)
    return out


def _step(
    x: States, slot: NDArray[np.intp], table: NDArray[np.uint32], words: NDArray[np.uint16]
) -> int:
    """Read a group in each lane; write its slot, return how many of the words were taken."""
    np.copyto(slot, x & _LOW)
    entry = table.take(slot)
    x >>= _HALF
    x *= entry >> _HALF
    entry &= _LOW
    x += entry
    hungry = np.flatnonzero(x < _ONE)
    if words.size < hungry.size:
        raise RemoteProtocolError("symbols are cut off")
    refilled = x.take(hungry)
    refilled <<= _HALF
    refilled |= words[: hungry.size]
    x[hungry] = refilled
    return hungry.size
