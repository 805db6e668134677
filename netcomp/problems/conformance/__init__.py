"""The conformance kit: the laws every problem keeps, checked on anybody's problem.

>>> from netcomp.problems import QuadraticHomogeneous
>>> from netcomp.problems.conformance import check_problem
>>> findings = check_problem(QuadraticHomogeneous(dim=5))
>>> [finding.law for finding in findings if not finding.passed]
[]

The modules of this package: `subject` (what is checked, points and batches), `oracles`, `batches`
and `constants` (the laws).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from netcomp.data import Dataset
from netcomp.laws import Finding, findings
from netcomp.problems.base import Problem
from netcomp.problems.conformance import batches, constants, oracles
from netcomp.problems.conformance.subject import Subject

__all__ = ["CONFIDENCE", "LAWS", "WORKERS", "check_problem"]

WORKERS: Final = (1, 3)
"""The numbers of workers a problem is posed for unless told."""
CONFIDENCE: Final = 1 - 1e-6
"""With at least this probability a correct problem passes the one law tested by chance."""

Law = Callable[[Subject], str]
"""Returns a remark where the law holds; raises `Broken` saying where it does not."""

LAWS: Final[dict[str, Law]] = {
    "options": oracles.options,
    "bad-data": oracles.bad_data,
    "start": oracles.start,
    "shape-and-dtype": oracles.shape_and_dtype,
    "own-array": oracles.own_array,
    "derivative": oracles.derivative,
    "determinism": oracles.determinism,
    "full-batch": batches.full_batch,
    "single-rows": batches.single_rows,
    "batch-mean": batches.batch_mean,
    "bad-batches": batches.bad_batches,
    "key-matters": batches.key_matters,
    "noise": batches.noise,
    "constants": constants.sensible,
    "smoothness": constants.smoothness,
    "convexity": constants.convexity,
    "samples": constants.samples,
    "functional": constants.functional,
    "similarity": constants.similarity,
    "minimum": constants.minimum,
}
"""The laws in the order they are checked; the docstring of each states it."""


def check_problem(
    problem: Problem,
    *,
    data: Dataset | None = None,
    workers: Sequence[int] = WORKERS,
    seed: int = 1,
    confidence: float = CONFIDENCE,
    laws: Iterable[str] = tuple(LAWS),
) -> list[Finding]:
    """Check the laws, all unless told, on a problem posed for each number of workers.

    A problem on data gets `data`, of whose rows at most 40 a worker are looked at, or unless told
    a small table of the kit's own with labels ±1. The verdict is a function of the arguments. What
    is tested by Monte Carlo is wrongly found broken with probability at most 1 - `confidence`.
    Raises ValueError where a number of workers is not positive or the confidence not in (0, 1),
    `DataError` or `SpecError` where the problem cannot be posed, and KeyError for a law that is
    none.
    """
    if not workers or min(workers) < 1:
        raise ValueError("numbers of workers must be given and positive")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence:g} is not in (0, 1)")
    return findings(LAWS, laws, Subject(problem, data, tuple(workers), seed, 1.0 - confidence))
