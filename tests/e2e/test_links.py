"""Emulated links: the formula exactly on the virtual clock, its lower bound on real sockets."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest

from support.cluster import METHODS, WORKERS, in_memory, on_sockets, small

# Powers of two: every figure is exact in binary, so that equal means equal.
UP, DOWN, LATENCY = 1024, 4096, Fraction(1, 8)
LINK = {"uplink": "1 KiB/s", "downlink": "4 KiB/s", "latency": "125 ms"}
UPS, DOWNS = [1024, 2048, 512], [4096, 8192, 16384]
LATENCIES = [Fraction(1, 4), Fraction(1, 8), Fraction(1, 2)]
UNEQUAL = {
    "uplink": ["1 KiB/s", "2 KiB/s", "512 B/s"],
    "downlink": ["4 KiB/s", "8 KiB/s", "16 KiB/s"],
    "latency": ["250 ms", "125 ms", "500 ms"],
}
EXACT = pytest.mark.parametrize("method", METHODS)


def trip(part, up, down, latency):
    """Seconds from the server's word to the end of the worker's answer, exactly."""
    there = Fraction(part.down.wire_bytes, down) + latency
    back = Fraction(part.up.wire_bytes, up) + latency
    return there, back


def durations(records):
    return [b.seconds - a.seconds for a, b in pairwise(records)]


@EXACT
def test_a_round_takes_what_the_formula_says(method):
    """bytes/rate + latency down, bytes/rate + latency up: exactly, every round, every worker."""
    records = in_memory(small(algorithm=METHODS[method], network=LINK)).records

    expected = [
        max(sum(trip(part, UP, DOWN, LATENCY)) for part in record.workers) for record in records[1:]
    ]
    assert expected == durations(records)
    assert sum(expected) == records[-1].seconds


@EXACT
def test_the_slowest_worker_decides(method):
    """With a list a direction each worker has its own link, and a round lasts as the longest."""
    records = in_memory(small(algorithm=METHODS[method], network=UNEQUAL)).records

    trips = [
        [sum(trip(w, UPS[w.worker], DOWNS[w.worker], LATENCIES[w.worker])) for w in r.workers]
        for r in records[1:]
    ]
    assert [max(row) for row in trips] == durations(records)
    waits = [[w.times.wait for w in record.workers] for record in records[1:]]
    assert [[max(row) - own for own in row] for row in trips] == waits


@pytest.mark.parametrize("network", [LINK, UNEQUAL], ids=["equal", "unequal"])
@EXACT
def test_shares_add_up_to_the_wall_time(method, network):
    """The five shares of every worker sum to the round's wall time, exactly on this clock."""
    records = in_memory(small(algorithm=METHODS[method], network=network)).records

    for record, wall in zip(records[1:], durations(records), strict=True):
        for part in record.workers:
            assert (0.0, 0.0) == (part.times.compute, part.times.compress)
            assert wall == math.fsum(part.times.as_dict().values())


def test_up_and_down_are_the_two_ways():
    """A worker's uplink and downlink shares are what its own link takes for either message."""
    records = in_memory(small(algorithm=METHODS["gd"], network=UNEQUAL)).records

    for record in records[1:]:
        for part in record.workers:
            ways = trip(part, UPS[part.worker], DOWNS[part.worker], LATENCIES[part.worker])
            found = (part.times.down, part.times.up)
            assert found == pytest.approx([float(way) for way in ways], rel=1e-12)


def test_odd_figures_are_right_to_the_last_digits():
    """Rates and latencies of everyday: the clock is the formula's sum to twelve digits."""
    network = {"uplink": "1 Mbit/s", "downlink": "10 Mbit/s", "latency": "20 ms"}
    records = in_memory(small(algorithm=METHODS["m3"], network=network)).records

    rounds = [
        max(w.down.wire_bytes / 1.25e6 + w.up.wire_bytes / 1.25e5 + 0.04 for w in r.workers)
        for r in records[1:]
    ]
    assert math.fsum(rounds) == pytest.approx(records[-1].seconds, rel=1e-12)


def test_an_unlimited_link_takes_no_time():
    """Without links to emulate nothing on the virtual clock takes any time at all."""
    assert 0.0 == in_memory(small()).records[-1].seconds


def test_budgets_of_seconds_are_kept():
    """stop.seconds ends the run after the first round that reaches it, not one later."""
    whole = in_memory(small(network=LINK)).records
    budget = whole[6].seconds
    cut = in_memory(small(network=LINK, stop={"rounds": 100, "seconds": budget}))

    assert ("seconds", 6) == (cut.outcome.stopped_by, cut.records[-1].round)
    assert [r.seconds for r in whole[:7]] == [r.seconds for r in cut.records]


def test_a_budget_of_bytes_is_kept():
    """stop.uplink_bytes ends the run after the first round whose total reaches it."""
    whole = in_memory(small())
    a_round = whole.records[1].up().wire_bytes
    cut = in_memory(small(stop={"rounds": 100, "uplink_bytes": 3 * a_round}))

    assert ("uplink_bytes", 3) == (cut.outcome.stopped_by, cut.records[-1].round)


@pytest.mark.parametrize(
    "network",
    [
        {"uplink": "16 kB/s", "downlink": "64 kB/s", "latency": "5 ms"},
        {"uplink": ["64 kB/s", "16 kB/s", "64 kB/s"]},
        {"downlink": "32 kB/s"},
        {"latency": ["1 ms", "5 ms", "10 ms"]},
    ],
    ids=["all", "one slow worker", "down", "latency"],
)
def test_real_sockets_are_never_faster_than_the_link(network, loop_name):
    """No round is over before the slowest link lets it: at least the ideal less 1 ms.

    The frames are longer than a chunk, so that the pieces in between are on schedule too.
    """
    tree = small(problem={"dim": 800}, network=network, stop={"rounds": 3}, record={"every": 100})
    played = on_sockets(tree, 2)
    ideal = durations(in_memory(tree).records)

    assert all(
        real >= least - 1e-3 for real, least in zip(durations(played.records), ideal, strict=True)
    )
    assert "rounds" == played.outcome.stopped_by


def test_real_shares_add_up_to_the_wall_time(loop_name):
    """On real sockets, too, no second of a round is lost or counted twice."""
    tree = small(algorithm=METHODS["m3"], network={"uplink": "64 kB/s", "latency": "1 ms"})
    records = on_sockets(tree, WORKERS).records

    for record, wall in zip(records[1:], durations(records), strict=True):
        for part in record.workers:
            assert all(share >= 0 for share in part.times.as_dict().values())
            assert wall == pytest.approx(part.times.total, abs=1e-9)
