"""Emulated links: the formula exactly on the virtual clock, its lower bound on real sockets."""

import asyncio
import math
import tomllib
from fractions import Fraction
from itertools import pairwise

import pytest

import netcomp
from netcomp.draw import Direction, Draw
from netcomp.experiment.spec import Spec
from netcomp.link import Link
from netcomp.net import loops
from support.cluster import METHODS, WORKERS, in_memory, on_sockets, serving, small

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


# The server's own rates, jitter, traces, computing


def test_the_servers_rates_are_shared_by_all():
    """Three equal frames through a server of 1 KiB/s each way: a round takes three of each."""
    network = {"server": {"send": "1 KiB/s", "receive": "2 KiB/s"}}
    records = in_memory(small(algorithm=METHODS["gd"], network=network)).records

    for record, wall in zip(records[1:], durations(records), strict=True):
        down, up = record.down().wire_bytes, record.up().wire_bytes
        assert Fraction(down, 1024) + Fraction(up, 2048) == wall


def test_a_slow_worker_leaves_the_servers_rate_to_the_others():
    """Through 6 KiB/s a worker of 1 KiB/s takes that, and two others 2.5 KiB/s each."""
    network = {
        "server": {"send": "6 KiB/s"},
        "worker": {"1": {"downlink": "1 KiB/s"}},
        "uplink": ["1 KiB/s", "unlimited", "unlimited"],
    }
    records = in_memory(small(algorithm=METHODS["gd"], network=network)).records

    for record, wall in zip(records[1:], durations(records), strict=True):
        down = [Fraction(w.down.wire_bytes) for w in record.workers]
        first = down[0] / 2560 + Fraction(record.workers[0].up.wire_bytes, 1024)
        assert float(max(first, down[1] / 1024)) == pytest.approx(wall, rel=1e-12)


JITTERY = {"latency": "10 ms", "jitter": "5 ms"}


def test_jitter_is_drawn_for_each_frame_and_is_the_same_every_time():
    """A round takes two latencies and the most of three workers' two draws, by key."""
    records = in_memory(small(network=JITTERY)).records
    walls = durations(records)

    assert walls == durations(in_memory(small(network=JITTERY)).records)
    assert walls != durations(in_memory(small(network=JITTERY, seed=2)).records)
    for number, wall in enumerate(walls):
        draws = [
            sum(
                Link(latency=0.01, jitter=0.005).delay(
                    Draw(1, round=number, direction=way, worker=worker)
                )
                for way in (Direction.DOWN, Direction.UP)
            )
            for worker in range(WORKERS)
        ]
        assert max(draws) == pytest.approx(wall, rel=1e-9)
        assert 0.02 <= wall < 0.03


def test_a_trace_gives_and_takes(tmp_path):
    """An uplink of 1 KiB/s that pauses every other second: rounds end only while it carries."""
    (tmp_path / "t.csv").write_text("0,8192\n1,0\n")
    network = {"uplink": f"trace:{tmp_path}/t.csv"}
    records = in_memory(small(algorithm=METHODS["gd"], network=network)).records

    sent = 0.0
    for record in records[1:]:
        sent += max(w.up.wire_bytes for w in record.workers) / 1024
        whole, rest = divmod(sent, 1.0)
        ended = 2 * whole + rest if rest else 2 * whole - 1
        assert ended == pytest.approx(record.seconds, rel=1e-9)


def test_a_worker_of_its_own_and_a_profile():
    """A worker's table goes before what all have, a value before the profile's."""
    tree = small(
        network={
            "profile": ["adsl", "fibre", "lan"],
            "latency": "1 ms",
            "overhead": "wire",
            "worker": {"1": {"uplink": "1 MB/s"}, "2": {"profile": "4g", "jitter": "0 s"}},
        }
    )
    spec = Spec.parse(tree)
    links = spec.network.links(WORKERS, spec.seed)

    share = 1448 / 1514
    assert Link(48_000 * share, 0.001) == links[0][0]
    assert Link(187_500 * share, 0.001) == links[0][1]
    assert Link(1e6 * share, 0.001) == links[1][0]
    assert Link(2.5e6 * share, 0.001) == links[1][1]
    assert [Link(1.5e6 * share, 0.035)] * 2 == [*links[2]]


