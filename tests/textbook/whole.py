"""Whole trajectories to compare: the cases, compositions on them, and gd."""

import numpy as np

from netcomp.algorithms import StepSize
from support.cases import heterogeneous, logistic
from support.simulate import chosen, composed, models
from textbook import gd

ROUNDS = 60
CASES = {
    "quadratic": heterogeneous(12, 4),
    "d < n": heterogeneous(3, 7),
    "logistic": logistic(8, 3),
    "one worker": heterogeneous(6, 1),
    "one dimension": heterogeneous(1, 4),
    "one of each": heterogeneous(1, 1),
}
STEP = StepSize(0.5, of_theory=False)


def gd_models(case, gamma, rounds=ROUNDS):
    x, found = case.x0, []
    for _ in range(rounds):
        x = gd.step(x, gamma, [oracle.gradient for oracle in case.oracles])
        found.append(x)
    return np.array(found)


def composition(name, case, **options):
    choice = chosen(**{"values": "f64", "step_size": STEP, **options})
    rows = tuple(oracle.rows for oracle in case.oracles)
    return composed(name, choice, case.d, case.n, case.constants, rows)


def assert_same_models(expected, actual):
    errors = np.linalg.norm(expected - np.array(actual), axis=1)
    assert (errors <= 1e-12 * np.linalg.norm(expected, axis=1)).all()


def trajectory(name, case, seed=3, **options):
    parts = composition(name, case, **{"step_size": StepSize(0.1, of_theory=False), **options})
    return np.array(models(parts, case.oracles, case.x0, ROUNDS, seed))
