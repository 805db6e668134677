r"""Evidence against a claim about a mean, valid for every distribution and number of draws.

An e-value is a number E ≥ 0 with mean at most 1 where the claim is true; by Markov's inequality
E ≥ 1/a then has probability at most a. Products over independent draws and averages over ways of
betting are e-values again. (V. Vovk, R. Wang, "E-values: Calibration, combination and
applications", Annals of Statistics 2021; G. Shafer, "Testing by betting", JRSS A 2021.) No normal
approximation is involved: a coordinate that one draw in a thousand keeps, times a thousand, is no
reason for a false alarm.

All functions return log E, the bets averaged.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["above", "below", "nonzero"]

Floats = NDArray[np.float64]

_BETS: Final = 2.0 ** -np.arange(9.0)
_SLOPES: Final = np.concatenate([s * 2.0 ** np.arange(-6.0, 3.0) for s in (1.0, -1.0)])


def above(samples: Floats, bound: float) -> float:
    """Weigh the claim E X ≤ bound for X ≥ 0, bound > 0: factors 1 + λ(X/bound − 1), λ ∈ (0, 1]."""
    ratios = samples / bound - 1.0
    with np.errstate(divide="ignore"):  # all of it may be lost: log 0
        logs = np.log1p(np.multiply.outer(_BETS, ratios)).sum(axis=1)
    return float(_averaged(logs))


def below(samples: Floats, bound: float, most: float) -> float:
    """Weigh the claim E X ≥ bound for 0 ≤ X ≤ most, bound < most: the claim on most − X."""
    return above(np.maximum(most - samples, 0.0), most - bound)


def nonzero(samples: Floats, square: float, slack: float) -> Any:
    """Weigh the claim |E X| ≤ slack given E X² ≤ square; for each column of samples.

    Factors (1 + λX + λ²X²/2)/(1 + |λ| slack + λ² square/2), λ of either sign; the numerator
    is never below 1/2.
    """
    totals = []
    for slope in _SLOPES / np.sqrt(square):
        x = slope * samples
        most = np.log1p(abs(slope) * slack + slope**2 * square / 2.0)
        totals.append((np.log1p(x + x * x / 2.0) - most).sum(axis=0))
    return _averaged(np.array(totals))


def _averaged(logs: Floats) -> Any:
    """Return the logarithm of the mean of exp along the first axis."""
    top = np.maximum(logs.max(axis=0), -1e300)
    return top + np.log(np.exp(logs - top).mean(axis=0))
