"""Each composed algorithm beside its textbook version, every step from the same state.

A twin reads the textbook's state of round t out of the composed run, takes the textbook's
step from it and compares with the composed state one round later. A trajectory of its own
would hide a step that is wrong in a way later steps forgive.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from netcomp.algorithms import Composition, Plan
from netcomp.errors import RemoteProtocolError
from support.cases import Case
from support.simulate import ROLES, play
from textbook.both_ways import (
    artemis_pairs,
    dore_pairs,
    ef21_bc_pairs,
    ef21_p_pairs,
    m3_pairs,
    marina_p_pairs,
    mcm_pairs,
    neolithic_pairs,
    non_degraded_pairs,
    single_memory_pairs,
)
from textbook.one_way import (
    core_pairs,
    dasha_pairs,
    dcgd_pairs,
    diana_pairs,
    ef21_pairs,
    error_feedback_pairs,
    gd_pairs,
    marina_pairs,
    pp_marina_pairs,
    vr_diana_pairs,
)
from textbook.played import Run
from textbook.rows import CASES

WRONG = 1e-6


PAIRS = {
    "gd": gd_pairs,
    "sgd": gd_pairs,
    "cgd": dcgd_pairs,
    "dcgd": dcgd_pairs,
    "qsgd": dcgd_pairs,
    "ec-sgd": error_feedback_pairs,
    "mem-sgd": error_feedback_pairs,
    "signsgd-ef": error_feedback_pairs,
    "diana": diana_pairs,
    "vr-diana": vr_diana_pairs,
    "dasha": dasha_pairs,
    "marina": marina_pairs,
    "vr-marina": marina_pairs,
    "vr-marina-online": marina_pairs,
    "pp-marina": pp_marina_pairs,
    "marina-p": marina_p_pairs,
    "m3": m3_pairs,
    "ef21": ef21_pairs,
    "ef21-p": ef21_p_pairs,
    "ef21-p+dcgd": ef21_p_pairs,
    "ef21-bc": ef21_bc_pairs,
    "core": core_pairs,
    "artemis": artemis_pairs,
    "artemis-nd-direct": partial(non_degraded_pairs, "direct"),
    "artemis-nd-memory": partial(non_degraded_pairs, "memory"),
    "artemis-nd-update": partial(non_degraded_pairs, "update"),
    "dore": dore_pairs,
    "double-squeeze": neolithic_pairs,
    "dist-ef-sgd": neolithic_pairs,
    "neolithic": neolithic_pairs,
    "neolithic-uni": neolithic_pairs,
    "mcm": mcm_pairs,
    "rand-mcm": mcm_pairs,
    "rand-mcm-g": mcm_pairs,
    "mcm-pp": mcm_pairs,
    "rand-mcm-pp": mcm_pairs,
    "rand-mcm-pp-single": single_memory_pairs,
    "rand-mcm-pp-reset": single_memory_pairs,
}


def largest_error(
    plan: Plan,
    parts: Composition,
    case: Case,
    rounds: int = 42,
    seed: int = 0,
    roles: Sequence[Callable] = ROLES,
    pairs: Callable | None = None,
) -> float:
    """Return the largest relative error of any part of the state after any one step."""
    trace = list(play(parts, case.oracles, case.x0, rounds, seed, roles))
    found = (pairs or PAIRS[plan.name])(Run(plan, case, seed, trace))
    return max(_relative(*fields) for pair in found for fields in zip(*pair, strict=True))


def _relative(expected: np.ndarray, actual: np.ndarray) -> float:
    assert expected.shape == actual.shape
    size = float(np.linalg.norm(expected))
    error = float(np.linalg.norm(actual - expected)) / (size or 1.0)
    return error if np.isfinite(error) else np.inf


def is_noticed(
    plan: Plan, parts: Composition, where: str, roles: Sequence[Callable] = ROLES
) -> bool:
    """Return whether the comparison fails, or the other end refuses to listen."""
    try:
        return largest_error(plan, parts, CASES[where], roles=roles) > WRONG
    except RemoteProtocolError:
        return True
