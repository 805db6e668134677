"""The socket changes nothing: every method's trajectory is the in-memory one, bit for bit."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

import netcomp
from netcomp.algorithms import ALGORITHMS
from netcomp.results.readers import read_rounds
from support.cluster import (
    EVERY_NAME,
    LOGISTIC,
    METHODS,
    WORKERS,
    in_memory,
    of_method,
    on_sockets,
    small,
)

KINDS = {
    "dtype f32": {"name": "marina", "up": "rand-k:k=8", "dtype": "f32"},
    "values f16": {"name": "m3", "values": "f16"},
    "values f64": {"name": "diana", "up": "rand-k:k=4", "values": "f64"},
    "dtype f32, values f16": {"name": "gd", "dtype": "f32", "values": "f16"},
    "natural": {"name": "dcgd", "up": "rand-k:k=8+natural"},
    "top-k": {"name": "dcgd", "up": "top-k:k=8", "step_size": 0.1},
}


@functools.cache
def reference(name):
    """Return the run on the virtual clock, made once for all who compare with it."""
    played = in_memory(of_method((EVERY_NAME | KINDS)[name]))
    assert "rounds" == played.outcome.stopped_by
    return played


def test_every_name_is_among_the_methods():
    """A new name in the catalogue fails here until it runs over sockets."""
    assert set(ALGORITHMS.names()) == {table["name"] for table in EVERY_NAME.values()}


@pytest.mark.parametrize(
    ("processes", "loop_name"),
    [(1, "asyncio"), (2, "uvloop"), (WORKERS, "asyncio"), (WORKERS, "uvloop")],
    indirect=["loop_name"],
)
@pytest.mark.parametrize("method", EVERY_NAME)
def test_every_method_on_every_loop_and_number_of_processes(method, processes, loop_name):
    """Model bytes and every probe over TCP equal those in memory; so does every byte counted."""
    played = on_sockets(of_method(EVERY_NAME[method]), processes)

    assert reference(method).trajectory == played.trajectory
    assert reference(method).traffic == played.traffic


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_of_numbers(kind, loop_name):
    """So it is for other formats of state and wire, and for other compressors."""
    played = on_sockets(small(algorithm=KINDS[kind]), 2)

    assert reference(kind).trajectory == played.trajectory
    assert reference(kind).traffic == played.traffic


def test_workers_are_absent_and_come_back():
    """The runs compared have rounds with nobody, long absences, and both ways to catch up."""
    told = {}
    for method in ("mcm-pp", "mcm-pp by the whole"):
        rounds = [{w: down for w, _, down in row} for _, row in reference(method).traffic[1:]]
        assert {} in rounds
        assert any(0 < len(row) < WORKERS for row in rounds)
        told[method] = {down.payload_bytes for row in rounds for down in row.values()}
    one, whole = 20 * 8, 8 * reference("mcm-pp").plan.dim
    assert {one, 2 * 2 + 2 * one, whole + one} == told["mcm-pp by the whole"] - {0}
    assert max(told["mcm-pp"]) < whole


def test_the_methods_differ():
    """The comparison can fail: two methods, seeds or formats never have the same trajectory."""
    runs = [reference(name).trajectory for name in EVERY_NAME | KINDS]
    seeds = [in_memory(small(algorithm=METHODS["m3"], seed=seed)).trajectory for seed in (1, 2)]

    assert len(runs) == len({bytes_ for _, bytes_, _ in runs})
    assert seeds[0] == reference("m3").trajectory != seeds[1]


@pytest.mark.parametrize("method", ["marina", "m3"])
def test_real_data(method, loop_name):
    """A problem with rows gives the same over sockets: the workers split them as one."""
    tree = small(algorithm=METHODS[method], problem=LOGISTIC)
    del tree["problem"]["dim"]

    assert in_memory(tree).trajectory == on_sockets(tree, 2).trajectory


@pytest.mark.parametrize(
    ("method", "processes"),
    [("gd", 1), ("marina", 2), ("m3", WORKERS), ("marina-p perm-k", 2), ("mcm-pp", WORKERS)],
)
def test_processes_of_their_own(method, processes, loop_name, tmp_path, monkeypatch):
    """Workers in real processes: model.npy and the probes of rounds.jsonl are the same bytes."""
    monkeypatch.setattr("netcomp.experiment.recorder.plot_run", lambda _: [])  # they take seconds
    tree = of_method(EVERY_NAME[method])
    tree["cluster"] |= {"processes": processes}
    tree["record"] |= {"dir": str(tmp_path)}

    real = netcomp.run(tree)
    virtual = netcomp.run(tree | {"network": {"clock": "virtual"}})

    assert np.load(virtual.run_dir / "model.npy").tobytes() == real.model.tobytes()
    assert np.load(real.run_dir / "model.npy").tobytes() == real.model.tobytes()
    assert without_times(virtual.run_dir) == without_times(real.run_dir)


def test_the_command_gives_the_same(family):
    """`netcomp run` ends with the model and probes of the same run in memory."""
    done = family.run(
        *("run", "--problem", "quadratic-heterogeneous", "--workers", WORKERS, "--rounds", 15),
        *("--set", "problem.dim=24", "--set", "record.every=4", "--algorithm", "m3", "--json"),
    )
    summary = json.loads(done.out)
    folder = family.folder / Path(summary["run_dir"])

    assert 0 == done.code
    assert reference("m3").model.tobytes() == np.load(folder / "model.npy").tobytes()
    probes = [
        (r["round"], r["loss"], r["grad_norm_sq"]) for r in read_rounds(folder) if "loss" in r
    ]
    assert reference("m3").trajectory[2] == probes


def without_times(folder):
    """Return the rows of rounds.jsonl but for what a clock measured."""
    timed = ("seconds", "times")
    return [{k: v for k, v in row.items() if k not in timed} for row in read_rounds(folder)]
