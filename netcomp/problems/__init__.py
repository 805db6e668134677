"""Problems: what the workers' functions are, with the constants the theorems need."""

from netcomp.problems.base import LocalOracle, Problem
from netcomp.problems.linear import (
    LeastSquares,
    LinearOracle,
    LinearProblem,
    Logistic,
    NonconvexLogistic,
)
from netcomp.problems.quadratics import (
    QuadraticHeterogeneous,
    QuadraticHomogeneous,
    QuadraticOracle,
    QuadraticProblem,
    QuadraticScaledIdentity,
)
from netcomp.registry import Registry

__all__ = [
    "PROBLEMS",
    "LeastSquares",
    "LinearOracle",
    "LinearProblem",
    "LocalOracle",
    "Logistic",
    "NonconvexLogistic",
    "Problem",
    "QuadraticHeterogeneous",
    "QuadraticHomogeneous",
    "QuadraticOracle",
    "QuadraticProblem",
    "QuadraticScaledIdentity",
]

PROBLEMS: Registry[type[Problem]] = Registry("problem")
"""The problems by name: a spec's `problem.name`. Plugins: entry points `netcomp.problems`."""

PROBLEMS.register("nonconvex-logistic", NonconvexLogistic)
PROBLEMS.register("logistic", Logistic)
PROBLEMS.register("least-squares", LeastSquares)
PROBLEMS.register("quadratic-homogeneous", QuadraticHomogeneous)
PROBLEMS.register("quadratic-heterogeneous", QuadraticHeterogeneous)
PROBLEMS.register("quadratic-scaled-identity", QuadraticScaledIdentity)
