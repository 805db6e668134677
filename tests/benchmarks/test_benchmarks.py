"""The benchmarks parse, run, and their winners are really the fastest."""

import csv
import json
import platform
from pathlib import Path

import pytest

from benchmarks import memory, tune_asymmetric
from benchmarks.bandwidth.grid import Cell, Grid, Run, run_grid
from benchmarks.links.__main__ import cases, judge
from benchmarks.links.transfers import Case, frame_bytes
from benchmarks.machine import describe
from netcomp.data import load
from netcomp.experiment.compare import contestants
from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import load_spec, merged
from netcomp.link import parse_rate

BENCHMARKS = Path(memory.__file__).parent
MAIN_JOB = BENCHMARKS / "asymmetric.toml"
MAP = BENCHMARKS / "bandwidth" / "bandwidth.toml"
METHODS = ["gd", "diana", "marina", "marina-p", "m3"]
RATES = ("0.1 Mbit/s", "100 Mbit/s")

TINY = {
    "problem": {"name": "quadratic-homogeneous", "dim": 40, "scale": 1.0},
    "cluster": {"workers": 2},
    "network": {"latency": "1 ms"},
    "stop": {"rounds": 60, "grad_norm_sq": 0.5},
    "record": {"every": 1},
    "compare": [
        {"label": "plain", "name": "gd"},
        {"label": "down", "name": "marina-p", "down": "perm-k"},
        {"label": "never", "name": "gd", "step_size": 1e-9},
    ],
}


@pytest.fixture(scope="module")
def grid() -> Grid:
    return run_grid(TINY, RATES, RATES)


@pytest.mark.parametrize("path", [MAIN_JOB, MAP])
def test_every_table_of_a_spec_parses_and_names_a_multiple_of_theory(path):
    common, tables = contestants(load_spec(path))
    for table in tables:
        own = {key: value for key, value in table.items() if key != "label"}
        assert own["step_size"].endswith("*theory")
        Spec.parse(merged(common, {"algorithm": own}))


@pytest.mark.parametrize("path", [MAIN_JOB, MAP])
def test_the_specs_hold_the_five_methods_with_labels_of_their_own(path):
    _, tables = contestants(load_spec(path))
    assert METHODS == [table["name"] for table in tables]
    assert 5 == len({table["label"] for table in tables})


def test_the_main_job_has_the_promised_size_and_links():
    spec = Spec.parse(contestants(load_spec(MAIN_JOB))[0])
    assert (parse_rate("1 Mbit/s", ""), parse_rate("10 Mbit/s", "")) == (
        parse_rate(spec.network.uplink, ""),
        parse_rate(spec.network.downlink, ""),
    )
    assert "real" == spec.network.clock
    assert "nonconvex-logistic" == spec.problem.name
    assert load(spec.problem.data, []).features.shape[1] >= 2000
    assert spec.stop.seconds * 5 < 60


def test_the_map_and_the_main_job_solve_the_same_problem_with_the_same_methods():
    (job, methods), (map_, others) = (contestants(load_spec(path)) for path in (MAIN_JOB, MAP))
    assert job["problem"] == map_["problem"]
    assert job["cluster"] == map_["cluster"]
    assert job["stop"]["grad_norm_sq"] == map_["stop"]["grad_norm_sq"]
    assert methods == others


def test_a_winner_has_the_fewest_seconds_of_its_cell(grid):
    for row in grid.cells:
        for cell in row:
            seconds = {run.algorithm: run.seconds for run in cell.runs}
            assert seconds.pop("never") is None
            assert min(seconds, key=seconds.__getitem__) == cell.winner.algorithm


def test_faster_links_never_take_longer_and_bytes_do_not_depend_on_them(grid):
    slow, fast = grid.cells[0][0], grid.cells[-1][-1]
    for before, after in zip(slow.runs[:2], fast.runs[:2], strict=True):
        assert after.seconds < before.seconds
        assert (before.uplink_bytes, before.rounds) == (after.uplink_bytes, after.rounds)


def test_seconds_on_the_virtual_clock_are_those_of_the_link_formula(grid):
    cell = grid.cells[0][1]
    gd = cell.runs[0]
    up, down = (parse_rate(rate, "") for rate in (cell.uplink, cell.downlink))
    each = gd.uplink_bytes / 2 / up + gd.downlink_bytes / 2 / down + gd.rounds * 2 * 0.001
    assert each == pytest.approx(gd.seconds, rel=1e-9)


