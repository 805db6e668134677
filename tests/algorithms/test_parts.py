"""Estimators, participation, schedules and averages: their notation and what they compute."""

from itertools import product

import numpy as np
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
from netcomp.draw import ALL, Direction, Draw, Purpose
from netcomp.errors import SpecError
from netcomp.roles import Batch
from support.cases import logistic

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
        ("minibatch:b=0", 40, "b = 0 is outside 1..40"),
        ("minibatch:b=0", 0, "b = 0 is no batch"),
        ("minibatch:b=0,replace", 40, "b = 0 is no batch"),
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


# What the estimators ask for


class Asked:
    """An oracle that notes the batches it is asked for; ∇f_i(z) = z."""

    rows = 10

    def __init__(self):
        self.batches = []

    def gradient(self, x, batch=None):
        self.batches.append(batch)
        return x.copy()


KEY = Draw(3, round=5, direction=Direction.UP, worker=2)


def asked(text, state=None, key=KEY, z=1.0):
    oracle = Asked()
    read_estimator(text).gradient(state, oracle, np.full(2, z), key)
    return oracle.batches


def test_batches_are_drawn_from_the_workers_key():
    """One batch a gradient, R of different sub-rounds accumulated, one at both points."""
    assert [None] == asked("full") == asked("two-point:b=3")
    assert [Batch(3, KEY)] == asked("minibatch:b=3")
    assert [Batch(3, KEY, replace=True)] == asked("minibatch:b=3,replace")
    assert [Batch(3, KEY.at(sub=r)) for r in range(4)] == asked("accumulate:r=4,b=3")
    assert [Batch(6, KEY)] == asked("two-point:b=3,whole=6")
    oracle = Asked()
    z = np.ones(2)
    assert [2.0, 2.0] == TwoPoint(Count("3")).change(oracle, 3 * z, z, KEY).tolist()
    assert [Batch(3, KEY)] * 2 == oracle.batches


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_svrg_asks_for_all_rows_when_its_point_moves(p):
    """Two gradients over one batch, and the full one at first and after a coin of 1."""
    svrg, oracle, z = LooplessSvrg(Count("3"), p), Asked(), np.ones(2)
    estimate, state = svrg.gradient(None, oracle, z, KEY)
    whole = [None] if p else []
    assert [None, Batch(3, KEY), Batch(3, KEY), *whole] == oracle.batches
    assert [1.0, 1.0] == estimate.tolist()
    oracle.batches.clear()
    svrg.gradient(state, oracle, 2 * z, KEY)
    assert [Batch(3, KEY), Batch(3, KEY), *whole] == oracle.batches


@pytest.mark.parametrize("text", ["minibatch:b=3", "accumulate:r=2,b=3", "svrg:b=3,p=0.5"])
def test_estimates_are_unbiased(text):
    """The mean over many rounds' keys is ∇f_i, to the accuracy their number allows."""
    oracle = logistic(4, 1).oracles[0]
    z, y = np.ones(4), np.zeros(4)
    state = (y, oracle.gradient(y)) if text.startswith("svrg") else None
    estimator, rounds = read_estimator(text), 4000
    found = np.array(
        [estimator.gradient(state, oracle, z, KEY.at(round_=t))[0] for t in range(rounds)]
    )
    spread = found.std(axis=0) / rounds**0.5
    assert (np.abs(found.mean(axis=0) - oracle.gradient(z)) < 6 * spread).all()


def test_every_use_of_a_round_has_a_stream_of_its_own():
    """Coins, participation, sparsifiers and minibatches of either direction never coincide.

    Nor do the draws of a worker drawn again, the accumulated batches and svrg's coin.
    """
    keys = {}
    for worker, sub in product(range(3), range(3)):
        key = Draw(1, 7, sub, Direction.UP, worker)
        for purpose in (Purpose.SPARSIFIER, Purpose.QUANTIZER, Purpose.MINIBATCH):
            keys[f"up {worker} {sub} {purpose.name}"] = key.stream(purpose)
        for purpose in (Purpose.SPARSIFIER, Purpose.QUANTIZER):
            down = key.at(direction=Direction.DOWN)
            keys[f"down {worker} {sub} {purpose.name}"] = down.stream(purpose)
    shared = Draw(1, 7)
    keys["broadcast"] = shared.at(direction=Direction.DOWN).stream(Purpose.SPARSIFIER)
    keys["up coin"] = shared.at(direction=Direction.UP).stream(Purpose.COIN)
    keys["down coin"] = shared.at(direction=Direction.DOWN).stream(Purpose.COIN)
    keys["svrg coin"] = shared.stream(Purpose.COIN)
    keys["participation"] = shared.stream(Purpose.PARTICIPATION)
    keys["next round's"] = Draw(1, 8).stream(Purpose.PARTICIPATION)
    first = {name: tuple(stream.words64(2)) for name, stream in keys.items()}
    assert len(first) == len(set(first.values()))


def test_svrgs_coin_is_the_workers_and_marinas_are_the_directions():
    """One svrg coin a round for all workers, independent of both directions' coins."""
    tosses = {
        direction: [Draw(1, t, direction=direction).coin(0.5) for t in range(64)]
        for direction in Direction
    }
    assert 3 == len({tuple(found) for found in tosses.values()})
    svrg = LooplessSvrg(Count("1"), 0.5)
    for worker in range(3):
        moved = []
        for t in range(64):
            key = Draw(1, t, direction=Direction.UP, worker=worker)
            state = np.zeros(2), np.zeros(2)
            _, (y, _) = svrg.gradient(state, Asked(), np.ones(2), key)
            moved.append(bool(y.any()))
        assert tosses[Direction.NONE] == moved


