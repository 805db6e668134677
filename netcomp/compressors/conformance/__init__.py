"""The conformance kit: the laws every compressor keeps, checked on anybody's compressor.

>>> from netcomp.compressors import parse_compressor
>>> from netcomp.compressors.conformance import check_compressor
>>> findings = check_compressor(parse_compressor("rand-k:25%"))
>>> [finding.law for finding in findings if not finding.passed]
[]

The modules of this package: `cases` (vectors and keys of a size), `outcomes` and `samples` (C(v)
for each outcome, or again and again), `subject` (what is checked), `shape`, `together`, `announced`
and `constants` (the laws), `hostile` (bytes nobody wrote); the statistics are `netcomp.laws`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from netcomp.compressors.base import Compressor
from netcomp.compressors.conformance import announced, constants, hostile, shape
from netcomp.compressors.conformance.subject import Subject
from netcomp.compressors.conformance.together import together
from netcomp.laws import Finding, findings

__all__ = ["CONFIDENCE", "DIMS", "LAWS", "WORKERS", "Finding", "Law", "check_compressor"]

DIMS: Final = (1, 2, 7, 64, 1000)
"""The dimensions a compressor is checked at unless told."""
WORKERS: Final = (1, 3)
"""The numbers of workers it is resolved for unless told."""
CONFIDENCE: Final = 1 - 1e-6
"""With at least this probability a correct compressor passes a law that is tested by chance."""

Law = Callable[[Subject], str]
"""Returns a remark where the law holds; raises `Broken` saying where it does not."""

LAWS: Final[dict[str, Law]] = {
    "resolve": shape.resolve,
    "round-trip": shape.round_trip,
    "shape-and-dtype": shape.shape_and_dtype,
    "together": together,
    "input-untouched": shape.input_untouched,
    "key-decides": shape.key_decides,
    "key-matters": shape.key_matters,
    "notation": shape.notation,
    "zero": shape.zero,
    "not-finite": shape.not_finite,
    "bytes": announced.payload_bytes,
    "paper-bits": announced.paper_bits,
    "density": announced.density,
    "constants": constants.sensible,
    "unbiased": constants.unbiased,
    "omega": constants.omega,
    "delta": constants.delta,
    "b1": constants.b1,
    "b2": constants.b2,
    "theta": constants.theta,
    "wrong-lengths": hostile.wrong_lengths,
    "hostile-bytes": hostile.hostile_bytes,
}
"""The laws in the order they are checked; the docstring of each states it."""


def check_compressor(
    compressor: Compressor,
    *,
    dims: Sequence[int] = DIMS,
    workers: Sequence[int] = WORKERS,
    seed: int = 1,
    confidence: float = CONFIDENCE,
    laws: Iterable[str] = tuple(LAWS),
) -> list[Finding]:
    """Check the laws, all unless told, on a compressor resolved for each size.

    The verdict is a function of the arguments: all vectors, keys and mutations derive from
    `seed`, and how many there are does not depend on the machine. Expectations are over all
    outcomes where these are few; what is tested by draws is wrongly found broken with probability
    at most 1 − `confidence` a law, whatever the distribution (`netcomp.laws.evidence`).

    Raises ValueError where a dimension or number of workers is not positive or the confidence not
    in (0, 1), `SpecError` where the compressor can be resolved for no size, and KeyError for a law
    that is none.
    """
    if not dims or not workers or min(*dims, *workers) < 1:
        raise ValueError("dimensions and numbers of workers must be given and positive")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence:g} is not in (0, 1)")
    subject = Subject(compressor, tuple(dims), tuple(workers), seed, 1.0 - confidence)
    _ = subject.cases
    return findings(LAWS, laws, subject)
