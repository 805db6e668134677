"""Every composed algorithm takes the step its paper writes down."""

import pytest

from netcomp.algorithms import ALGORITHMS
from support.cases import heterogeneous
from support.notations import HEAVY
from textbook import error_feedback
from textbook.rows import CASES, EXACT, NUMBER, ROWS, planned
from textbook.twins import PAIRS, error_feedback_pairs, largest_error

LAST = "nonconvex logistic"


def test_every_name_has_a_textbook_twin():
    """A new name in the catalogue fails here until its paper's version is written."""
    names = set(ALGORITHMS.names()) - {"custom"}
    assert names == set(PAIRS)
    assert names == {name for name, _ in ROWS}


def settings_of(number):
    """Return where a row is compared: every case by turns, one more with another seed."""
    cases = list(CASES)
    chosen = cases if HEAVY else [cases[number % len(cases)], LAST]
    return [*((where, 0) for where in dict.fromkeys(chosen)), *([(LAST, 2**40)] if HEAVY else [])]


SETTINGS = [(*row, *setting) for i, row in enumerate(ROWS) for setting in settings_of(i)]


@pytest.mark.parametrize(("name", "label", "where", "seed"), SETTINGS)
def test_each_step_is_the_papers(name, label, where, seed):
    """From the same state, one round gives the textbook's next state to 1e-12."""
    plan, parts = planned(name, where, ROWS[name, label])
    assert largest_error(plan, parts, CASES[where], seed=seed) <= EXACT


@pytest.mark.parametrize("part", ["i", "ii", "iii"])
@pytest.mark.parametrize("name", ["ec-sgd", "mem-sgd"])
def test_theorem_21s_three_schedules(name, part):
    """Steps and weights of Theorem 21, and the server's model is the weighted average x̄."""
    case = heterogeneous(12, 4)
    plan, parts = planned(name, case, {"up": "top-k:25%", "schedule": f"theorem-21-{part}"})
    L, mu = (case.constants.need(key, "") for key in ("L_max", "mu"))
    eta, weight = error_feedback.theorem_21(part, L, mu, delta=3 / 12)

    def pairs(run):
        yield from error_feedback_pairs(run, eta)
        for t in range(len(run)):
            points = [run.x(k) for k in range(t + 2)]
            yield (error_feedback.average(points, weight),), (run.trace[t].server.average,)

    assert largest_error(plan, parts, case, rounds=50, pairs=pairs) <= EXACT


@pytest.mark.parametrize(
    ("schedule", "where"),
    [("inverse:kappa=7", "nonconvex logistic"), ("stairs:ratio=0.5,every=3", "quadratic")],
)
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_schedules_are_those_of_the_round(name, schedule, where):
    """γ_t, not its neighbour, is what the update of round t is multiplied with, at both ends."""
    label = next(label for own, label in ROWS if own == name)
    options = ROWS[name, label] | {"schedule": schedule, "step_size": NUMBER}
    plan, parts = planned(name, where, options)
    assert largest_error(plan, parts, CASES[where]) <= EXACT
