"""Laws about batches: what a stochastic gradient is the mean of, decided by what key.

A batch's rows are `Batch.rows`, so the mean over all batches needs no chance: it follows from
"single-rows" (the mean of the single rows' gradients is ∇f_i), "batch-mean" (a batch's gradient
is the mean over its rows) and from `Batch.rows` being uniform.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from netcomp.laws import Broken, evidence, same_bits
from netcomp.problems.base import LocalOracle
from netcomp.problems.conformance.subject import Case, Subject, Vector
from netcomp.roles import Array, Batch

__all__ = ["bad_batches", "batch_mean", "full_batch", "key_matters", "noise", "single_rows"]

_CLOSE: Final = 1e-9
_TRIALS: Final = 6
_DRAWS: Final = 400
_KEYS: Final = 32
_COORDINATES: Final = 64


def full_batch(subject: Subject) -> str:
    """Check that a batch of all m rows without replacement gives ∇f_i(x), to the last bit."""
    count = 0
    for case in subject.cases:
        for worker, oracle in _with_rows(case):
            for x in case.points:
                batch = Batch(oracle.rows, case.key(worker))
                if not same_bits(oracle.gradient(x), oracle.gradient(x, batch)):
                    raise Broken(f"{case}, worker {worker}: all {oracle.rows} rows give another")
                count += 1
    return f"{count} gradients" if count else "no rows"


def single_rows(subject: Subject) -> str:
    """Check that the mean of the gradients of the single rows is ∇f_i(x)."""
    count = 0
    for case in subject.cases:
        for worker, oracle in _with_rows(case):
            for x in case.points:
                singles = case.single_gradients(worker, x)
                _near(
                    f"{case}, worker {worker}: the mean over single rows",
                    singles.mean(axis=0),
                    oracle.gradient(x),
                    singles,
                )
                count += len(singles)
    return f"{count} single rows" if count else "no rows"


def batch_mean(subject: Subject) -> str:
    """Check that a batch's gradient is the mean over `Batch.rows`, with and without replacement.

    A row that comes twice counts twice.
    """
    count = 0
    for case in subject.cases:
        for worker, oracle in _with_rows(case):
            x, m = case.points[1], oracle.rows
            singles = case.single_gradients(worker, x)
            for t in range(_TRIALS):
                for size, replace in ((1 + t % m, False), (1 + t % m, True), (2 * m + t, True)):
                    batch = Batch(size, case.key(worker, 10 + t), replace=replace)
                    _near(
                        f"{case}, worker {worker}: a batch of {size}, replace = {replace},",
                        oracle.gradient(x, batch),
                        singles[batch.rows(m)].mean(axis=0),
                        singles,
                    )
                    count += 1
    return f"{count} batches" if count else "no rows"


def bad_batches(subject: Subject) -> str:
    """Check that sizes that cannot be are a ValueError: below 1, or above m without replacement."""
    for case in subject.cases:
        for worker, oracle in enumerate(case.oracles):
            wrong = [(0, False), (-1, True), (0, True)]
            wrong += [(oracle.rows + 1, False)] if oracle.rows else []
            for size, replace in wrong:
                batch = Batch(size, case.key(worker), replace=replace)
                try:
                    oracle.gradient(case.start, batch)
                except ValueError:
                    continue
                raise Broken(
                    f"{case}, worker {worker}: a batch of {size}, {replace = }, is accepted"
                )
    return "sizes below 1 and above m"


def key_matters(subject: Subject) -> str:
    """Check that samples differ with the round and the worker of the key, where samples differ."""
    seen = False
    for case in subject.cases:
        x, oracle = case.points[1], case.oracles[0]
        if not _varies(case, oracle, x):
            continue
        seen = True
        for what, keys in (
            ("round", [case.key(0, t) for t in range(_KEYS)]),
            ("worker", [case.key(worker) for worker in range(_KEYS)]),
        ):
            found = {oracle.gradient(x, Batch(1, key)).tobytes() for key in keys}
            if len(found) == 1:
                raise Broken(f"{case}: every {what}'s key gives the same sample")
    return "by round and worker" if seen else "no samples"


def noise(subject: Subject) -> str:
    """Check noise without rows: zero mean, E‖ξ‖² ≤ sigma_sq/size, and none where calL = 0 says so.

    calL = 0 means that a batch has the same noise at two points.
    """
    remark = "no noise"
    for case in subject.cases:
        for worker, oracle in enumerate(case.oracles):
            if oracle.rows:
                continue
            where = f"{case}, worker {worker}"
            x, y = case.points[1:3]
            given = oracle.constants
            if "calL" in given and given["calL"].value == 0:
                batch = Batch(3, case.key(worker))
                left = oracle.gradient(x, batch) - oracle.gradient(y, batch)
                right = oracle.gradient(x) - oracle.gradient(y)
                scale = np.stack([oracle.gradient(x, batch), oracle.gradient(y, batch)])
                _near(f"{where}: the difference at two points", left, right, scale)
            if "sigma_sq" in given and _varies(case, oracle, x):
                _unbiased(subject, case, worker, given["sigma_sq"].value)
                remark = "unbiased, and as large as said"
    return remark


def _unbiased(subject: Subject, case: Case, worker: int, sigma_sq: float) -> None:
    oracle, x = case.oracles[worker], case.points[1]
    gradient = oracle.gradient(x)
    for size in (1, 5):
        keys = (case.key(worker, 100 + t) for t in range(_DRAWS))
        errors = np.array([oracle.gradient(x, Batch(size, key)) - gradient for key in keys])
        # Two halves of the alarm for each size: of the mean, and of the square.
        needed = math.log(4.0 * case.n * len(subject.cases) / subject.alarm)
        most, squares = sigma_sq / size * (1 + _CLOSE), np.sum(errors**2, axis=1)
        where = f"{case}, worker {worker}, batches of {size}"
        if most == 0 or evidence.above(squares, most) >= needed:
            raise Broken(f"{where}: E‖ξ‖² = {squares.mean():.4g} where {most:.4g} is claimed")
        columns = np.column_stack(
            [errors.sum(axis=1) / math.sqrt(case.dim), errors[:, :_COORDINATES]]
        )
        logs = evidence.nonzero(columns, most, 0.0)
        if float(logs.max()) - math.log(logs.size) >= needed:
            raise Broken(f"{where}: the mean of the samples is not the gradient")


def _with_rows(case: Case) -> list[tuple[int, LocalOracle]]:
    return [(i, oracle) for i, oracle in enumerate(case.oracles) if oracle.rows]


def _varies(case: Case, oracle: LocalOracle, x: Vector) -> bool:
    """Return whether the samples at x are not all the same."""
    if oracle.rows:
        full = oracle.gradient(x)
        far = np.abs(case.single_gradients(0, x) - full).max()
        return bool(far > _CLOSE * np.abs(full).max())
    given = oracle.constants
    if "sigma_sq" in given:
        return given["sigma_sq"].value > 0 or not same_bits(
            oracle.gradient(x), oracle.gradient(x, Batch(1, case.key()))
        )
    return False


def _near(what: str, found: Array, expected: Array, scale: Array) -> None:
    size = float(np.abs(scale).max())
    off = float(np.abs(found - expected).max())
    if not off <= _CLOSE * size:
        raise Broken(f"{what} is off by {off:.3g} where gradients are of size {size:.3g}")
