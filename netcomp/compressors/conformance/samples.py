"""C(v) again and again, and once for every outcome: what the laws of expectations look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Final

import numpy as np

from netcomp.compressors.base import Compressor
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
    """C(v) for one vector and worker, ‖v‖ the unit of all: independent draws, or all outcomes."""

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

    def length(self) -> float:
        """Return E‖C(v)‖."""
        return float(self.mean(np.sqrt(self.square)))

    def mean(self, of: Vector) -> Any:
        """Return the mean over the first axis: of the draws, or the expectation itself."""
        return np.average(of, axis=0, weights=self.share)

    def above(self, of: Vector, bound: float) -> float:
        """Weigh the claim E X ≤ bound, for X ≥ 0 and bound > 0, as the logarithm of an e-value.

        Where all outcomes are known it is true or false: ∓∞.
        """
        if self.share is None:
            return evidence.above(of, bound)
        return -inf if self.mean(of) <= bound * (1.0 + _EXACT) else inf

    def below(self, of: Vector, bound: float, most: float) -> float:
        """Weigh the claim E X ≥ bound, given 0 ≤ X ≤ most unless all outcomes are known."""
        if self.share is None:
            return evidence.below(of, bound, most)
        return -inf if self.mean(of) >= bound * (1.0 - _EXACT) else inf

    def nonzero(self, square: float, slack: float) -> tuple[float, int]:
        """Weigh the claims |E X| ≤ slack about `shifts`, given E X² ≤ square; and say the worst.

        Of draws the evidence of the worst direction is less by what looking at so many costs.
        """
        if self.share is None:
            logs: Vector = evidence.nonzero(self.shifts, square, slack)
            worst = int(np.argmax(logs))
            return float(logs[worst]) - float(np.log(logs.size)), worst
        bias = np.abs(self.mean(self.shifts))
        worst = int(np.argmax(bias))
        return (-inf if bias[worst] <= slack else inf), worst


def draws(d: int, name: str) -> int:
    """Return how often a vector of dimension d is compressed."""
    many = next((count for limit, count in _DRAWS if d <= limit), _FEWEST)
    return many if name in _TELLING else many // 5


def sampled(
    case: Case, names: Iterable[str], workers: Sequence[int], count: Callable[[str], int]
) -> list[Sample]:
    """Return draws of C(v), or of the mean of several workers', for each vector; and all outcomes.

    `count` says how many draws. All outcomes only where they are no more than that, and where for
    every vector what was drawn is among them. Nothing where the wire format is left: refused a
    vector may be by magnitude, and a tiny one may become zero in a short format.
    """
    drawn, listed = [], []
    agree = True
    # One of its own: what it keeps of a played key must not be met again.
    own = case.anew()
    for name in names:
        look = _Look(case, name, workers)
        rows = _drawn(look, count(name))
        if rows is None:
            continue
        drawn.append(look.sample(rows, None))
        outcomes = every_outcome(partial(look, own), count(name))
        if outcomes is not None:
            agree = agree and outcomes.agree(rows)
            listed.append((look, outcomes))
    if not agree:
        return drawn
    for _, outcomes in listed:
        if outcomes.fault is not None:
            raise outcomes.fault
    return drawn + [look.sample(outcomes.rows, outcomes.shares) for look, outcomes in listed]


def _drawn(look: _Look, count: int) -> Vector | None:
    """Return rows of draws, None where the wire format is left."""
    try:
        rows = np.array([look(look.case.compressor, lambda key: key, t) for t in range(count)])
    except NotFinite:
        if look.name == "gaussian":
            raise
        return None
    return None if look.name == "tiny" and not rows[:, 0].any() else rows


class _Look:
    """Compresses one vector and keeps of the result what the laws ask for, as a row of numbers."""

    def __init__(self, case: Case, name: str, workers: Sequence[int]) -> None:
        self.case = case
        self.name = name
        self.workers = workers
        v = case.vectors[name]
        largest = float(np.abs(v).max())
        self.size = largest * float(np.linalg.norm(v / largest))
        self.unit = v / largest / (self.size / largest)
        self.columns = case.d if case.d <= COORDINATES else 0

    def __call__(
        self, compressor: Compressor, played: Callable[[Draw], Draw], round_: int = 0
    ) -> Vector:
        """Return the row of C(v), the mean of the workers'."""
        keys = [played(self.case.key(worker, round_)) for worker in self.workers]
        image = np.mean([self._image(compressor, key) for key in keys], axis=0) / self.size
        along = image @ self.unit
        seen = (image @ image, along, np.count_nonzero(image), along - 1.0)
        return np.array([*seen, *(image - self.unit)[: self.columns]])

    def sample(self, rows: Vector, share: Vector | None) -> Sample:
        """Return rows, shape (draws or outcomes, numbers), by the names of their columns."""
        square, along, kept, shifts = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:]
        worker = self.workers[0]
        return Sample(self.case, self.name, worker, share, square, along, kept, shifts)

    def _image(self, compressor: Compressor, key: Draw) -> Vector:
        image = compressor.compress(self.case.vectors[self.name], key).dense()
        if image.shape != (self.case.d,) or not np.isfinite(image).all():
            raise Broken(f"{self.case}: C(v) of shape {image.shape} or not finite")
        return image
