"""What a run of the compressors' benchmark writes: tables, results, peers that failed."""

import csv
import json
import sys

import pytest

from benchmarks.compressors import __main__ as benchmark
from benchmarks.compressors import goals, report
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.environments import PEERS
from benchmarks.compressors.vectors import BUILT_IN
from support.measured import duel_row, gaussian, row_of


def test_a_table_shows_the_worst_of_a_group_and_its_verdict():
    verdicts = goals.memory_verdicts(
        [
            row_of(peak_ratio=1.0),
            row_of(peak_ratio=4.0, vector="laplace"),
            row_of(peak_ratio=2.0, d=10),
            row_of(peak_ratio=0.5, compressor="sign"),
        ]
    )
    heads, rows = report.pivot(verdicts, ("compressor",), "d")
    assert ["compressor", "10000000", "10", "goal is", "verdict"] == heads
    assert [
        ["qsgd:s=1", "4", "2", "3", "does not hold"],
        ["sign", "0.5", "–", "3", "holds"],
    ] == rows


def test_of_speeds_the_smallest_is_the_worst_and_one_not_measured_is_told():
    rows = [row_of(), row_of(vector="laplace"), row_of(vector="third")]
    duels = [duel_row(0.1), duel_row(0.05, vector="laplace")]
    judged = [v for v in goals.speed_verdicts(rows, duels) if "dense" in v["goal"]]
    _, table = report.pivot(judged, ("compressor",), "vector", ("peer_seconds",))
    assert [["qsgd:s=1", "10", "5", "–", "0.05", "5", "not measured"]] == table
    _, table = report.pivot(judged[:2], ("compressor",), "vector")
    assert [["qsgd:s=1", "10", "5", "5", "holds"]] == table


def test_a_quick_run_of_one_compressor_writes_its_results(tmp_path, monkeypatch, capsys):
    """Only bytes are looked at: whatever the speed, they are the same."""
    arguments = ["--quick", "--only", "top-k:1%+natural", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["compressors", *arguments])
    monkeypatch.delenv("NETCOMP_DATA", raising=False)
    benchmark.main()
    results = json.loads((tmp_path / "results.json").read_text())
    names = ["gaussian", "laplace", f"gradient {BUILT_IN}"]
    assert names == results["vectors"] == [row["vector"] for row in results["rows"]]
    for row in results["rows"]:
        assert 100 == row["kept"]
        assert 8 * (100 + 13) == pytest.approx(row["value_bits"] * 10**4)
        assert row["index_bits"] <= 1.05 * row["index_limit_bits"]
        assert row["wire_excess_bytes"] <= 40
    lines = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert {"netcomp", "numpy"} == {line["library"] for line in lines}
    assert [repr(row["wire_bits"]) for row in results["rows"]] == [
        line["wire_bits"] for line in lines if line["wire_bits"]
    ]
    page = (tmp_path / "table.md").read_text()
    assert page in capsys.readouterr().out
    assert "| top-k indices ≤ 1.05 × log2 C(d,k) | top-k:1%+natural |" in page
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_what_does_not_look_at_the_vector_is_measured_on_the_first_large_one_only(monkeypatch):
    monkeypatch.setattr(benchmark, "SEEN", 40)
    monkeypatch.setattr(
        benchmark, "vectors", lambda d: [(name, gaussian(d)) for name in ("gaussian", "laplace")]
    )
    cases = [case for case in CASES if case.notation in ("sketch:m=10", "sign")]
    *_, last = benchmark.measure(cases, [40, 41], 1, peers=False)
    rows = last["rows"]
    found = [(row["d"], row["vector"]) for row in rows if row["compressor"] == "sketch:m=10"]
    assert [(40, "gaussian"), (40, "laplace"), (41, "gaussian")] == found
    assert 4 == sum(row["compressor"] == "sign" for row in rows)


def test_peers_that_failed_and_those_that_did_not_are_in_the_table(monkeypatch):
    answers = [
        {"peer": "torch", "error": "ERROR: no wheel"},
        {
            "peer": "blosc2",
            "versions": {"blosc2": "9.9"},
            "rows": [{"codec": "lz4", "vector": "gaussian", "d": 50, "error": "boom"}],
        },
    ]
    monkeypatch.setattr(benchmark, "run", lambda *_: answers.pop(0))
    monkeypatch.setattr(benchmark, "PEERS", PEERS[:2])
    monkeypatch.setattr(benchmark, "vectors", lambda d: [("gaussian", gaussian(d))])
    (measured,) = benchmark.measure(CASES[:1], [50], 1, peers=True)
    head = {"machine": benchmark.describe(), "repeat": 1, "coders": []}
    page = report.page({**head, **measured})
    assert "| torch | not measured | – | – | – | – | – | ERROR: no wheel |" in page
    assert "| blosc2 | lz4 | gaussian | 50 | – | – | – | boom |" in page
    assert "blosc2 9.9" in page