def test_latency_may_differ_by_direction():
    network = {"latency": "5 ms", "uplink_latency": "20 ms"}
    ((up, down), *_) = Spec.parse(small(network=network)).network.links(WORKERS, 1)
    assert (0.02, 0.005) == (up.latency, down.latency)


def test_a_workers_own_latency_goes_before_what_all_have_each_way():
    network = {
        "uplink_latency": "50 ms",
        "worker": {"0": {"latency": "1 ms"}, "1": {"latency": "1 ms", "uplink_latency": "2 ms"}},
    }
    links = Spec.parse(small(network=network)).network.links(WORKERS, 1)
    assert [(0.001, 0.001), (0.002, 0.001), (0.05, 0.0)] == [
        (up.latency, down.latency) for up, down in links
    ]


@pytest.mark.parametrize(
    ("network", "title"),
    [
        ({}, "unlimited links"),
        ({"uplink": "1 Mbit/s"}, "1 Mbit/s up, unlimited down, 0 s latency"),
        ({"profile": "cable"}, "cable"),
        ({"profile": "cable", "latency": "5 ms"}, "cable, 5 ms latency"),
        ({"profile": "4g", "uplink": "1 Mbit/s"}, "4g, 1 Mbit/s up"),
        ({"profile": "4g", "uplink_latency": "1 s"}, "4g, 1 s latency up"),
        ({"uplink_latency": "50 ms"}, "unlimited up, unlimited down, 50 ms latency up"),
        ({"profile": ["4g", "lan", "leo"], "overhead": "wire"}, "4g … leo, headers counted"),
    ],
)
def test_a_title_names_the_links_there_were(network, title):
    assert title == Spec.parse(small(network=network)).network.label()


def test_the_servers_own_rate_is_the_bottleneck_where_it_is(tmp_path):
    """Travel is split by what is scarce: the links alone would say nothing, or the contrary."""
    for way, other, own in (("down", "up", "send"), ("up", "down", "receive")):
        network = {"uplink": "1 MB/s", "downlink": "1 MB/s", "server": {own: "1 KiB/s"}}
        for links in (network, {"server": network["server"]}):
            times = (
                in_memory(small(algorithm=METHODS["gd"], network=links)).records[-1].mean_times()
            )
            assert getattr(times, way) > 100 * getattr(times, other)


def test_a_run_folder_tells_the_rates_drawn_and_runs_anywhere(tmp_path, monkeypatch):
    """Its spec has the rates as a list that may stand in [network], and whole paths of traces."""
    (tmp_path / "t.csv").write_text("0,8192\n1,4096\n")
    monkeypatch.chdir(tmp_path)
    network = {
        "uplink": "lognormal:median=10 Mbit/s,sigma=0.5",
        "downlink": "1 Mbit/s",
        "worker": {"1": {"downlink": "trace:t.csv"}},
    }
    tree = small(network=network | {"clock": "virtual"}, record={"dir": str(tmp_path / "runs")})
    folder = netcomp.run(tree).run_dir
    written = tomllib.loads((folder / "spec.toml").read_text())
    told = written["resolved"]["network"]
    drawn = Spec.parse(tree).network.links(WORKERS, 1)
    again = Spec.parse(small(network={"uplink": told["uplink"]})).network.links(WORKERS, 1)
    assert [up for up, _ in drawn] == [up for up, _ in again]
    assert ["1 Mbit/s", "6.144 kbit/s", "1 Mbit/s"] == told["downlink"]
    assert f"trace:{tmp_path}/t.csv" == written["network"]["worker"]["1"]["downlink"]


