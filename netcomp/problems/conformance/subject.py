"""What is checked: a problem posed for several numbers of workers, with points and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.constants import Constant
from netcomp.data import Dataset, equal
from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.roles import Array, Batch

__all__ = ["Case", "Pair", "Subject"]

Vector = NDArray[np.float64]

MOST_ROWS: Final = 40
"""The most rows a worker has in the kit."""

_TABLE: Final = (12, 5)
_SCALES: Final = (0.1, 1.0, 3.0)
_ITERATIONS: Final = 20
_RANDOM_PAIRS: Final = 4
_KEYS_A_ROW: Final = 40


@dataclass(frozen=True)
class Pair:
    """Two points to compare gradients at, and where they come from."""

    x: Vector
    y: Vector
    name: str

    @property
    def distance(self) -> float:
        """‖x - y‖."""
        return float(np.linalg.norm(self.x - self.y))


@dataclass(frozen=True)
class Case:
    """The problem posed for n workers."""

    problem: Problem
    oracles: tuple[LocalOracle, ...]
    others: tuple[LocalOracle, ...]
    """Made a second time in reverse order from each worker's key: the other end's."""
    seed: int

    def __str__(self) -> str:
        return f"n = {self.n}"

    @property
    def n(self) -> int:
        """The number of workers."""
        return len(self.oracles)

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.oracles[0].dim

    def normals(self, purpose: int, *shape: int) -> Vector:
        """Return normal deviates of the kit's own, apart from all that a problem draws."""
        stream = Draw(self.seed, self.n, 1000 + purpose).stream(Purpose.INIT)
        return stream.normals(int(np.prod(shape))).reshape(shape)

    def key(self, worker: int = 0, round_: int = 2) -> Draw:
        """Return the key of a batch."""
        return Draw(self.seed, round_, worker=worker)

    def mean_gradient(self, x: Vector) -> Vector:
        """Return ∇f(x)."""
        mean: Vector = np.mean([oracle.gradient(x) for oracle in self.oracles], axis=0)
        return mean

    def mean_loss(self, x: Vector) -> float:
        """Return f(x)."""
        return float(np.mean([oracle.loss(x) for oracle in self.oracles]))

    @cached_property
    def start(self) -> Vector:
        """The starting point."""
        return self.problem.x0(self.dim, Draw(self.seed))

    @cached_property
    def points(self) -> list[Vector]:
        """The starting point and random ones around it."""
        shifts = self.normals(0, len(_SCALES), self.dim)
        return [self.start, *(self.start + s * u for s, u in zip(_SCALES, shifts, strict=True))]

    @cached_property
    def joint(self) -> dict[str, Constant]:
        """The constants of f, all computed."""
        return dict(self.problem.joint(self.oracles))

    @cached_property
    def optimum(self) -> Optimum | None:
        """Where the problem says that f is least."""
        return self.problem.optimum(self.oracles)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Pairs that differ at random, and along the steepest and flattest ways of f and the f_i.

        Random pairs alone hardly ever come close to a constant: the way in which a gradient
        changes most is found by power iteration, the flattest by one shifted by that change.
        """
        found = [
            Pair(x, x + shift, "random")
            for index, x in enumerate(self.points)
            for shift in self.normals(1 + index, _RANDOM_PAIRS, self.dim)
        ]
        named: list[tuple[str, Callable[[Vector], Array]]] = [("f", self.mean_gradient)]
        named += [(f"f_{i}", oracle.gradient) for i, oracle in enumerate(self.oracles)]
        for name, gradient in named:
            for index, x in enumerate(self.points[:2]):
                first = self.normals(10 + index, self.dim)
                steep, most = _extreme(gradient, x, first, 0.0)
                flat, _ = _extreme(gradient, x, first, most)
                found.append(Pair(x, steep, f"steepest of {name}"))
                found.append(Pair(x, flat, f"flattest of {name}"))
        return [pair for pair in found if pair.distance > 0]

    @cached_property
    def _singles(self) -> dict[int, list[Batch]]:
        return {}

    def singles(self, worker: int) -> list[Batch]:
        """Return a batch of one sample for every row of a worker: keys are tried until all came."""
        if worker not in self._singles:
            rows = self.oracles[worker].rows
            found: dict[int, Batch] = {}
            for t in range(_KEYS_A_ROW * rows):
                batch = Batch(1, self.key(worker, t))
                found.setdefault(int(batch.rows(rows)[0]), batch)
                if len(found) == rows:
                    break
            self._singles[worker] = [found[row] for row in range(rows)]
        return self._singles[worker]

    def single_gradients(self, worker: int, x: Vector) -> Vector:
        """Return the gradients of all single rows at x, shape (m, d)."""
        oracle = self.oracles[worker]
        return np.array([oracle.gradient(x, batch) for batch in self.singles(worker)])


class Subject:
    """A problem to be checked, and everything the laws look at more than once."""

    def __init__(
        self,
        problem: Problem,
        data: Dataset | None,
        workers: Sequence[int],
        seed: int,
        alarm: float,
    ) -> None:
        self.problem = problem
        self.seed = seed
        self.alarm = alarm
        """The probability with which a correct problem may fail the law of chance."""
        self.cases: list[Case] = []
        self.refused: list[str] = []
        """Numbers of workers that the problem cannot be posed for, and why."""
        for n in workers:
            try:
                self.cases.append(self._case(data, n))
            except SpecError as error:
                self.refused.append(f"n = {n}: {error}")
        if not self.cases:
            raise SpecError("", f"no number of workers will do; {self.refused[0]}")

    def _case(self, data: Dataset | None, n: int) -> Case:
        problem, seed = self.problem, self.seed
        if not problem.needs_data:
            made = [problem.oracle(None, i, n, Draw(seed)) for i in range(n)]
            again = [problem.oracle(None, i, n, Draw(seed, worker=i)) for i in reversed(range(n))]
            return Case(problem, tuple(made), tuple(reversed(again)), seed)
        prepared = problem.prepare(_table(n, seed) if data is None else data)
        settled = problem.settled(prepared)
        parts = [part[:MOST_ROWS] for part in equal(prepared.rows, n).parts]
        shards = [prepared.take(part) for part in parts]
        made = [settled.oracle(shard, i, n, Draw(seed)) for i, shard in enumerate(shards)]
        again = [settled.oracle(shards[i], i, n, Draw(seed)) for i in reversed(range(n))]
        return Case(settled, tuple(made), tuple(reversed(again)), seed)


def _table(n: int, seed: int) -> Dataset:
    """Return rows with zeros among them, of unequal length, and labels of both kinds."""
    rows, width = _TABLE[0] * n, _TABLE[1]
    stream = Draw(seed, n).stream(Purpose.SPLIT)
    features = stream.normals(rows * width).reshape(rows, width)
    features *= stream.uniforms(rows * width).reshape(rows, width) < 0.7  # noqa: PLR2004 — a share
    features *= 1.0 + 2.0 * stream.uniforms(rows)[:, None]
    labels = np.where(stream.uniforms(rows) < 0.4, -1.0, 1.0)  # noqa: PLR2004 — a share
    labels[:2] = -1.0, 1.0
    return Dataset("the kit's table", features, labels, f"table-{n}-{seed}")


def _extreme(
    gradient: Callable[[Vector], Array], x: Vector, first: Vector, shift: float
) -> tuple[Vector, float]:
    """Return a point near x in whose direction v(u) = H(x)u - shift · u is longest, and ‖H u‖."""
    step = 1e-2 * (1.0 + float(np.abs(x).max()))
    here = gradient(x)
    u = first / np.linalg.norm(first)
    size = 0.0
    for _ in range(_ITERATIONS):
        change = (gradient(x + step * u) - here) / step
        size = float(np.linalg.norm(change))
        image = change - shift * u
        length = float(np.linalg.norm(image))
        if not length > 0:
            break
        u = image / length
    return x + step * u, size
