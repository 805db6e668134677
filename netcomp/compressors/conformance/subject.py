"""What is checked: a compressor resolved for each size, and samples for all laws that need them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property, partial
from itertools import pairwise
from typing import Final

from netcomp.compressors.base import Compressor
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.samples import Sample, draws, sampled
from netcomp.errors import SpecError

__all__ = ["Subject"]

_MEANT: Final = ("gaussian", "constant", "one-hot")
"""The vectors whose mean over the workers is looked at."""


class Subject:
    """A compressor to be checked, and everything the laws look at more than once."""

    def __init__(
        self,
        compressor: Compressor,
        dims: Sequence[int],
        workers: Sequence[int],
        seed: int,
        alarm: float,
    ) -> None:
        self.compressor = compressor
        self.dims = dims
        self.workers = workers
        self.seed = seed
        self.alarm = alarm
        """The probability with which a correct compressor may fail a law."""

    @cached_property
    def resolved(self) -> tuple[list[Case], list[str]]:
        """Return the cases, and why there is none at the other sizes."""
        origin = deepcopy(self.compressor)
        cases: list[Case] = []
        refused: list[str] = []
        for d in self.dims:
            for n in self.workers:
                try:
                    compressor = self.compressor.resolve(d, n)
                except SpecError as error:
                    refused.append(f"d = {d}, n = {n}: {error}")
                    continue
                cases.append(Case(d, n, compressor, deepcopy(compressor), origin, self.seed))
        if not cases:
            raise SpecError("", f"no size can be resolved; {refused[0]}")
        return cases, refused

    @property
    def cases(self) -> list[Case]:
        """All sizes that can be resolved."""
        return self.resolved[0]

    @cached_property
    def distinct(self) -> list[Case]:
        """The sizes whose compressors differ: those the same for fewer workers are left out."""
        same = [b for a, b in pairwise(self.cases) if a.d == b.d and a.compressor == b.compressor]
        return [case for case in self.cases if not any(case is other for other in same)]

    @cached_property
    def samples(self) -> list[Sample]:
        """C(v) for every distinct size, vector and speaker."""
        return [
            sample
            for case in self.distinct
            for worker in case.speakers
            for sample in sampled(case, case.vectors, [worker], partial(draws, case.d))
        ]

    @cached_property
    def means(self) -> list[Sample]:
        """The mean of C(v) over n > 1 workers, each with a key of its own."""
        return [
            sample
            for case in self.cases
            if case.n > 1
            for sample in sampled(case, _MEANT, range(case.n), partial(_rounds, case))
        ]


def _rounds(case: Case, name: str) -> int:
    """Return how often all workers compress a vector: fewer times the more there are."""
    return max(draws(case.d, name) // max(case.n, 3), 20)
