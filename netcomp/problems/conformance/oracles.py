"""Laws about a problem and its oracles: forms, derivatives, what decides a result."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import ValidationError

from netcomp.constants import Constant
from netcomp.data import Shard
from netcomp.draw import Draw
from netcomp.errors import DataError
from netcomp.laws import Broken, same_bits
from netcomp.problems.base import Problem
from netcomp.problems.conformance.subject import Case, Subject, Vector
from netcomp.roles import Array, Batch

__all__ = [
    "bad_data",
    "derivative",
    "determinism",
    "options",
    "own_array",
    "shape_and_dtype",
    "start",
]

_DTYPES: Final = (np.float64, np.float32)
_DIRECTIONS: Final = 4
_COORDINATES: Final = 8
_SLACK: Final = 1e-5
_SINGLE: Final = 1e-3


def options(subject: Subject) -> str:
    """Check that the options are told: `summary` is one line, an unknown option is refused.

    The problem made from its own options again is equal to it.
    """
    problem = subject.problem
    if not problem.summary or "\n" in problem.summary:
        raise Broken(f"the summary {problem.summary!r} is not one line")
    if type(problem)(**problem.model_dump()) != problem:
        raise Broken("made from its own options it is another problem")
    try:
        type(problem)(**problem.model_dump() | {"no-such-option": 1})
    except ValidationError:
        return f"{len(type(problem).model_fields)} options"
    raise Broken("an unknown option is accepted")


def bad_data(subject: Subject) -> str:
    """Check that a problem on data refuses no shard and an empty one by `DataError`."""
    if not subject.problem.needs_data:
        return "makes its own data"
    for case in subject.cases:
        empty = Shard(np.ones((0, case.dim)), np.ones(0))
        for shard, what in ((None, "no shard"), (empty, "a shard without rows")):
            if not _refused(case.problem, shard):
                raise Broken(f"{what} is accepted")
    return "no shard and an empty one are refused"


def _refused(problem: Problem, shard: Shard | None) -> bool:
    try:
        problem.oracle(shard, 0, 1, Draw(0))
    except DataError:
        return True
    return False


def start(subject: Subject) -> str:
    """Check that x0 is finite float64 of shape (d,), the same from every worker's key.

    All workers have the same dimension. Numbers of workers that are refused with a `SpecError` are
    no breach, as long as some is left.
    """
    for case in subject.cases:
        if len({oracle.dim for oracle in case.oracles}) != 1:
            raise Broken(f"{case}: the workers' dimensions differ")
        x = case.start
        if x.shape != (case.dim,) or x.dtype != np.float64 or not np.isfinite(x).all():
            raise Broken(f"{case}: x0 of shape {x.shape} and dtype {x.dtype}, or not finite")
        for worker in range(case.n):
            if not same_bits(x, case.problem.x0(case.dim, Draw(case.seed, worker=worker))):
                raise Broken(f"{case}: x0 depends on whose key it is")
    sizes = ", ".join(f"{case}, d = {case.dim}" for case in subject.cases)
    return f"{sizes}; refused: {'; '.join(subject.refused)}" if subject.refused else sizes


def shape_and_dtype(subject: Subject) -> str:
    """Check that ∇f_i(x) is finite, of shape (d,) and the dtype of x; f_i(x) a finite float.

    In float32 it is near the gradient in float64; so with a batch.
    """
    for case in subject.cases:
        for worker, oracle in enumerate(case.oracles):
            for x in case.points:
                for batch in (None, Batch(1, case.key(worker))):
                    exact = oracle.gradient(x, batch)
                    for dtype in _DTYPES:
                        found = oracle.gradient(x.astype(dtype), batch)
                        _formed(case, worker, found, exact, np.dtype(dtype))
                loss = oracle.loss(x)
                if type(loss) is not float or not np.isfinite(loss):
                    raise Broken(f"{case}, worker {worker}: the loss is {loss!r}")
    return "float64 and float32"


def _formed(
    case: Case,
    worker: int,
    found: Array,
    exact: Array,
    dtype: np.dtype[np.floating],
) -> None:
    where = f"{case}, worker {worker}, {dtype}"
    if found.shape != (case.dim,) or found.dtype != dtype:
        raise Broken(f"{where}: a gradient of shape {found.shape} and dtype {found.dtype}")
    if not np.isfinite(found).all():
        raise Broken(f"{where}: a gradient that is not finite")
    if np.linalg.norm(found - exact) > _SINGLE * (1.0 + float(np.linalg.norm(exact))):
        raise Broken(f"{where}: the gradient is not that in float64")


def own_array(subject: Subject) -> str:
    """Check that x is only read, and that a gradient is nobody else's: it may be written into."""
    for case in subject.cases:
        for worker, oracle in enumerate(case.oracles):
            for batch in (None, Batch(1, case.key(worker))):
                x = case.points[1].copy()
                x.flags.writeable = False
                before, first = x.copy(), oracle.gradient(x, batch)
                kept = first.copy()
                if np.shares_memory(first, x) or not same_bits(before, x):
                    raise Broken(f"{case}, worker {worker}: x is written to or handed out")
                first += 1.0
                if not same_bits(kept, oracle.gradient(x, batch)):
                    raise Broken(
                        f"{case}, worker {worker}: writing into a gradient changes the next"
                    )
    return "x read-only, results writeable"


