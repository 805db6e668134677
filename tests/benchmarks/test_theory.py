"""The theorems' benchmark writes what it measured, runs that went to infinity included."""

import csv
import json
from math import inf

from benchmarks.machine import describe
from benchmarks.theory import report
from benchmarks.theory.__main__ import row
from benchmarks.theory.figure1 import METHODS, Curve, verdict
from benchmarks.theory.theorems import CHECKS

EXACT = next(check for check in CHECKS if check.algorithm == "cgd" and not check.random)
ROUNDS = (0, 10, 20)


def curves(*ends):
    return [
        Curve("toy", name, ROUNDS, (1.0, end, end)) for name, end in zip(METHODS, ends, strict=True)
    ]


def test_every_check_is_told_apart_and_knows_what_breaks_it():
    """No two have the same name; `breaks` is a power of two above 1."""
    assert len(CHECKS) == len({str(check) for check in CHECKS})
    assert all(check.breaks in {2**k for k in range(1, 10)} for check in CHECKS)


def test_a_row_goes_up_to_the_step_that_breaks_the_bound():
    """A deterministic check needs one seed, and its row says with which step the bound broke."""
    found = row(EXACT, seeds=20)
    assert (1, "holds") == (found["seeds"], found["verdict"])
    assert found["breaks_at"] <= EXACT.breaks == found["steps"][-1][0]
    assert found["measured"] / found["bound"] == found["ratio"] == found["steps"][0][1]


def test_figure_1_holds_only_where_one_converges_and_three_do_not():
    """A tenth of the first loss for MCM, and five times MCM's end or more for each other."""
    assert verdict(curves(0.1, 0.5, inf, 0.5))
    assert not verdict(curves(0.2, 1.0, inf, 1.0))
    assert not verdict(curves(0.1, 0.5, inf, 0.4))


def test_the_report_is_written_whole(tmp_path):
    """Two tables, two figures, and the figures as JSON without infinities."""
    found = row(EXACT, seeds=1)
    found["steps"].append([1024.0, inf])
    drawn = [curves(0.1, 0.5, inf, 0.5)]
    (axes,) = [one for one in report.steps_figure([found]).axes if one.get_visible()]
    assert [EXACT.theorem, "_child1"] == [line.get_label() for line in axes.lines]
    paths = report.write([found], drawn, describe(), tmp_path)
    assert all(path.stat().st_size for path in paths)
    page = (tmp_path / "table.md").read_text()
    assert "1 of 1 bounds hold" in page
    assert report.figure_line(drawn[0]) in page
    with (tmp_path / "table.csv").open() as file:
        (again,) = csv.DictReader(file)
    assert found["theorem"] == again["theorem"]
    told = json.loads((tmp_path / "results.json").read_text())
    assert [1024.0, None] == told["rows"][0]["steps"][-1]
    with (tmp_path / "figure1.csv").open() as file:
        assert len(METHODS) * len(ROUNDS) == len(list(csv.DictReader(file)))
