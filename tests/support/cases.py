"""Small problems with heterogeneous workers, and the constants their theorems ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netcomp.constants import Constant, Constants
from netcomp.data import Dataset, equal, load
from netcomp.draw import Draw
from netcomp.problems import (
    LocalOracle,
    Logistic,
    NonconvexLogistic,
    Problem,
    QuadraticHeterogeneous,
    QuadraticHomogeneous,
)


@dataclass(frozen=True)
class Case:
    """f_1, …, f_n with a starting point that is not stationary."""

    oracles: tuple[LocalOracle, ...]
    x0: np.ndarray
    constants: Constants

    @property
    def d(self) -> int:
        return self.oracles[0].dim

    @property
    def n(self) -> int:
        return len(self.oracles)

    def loss(self, x: np.ndarray) -> float:
        return float(np.mean([oracle.loss(x) for oracle in self.oracles]))


def smooth(*local: float, **joint: float) -> Constants:
    """Return what is known of workers that are `local`-smooth and of their mean."""
    known = {name: Constant(value) for name, value in joint.items()}
    return Constants.gather([{"L": Constant(value)} for value in local], known, {})


def values(constants: Mapping[str, Constant]) -> dict[str, float]:
    """Return the numbers without their origins."""
    return {name: constant.value for name, constant in constants.items()}


def _case(problem: Problem, oracles) -> Case:
    local = [oracle.constants for oracle in oracles]
    constants = Constants.gather(local, problem.joint(oracles), {})
    x0 = np.random.default_rng(6).normal(size=oracles[0].dim)
    return Case(tuple(oracles), x0, constants)


def _quadratic(problem: Problem, n: int) -> Case:
    return _case(problem, [problem.oracle(None, i, n, Draw(1)) for i in range(n)])


def heterogeneous(d: int, n: int) -> Case:
    return _quadratic(QuadraticHeterogeneous(dim=d, v=1.0, sigma=0.4), n)


def homogeneous(d: int, n: int) -> Case:
    return _quadratic(QuadraticHomogeneous(dim=d), n)


def _of_data(problem: Problem, data: Dataset, n: int) -> Case:
    parts = equal(data.rows, n).parts
    oracles = [problem.oracle(data.take(part), i, n, Draw(0)) for i, part in enumerate(parts)]
    return _case(problem, oracles)


def logistic(d: int, n: int) -> Case:
    rng = np.random.default_rng(2)
    data = Dataset("toy", rng.normal(size=(10 * n, d)), rng.choice([-1.0, 1.0], 10 * n), "0")
    return _of_data(NonconvexLogistic(), data, n)


def real(name: str, n: int) -> Case:
    """Return convex logistic regression on a built-in data set."""
    problem = Logistic(l2=0.1)
    return _of_data(problem, problem.prepare(load(name, [])), n)
