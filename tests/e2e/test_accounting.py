"""Every byte is counted, once, and three parties count the same: worker, server, relay."""

import asyncio
import json

import pytest

from netcomp.draw import Direction, Draw
from netcomp.experiment.run import execute
from netcomp.experiment.spec import Spec
from netcomp.net import loops
from netcomp.protocol.session import Side
from netcomp.results.readers import read_rounds, read_workers
from netcomp.wire.frames import FrameKind
from relay import Relay
from support.cluster import (
    DIM,
    METHODS,
    ROUNDS,
    WORKERS,
    in_memory,
    on_sockets,
    over_sockets,
    serving,
    small,
    spied,
)

SPOKEN = range(1, ROUNDS)  # round 0 has no downlink vector
SLOW = {"uplink": "16 kB/s", "downlink": "64 kB/s", "latency": "1 ms"}


async def through_a_relay(tree, processes=WORKERS):
    """Run with a relay between every worker and the server; return the run and the relay."""
    async with serving(tree) as cluster, Relay(cluster.host, cluster.port) as relay:
        workers = cluster.spec.cluster.workers
        tasks = [cluster.worker(workers // processes, port=relay.port) for _ in range(processes)]
        played = await cluster.played()
        await asyncio.gather(*tasks)
        for connection in relay.connections:
            await connection.wait_closed()
        return played, relay.connections


@pytest.mark.parametrize("network", [{}, SLOW], ids=["unlimited", "slow"])
@pytest.mark.parametrize("method", ["gd", "marina", "m3"])
def test_three_parties_count_the_same(method, network, loop_name, monkeypatch):
    """Worker, relay and server agree on each connection, both directions, to the byte."""
    made = spied(monkeypatch)
    tree = small(algorithm=METHODS[method], network=network)
    played, relayed = loops.run(through_a_relay(tree))
    workers, servers = made[Side.WORKER], made[Side.SERVER]

    assert played.consistent
    assert WORKERS == len(relayed) == len(workers) == len(servers)
    passed = sorted((one.up, one.down) for one in relayed)
    assert passed == sorted((one.bytes_sent, one.bytes_received) for one in workers)
    assert passed == sorted((one.bytes_received, one.bytes_sent) for one in servers)
    for one in workers + servers:
        assert one.bytes_sent == one.session.sent.total
        assert one.bytes_received == one.session.received_bytes.total


def test_slots_of_one_process_have_connections_of_their_own(monkeypatch):
    """Three slots of a process are three connections, each counted for itself."""
    made = spied(monkeypatch)
    played, relayed = loops.run(through_a_relay(small(), processes=1))

    assert played.consistent
    assert sorted((one.up, one.down) for one in relayed) == sorted(
        (one.bytes_sent, one.bytes_received) for one in made[Side.WORKER]
    )


@pytest.mark.parametrize("method", METHODS)
def test_columns_add_up_to_the_socket(method, monkeypatch):
    """Handshake, control, probe and data columns together are all that went over the sockets."""
    made = spied(monkeypatch)
    played = on_sockets(small(algorithm=METHODS[method]), 2)
    servers = made[Side.SERVER]
    columns = played.overhead.as_dict()

    apart = {way: sum(column[way] for column in columns.values()) for way in ("up", "down")}
    assert sum(one.bytes_received for one in servers) == apart["up"] + played.total("up")
    assert sum(one.bytes_sent for one in servers) == apart["down"] + played.total("down")
    assert sum(one.session.received_bytes["data"] for one in servers) == played.total("up")
    assert sum(one.session.sent["data"] for one in servers) == played.total("down")
    assert in_memory(small(algorithm=METHODS[method])).overhead == played.overhead


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_files_and_summary_tell_the_same(clock, tmp_path, monkeypatch):
    """Rows, per-worker records and totals are three views of the same bytes."""
    monkeypatch.setattr("netcomp.experiment.recorder.plot_run", lambda _: [])
    tree = small(algorithm=METHODS["m3"], network={"clock": clock}, record={"dir": str(tmp_path)})
    result = execute(Spec.parse(tree))
    rows, records = read_rounds(result.run_dir), read_workers(result.run_dir)

    assert result.summary["consistent"] is True
    assert json.loads((result.run_dir / "summary.json").read_text()) == result.summary
    for way, side in (("uplink", "up"), ("downlink", "down")):
        for count in ("paper_bits", "payload_bytes", "wire_bytes"):
            total = result.summary[way][count]
            assert total == sum(row[side][count] for row in rows)
            assert total == sum(records[f"{side}_{count}"].tolist())


def test_identity_costs_what_the_papers_say():
    """gd: 32 d paper bits and 4 d payload bytes a message; round 0 has no vector downlink."""
    played = in_memory(small(algorithm=METHODS["gd"]))

    for way, messages in (("up", ROUNDS * WORKERS), ("down", len(SPOKEN) * WORKERS)):
        assert 32 * DIM * messages == played.total(way, "paper_bits")
        assert 4 * DIM * messages == played.total(way, "payload_bytes")


@pytest.mark.parametrize(
    ("up", "nbytes", "bits"),
    [
        ("rand-k:k=5", 4 * 5, 32 * 5),
        ("rand-k:k=5+f16", 2 * 5, 16 * 5),
        ("rand-k:k=5+f64", 8 * 5, 64 * 5),
        ("rand-k:k=16+natural", 16 + 2, 9 * 16),
        ("perm-k", 4 * 8, 32 * 8),
        ("natural", 24 + 3, 9 * 24),
    ],
)
def test_payloads_are_what_the_compressor_predicts(up, nbytes, bits):
    """dcgd: every uplink message has exactly its compressor's bytes and the papers' bits."""
    played = in_memory(small(algorithm={"name": "dcgd", "up": up, "step_size": 0.1}))
    traffic = {(w.up.payload_bytes, w.up.paper_bits) for r in played.records for w in r.workers}

    assert {(nbytes, bits)} == traffic


def test_sparse_payloads_carry_their_indices():
    """top-k: four bytes of value for each of k coordinates, and an index in fewer than four."""
    tree = small(algorithm={"name": "dcgd", "up": "top-k:k=6", "step_size": 0.1})

    traffic = {w.up.payload_bytes for r in in_memory(tree).records for w in r.workers}

    assert 4 * 6 < min(traffic) <= max(traffic) < 8 * 6


@pytest.mark.parametrize(("method", "way"), [("marina", "up"), ("marina-p perm-k", "down")])
def test_the_coin_decides_what_a_round_costs(method, way):
    """Marina's channels: all d where the round's coin says so (or nothing is known), else k."""
    played = in_memory(small(algorithm=METHODS[method]))
    direction = Direction.UP if way == "up" else Direction.DOWN
    p, k = getattr(played.plan, way).p, 8  # perm-k: d/n = 8

    def tossed(round_):
        return Draw(1).at(round_=round_, direction=direction).coin(p)

    first = DIM if way == "up" else 0
    expected = [4 * first] + [4 * (DIM if tossed(t) else k) for t in SPOKEN]
    found = [{getattr(w, way).payload_bytes for w in r.workers} for r in played.records[1:]]
    assert [{nbytes} for nbytes in expected] == found
    assert {4 * DIM, 4 * k} <= set(expected)


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_probing_more_often_changes_the_probe_column_only(clock):
    """record.every: not the trajectory, not a data byte, not (virtually) the clock.

    The goodbye tells the probe bytes too; the numbers here have the same width in it.
    """
    often, rarely = (
        (in_memory if clock == "virtual" else on_sockets)(
            small(
                algorithm=METHODS["m3"],
                record={"every": every},
                network={"uplink": "64 kB/s"} if clock == "virtual" else {},
            )
        )
        for every in (2, 5)
    )

    assert rarely.model.tobytes() == often.model.tobytes()
    assert rarely.traffic == often.traffic
    columns, others = often.overhead.as_dict(), rarely.overhead.as_dict()
    assert columns.pop("probe") != others.pop("probe")
    assert others == columns
    if clock == "virtual":
        seconds = [record.seconds for record in often.records]
        assert [record.seconds for record in rarely.records] == seconds
        assert seconds[-1] > 0


def test_a_probe_costs_its_two_vectors():
    """Each probe is one message to and one from every worker: the model; loss and gradient."""
    played = in_memory(small(record={"every": 5}))
    probes = sum(record.probed for record in played.records)

    assert 4 == probes  # after 0, 5, 10 and 15 rounds
    bare = 20 + 3 + 5  # header, descriptor, one `bin` header
    assert {
        "up": probes * WORKERS * (bare + 5 + 8 + 8 * DIM),
        "down": probes * WORKERS * (bare + 8 * DIM),
    } == played.overhead.as_dict()["probe"]


def test_only_vectors_of_the_method_are_paced(monkeypatch, loop_name):
    """Links slow the data frames; handshake, control and probe frames never wait for them."""
    made = spied(monkeypatch)
    loops.run(over_sockets(small(algorithm=METHODS["m3"], network=SLOW)))
    frames = {
        (kind, paced) for side in made.values() for one in side for kind, _, paced in one.frames
    }

    data = {FrameKind.UPLINK, FrameKind.DOWNLINK}
    assert data == {kind for kind, paced in frames if paced}
    assert not data & {kind for kind, paced in frames if not paced}
    assert FrameKind.PROBE in {kind for kind, _ in frames}
