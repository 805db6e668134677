"""Runs at the edge of what makes sense: they run, and every law holds there too."""

import contextlib
import json
import socket
import tomllib

import numpy as np
import pytest

import netcomp
from netcomp.experiment.tree import load_spec
from netcomp.net import loops
from support.cluster import METHODS, WORKERS, in_memory, on_sockets, over_sockets, serving, small

EVERY_METHOD = pytest.mark.parametrize("method", METHODS)


def fitting(method, d):
    """Return the method with the most coordinates a vector of dimension d has."""
    table = json.loads(json.dumps(METHODS[method]))
    return json.loads(json.dumps(table).replace("k=8", f"k={d}").replace("k=4", f"k={d}"))


@EVERY_METHOD
def test_one_dimension(method, loop_name):
    """D = 1: every method runs, over sockets as in memory, and gets closer to the minimum."""
    tree = small(problem={"dim": 1}, algorithm=fitting(method, 1), stop={"rounds": 60})
    played = on_sockets(tree, 2)

    assert ("rounds", True) == (played.outcome.stopped_by, played.consistent)
    assert in_memory(tree).trajectory == played.trajectory
    assert played.records[-1].grad_norm_sq < played.records[0].grad_norm_sq


@EVERY_METHOD
def test_one_worker(method, loop_name):
    """N = 1: the same."""
    tree = small(cluster={"workers": 1}, algorithm=METHODS[method])
    played = on_sockets(tree)

    assert ("rounds", True) == (played.outcome.stopped_by, played.consistent)
    assert in_memory(tree).trajectory == played.trajectory


@EVERY_METHOD
def test_nothing_to_do(method, tmp_path):
    """Where every gradient is zero from the start, the model stays at zero exactly."""
    # Each worker holds a row under both labels: at x = 0 their gradients cancel.
    (tmp_path / "balanced.svm").write_text("+1 1:1 2:2 8:1\n-1 1:1 2:2 8:1\n" * WORKERS)
    problem = {"name": "logistic", "data": str(tmp_path / "balanced.svm")}
    tree = small(algorithm=METHODS[method]) | {"problem": problem}
    tree["algorithm"] = fitting(method, 4)
    played = in_memory(tree)

    assert "rounds" == played.outcome.stopped_by
    assert {0.0} == {record.grad_norm_sq for record in played.records if record.probed}
    assert not played.model.any()


@EVERY_METHOD
def test_at_the_optimum(method):
    """Started where the gradient is zero, a target is met before the first round."""
    tree = small(
        problem={"name": "quadratic-scaled-identity", "linear": "zero", "variance": 0.0},
        algorithm=METHODS[method],
        stop={"rounds": 40},
    )
    arrived = in_memory(tree)
    target = arrived.records[0].grad_norm_sq
    tree["stop"]["grad_norm_sq"] = target

    assert "rounds" == arrived.outcome.stopped_by
    stopped = in_memory(tree)
    assert ("grad_norm_sq", 0) == (stopped.outcome.stopped_by, stopped.records[-1].round)


@pytest.mark.parametrize("processes", [1, 2])
def test_more_workers_than_processes(processes, loop_name):
    """Twenty logical workers in one or two processes are twenty workers."""
    tree = small(cluster={"workers": 20}, algorithm=METHODS["m3"], stop={"rounds": 4})
    played = on_sockets(tree, processes)

    assert played.consistent
    assert in_memory(tree).trajectory == played.trajectory


def test_more_processes_than_workers(tmp_path):
    """No process is started without a worker in it."""
    tree = small(cluster={"processes": 50}, record={"dir": str(tmp_path)})
    result = netcomp.run(tree)

    assert in_memory(tree).model.tobytes() == result.model.tobytes()


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")
def test_ipv6(loop_name):
    """Over ::1 all is the same."""

    async def scenario():
        async with serving(small(), host="::1") as cluster:
            task = cluster.worker(slots=WORKERS)
            played = await cluster.played()
            return cluster.host, played, await task

    host, played, reason = loops.run(scenario())
    assert ("::1", "rounds") == (host, reason)
    assert in_memory(small()).trajectory == played.trajectory


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")
def test_the_invitation_to_an_ipv6_server(family):
    """The server's line works as it stands, brackets included."""
    server = family.start("server", family.spec(small()), "--listen", "[::1]:0", "--json")
    line = server.until(r"start one with: (.* \[::1\]:\d+)")[1]
    worker = family.start(argv=[*line.split(), "--slots", str(WORKERS)])

    assert [0, 0] == [worker.finish().code, server.finish().code]


