"""Totals are sums of rows; nothing else is."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.results.events import Overhead, RoundRecord, Times, Traffic, WorkerRound
from netcomp.results.ledger import BOTTLENECKS, Ledger, Reached

from .conftest import WORKERS

counts = st.integers(0, 2**62)
traffics = st.builds(Traffic, st.integers(0, 2**50).map(float), counts, counts)


@pytest.fixture
def ledger(records):
    ledger = Ledger(WORKERS, 7)
    for record in records:
        ledger.add(record)
    return ledger


@given(st.lists(traffics))
def test_total_is_repeated_addition(parts):
    """Traffic.total(parts) == parts[0] + parts[1] + …, and Traffic() is its zero."""
    assert sum(parts, Traffic()) == Traffic.total(parts)


def test_totals_equal_the_sum_over_rounds_and_over_workers(ledger, records):
    """Both ways of adding up the same bytes agree exactly."""
    assert Traffic.total(r.up() for r in records) == ledger.up == Traffic.total(ledger.worker_up)
    assert Traffic.total(r.down() for r in records) == ledger.down
    assert Traffic.total(ledger.worker_down) == ledger.down


def test_times_are_the_means_of_the_rounds_added_up(ledger, records):
    """A worker that sat a round out does not dilute that round's mean."""
    expected = sum((r.mean_times() for r in records), Times())
    assert astuple(expected) == astuple(ledger.times)
    alone = RoundRecord(1, 1.0, (WorkerRound(2, Traffic(), Traffic(), Times(compute=3.0)),))
    lone = Ledger(WORKERS, 7)
    lone.add(alone)
    assert Times(compute=3.0) == lone.times
    assert Times() == lone.worker_times[0]


def test_time_shares_sum_to_one_or_are_all_zero(ledger):
    """Shares are fractions of their own sum."""
    assert pytest.approx(1) == sum(ledger.time_shares().values())
    assert dict.fromkeys(BOTTLENECKS, 0.0) == Ledger(1, 1).time_shares()


@pytest.mark.parametrize(("share", "name"), BOTTLENECKS.items())
def test_bottleneck_names_the_largest_share(share, name):
    """Each of the five shares has its own word."""
    ledger = Ledger(1, 1)
    times = Times(1, 1, 1, 1, 1) + Times(**{share: 1})
    ledger.add(RoundRecord(1, 1.0, (WorkerRound(0, Traffic(), Traffic(), times),)))
    assert name == ledger.bottleneck()


def test_first_reaching_counts(records):
    """A target is reached once, at the totals of that moment."""
    ledger = Ledger(WORKERS, 7)
    for record in records[:5]:
        ledger.add(record)
    first = ledger.mark_reached("loss")
    assert Reached(4, records[4].seconds, ledger.up, ledger.down) == first
    ledger.add(records[5])
    assert first == ledger.mark_reached("loss") == ledger.reached["loss"]


def test_last_probe_and_best(records):
    """The best probe has the smallest finite ‖∇f‖²; unprobed rounds change neither."""
    ledger = Ledger(WORKERS, 7)
    assert ledger.last_probe is None
    values = [3.0, 1.0, float("nan"), 2.0, float("inf"), None]
    for number, value in enumerate(values):
        ledger.add(RoundRecord(number, float(number), (), None, value))
    assert (ledger.best.round, ledger.best.grad_norm_sq) == (1, 1.0)
    assert ledger.last_probe.round == 4


def test_an_impossible_record_changes_nothing(ledger):
    """An unknown worker or an earlier round is refused before anything is added."""
    before = (ledger.rounds, ledger.up, ledger.times)
    part = WorkerRound(WORKERS, Traffic(1, 1, 1), Traffic(), Times())
    with pytest.raises(ValueError, match=f"worker {WORKERS} of {WORKERS}"):
        ledger.add(RoundRecord(99, 99.0, (part,)))
    with pytest.raises(ValueError, match="round 3 recorded after"):
        ledger.add(RoundRecord(3, 99.0))
    assert before == (ledger.rounds, ledger.up, ledger.times)


def test_overhead_adds_field_by_field():
    """Overheads of two links add up."""
    assert Overhead(2, 4, 6, 8, 10, 12) == Overhead(1, 2, 3, 4, 5, 6) + Overhead(1, 2, 3, 4, 5, 6)
    assert Overhead(1, 2, 3, 4, 5, 6).as_dict()["probe"] == {"up": 5, "down": 6}


def test_scaled_and_total():
    """Scaling scales the total."""
    assert Times(1, 2, 3, 4, 5).scaled(2).total == 30
