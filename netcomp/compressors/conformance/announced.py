"""Laws about what is announced before compressing: bytes, paper bits, density."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from netcomp.compressors.base import MAX_PARTS, Payload
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.constants import verdict
from netcomp.compressors.conformance.subject import Subject
from netcomp.laws import Broken

__all__ = ["density", "paper_bits", "payload_bytes"]

_TELLING: Final = 64
"""From this dimension on a size that depends on the vector shows."""
_ROUNDS: Final = 8


def _seen(case: Case) -> Iterator[tuple[str, list[Payload]]]:
    """Yield what was compressed and the payloads of all workers: each vector, several rounds."""
    found: dict[str, list[Payload]] = {}
    for name, _, _, payload in case.payloads():
        found.setdefault(name, []).append(payload)
    # A vector that some workers refuse would look like one with fewer payloads.
    yield from ((name, all_) for name, all_ in found.items() if len(all_) == case.n)
    v = case.vectors["gaussian"]
    for t in range(_ROUNDS):
        yield (
            f"gaussian, round {t}",
            [case.compressor.compress(v, case.key(worker, t)) for worker in range(case.n)],
        )


def payload_bytes(subject: Subject) -> str:
    """Check that no payload has more than `max_bytes` bytes or `parts` parts.

    Where payload sizes depend neither on the vector nor on the key, the largest has exactly
    `max_bytes`, unless `exact_bytes` says that this is only a bound.
    """
    fixed = max(case.d for case in subject.distinct) >= _TELLING
    short = ""
    for case in subject.distinct:
        sizes = set()
        most_kept = 0
        for name, payloads in _seen(case):
            _within(case, name, payloads)
            sizes.add(tuple(sorted(payload.nbytes for payload in payloads)))
            most_kept = max(most_kept, *(payload.values.size for payload in payloads))
        announced, largest = case.compressor.max_bytes(case.d), max(map(max, sizes))
        # Fewer kept than expected is a number that varies, though seldom.
        fixed = fixed and len(sizes) == 1 and most_kept >= case.compressor.density(case.d)
        fixed = fixed and case.compressor.exact_bytes
        if largest < announced:
            short = f"{case}: {announced} bytes announced where no payload has above {largest}"
    if fixed and short:
        raise Broken(short)
    return "fixed, and as announced" if fixed else "never more than announced"


def _within(case: Case, name: str, payloads: list[Payload]) -> None:
    announced, parts = case.compressor.max_bytes(case.d), case.compressor.parts
    if parts > MAX_PARTS:
        raise Broken(f"{case}: {parts} parts announced where {MAX_PARTS} are allowed")
    for payload in payloads:
        if payload.nbytes > announced:
            raise Broken(f"{case}, {name}: {payload.nbytes} bytes where {announced} are the most")
        if len(payload.parts) > parts:
            raise Broken(f"{case}, {name}: {len(payload.parts)} parts where {parts} are the most")


def paper_bits(subject: Subject) -> str:
    """Check that `paper_bits` is finite and not negative, of payloads too.

    Where all payloads keep just as many values as are expected, with the same number of paper
    bits, it is the one announced.
    """
    for case in subject.distinct:
        announced, expected = case.compressor.paper_bits(case.d), case.compressor.density(case.d)
        payloads = [payload for _, all_ in _seen(case) for payload in all_]
        seen = {payload.paper_bits for payload in payloads}
        for bits in (announced, *seen):
            if not (math.isfinite(bits) and bits >= 0):
                raise Broken(f"{case}: {bits} paper bits")
        usual = len(seen) == 1 and all(payload.values.size == expected for payload in payloads)
        if usual and not math.isclose(announced, bits := seen.pop(), rel_tol=1e-9):
            raise Broken(f"{case}: {announced} paper bits announced, every payload has {bits}")
    return f"{len(subject.distinct)} sizes"


def density(subject: Subject) -> str:
    """Check that E‖C(v)‖₀ ≤ `density`."""
    claims = []
    for sample in subject.samples:
        bound = sample.case.compressor.density(sample.case.d)
        if not 0 <= bound <= sample.case.d:
            raise Broken(f"{sample.case}: a density of {bound}")
        bound = max(bound, 1e-9) * (1 + 1e-9)
        claims.append((sample.above(sample.kept, bound), sample, sample.mean(sample.kept), bound))
    return verdict(claims, "E‖C(v)‖₀", subject.alarm)