# Who takes part


def test_everybody_hears_and_speaks():
    """All: every worker, with the key it was given."""
    assert [0, 1, 2] == [*Everybody().hearers(3, Draw(1))]
    assert ([KEY], 3, 1.0) == (Everybody().keys(3, 2, KEY), Everybody().speakers(3), 1.0)


def draws_of(n, r, t, seed=0):
    """Return the worker of each of the r draws of a round."""
    found = {}
    for worker in range(n):
        key = Draw(seed, t, direction=Direction.UP, worker=worker)
        for one in Uniform(r).keys(n, worker, key):
            assert key == one.at(sub=0)
            found[one.sub] = worker
    assert [*range(r)] == sorted(found)
    return tuple(found[j] for j in range(r))


def test_whose_the_draws_are_does_not_depend_on_what_was_asked_before():
    """Rounds, seeds and sizes in turn give what each gives alone: the first r words of its key."""
    cases = [(3, 7, 1, 0), (3, 7, 2, 0), (4, 7, 1, 0), (3, 6, 1, 0), (3, 7, 1, 5)]
    alone = [
        Draw(seed, t).stream(Purpose.PARTICIPATION).below(n, r).tolist() for n, r, t, seed in cases
    ]
    for _ in range(2):
        assert alone == [[*draws_of(*case)] for case in cases]


def test_uniform_draws_are_uniform_over_all_sequences():
    """R draws with replacement: each of the n^r sequences equally often, duplicates included."""
    n, r, rounds = 3, 2, 9000
    counts = np.zeros((n, n))
    for t in range(rounds):
        counts[draws_of(n, r, t)] += 1
    expected = rounds / n**r
    spread = (expected * (1 - 1 / n**r)) ** 0.5
    assert (np.abs(counts - expected) < 5.5 * spread).all()


def test_uniform_divides_by_its_draws_and_all_hear():
    """R messages in all, of as many senders as there were draws; more draws than workers too."""
    assert 5 == Uniform(5).speakers(3)
    assert [0, 1, 2] == [*Uniform(1).hearers(3, Draw(1))]
    for t in range(50):
        assert 7 == len(draws_of(3, 7, t))


def test_each_subset_of_workers_is_there_with_its_probability():
    """Independent: P(S) = p^|S| (1 − p)^(n − |S|), the empty set included."""
    n, p, rounds = 3, 0.3, 9000
    part, counts = Independent(p), {}
    for t in range(rounds):
        here = tuple(part.hearers(n, Draw(5, t)))
        counts[here] = counts.get(here, 0) + 1
    for bits in product([0, 1], repeat=n):
        here = tuple(i for i in range(n) if bits[i])
        chance = p ** len(here) * (1 - p) ** (n - len(here))
        spread = (rounds * chance * (1 - chance)) ** 0.5
        assert abs(counts.get(here, 0) - rounds * chance) < 5.5 * spread
    assert (0.3, 3) == (part.share, part.speakers(3))


def test_who_is_there_is_known_to_both_ends():
    """Any key of the round gives the same workers: the server's, a worker's, either direction's."""
    for t in range(20):
        expected = Independent(0.5).hearers(9, Draw(1, t))
        for direction, worker in product(Direction, (ALL, 0, 5)):
            key = Draw(1, t, 0, direction, worker)
            assert expected == Independent(0.5).hearers(9, key)
    assert [*range(9)] == Independent(1.0).hearers(9, Draw(1))


# Steps and averages


def test_factors_by_hand():
    """Small numbers of each schedule; every one begins with 1."""
    assert [1.0] * 5 == [Constant().factor(t) for t in range(5)]
    assert [1, 1, 0.5, 0.5, 0.25] == [Stairs(0.5, 2).factor(t) for t in range(5)]
    assert [1, 0.8, 4 / 6, 4 / 7, 0.5] == [Inverse(4).factor(t) for t in range(5)]


WEIGHTS = {
    "none": lambda t, last: float(t == last),
    "equal": lambda t, last: 1.0,
    "linear:kappa=2.5": lambda t, last: 2.5 + t,
    "linear:kappa=1e6": lambda t, last: 1e6 + t,
    "geometric:q=0.9": lambda t, last: 0.9 ** -(t + 1),
    "geometric:q=0.01": lambda t, last: 0.01 ** -(t + 1 - last),
    "geometric:q=0.999999": lambda t, last: 0.999999 ** -(t + 1),
}


@pytest.mark.parametrize("text", WEIGHTS)
def test_the_running_average_is_the_weighted_sum(text):
    """x̄ ← x̄ + share (x − x̄) is Σ w_t x^t / Σ w_t, after each of many rounds."""
    average, points = read_average(text), np.random.default_rng(1).normal(size=(120, 3))
    running = points[0]
    assert 1.0 == average.share(0)
    for last in range(1, len(points)):
        running = running + average.share(last) * (points[last] - running)
        weights = np.array([WEIGHTS[text](t, last) for t in range(last + 1)])
        expected = weights @ points[: last + 1] / weights.sum()
        np.testing.assert_allclose(running, expected, rtol=1e-9, atol=1e-12)


def test_shares_stay_shares_for_ever():
    """In (0, 1] however long the run: no overflow of q^−t, no division by zero."""
    for average in (Equal(), Linear(3.0), Geometric(0.5), Geometric(1e-9), Geometric(1 - 1e-12)):
        for t in (0, 1, 10, 10**4, 10**9):
            assert 0 < average.share(t) <= 1