def test_a_grid_writes_table_json_csv_and_picture(grid, tmp_path):
    as_json, as_csv, picture = grid.write(tmp_path / "new")
    content = json.loads(as_json.read_text())
    cells = [cell for row in grid.cells for cell in row]
    assert [cell.winner.algorithm for cell in cells] == [c["winner"] for c in content["cells"]]
    for cell in content["cells"]:
        reached = [run for run in cell["runs"] if run["seconds"] is not None]
        assert min(reached, key=lambda run: run["seconds"])["algorithm"] == cell["winner"]
    rows = list(csv.DictReader(as_csv.read_text().splitlines()))
    assert len(cells) * 3 == len(rows)
    assert "" == rows[2]["seconds"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [3, 2] == [len(grid.table().columns), grid.table().row_count]


def test_a_cell_nobody_finished_has_no_winner():
    cell = Cell("1 Mbit/s", "1 Mbit/s", (Run("gd", 10, None, None, None),))
    assert cell.winner is None


def test_a_transfer_is_judged_by_its_median_and_the_worst_is_told():
    case = Case(1, 1_250_000.0, ("up",), 3)
    ideal = frame_bytes() / case.rate
    assert "holds" == judge(case, "up", [ideal, ideal * 1.004, ideal])["verdict"]
    row = judge(case, "up", [ideal, ideal * 1.1, ideal])
    assert ("holds at the median", pytest.approx(10)) == (
        row["verdict"],
        row["worst_error_percent"],
    )
    assert "does not hold" == judge(case, "up", [ideal * 1.1] * 3)["verdict"]
    many = Case(20, 1_250_000.0, ("up",), 1)
    assert "holds" == judge(many, "up", [ideal * 1.019] * 20)["verdict"]


def test_the_links_benchmark_covers_both_ways_and_twenty_workers():
    for quick in (True, False):
        covered = {(case.connections, case.ways) for case in cases(quick=quick)}
        ways = (("down",), ("up",), ("down", "up"))
        assert {(n, w) for n in (1, 20) for w in ways} == covered


def test_the_memory_benchmarks_spec_parses(tmp_path):
    path = tmp_path / "memory.toml"
    path.write_text(memory.spec_text(10_000_000, 2, tmp_path))
    spec = Spec.parse(load_spec(path))
    assert ("gd", "f32", "f32") == (
        spec.algorithm.name,
        spec.algorithm.dtype,
        spec.algorithm.values,
    )


def test_a_scan_finds_the_fastest_multiple(capsys):
    table = {"label": "plain", "name": "gd", "step_size": "theory"}
    common = contestants(TINY)[0]
    common = merged(common, {"stop": {"seconds": 0.2}})
    best = tune_asymmetric.scan(common, table, compressors=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(tune_asymmetric.EXPONENTS) == len(lines)
    for multiple in (0.5, 1.0, 2.0):
        row = tune_asymmetric.attempt(common, {"name": "gd"}, multiple, 0.2)
        assert row["seconds"] is None or row["seconds"] >= best["seconds"]


def test_the_description_names_no_host():
    said = json.dumps(describe())
    assert platform.node() not in said
    assert str(Path.home()) not in said or "/" == str(Path.home())


def memory_row(workers, dim, **figures):
    nothing = dict.fromkeys(("base", "files_before", "files_most", "files_after"), 0)
    sizes = {"peak": 0, "worker_peak": 0, "vector": 4 * dim, "rounds": 5, "seconds": 1.0}
    return {"workers": workers, "dim": dim, **nothing, **sizes, **figures}


def test_memory_is_judged_by_vectors_and_by_what_a_worker_adds():
    """A process's base is left out of what each worker takes; files left open are named."""
    mib = 1 << 20
    rows = [
        memory_row(2, 10_000_000, peak=6 * 40_000_000, worker_peak=13 * 40_000_000),
        memory_row(10, 300, peak=50 * mib, worker_peak=40 * mib),
        memory_row(1000, 300, peak=50 * mib + 990 * 1024, worker_peak=40 * mib + 990 * 102_401),
        memory_row(1000, 25_088, peak=120 * mib, files_before=3, files_after=4),
    ]
    found = {one["what"]: (one["figure"], one["holds"]) for one in memory.judge(rows)}
    assert (6.0, True) == found["n = 2, d = 1e+07: server's peak"]
    assert (6.5, False) == found["n = 2, d = 1e+07: a worker's peak"]
    assert (1.0, True) == found["the server for each worker, d = 300"]
    assert not found["a worker in a process of many, d = 300"][1]
    assert not found["n = 1000: server, d = 25088 beyond d = 300"][1]
    assert (1, False) == found["n = 1000, d = 25088: files left open"]
    assert (0, True) == found["n = 10, d = 300: files left open"]
    assert "n = 1000, d = 25088: server 0 MiB before, 120 at its peak;" in memory.told_of(rows[3])
