"""The conformance kit: the laws every algorithm keeps, checked on anybody's algorithm or roles.

>>> from netcomp.algorithms import ALGORITHMS
>>> from netcomp.algorithms.conformance import check_algorithm
>>> from netcomp.wire.loopback import carried
>>> findings = check_algorithm(ALGORITHMS.get("marina"), carry=carried)
>>> [finding.law for finding in findings if not finding.passed]
[]

The modules of this package: `subject` (what is checked, and runs of it), `images` (states compared
and copied), `laws`, `hostile` (messages nobody sent). How a message travels is injected: nothing
here knows of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Final

from netcomp.algorithms.conformance import hostile, laws
from netcomp.algorithms.conformance.subject import Carry, Pair, Subject
from netcomp.algorithms.entry import Algorithm
from netcomp.laws import Finding, findings

__all__ = [
    "DIMS",
    "LAWS",
    "LAWS_OF_ROLES",
    "WORKERS",
    "Carry",
    "Finding",
    "Pair",
    "check_algorithm",
    "check_roles",
]

DIMS: Final = (1, 20)
"""The dimensions an algorithm is checked at unless told."""
WORKERS: Final = (1, 3)
"""The numbers of workers unless told."""

Law = Callable[[Subject], str]
"""Returns a remark where the law holds; raises `Broken` saying where it does not."""

LAWS: Final[dict[str, Law]] = {
    "plan": laws.plan,
    "gd": laws.gd,
    "start": laws.start,
    "one-worker": laws.one_worker,
    "one-coordinate": laws.one_coordinate,
    "dtype": laws.dtype,
    "downlink-twice": laws.downlink_twice,
    "pure": laws.pure,
    "resume": laws.resume,
    "never-written": laws.never_written,
    "bounded": laws.bounded,
    "wire": laws.wire,
    "hostile-uplinks": hostile.hostile_uplinks,
    "hostile-downlinks": hostile.hostile_downlinks,
}
"""The laws in the order they are checked; the docstring of each states it."""

LAWS_OF_ROLES: Final = tuple(law for law in LAWS if law not in {"plan", "gd"})
"""Those that two roles without an entry are asked."""


def check_algorithm(
    entry: Algorithm,
    *,
    carry: Carry,
    dims: Sequence[int] = DIMS,
    workers: Sequence[int] = WORKERS,
    seed: int = 1,
    laws: Iterable[str] = tuple(LAWS),
) -> list[Finding]:
    """Check the laws, all unless told, on an entry with its defaults at each size.

    `carry` takes a message through frames and back (`netcomp.wire.loopback.carried`). The verdict
    is a function of the arguments: functions, points, keys and alterations derive from `seed`.
    Raises ValueError where a dimension or number of workers is not positive, KeyError for a law
    that is none.
    """
    return findings(LAWS, laws, Subject.of(entry, _sizes(dims, workers), seed, carry))


def check_roles(
    make: Callable[[int, int], Pair],
    *,
    carry: Carry,
    dims: Sequence[int] = DIMS,
    workers: Sequence[int] = WORKERS,
    seed: int = 1,
    laws: Iterable[str] = LAWS_OF_ROLES,
) -> list[Finding]:
    """Check roles that no entry makes: `make` gives those of dimension d and n workers.

    As `check_algorithm` otherwise, without the laws of entries.
    """
    return findings(LAWS, laws, Subject(make, _sizes(dims, workers), seed, carry))


def _sizes(dims: Sequence[int], workers: Sequence[int]) -> list[tuple[int, int]]:
    if not dims or not workers or min(*dims, *workers) < 1:
        raise ValueError("dimensions and numbers of workers must be given and positive")
    return list(product(dims, workers))