def derivative(subject: Subject) -> str:
    """Check that central differences of f_i agree with ∇f_i, along random ways and coordinates."""
    count = 0
    for case in subject.cases:
        ways = case.normals(20, _DIRECTIONS, case.dim) / np.sqrt(case.dim)
        axes = np.unique(np.linspace(0, case.dim - 1, _COORDINATES).astype(int))
        for worker, oracle in enumerate(case.oracles):
            for x in case.points:
                gradient, step = oracle.gradient(x), 1e-5 * (1.0 + float(np.abs(x).max()))
                size = float(np.linalg.norm(gradient)) + abs(oracle.loss(x))
                for name, way in [
                    *((f"e_{k}", _unit(case.dim, k)) for k in axes),
                    *(("", u) for u in ways),
                ]:
                    rise = oracle.loss(x + step * way) - oracle.loss(x - step * way)
                    slope = float(gradient @ way)
                    if abs(rise / (2 * step) - slope) > _SLACK * (1e-3 + size):
                        raise Broken(
                            f"{case}, worker {worker}: along {name or 'a random way'} f_i changes"
                            f" by {rise / (2 * step):.6g} where the gradient says {slope:.6g}"
                        )
                    count += 1
    return f"{count} differences"


def _unit(dim: int, index: int) -> Vector:
    unit = np.zeros(dim)
    unit[index] = 1.0
    return unit


def determinism(subject: Subject) -> str:
    """Check that losses, gradients, batches and constants repeat bit for bit.

    By the same oracle and by one made again from the worker's own key, in another order.
    """
    for case in subject.cases:
        for worker, (oracle, other) in enumerate(zip(case.oracles, case.others, strict=True)):
            where = f"{case}, worker {worker}"
            batches = (None, *(Batch(1, case.key(worker, t)) for t in range(4)))
            for x in case.points:
                for batch in batches:
                    first = oracle.gradient(x, batch)
                    for again in (oracle.gradient(x, batch), other.gradient(x, batch)):
                        if not same_bits(first, again):
                            raise Broken(f"{where}: the same gradient twice is not the same")
                if len({oracle.loss(x), oracle.loss(x), other.loss(x)}) != 1:
                    raise Broken(f"{where}: the same loss twice is not the same")
            if _plain(dict(oracle.constants)) != _plain(dict(other.constants)):
                raise Broken(f"{where}: made again it has other constants")
        if _plain(case.joint) != _plain(dict(case.problem.joint(case.others))):
            raise Broken(f"{case}: the joint constants differ")
    return "the same bits, by both ends"


def _plain(constants: dict[str, Constant]) -> dict[str, tuple[float, str]]:
    return {name: (one.value, one.origin) for name, one in constants.items()}
