"""C(v) again and again, and once for every outcome: what the laws of expectations look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
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
    unit: Vector
    """v itself, up to `COORDINATES`; else empty."""
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

    def lengths(self) -> Vector:
        """Return E‖C(v)‖ and the E|C(v)_i|: how long it is in the directions of `shifts`."""
        each = np.abs(self.shifts[:, 1:] + self.unit)
        return np.array([self.mean(np.sqrt(self.square)), *self.mean(each)])

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

    def nonzero(self, square: float, slack: float | Vector) -> tuple[float, int]:
        """Weigh the claims |E X| ≤ slack about `shifts`, given E X² ≤ square; and say the worst.

        Of draws the evidence of the worst direction is less by what looking at so many costs.
        """
        if self.share is None:
            logs: Vector = evidence.nonzero(self.shifts, square, float(np.max(slack)))
            worst = int(np.argmax(logs))
            return float(logs[worst]) - float(np.log(logs.size)), worst
        excess = np.abs(self.mean(self.shifts)) / (slack + _EXACT)
        worst = int(np.argmax(excess))
        return (-inf if excess[worst] <= 1.0 else inf), worst


def draws(d: int, name: str) -> int:
    """Return how often a vector of dimension d is compressed."""
    many = next((count for limit, count in _DRAWS if d <= limit), _FEWEST)
    return many if name in _TELLING else many // 5


def sampled(case: Case, name: str, workers: Sequence[int], count: int) -> list[Sample]:
    """Return `count` draws of C(v), or of the mean of several workers', and all outcomes.

    All outcomes only where they are `count` at most, and what was drawn is among them. Nothing
    where the wire format is left: refused a vector may be by magnitude, and a tiny one may become
    zero in a short format.
    """
    look = _Look(case, name, workers)
    try:
        rows = np.array([look(case.compressor, lambda key: key, t) for t in range(count)])
    except NotFinite:
        if name == "gaussian":
            raise
        return []
    drawn = look.sample(rows, None)
    if name == "tiny" and not drawn.square.any():
        return []
    # Of a copy: what is kept of a played key must not be met again.
    copy = deepcopy(case.other)
    listed = every_outcome(lambda played: look(copy, played), count)
    if listed is None or not listed.agree(rows):
        return [drawn]
    if listed.fault is not None:
        raise listed.fault
    return [drawn, look.sample(listed.rows, listed.shares)]


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
        unit = self.unit[: self.columns]
        worker = self.workers[0]
        return Sample(self.case, self.name, worker, unit, share, square, along, kept, shifts)

    def _image(self, compressor: Compressor, key: Draw) -> Vector:
        image = compressor.compress(self.case.vectors[self.name], key).dense()
        if image.shape != (self.case.d,) or not np.isfinite(image).all():
            raise Broken(f"{self.case}: C(v) of shape {image.shape} or not finite")
        return image
