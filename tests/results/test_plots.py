"""Every figure is a whole PNG, also of runs that were cut short or diverged."""

import subprocess
import sys

import pytest

from netcomp.errors import DataError
from netcomp.results.events import RoundRecord
from netcomp.results.plots import plot_comparison, plot_heat_map, plot_run
from netcomp.results.series import read_series
from netcomp.results.store import RunStore, read_summary

from .conftest import make_run


def assert_png(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    assert len(data) > 5000


def test_a_run_makes_three_figures(run):
    """convergence, time_shares and bytes, in the run's folder."""
    path, _ = run
    expected = [path / name for name in ("convergence.png", "time_shares.png", "bytes.png")]
    assert expected == plot_run(path)
    for figure in expected:
        assert_png(figure)


def test_what_is_measured_beside_f_has_a_figure_of_its_own(tmp_path):
    """A run whose problem measures the accuracy gets metrics.png too."""
    with RunStore.create(tmp_path, "measured") as store:
        for round_ in range(3):
            metrics = {"accuracy": 0.3 * round_} if round_ != 1 else {}
            store.append(RoundRecord(round_, float(round_), (), 1.0, 1.0, metrics))
    expected = store.path / "metrics.png"
    assert expected == plot_run(store.path)[-1]
    assert_png(expected)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [RoundRecord(0, 0.0)],
        [RoundRecord(0, 0.0, (), 1.0, float("nan")), RoundRecord(1, 1.0, (), -1.0)],
        [RoundRecord(0, 0.0, (), 1.0, 0.0)],
    ],
    ids=["empty", "unprobed", "diverged", "at the optimum"],
)
def test_odd_runs_are_drawn_too(tmp_path, records):
    """No summary, no probe, no finite value or a zero on a log axis: still figures."""
    with RunStore.create(tmp_path, "x") as store:
        for record in records:
            store.append(record)
    for figure in plot_run(store.path):
        assert_png(figure)


def test_series_end_in_the_summarys_totals(run):
    """Running totals end where the summary says."""
    path, summary = run
    series = read_series(path)
    assert summary["uplink"] == series.up.as_dict()
    assert summary["downlink"]["wire_bytes"] == series.down_wire[-1]
    assert summary["uplink"]["paper_bits"] == series.up_bits[-1]
    assert read_summary(path)["seconds"] == series.seconds[-1]


def test_comparison(tmp_path):
    """Runs of any length share a figure; folders are made as needed."""
    paths = [make_run(tmp_path, "a")[0], make_run(tmp_path, "b", decay=0.9, rounds=500)[0]]
    runs = [(f"run {k}", paths[k % 2]) for k in range(10)]
    figure = tmp_path / "deep" / "comparison.png"
    assert figure == plot_comparison(runs, 1e-3, figure)
    assert_png(figure)
    assert_png(plot_comparison([], None, tmp_path / "none.png"))


def test_comparison_of_a_missing_run_is_a_data_error(tmp_path):
    """A folder that is no run is named."""
    with pytest.raises(DataError, match="absent"):
        plot_comparison([("x", tmp_path / "absent")], None, tmp_path / "x.png")


def test_heat_map(tmp_path):
    """Cells without a winner are drawn; tables of another shape are refused."""
    rates = {"uplinks": ["1 Mbit/s", "1 Gbit/s"], "downlinks": ["1 Mbit/s"]}
    path = tmp_path / "map.png"
    assert_png(plot_heat_map([["gd"], [None]], [[1.0], [None]], path=path, **rates))
    with pytest.raises(ValueError, match="2 × 1"):
        plot_heat_map([["gd", "gd"]], [[1.0, 1.0]], path=path, **rates)


def test_matplotlib_and_rich_are_loaded_only_when_used():
    """A worker that imports the events and the store loads neither."""
    code = (
        "import sys, netcomp.results.events, netcomp.results.plots, netcomp.results.store;"
        "sys.exit(bool({'matplotlib', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
