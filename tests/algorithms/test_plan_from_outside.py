"""A plan that came over the network is checked before anything is composed."""

from dataclasses import asdict
from math import inf, nan

import pytest

from netcomp.algorithms import Plan, StepSize, compose
from netcomp.errors import NetcompError
from support.planned import planned

STRANGE = [
    ("up.channel", "carrier-pigeon"),
    ("down.compressor", "nothing"),
    ("up.compressor", "rand-k"),
    ("down.carries", "water"),
    ("up.carries", "model"),
    ("oracle", "delphi"),
    ("participation", "few"),
    ("schedule", "later"),
    ("average", "median"),
]


@pytest.mark.parametrize(("path", "value"), STRANGE)
def test_a_plan_from_a_stranger_is_refused(path, value):
    """A plan that names no known channel, compressor or part is a netcomp error."""
    tree = asdict(planned("marina"))
    table, _, key = path.rpartition(".")
    (tree[table] if table else tree)[key] = value
    with pytest.raises(NetcompError):
        compose(Plan.of(tree))


WRONG_TYPES = [
    *(("dim", value) for value in (30.0, "30", True, None, [30])),
    *(("gamma", value) for value in (1, "0.1", None, nan, inf, {})),
    *(("up.p", value) for value in ("0.1", True, -inf)),
    *(("up.compressor", 3), ("up.opens_whole", 1), ("down.reset", 1.5), ("name", b"marina")),
    *(("up", ["rand-k"]), ("down", None), ("roles", None), ("groups", "4")),
]


@pytest.mark.parametrize(("path", "value"), WRONG_TYPES)
def test_a_plan_with_a_value_of_another_type_is_refused_by_name(path, value):
    """A hostile server's plan is a TypeError that names the field, before anything is composed."""
    tree = asdict(planned("marina"))
    table, _, key = path.rpartition(".")
    (tree[table] if table else tree)[key] = value
    with pytest.raises(TypeError, match=f"^{path} is no"):
        Plan.of(tree)


def test_a_plan_has_only_the_types_it_declares_whatever_a_user_gives():
    """Whole numbers where fractions are meant become fractions: else a worker would refuse them."""
    made = planned("marina", up_p=1, step_size=StepSize(1, of_theory=False), server_momentum=0)
    assert made == Plan.of(asdict(made))


def test_a_tree_that_is_no_plan_is_a_type_or_key_error():
    """What is missing, or not known, is not taken for a plan."""
    tree = asdict(planned("marina"))
    for wrong in ({}, tree | {"haste": 1}, tree | {"up": {}}, tree | {"up": "rand-k"}):
        with pytest.raises((TypeError, KeyError)):
            Plan.of(wrong)
