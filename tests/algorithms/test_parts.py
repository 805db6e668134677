"""Estimators, participation, schedules and averages: how they are written down."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netcomp.algorithms.estimators import (
    Accumulate,
    Full,
    LooplessSvrg,
    Minibatch,
    TwoPoint,
    read_estimator,
)
from netcomp.algorithms.participation import Everybody, Independent, Uniform, read_participation
from netcomp.algorithms.schedule import (
    Constant,
    Equal,
    Geometric,
    Inverse,
    Linear,
    Newest,
    Stairs,
    read_average,
    read_schedule,
)
from netcomp.compressors.count import Count
from netcomp.errors import SpecError

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)

# Notation

TEXTS = [
    (read_estimator, "full", Full()),
    (read_estimator, "minibatch:b=32", Minibatch(Count("32"))),
    (read_estimator, "minibatch:32", Minibatch(Count("32"))),
    (read_estimator, " minibatch:b=10%,replace ", Minibatch(Count("10%"), replace=True)),
    (read_estimator, "minibatch:b=8,replace=no", Minibatch(Count("8"))),
    (read_estimator, "accumulate:r=4,b=8", Accumulate(4, Count("8"))),
    (read_estimator, "accumulate:b=8,r=4", Accumulate(4, Count("8"))),
    (read_estimator, "two-point", TwoPoint()),
    (read_estimator, "two-point:b=8", TwoPoint(Count("8"))),
    (read_estimator, "two-point:b=8,whole=64", TwoPoint(Count("8"), Count("64"))),
    (read_estimator, "svrg:b=1", LooplessSvrg(Count("1"))),
    (read_estimator, "svrg:b=1,p=0.25", LooplessSvrg(Count("1"), 0.25)),
    (read_participation, "all", Everybody()),
    (read_participation, "uniform:r=3", Uniform(3)),
    (read_participation, "independent:p=0.5", Independent(0.5)),
    (read_participation, "independent:1", Independent(1.0)),
    (read_schedule, "constant", Constant()),
    (read_schedule, "stairs:ratio=0.5,every=100", Stairs(0.5, 100)),
    (read_schedule, "inverse:kappa=12.5", Inverse(12.5)),
    (read_schedule, "inverse:kappa=1e-3", Inverse(0.001)),
    (read_average, "none", Newest()),
    (read_average, "equal", Equal()),
    (read_average, "linear:kappa=7", Linear(7.0)),
    (read_average, "geometric:q=0.9", Geometric(0.9)),
]


@pytest.mark.parametrize(("read", "text", "expected"), TEXTS)
def test_notation(read, text, expected):
    """A text is the part it names, and what the part prints reads back."""
    part = read(text)
    assert expected == part
    assert part == read(str(part))


@seeded
@given(st.floats(1e-300, 1e300))
def test_numbers_of_any_size_read_back(value):
    """A plan travels as text: every finite number survives it, exponents of either sign."""
    assert Inverse(value) == read_schedule(str(Inverse(value)))
    assert Linear(value) == read_average(str(Linear(value)))
    assume(value < 1)
    assert Geometric(value) == read_average(str(Geometric(value)))
    assert Independent(value) == read_participation(str(Independent(value)))
    assert Stairs(value, 3) == read_schedule(str(Stairs(value, 3)))


ORACLE, TAKES_PART = "algorithm.oracle", "algorithm.participation"
REFUSED = [
    (read_estimator, ORACLE, "", "unknown name ''"),
    (read_estimator, ORACLE, "Full", "known: full, minibatch, accumulate, two-point, svrg"),
    (read_estimator, ORACLE, "full:b=1", "the parameters are none"),
    (read_estimator, ORACLE, "minibatch", "minibatch needs b="),
    (read_estimator, ORACLE, "minibatch:", "minibatch needs b="),
    (read_estimator, ORACLE, "minibatch:b=0.5", "expected a count"),
    (read_estimator, ORACLE, "minibatch:b=-1", "expected a count"),
    (read_estimator, ORACLE, "minibatch:b=1,b=2", "once each"),
    (read_estimator, ORACLE, "minibatch:1,b=2", "once each"),
    (read_estimator, ORACLE, "minibatch:b=1,c=2", "the parameters are b, replace, once each"),
    (read_estimator, ORACLE, "minibatch:b=1,", "once each"),
    (read_estimator, ORACLE, "minibatch:b=1,replace=maybe", "expected yes or no"),
    (read_estimator, ORACLE, "accumulate:b=1", "accumulate needs r="),
    (read_estimator, ORACLE, "accumulate:r=0,b=1", "r = 0 is below 1"),
    (read_estimator, ORACLE, "accumulate:r=-2,b=1", "expected a whole number"),
    (read_estimator, ORACLE, "svrg:b=1,p=1.5", "p = 1.5 is outside (0, 1]"),
    (read_estimator, ORACLE, "svrg:b=1,p=nan", "expected a number"),
    (read_participation, TAKES_PART, "some", "known: all, uniform, independent"),
    (read_participation, TAKES_PART, "uniform", "uniform needs r="),
    (read_participation, TAKES_PART, "uniform:r=0", "r = 0 is below 1"),
    (read_participation, TAKES_PART, "independent", "independent needs p="),
    (read_participation, TAKES_PART, "independent:p=0", "p = 0.0 is outside (0, 1]"),
    (read_participation, TAKES_PART, "independent:p=1.01", "p = 1.01 is outside (0, 1]"),
    (read_schedule, "algorithm.schedule", "stairs:ratio=0.5", "stairs needs every="),
    (read_schedule, "algorithm.schedule", "stairs:ratio=0,every=5", "ratio must be in (0, 1]"),
    (read_schedule, "algorithm.schedule", "stairs:ratio=2,every=5", "ratio must be in (0, 1]"),
    (read_schedule, "algorithm.schedule", "stairs:ratio=1,every=0", "every at least 1"),
    (read_schedule, "algorithm.schedule", "inverse:kappa=0", "kappa = 0.0 is not positive"),
    (read_average, "algorithm.average", "linear:kappa=-1", "kappa = -1.0 is not positive"),
    (read_average, "algorithm.average", "geometric:q=1", "q = 1.0 is outside (0, 1)"),
    (read_average, "algorithm.average", "geometric:q=0", "q = 0.0 is outside (0, 1)"),
]


@pytest.mark.parametrize(("read", "field", "text", "reason"), REFUSED)
def test_bad_notation_is_refused_by_field(read, field, text, reason):
    """The field, and what would be right."""
    with pytest.raises(SpecError) as caught:
        read(text)
    assert field == caught.value.field
    assert reason in caught.value.reason


@seeded
@given(
    st.sampled_from([read_estimator, read_participation, read_schedule, read_average]),
    st.text(alphabet="abdefilmnoprstuvw-:=,.0123456789%", max_size=30),
)
def test_any_text_is_a_part_or_a_spec_error(read, text):
    """Nothing but SpecError, and what is read reads back."""
    try:
        part = read(text)
    except SpecError:
        return
    assert part == read(str(part))


# Batch sizes

RESOLVED = [
    ("minibatch:b=10%", 40, "minibatch:b=4"),
    ("minibatch:b=1%", 40, "minibatch:b=1"),
    ("minibatch:b=100%", 40, "minibatch:b=40"),
    ("minibatch:b=40", 40, "minibatch:b=40"),
    ("minibatch:b=99,replace", 40, "minibatch:b=99,replace=yes"),
    ("minibatch:b=10%", 0, "minibatch:b=1"),
    ("minibatch:b=7", 0, "minibatch:b=7"),
    ("two-point", 40, "two-point"),
    ("two-point:b=5%,whole=50%", 40, "two-point:b=2,whole=20"),
    ("svrg:b=4", 40, "svrg:b=4,p=0.1"),
    ("svrg:b=100%", 40, "svrg:b=40,p=1.0"),
    ("svrg:b=4,p=0.5", 0, "svrg:b=4,p=0.5"),
    ("full", 0, "full"),
]


@pytest.mark.parametrize(("text", "rows", "expected"), RESOLVED)
def test_sizes_are_of_the_smallest_workers_rows(text, rows, expected):
    """Percentages become rows, at least one; where a problem has none, one sample."""
    assert expected == str(read_estimator(text).resolve(rows))


@pytest.mark.parametrize(
    ("text", "rows", "reason"),
    [
        ("minibatch:b=41", 40, "b = 41 is outside 1..40, the rows of the smallest worker"),
        ("minibatch:b=0", 40, "a count must be at least 1"),
        ("minibatch:b=0,replace", 0, "a count must be at least 1"),
        ("minibatch:b=d/n", 40, "b = d/n is no number of rows"),
        ("two-point:b=4,whole=41", 40, "whole = 41 is outside 1..40"),
        ("svrg:b=4", 0, "svrg needs p="),
    ],
)
def test_sizes_that_cannot_be_are_refused(text, rows, reason):
    """A batch has at least one row, and without replacement no more than there are."""
    with pytest.raises(SpecError) as caught:
        read_estimator(text).resolve(rows)
    assert ORACLE == caught.value.field
    assert reason in caught.value.reason


@pytest.mark.parametrize(("rows", "replace"), [(0, False), (40, True), (40, False)])
def test_a_batch_of_none_made_without_the_notation_is_refused(rows, replace):
    with pytest.raises(SpecError, match="b = 0 is") as caught:
        Minibatch(Count("0"), replace).resolve(rows)
    assert ORACLE == caught.value.field
