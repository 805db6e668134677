"""Algorithms: the generic composed roles, the catalogue of names, and their theory."""

from netcomp.algorithms.catalogue import ALGORITHMS
from netcomp.algorithms.composed import Composition
from netcomp.algorithms.plan import Algorithm, Choice, Plan, StepSize, compose

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Choice",
    "Composition",
    "Plan",
    "StepSize",
    "compose",
]
