"""Which constants workers compute: all a theorem may want, none where nothing can ask for one."""

import itertools

import pytest

from netcomp.algorithms import ALGORITHMS, Choice, SideChoice, StepSize
from netcomp.errors import RemoteProtocolError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from netcomp.problems.linear import LinearOracle

N = 3
SIZES = ((10, (7, 7, 7)), (300, (5, 90, 91)), (1, (1, 1, 1)), (40, (0, 0, 0)))


def experiment(**algorithm):
    tree = {
        "problem": {"name": "least-squares", "data": "diabetes"},
        "cluster": {"workers": N},
        "algorithm": algorithm,
        "stop": {"rounds": 4},
    }
    return Experiment(Spec.parse(tree), "test")


def ready_of(run):
    return [load_local(run.welcome(worker)).ready for worker in range(N)]


def numbers(name):
    """Return choices of an algorithm with a step that is a number, and with all of them."""
    entry, step = ALGORITHMS.get(name), StepSize(0.1, of_theory=False)
    sides = {
        way: SideChoice(**{key: 0.5 for key in ("p", "alpha") if _has(entry, way, key)})
        for way in ("up", "down")
    }
    momentum = None if entry.beta is None else 0.5
    yield Choice(step_size=step)
    yield Choice(step_size=step, rounds=10, momentum=momentum, **sides)


def _has(entry, way, key):
    channels = {"marina": ("p",), "memory": ("alpha",), "single-memory": ("alpha",)}
    return key in channels.get(getattr(entry, way).channel, ())


@pytest.mark.parametrize("name", sorted(ALGORITHMS.names()))
def test_what_asks_nothing_looks_no_constant_up(name):
    """Whatever d and rows are, where `asks_nothing` says so; with every number given, it does."""
    entry = ALGORITHMS.get(name)
    said = []
    for choice, (d, rows) in itertools.product(numbers(name), SIZES):
        said.append(entry.asks_nothing(choice))
        if not said[-1]:
            continue
        try:
            asked = entry.asks(choice, d, N, rows)
        except ValueError:  # a batch of more rows than there are, say: no plan, so no constants
            continue
        assert set() == asked
    assert not entry.asks_nothing(Choice())
    assert said[-1]


def test_a_given_step_spares_the_workers_all_constants(monkeypatch):
    """With a number for gd's step no eigenvalue is computed, and the run is as it was."""
    monkeypatch.setattr(LinearOracle, "_constants", lambda _: pytest.fail("computed for nothing"))
    run = experiment(name="gd", step_size=0.1)
    ready = ready_of(run)
    run.prepare(ready)
    assert [{}] * N == [one.constants for one in ready]
    assert {} == run.constants.known
    assert 0.1 == run.plan.gamma


@pytest.mark.parametrize(
    "algorithm",
    [{"name": "gd"}, {"name": "gd", "step_size": "2*theory"}, {"name": "marina", "preset": "pl"}],
)
def test_a_theorems_step_has_them_all(algorithm):
    """What a theorem may look up is there: everything an oracle knows."""
    run = experiment(**algorithm)
    assert "constants" not in run.welcome(0).spec
    assert all("L" in one.constants for one in ready_of(run))


def test_only_what_is_wanted_is_told():
    """The server may name some; one that is not known here is left out."""
    told = experiment(name="gd").welcome(0)
    told.spec["constants"] = ["L_sample", "Delta"]
    assert ["L_sample"] == [*load_local(told).ready.constants]


@pytest.mark.parametrize("wanted", ["L", [1], {"L": 1}, 3, [["L"]]])
def test_wanting_no_names_is_refused(wanted):
    """What is no list of names makes no sense, and the field is told."""
    told = experiment(name="gd").welcome(0)
    told.spec["constants"] = wanted
    with pytest.raises(RemoteProtocolError, match="makes no sense here: constants"):
        load_local(told)
