"""Random choices that are rare: made without asking every coordinate."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.norms import Values
from netcomp.draw import Stream

__all__ = ["THIN", "thinned"]

THIN: Final = 1 / 16
"""The largest probability of any coordinate for which this pays."""


def thinned(values: Values, largest: float, one: float, stream: Stream) -> NDArray[np.int64]:
    """Return increasing positions, each in with probability |v_i|/one, where |v_i| ≤ largest.

    Every probability is at most q = largest/one. Marking each coordinate with probability q, and
    keeping a marked one with probability |v_i|/largest, does the same; the marks are a
    Binomial(m, q) number of distinct positions.
    """
    q = largest / one
    marked = stream.distinct(values.size, _binomial(values.size, q, stream))
    shares = values.take(marked).astype(np.float64)
    np.abs(shares, out=shares)
    shares /= largest
    shares *= 2.0**32
    return marked[stream.words32(marked.size) < shares]


def _binomial(m: int, q: float, stream: Stream) -> int:
    """Return a Binomial(m, q) number by inverting its distribution around the mean.

    Only numbers within 100 and 10 standard deviations of the mean are looked at: outside lies
    less than 2⁻⁵³, the least a uniform number tells apart. Not exact arithmetic: only the sender
    draws it.
    """
    spread = 100 + 10 * math.isqrt(math.ceil(m * q))
    numbers = np.arange(max(0, int(m * q) - spread), min(m, int(m * q) + spread) + 1)
    if q == 0.0:
        return 0
    # log of the ratio of neighbouring probabilities, summed up from the first.
    ratios = np.log((m - numbers[:-1]) / (numbers[:-1] + 1.0)) + math.log(q / (1.0 - q))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    distribution = np.cumsum(np.exp(logs - logs.max()))
    target = stream.uniforms(1)[0] * distribution[-1]
    return int(numbers[np.searchsorted(distribution, target, side="right")])
