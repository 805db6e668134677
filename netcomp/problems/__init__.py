"""Problems: what the workers' functions are, with the constants the theorems need."""

from netcomp.problems.autoencoder import Autoencoder, AutoencoderOracle
from netcomp.problems.base import LocalOracle, Optimum, Problem
from netcomp.problems.diverging import DivergingProblem, SpikeOracle, Top1Diverges, TopKDiverges
from netcomp.problems.kinds import ProblemMaker, make_problem, options_of, read_problem
from netcomp.problems.linear import (
    LeastSquares,
    LinearOracle,
    LinearProblem,
    Logistic,
    MarinaProgram,
    NonconvexLogistic,
)
from netcomp.problems.quadratics import (
    QuadraticHeterogeneous,
    QuadraticHomogeneous,
    QuadraticOracle,
    QuadraticProblem,
    QuadraticScaledIdentity,
)
from netcomp.problems.rotated import QuadraticRotated, RotatedOracle
from netcomp.problems.synthetic import (
    SyntheticLeastSquares,
    SyntheticLogistic,
    SyntheticProblem,
)
from netcomp.problems.torch import Cnn, ModuleProblem, TorchProblem
from netcomp.problems.zero_chain import ZeroChain, ZeroChainOracle
from netcomp.registry import Registry

__all__ = [
    "PROBLEMS",
    "Autoencoder",
    "AutoencoderOracle",
    "Cnn",
    "DivergingProblem",
    "LeastSquares",
    "LinearOracle",
    "LinearProblem",
    "LocalOracle",
    "Logistic",
    "MarinaProgram",
    "ModuleProblem",
    "NonconvexLogistic",
    "Optimum",
    "Problem",
    "ProblemMaker",
    "QuadraticHeterogeneous",
    "QuadraticHomogeneous",
    "QuadraticOracle",
    "QuadraticProblem",
    "QuadraticRotated",
    "QuadraticScaledIdentity",
    "RotatedOracle",
    "SpikeOracle",
    "SyntheticLeastSquares",
    "SyntheticLogistic",
    "SyntheticProblem",
    "Top1Diverges",
    "TopKDiverges",
    "TorchProblem",
    "ZeroChain",
    "ZeroChainOracle",
    "make_problem",
    "options_of",
]

PROBLEMS: Registry[ProblemMaker] = Registry("problem", read_problem)
"""The problems by name: a spec's `problem.name`. Plugins: entry points `netcomp.problems`."""

PROBLEMS.register("nonconvex-logistic", NonconvexLogistic)
PROBLEMS.register("marina-program", MarinaProgram)
PROBLEMS.register("logistic", Logistic)
PROBLEMS.register("least-squares", LeastSquares)
PROBLEMS.register("quadratic-homogeneous", QuadraticHomogeneous)
PROBLEMS.register("quadratic-heterogeneous", QuadraticHeterogeneous)
PROBLEMS.register("quadratic-scaled-identity", QuadraticScaledIdentity)
PROBLEMS.register("quadratic-rotated", QuadraticRotated)
PROBLEMS.register("top-1-diverges", Top1Diverges)
PROBLEMS.register("top-k-diverges", TopKDiverges)
PROBLEMS.register("zero-chain", ZeroChain)
PROBLEMS.register("synthetic-least-squares", SyntheticLeastSquares)
PROBLEMS.register("synthetic-logistic", SyntheticLogistic)
PROBLEMS.register("autoencoder", Autoencoder)
PROBLEMS.register("cnn", Cnn)