def test_port_zero_takes_a_free_one(loop_name):
    """Two servers on port 0 have two ports, and each its own run."""

    async def scenario():
        async with serving(small(seed=1)) as one, serving(small(seed=2)) as other:
            tasks = [cluster.worker(slots=WORKERS) for cluster in (one, other)]
            played = [await one.played(), await other.played()]
            return one.port, other.port, played, [await task for task in tasks]

    first, second, played, _ = loops.run(scenario())
    assert first != second
    expected = [in_memory(small(seed=seed)).trajectory for seed in (1, 2)]
    assert expected == [run.trajectory for run in played]


def test_a_server_without_the_data(family):
    """Only the workers have the data: the run completes, on bounds that are called bounds."""
    rows = np.random.default_rng(3).normal(size=(12, 4))
    text = "\n".join(
        f"{(-1) ** i:+d} " + " ".join(f"{j + 1}:{value:.6f}" for j, value in enumerate(row))
        for i, row in enumerate(rows)
    )
    (family.folder / "secret.svm").write_text(text + "\n")
    tree = {
        "problem": {"name": "logistic", "data": "not-here"},
        "cluster": {"workers": 3},
        "algorithm": {"name": "gd"},
        "stop": {"rounds": 8},
    }
    server, invitation = family.serve(tree, "--json", NETCOMP_DATA="")
    worker = family.start(argv=[*invitation, "--slots", "3", "--data", "secret.svm"])

    assert [0, 0] == [worker.finish().code, (done := server.finish()).code]
    (folder,) = family.runs()
    constants = tomllib.loads((folder / "spec.toml").read_text())["resolved"]["constants"]
    assert "bound" == constants["L"]["origin"]
    assert json.loads(done.out)["resolved"]["constants"] == constants
    # With the data at hand the constant is exact, and no larger.
    tree["problem"]["data"] = str(family.folder / "secret.svm")
    exact = netcomp.run(tree | {"network": {"clock": "virtual"}}).summary["resolved"]["constants"]
    assert "exact" == exact["L"]["origin"]
    assert exact["L"]["value"] <= constants["L"]["value"]


@pytest.mark.parametrize("method", ["marina", "m3", "diana"])
def test_a_run_can_be_repeated_from_its_folder(method, tmp_path, monkeypatch):
    """spec.toml of a run folder is a spec: run again it gives the same model bit for bit."""
    monkeypatch.setattr("netcomp.experiment.recorder.plot_run", lambda _: [])
    tree = small(
        algorithm=METHODS[method],
        network={"uplink": ["1 kB/s", "2 kB/s", "4 kB/s"], "clock": "virtual"},
        record={"dir": str(tmp_path)},
    )
    first = netcomp.run(tree)
    again = netcomp.run(first.run_dir / "spec.toml")

    assert first.run_dir != again.run_dir
    assert first.model.tobytes() == again.model.tobytes()
    assert first.summary | {"run_dir": ""} == again.summary | {"run_dir": ""}
    assert load_spec(first.run_dir / "spec.toml") == load_spec(again.run_dir / "spec.toml")


def test_a_run_in_which_a_round_is_empty_of_payload(loop_name):
    """perm-k with d < n: workers without a coordinate send messages of no bytes, every round."""
    tree = small(
        problem={"dim": 3},
        cluster={"workers": 5},
        algorithm={"name": "dcgd", "up": "perm-k", "step_size": 0.5},
    )
    played = loops.run(over_sockets(tree, 2))
    payloads = [[w.up.payload_bytes for w in r.workers] for r in played.records[1:]]

    assert {(0, 0, 4, 4, 4)} == {tuple(sorted(row)) for row in payloads}
    assert in_memory(tree).trajectory == played.trajectory
