"""C(v) again and again, or once for every outcome: what the laws of expectations look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.conformance.cases import Case, Vector
from netcomp.compressors.conformance.outcomes import every_outcome
from netcomp.draw import Draw
from netcomp.errors import NotFinite
from netcomp.laws import Broken, evidence

__all__ = ["COORDINATES", "Sample", "draws", "sampled"]

COORDINATES: Final = 64
"""Up to this dimension every coordinate is tested for a bias of its own."""

_DRAWS: Final = ((1, 200), (16, 800), (256, 400), (4096, 120))
_FEWEST: Final = 40
_TELLING: Final = {"gaussian", "constant", "one-hot", "peak"}
"""The vectors at which the bounds of the papers' compressors are attained: drawn most."""
_EXACT: Final = 1e-9
"""What sums of 64-bit floats may be off by, relatively."""


@dataclass(frozen=True)
class Sample:
    """C(v) for one vector and worker, ‖v‖ the unit of all: independent draws or all outcomes."""

    case: Case
    name: str
    worker: int
    share: Vector | None
    """The probability of each outcome; None for draws."""
    square: Vector
    """‖C(v)‖² of each."""
    along: Vector
    """⟨C(v), v⟩ of each."""
    kept: Vector
    """‖C(v)‖₀ of each."""
    shifts: Vector
    """C(v) − v of each along v and, up to `COORDINATES`, along each coordinate."""

    def __str__(self) -> str:
        worker = f", worker {self.worker}" if self.case.compressor.correlated else ""
        return f"{self.case}, {self.name}{worker}"

    def distance(self, scale: float = 1.0) -> Vector:
        """Return ‖C(v) − scale · v‖² of each."""
        found: Vector = self.square - 2.0 * scale * self.along + scale**2
        return np.maximum(found, 0.0)

    def mean(self, of: Vector) -> Any:
        """Return the mean over the first axis: of the draws, or the expectation itself."""
        return np.average(of, axis=0, weights=self.share)

    def above(self, of: Vector, bound: float) -> float:
        """Weigh the claim E X ≤ bound, for X ≥ 0 and bound > 0, as the logarithm of an e-value.

        Where all outcomes are known it is true or false: ∓∞.
        """
        if self.share is None:
            return evidence.above(of, bound)
        return inf if self.mean(of) > bound * (1.0 + _EXACT) else -inf

    def below(self, of: Vector, bound: float, most: float) -> float:
        """Weigh the claim E X ≥ bound, given 0 ≤ X ≤ most unless all outcomes are known."""
        if self.share is None:
            return evidence.below(of, bound, most)
        return inf if self.mean(of) < bound * (1.0 - _EXACT) else -inf

    def nonzero(self, of: NDArray[Any], square: float, slack: float) -> Vector:
        """Weigh the claims |E X| ≤ slack given E X² ≤ square, one a column."""
        if self.share is None:
            logs: Vector = evidence.nonzero(of, square, slack)
            return logs
        return np.where(np.abs(self.mean(of)) > slack + _EXACT, inf, -inf)


def draws(d: int, name: str) -> int:
    """Return how often a vector of dimension d is compressed."""
    many = next((count for limit, count in _DRAWS if d <= limit), _FEWEST)
    return many if name in _TELLING else many // 5


def sampled(case: Case, name: str, workers: Sequence[int], count: int) -> Sample | None:
    """Return C(v) or the mean of several workers': every outcome where these are `count` at most.

    Else as many draws. None where the wire format is left: refused a vector may be by magnitude,
    and a tiny one may become zero in a short format.
    """
    v = case.vectors[name]
    largest = float(np.abs(v).max())
    size = largest * float(np.linalg.norm(v / largest))
    unit = v / largest / (size / largest)
    columns = case.d if case.d <= COORDINATES else 0

    def row(played: Callable[[Draw], Draw], round_: int = 0) -> Vector:
        keys = [played(case.key(i, round_)) for i in workers]
        image = np.mean([_image(case, v, key) for key in keys], axis=0) / size
        along = image @ unit
        seen = (image @ image, along, np.count_nonzero(image), along - 1.0)
        return np.array([*seen, *(image - unit)[:columns]])

    rows, share = every_outcome(row, count) or (None, None)
    if rows is None:
        try:
            rows = np.array([row(lambda key: key, t) for t in range(count)])
        except NotFinite:
            if name == "gaussian":
                raise
            return None
    square, along, kept, shifts = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:]
    if name == "tiny" and not square.any():
        return None
    return Sample(case, name, workers[0], share, square, along, kept, shifts)


def _image(case: Case, v: Vector, key: Draw) -> Vector:
    image = case.compressor.compress(v, key).dense()
    if image.shape != v.shape or not np.isfinite(image).all():
        raise Broken(f"{case}: C(v) of shape {image.shape} or not finite")
    return image
