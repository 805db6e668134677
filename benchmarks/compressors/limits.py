"""What a payload's bytes cannot be less than, part by part.

Indices that travel: log2 C(d, k) of a set of k, log2 d of a single one, nothing where both ends
derive them. Values that are coded as levels (natural at its entropy, round, dither, qsgd;
ternary, which is not, is held against the same): the empirical entropy of the levels, those of
this very message. Values of a fixed width: that width. Norms and grids: as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors import Chain, Compressor, FastCompressed, Natural, Payload, Scaled, TopK
from netcomp.compressors.fcc import message_key
from netcomp.compressors.levels import Levels
from netcomp.compressors.rand_k import Adaptive
from netcomp.compressors.rounding import Rounding
from netcomp.compressors.ternary import Ternary
from netcomp.draw import Draw

__all__ = ["Share", "Sizes", "coded", "entropy", "log2_binomial", "sizes"]

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Share:
    """Bits that were sent, and their limit."""

    bits: float = 0.0
    limit: float = 0.0

    def __add__(self, other: Share) -> Share:
        return Share(self.bits + other.bits, self.limit + other.limit)


@dataclass(frozen=True)
class Sizes:
    """The parts of a payload: indices, values, and what is counted as it is (norms)."""

    indices: Share = Share()
    values: Share = Share()
    heads: Share = Share()

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(
            self.indices + other.indices, self.values + other.values, self.heads + other.heads
        )

    @property
    def whole(self) -> Share:
        """All of the payload."""
        return self.indices + self.values + self.heads


def log2_binomial(d: int, k: int) -> float:
    """Return log2 of C(d, k)."""
    return (math.lgamma(d + 1) - math.lgamma(k + 1) - math.lgamma(d - k + 1)) / math.log(2)


def entropy(values: NDArray[Any]) -> float:
    """Return the empirical entropy of all values together, in bits; 0 and −0 are one value."""
    counts: dict[Any, int] = {}
    # By chunks: few levels, so short sorts instead of one long one.
    for start in range(0, values.size, _CHUNK):
        found, times = np.unique(values[start : start + _CHUNK], return_counts=True)
        for value, count in zip(found.tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
    shares = np.array(list(counts.values()), dtype=np.float64)
    return float(np.sum(shares * np.log2(values.size / shares))) if counts else 0.0


def coded(compressor: Compressor) -> bool:
    """Whether the values of a chain travel at their entropy."""
    if not isinstance(compressor, Chain):
        return False
    quantizer = compressor.quantizer
    at_entropy = isinstance(quantizer, Natural) and quantizer.coding == "entropy"
    return at_entropy or isinstance(quantizer, Levels | Rounding)


def sizes(compressor: Compressor, payload: Payload, draw: Draw) -> Sizes:
    """Return the parts of a payload of the resolved `compressor`; `draw` is its key."""
    if isinstance(compressor, Scaled):
        return sizes(compressor.inner, payload, draw)
    if isinstance(compressor, FastCompressed):
        return _of_messages(compressor, payload, draw)
    bits = [8.0 * part.nbytes for part in payload.parts]
    if not isinstance(compressor, Chain):
        return Sizes(values=Share(sum(bits), sum(bits)))
    split = compressor.sparsifier.index_parts
    indices = Share(sum(bits[:split]), _index_limit(compressor, payload))
    rest = bits[split:]
    if coded(compressor) or isinstance(compressor.quantizer, Ternary):
        heads = Share(sum(rest[:-1]), sum(rest[:-1]))
        return Sizes(indices, Share(rest[-1], entropy(payload.values)), heads)
    return Sizes(indices, Share(sum(rest), compressor.quantizer.bits(payload.values.size)))


def _index_limit(compressor: Chain, payload: Payload) -> float:
    if isinstance(compressor.sparsifier, TopK):
        return log2_binomial(payload.dim, payload.values.size)
    return math.log2(payload.dim) if isinstance(compressor.sparsifier, Adaptive) else 0.0


def _of_messages(compressor: FastCompressed, payload: Payload, draw: Draw) -> Sizes:
    """Return the sum over the messages; what tells them apart is a head."""
    messages = [
        compressor.inner.decode(parts, payload.dim, message_key(draw, r))
        for r, parts in enumerate(compressor.messages(payload.parts))
    ]
    bits = 8.0 * (payload.nbytes - sum(message.nbytes for message in messages))
    found = [
        sizes(compressor.inner, message, message_key(draw, r)) for r, message in enumerate(messages)
    ]
    return reduce(Sizes.__add__, found, Sizes(heads=Share(bits, bits)))