def test_every_worker_draws_its_own_rate_by_seed():
    network = {"uplink": "lognormal:median=10 Mbit/s,sigma=0.5"}
    spec = Spec.parse(small(network=network)).network
    rates = [up.rate for up, _ in spec.links(WORKERS, 1)]
    assert WORKERS == len({*rates})
    assert rates == [up.rate for up, _ in spec.links(WORKERS, 1)]
    assert rates != [up.rate for up, _ in spec.links(WORKERS, 2)]


def test_an_answer_takes_what_the_spec_says_on_the_virtual_clock():
    """The slowest of the computing workers decides; its seconds are `compute` in the record."""
    tree = small(
        algorithm=METHODS["gd"],
        cluster={"compute": ["0 s", "250 ms", "5 ms"]},
        network={**LINK, "clock": "virtual"},
    )
    records = in_memory(tree).records

    for record, wall in zip(records[1:], durations(records), strict=True):
        trips = [sum(trip(part, UP, DOWN, LATENCY)) for part in record.workers]
        compute = [part.times.compute for part in record.workers]
        assert [0.0, 0.25, pytest.approx(0.005, rel=1e-9)] == compute
        assert float(trips[1]) + 0.25 == pytest.approx(wall, rel=1e-12)
        assert all(0.0 == part.times.compress for part in record.workers)


def test_measured_computing_takes_time_and_changes_no_number():
    plain = in_memory(small(algorithm=METHODS["marina"], network=LINK))
    tree = small(algorithm=METHODS["marina"], network=LINK, cluster={"compute": "measured"})
    measured = in_memory(tree)

    assert plain.trajectory == measured.trajectory
    assert all(
        a > b for a, b in zip(durations(measured.records), durations(plain.records), strict=True)
    )
    assert all(w.times.compute > 0 for r in measured.records[1:] for w in r.workers)


ALL_AT_ONCE = {
    "uplink": "lte:mean=2 MB/s",
    "downlink": ["100 kB/s", "on-off:rate=1 MB/s,on=50 ms,off=5 ms", "unlimited"],
    "latency": "2 ms",
    "jitter": "3 ms",
    "server": {"receive": "400 kB/s", "send": "300 kB/s"},
    "overhead": "wire",
}


@pytest.mark.parametrize("method", ["gd", "m3", "marina-p perm-k"])
def test_real_and_virtual_take_the_same_path(method, loop_name):
    """Bit for bit, whatever the links do: time decides about time only."""
    tree = small(algorithm=METHODS[method], network=ALL_AT_ONCE)
    real, virtual = on_sockets(tree, 2), in_memory(tree)

    assert virtual.trajectory == real.trajectory
    assert virtual.traffic == real.traffic
    assert real.consistent


def test_real_sockets_are_never_faster_than_the_servers_rate(loop_name):
    """No round is over before the shared rate lets it: at least the ideal less 2 ms a way.

    An incoming frame is noticed by its first piece, and counts from when that must have left.
    """
    network = {"uplink": "256 kB/s", "server": {"receive": "256 kB/s", "send": "128 kB/s"}}
    tree = small(problem={"dim": 8000}, network=network, stop={"rounds": 2}, record={"every": 99})
    ideal = durations(in_memory(tree).records)
    real = durations(on_sockets(tree, WORKERS).records)

    assert all(one >= least - 4e-3 for one, least in zip(real, ideal, strict=True))


def test_lag_is_counted_at_both_ends():
    """Each data frame passes a rate and a delay each way; a delay alone counts as one."""

    async def course():
        async with serving(small(network={**LINK, "latency": "1 ms"}, stop={"rounds": 2})) as one:
            await asyncio.gather(one.played(), one.worker(WORKERS))
        return one.server.lag

    assert 4 * 2 * WORKERS == loops.run(course()).transfers
