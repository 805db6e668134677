"""Algorithms: the generic composed roles, the catalogue of names, and their theory."""

from netcomp.algorithms.catalogue import ALGORITHMS
from netcomp.algorithms.checks import doubts
from netcomp.algorithms.choice import Choice, SideChoice, StepSize
from netcomp.algorithms.composed import (
    Composition,
    DownCarries,
    Roles,
    UpCarries,
    server_role,
    worker_role,
)
from netcomp.algorithms.entry import Algorithm, Regime, Side
from netcomp.algorithms.parts import CHANNELS, ROLES
from netcomp.algorithms.plan import Plan, SidePlan, compose

__all__ = [
    "ALGORITHMS",
    "CHANNELS",
    "ROLES",
    "Algorithm",
    "Choice",
    "Composition",
    "DownCarries",
    "Plan",
    "Regime",
    "Roles",
    "Side",
    "SideChoice",
    "SidePlan",
    "StepSize",
    "UpCarries",
    "compose",
    "doubts",
    "server_role",
    "worker_role",
]
