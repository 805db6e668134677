"""What the commands print: tables for people, JSON for programs, nothing else on stdout."""

import json

import pytest

from netcomp.algorithms import ALGORITHMS
from netcomp.compressors import COMPRESSORS
from netcomp.problems import PROBLEMS
from netcomp.results.readers import read_summary
from netcomp.results.summary import SUMMARY_KEYS
from support.cluster import METHODS, small

LISTS = {"algorithms": ALGORITHMS, "compressors": COMPRESSORS, "problems": PROBLEMS}
PROMISED = {
    *("algorithm", "workers", "dim", "rounds", "seconds", "loss", "grad_norm_sq"),
    *("reached_target", "uplink", "downlink", "time_shares", "run_dir"),
}
TRAFFIC = {"paper_bits", "payload_bytes", "wire_bytes"}


@pytest.mark.parametrize("what", LISTS)
def test_list(what, family):
    """Every registered name is in the table and in the JSON, with a line about it."""
    table, machine = family.run("list", what), family.run("list", what, "--json")
    rows = {row["name"]: row for row in json.loads(machine.out)[what]}

    assert (0, 0, "", "") == (table.code, machine.code, table.err, machine.err)
    assert LISTS[what].names() == sorted(rows)
    assert all(row["summary"] for row in rows.values())
    printed = {line.split()[0] for line in table.out.splitlines() if line.strip()}
    assert {name for name in rows if len(name) < 12} <= printed


@pytest.mark.parametrize("name", ["m3", "ef21-p+dcgd"])
def test_list_one(name, family):
    """All of one name: the same keys on the screen and in the JSON, whose row is the list's own."""
    shown = family.run("list", "algorithms", name)
    one = json.loads(family.run("list", "algorithms", name, "--json").out)["algorithms"]
    rows = json.loads(family.run("list", "algorithms", "--json").out)["algorithms"]

    assert [row for row in rows if row["name"] == name] == one
    keys = {line.split()[0] for line in shown.out.splitlines() if line[0] != " "}
    assert {*one[0], *one[0]["parameters"]} - {"parameters"} == keys


def test_the_list_of_algorithms_fits_a_screen(family):
    """At 100 columns no name, part or paper is cut short."""
    family.changes["COLUMNS"] = "100"
    done = family.run("list", "algorithms")
    assert 100 >= max(map(len, done.out.splitlines()))
    assert "…" not in done.out
    printed = {line.split()[0] for line in done.out.splitlines() if line[0] != " "}
    assert {"name", *ALGORITHMS.names()} == printed


def test_list_of_what_is_not_there(family):
    done = family.run("list", "algorithms", "marine")
    assert 2 == done.code
    assert "unknown algorithm 'marine'; did you mean 'marina'?" in done.error


def test_list_of_a_problem_of_ones_own(family):
    """A function that makes problems is described by its signature; what makes none is refused."""
    (family.folder / "mine.py").write_text(
        'WORKERS = 3\n\n\ndef field(width, depth=2):\n    """A field.\n\n    Of corn.\n    """\n'
    )
    done = family.run("list", "problems", "mine:field", "--json")
    expected = {"name": "mine:field", "summary": "A field.", "options": ["width", "depth"]}
    assert {"problems": [expected | {"data": []}]} == json.loads(done.out)
    refused = family.run("list", "problems", "mine:WORKERS")
    assert 2 == refused.code
    assert "problem.name: 'mine:WORKERS' is no problem" in refused.error


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_run_json(clock, family):
    """--json: one object with every promised key is all of stdout; stderr is silent."""
    done = family.run(
        "run", family.spec(small(algorithm=METHODS["marina"])), "--clock", clock, "--json"
    )
    (line,) = done.out.splitlines()
    summary = json.loads(line)

    assert (0, "") == (done.code, done.err)
    assert PROMISED <= set(summary)
    assert list(SUMMARY_KEYS) == list(summary)
    assert TRAFFIC == set(summary["uplink"]) == set(summary["downlink"])
    assert {"compute", "compress", "up", "down", "wait"} == set(summary["time_shares"])
    assert read_summary(family.folder / summary["run_dir"]) == summary


def test_a_doubt_is_a_line_of_netcomps(family):
    """What no theorem covers is said on stderr, marked as everything netcomp says there."""
    tree = small(algorithm={"name": "dcgd", "up": "top-k:3", "step_size": 0.01})
    done = family.run("run", family.spec(tree), "--clock", "virtual", "--json")
    assert 0 == done.code
    assert done.error.startswith("netcomp: algorithm.up: ")


def test_run_for_people(family):
    """Without --json the output names the run folder, where results and plots are."""
    done = family.run("run", family.spec(small(network={"clock": "virtual"})))
    (folder,) = family.runs()

    assert 0 == done.code
    assert f"results and plots: runs/{folder.name}" == done.out.splitlines()[-1]
    assert {"rounds.jsonl", "spec.toml", "summary.json", "model.npy", "workers.bin"} <= {
        path.name for path in folder.iterdir()
    }
    assert any(path.suffix == ".png" for path in folder.iterdir())


@pytest.mark.parametrize("machine", [False, True], ids=["people", "json"])
def test_compare(machine, family):
    """Compare ranks by seconds to the target, draws them together, and writes both down."""
    tree = small(
        stop={"rounds": 400, "grad_norm_sq": 1.0},
        network={"uplink": "10 kbit/s", "downlink": "1 Mbit/s", "clock": "virtual"},
    )
    names = ["gd", "dcgd,up=rand-k:k=4", "marina,up=rand-k:k=4"]
    options = [word for name in names for word in ("--algorithm", name)]
    done = family.run("compare", family.spec(tree), *options, *(("--json",) if machine else ()))
    (folder,) = family.runs()
    runs = json.loads((folder / "comparison.json").read_text())["runs"]

    assert 0 == done.code
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert {"gd", "dcgd", "marina"} == {run["label"] for run in runs}
    reached = [run["target"]["seconds"] for run in runs if run["reached_target"]]
    assert sorted(reached) == reached != []
    assert [run["reached_target"] for run in runs] == sorted(
        (run["reached_target"] for run in runs), reverse=True
    )
    if machine:
        (line,) = done.out.splitlines()
        assert runs == json.loads(line)["runs"]
    else:
        assert f"runs/{folder.name}" in done.out.splitlines()[-1]
        assert all(name in done.out for name in ("gd", "dcgd", "marina"))


def test_help_without_a_command(family):
    """`netcomp` alone shows what there is, and counts as wrong usage."""
    done = family.run()

    assert 2 == done.code
    assert all(
        word in done.out + done.err for word in ("run", "compare", "server", "worker", "list")
    )
