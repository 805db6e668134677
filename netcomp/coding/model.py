"""Frequency tables of the entropy coder: integers only, so that both ends agree exactly.

A table gives each of the K symbols that occur a frequency ≥ 1 with the sum 2^B, B being
the precision. In bytes:

1. one byte B: 12 or 16;
2. varint R ≥ 1, the number of runs of neighbouring symbols that occur;
3. 2R varints: a run's distance from the end of the one before (of the first from 0;
   ≥ 1 except for the first), its length − 1;
4. K varints: the frequencies − 1, in the order of the symbols.

The coder works with frequencies of sum 2^16: those of the table times 2^(16−B), or those of
pairs or fours of symbols as if they were independent. `normalised` turns weights wᵢ with
the sum W into frequencies with the sum 2^B:

1. fᵢ = max(1, ⌊wᵢ·2^B / W⌋);
2. where e = Σf − 2^B > 0: fᵢ ← fᵢ − ⌈e (fᵢ − 1) / Σⱼ(fⱼ − 1)⌉;
3. the r = 2^B − Σf largest wᵢ (of equal ones those of smaller i) get 1 more.

The weight of the pair (a, b), number a·K + b, is f_a·f_b; pairs of pairs are made
of the normalised pairs in the same way.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.varint import read_varint, read_varints, write_varint, write_varints
from netcomp.errors import RemoteProtocolError

__all__ = [
    "cross_entropy",
    "histogram",
    "joint",
    "normalised",
    "read_table",
    "write_table",
]

_PRECISION: Final = 16
"""The coder's frequencies have the sum 2^16."""

Frequencies = NDArray[np.int64]

_COARSE = 12
_COARSE_SYMBOLS = 512
_COARSE_COUNT = 1 << 16
_CHUNK = 1 << 18
_FEW = 1 << 11
_PAIRS_FROM = 1 << 18
_BYTE = 256


def histogram(symbols: NDArray[Any], alphabet: int) -> Frequencies:
    """Return how often each of the `alphabet` symbols occurs in 1-D `symbols`, all below it."""
    if symbols.dtype == np.uint8 and symbols.size >= _PAIRS_FROM:
        even = symbols.size // 2 * 2
        square = _counts(symbols[:even].view(np.uint16), _BYTE**2).reshape(_BYTE, _BYTE)
        counts: Frequencies = square.sum(axis=0) + square.sum(axis=1)
        counts += _counts(symbols[even:], _BYTE)
    else:
        counts = _counts(symbols, alphabet)
    return counts[:alphabet]


def _counts(symbols: NDArray[Any], size: int) -> Frequencies:
    """Return the histogram with at least `size` entries.

    By chunks, of few symbols by quarters, because bincount makes an int64 copy.
    """
    step = min(_CHUNK, max(_FEW, symbols.size // 4))
    parts = [symbols[start : start + step] for start in range(0, symbols.size, step)]
    size = max(size, int(symbols.max(initial=0)) + 1)
    counts = np.zeros(size, dtype=np.int64)
    for part in parts:
        counts += np.bincount(part, minlength=size)
    return counts


def normalised(weights: NDArray[np.integer[Any]], precision: int = _PRECISION) -> Frequencies:
    """Return frequencies ≥ 1 of sum 2^precision near the weights (module docstring).

    The weights are positive, at most 2^precision of them, and sum to less than 2^46.
    """
    total = 1 << precision
    # In place, converted first: numpy's buffers for thousands of groups exceed a short vector.
    out: Frequencies = weights.astype(np.int64)
    out *= total
    out //= int(weights.sum())
    np.maximum(out, 1, out=out)
    excess = int(out.sum()) - total
    if excess > 0:
        taken = out - 1
        spare = int(taken.sum())
        taken *= -excess
        taken //= spare
        out += taken
        del taken
    missing = total - int(out.sum())
    if missing:
        # The largest are those above the last of them, and of those equal to it the first.
        least = np.partition(weights, weights.size - missing)[weights.size - missing]
        above = weights > least
        out[above] += 1
        equal = np.flatnonzero(weights == least)
        out[equal[: missing - int(np.count_nonzero(above))]] += 1
    return out


def joint(frequencies: Frequencies) -> Frequencies:
    """Return the normalised frequencies of pairs; (a, b) is number a·K + b."""
    # Below 2^16 each, as there are two at least. A matrix product takes no buffers beside it.
    narrow = frequencies.astype(np.uint32)
    return normalised((narrow[:, None] @ narrow[None]).reshape(-1))


def cross_entropy(weights: NDArray[Any], frequencies: Frequencies) -> float:
    """Return Σ wᵢ log2(Σf / fᵢ): the bits that symbols which occur wᵢ times will take."""
    # Converted first, as in `normalised`.
    bits = frequencies.astype(np.float64)
    np.divide(float(frequencies.sum()), bits, out=bits)
    np.log2(bits, out=bits)
    bits *= weights
    return float(bits.sum())


def write_table(counts: Frequencies) -> tuple[bytes, Frequencies, NDArray[np.int64]]:
    """Return (the table's bytes, frequencies of sum 2^16, the symbols) of a histogram."""
    present = np.flatnonzero(counts)
    occurring = counts[present]
    coarse = present.size <= _COARSE_SYMBOLS and int(occurring.sum()) <= _COARSE_COUNT
    precision = _COARSE if coarse else _PRECISION
    table = normalised(occurring, precision)
    breaks = np.flatnonzero(np.diff(present) > 1)
    first = present[np.concatenate(([0], breaks + 1))]
    last = present[np.concatenate((breaks, [present.size - 1]))]
    runs = np.empty(2 * first.size, dtype=np.int64)
    runs[0::2] = first - np.concatenate(([0], last[:-1] + 1))
    runs[1::2] = last - first
    parts = (bytes([precision]), write_varint(first.size), write_varints(runs))
    return b"".join((*parts, write_varints(table - 1))), table << (_PRECISION - precision), present


def read_table(
    data: memoryview, at: int, alphabet: int
) -> tuple[Frequencies, NDArray[np.int64], int]:
    """Return (frequencies of sum 2^16, the symbols, the position after the table).

    Raises RemoteProtocolError for a table that `write_table` cannot have written.
    """
    if at >= len(data) or data[at] not in (_COARSE, _PRECISION):
        raise RemoteProtocolError("a frequency table of unknown precision")
    precision = data[at]
    count, at = read_varint(data, at + 1)
    if not 1 <= count <= alphabet:
        raise RemoteProtocolError(f"{count} runs of symbols in an alphabet of {alphabet}")
    runs, at = read_varints(data, 2 * count, at)
    runs[1::2] += 1
    # Each number is below 2^35 and there are at most 2^17: the sum fits.
    if int(runs.sum()) > alphabet or (runs[2::2] == 0).any():
        raise RemoteProtocolError("a frequency table has impossible runs")
    present = np.flatnonzero(np.repeat(np.tile((False, True), count), runs))
    table, at = read_varints(data, present.size, at)
    table += 1
    if int(table.sum()) != 1 << precision or present.size < 2:  # noqa: PLR2004
        raise RemoteProtocolError("a frequency table has a wrong sum")
    return table << (_PRECISION - precision), present, at
