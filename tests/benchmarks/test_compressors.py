"""What the compressors' benchmark says follows from what it measured: limits, verdicts, peers."""

import ast
import csv
import json
import math
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import environments
from benchmarks.compressors import __main__ as benchmark
from benchmarks.compressors import coders, goals, own, report
from benchmarks.compressors import vectors as made
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.environments import PEERS, run
from benchmarks.compressors.limits import Share, Sizes, coded, entropy, log2_binomial, sizes
from benchmarks.compressors.peers import timing
from benchmarks.compressors.vectors import BUILT_IN, gradient, vectors
from netcomp.compressors import COMPRESSORS, parse_compressor
from netcomp.data import load
from netcomp.draw import Draw

D = 2000


def gaussian(d=D):
    return np.random.default_rng(5).standard_normal(d).astype(np.float32)


# Cases and vectors


def test_every_registered_compressor_is_measured():
    text = " ".join(case.notation for case in CASES).replace("+", " ").replace("(", " ")
    measured = {word.partition(":")[0].strip(")") for word in text.split()}
    assert set(COMPRESSORS.names()) <= measured


def test_no_case_is_measured_twice():
    assert len(CASES) == len({str(case) for case in CASES})


def test_a_gradients_block_is_the_logistic_gradient_over_its_own_rows():
    """At x = 0 every slope is −y/2, so the first block is −(1/2m) Σ y_r a_r of its batch."""
    data = load("digits").signed()
    rows = np.random.default_rng(2).choice(data.rows, 64, replace=False, shuffle=False)
    block = -(data.targets[rows] / 2 / 64) @ data.features[rows]
    assert block == pytest.approx(gradient(data, 100)[: data.dim], abs=1e-7)


def test_a_longer_gradient_repeats_no_block_and_is_cut_off_where_asked():
    data = load("digits")
    d = 50 * data.dim + 7
    found = gradient(data, d)
    blocks = found[: 50 * data.dim].reshape(50, data.dim)
    assert (d, 50) == (found.size, len(np.unique(blocks, axis=0)))
    assert gradient(data, 100).tobytes() == found[:100].tobytes()


def test_real_data_of_a_folder_is_measured_too_where_it_is_there(tmp_path, monkeypatch):
    # Another name: under the published one only the published rows are read.
    monkeypatch.setattr(made, "FROM_FILE", "toy")
    built_in = ["gaussian", "laplace", f"gradient {BUILT_IN}"]
    assert built_in == [name for name, _ in vectors(50, [])]
    lines = [f"{(-1) ** i} {1 + i % 5}:1 7:{i}\n" for i in range(40)]
    (tmp_path / "toy").write_text("".join(lines))
    found = dict(vectors(50, [tmp_path]))
    assert [*built_in, "gradient toy"] == list(found)
    for v in found.values():
        assert (np.float32, 50) == (v.dtype, v.size)
        assert v.any()


# Limits


@pytest.mark.parametrize(("d", "k"), [(1, 1), (10, 3), (1000, 10), (300, 150)])
def test_the_limit_of_a_set_is_the_logarithm_of_the_number_of_sets(d, k):
    assert math.log2(math.comb(d, k)) == pytest.approx(log2_binomial(d, k), abs=1e-9)


def test_entropy_is_of_the_shares_of_equal_values_wherever_they_stand():
    values = np.zeros(1 << 17)
    values[::4] = -2.0
    values[1::8] = -0.0
    exact = values.size * (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert exact == pytest.approx(entropy(values))
    assert 0.0 == entropy(np.ones(70000)) == entropy(np.empty(0))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_parts_add_up_to_the_payload(case):
    compressor = parse_compressor(case.notation).resolve(D, case.workers)
    draw = Draw(1, worker=0)
    payload = compressor.compress(gaussian(), draw)
    found = sizes(compressor, payload, draw)
    assert 8 * payload.nbytes == found.whole.bits
    assert found.heads.bits == found.heads.limit
    assert ("top-k" in case.notation or case.notation == "adaptive") == (found.indices.bits > 0)


@pytest.mark.parametrize(
    ("notation", "bits"),
    [
        ("identity", 32 * D),
        ("rand-k:10%+f16", 16 * D // 10),
        ("natural", 9 * D),
        ("scale:0.5(natural)", 9 * D),
        ("sign", 32 + D),
        ("sketch:m=5", 160),
    ],
)
def test_values_of_a_fixed_width_have_that_width_as_their_limit(notation, bits):
    compressor = parse_compressor(notation).resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    assert bits == sizes(compressor, payload, Draw(1)).whole.limit
    assert not coded(compressor)


def test_the_limit_of_coded_levels_is_their_entropy_and_the_norm_stands_apart():
    compressor = parse_compressor("top-k:k=500+qsgd:s=4").resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    found = sizes(compressor, payload, Draw(1))
    assert coded(compressor)
    assert Share(32.0, 32.0) == found.heads
    assert entropy(payload.values) == found.values.limit
    assert log2_binomial(D, 500) == found.indices.limit


def test_several_messages_have_the_sum_of_their_limits():
    compressor = parse_compressor("fcc:r=3(top-k:k=20)").resolve(D, 1)
    found = sizes(compressor, compressor.compress(gaussian(), Draw(1)), Draw(1))
    assert 3 * log2_binomial(D, 20) == pytest.approx(found.indices.limit)
    assert Sizes(found.indices, Share(1920.0, 1920.0), Share(24.0, 24.0)) == found


# Measuring


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_real_frame_carries_the_payload(case):
    """The frame is read back and decoded; on the wire it is larger than the payload."""
    compressor = parse_compressor(case.notation).resolve(D, case.workers)
    figures = own.byte_figures(compressor, gaussian(), 2)
    assert figures["wire_bits"] > figures["payload_bits"]
    assert figures["limit_bits"] == pytest.approx(
        figures["index_limit_bits"]
        + figures["value_limit_bits"]
        + (figures["payload_bits"] - figures["index_bits"] - figures["value_bits"])
    )


def test_a_compressor_that_decodes_to_something_else_is_found(monkeypatch):
    compressor = parse_compressor("natural").resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    changed = SimpleNamespace(
        decode=lambda *_: compressor.compress(gaussian(), Draw(2)), max_bytes=compressor.max_bytes
    )
    with pytest.raises(ValueError, match="something else"):
        own.wire_bytes(changed, payload, Draw(1))


def test_exact_formats_have_no_error_and_top_k_leaves_the_small_ones():
    v = gaussian()
    energies = np.sort(v.astype(np.float64) ** 2)
    for notation, share in (
        ("identity", 0.0),
        ("top-k:k=100", energies[:-100].sum() / energies.sum()),
    ):
        compressor = parse_compressor(notation).resolve(D, 1)
        assert share == pytest.approx(own.byte_figures(compressor, v, 1)["error_share"])


def test_no_key_comes_twice():
    assert 50 == len(set(islice(own.keys(), 50)))


def test_memory_is_the_peak_of_one_call_over_the_vector():
    """A compressor that keeps an array twice the vector's size for a moment is seen to."""

    def compress(v, _draw):
        return np.zeros(2 * v.size, dtype=v.dtype)[: v.size // 2].copy()

    assert pytest.approx(2.5, abs=0.02) == own.peak_ratio(
        SimpleNamespace(compress=compress), gaussian(10**5)
    )


def test_coders_are_beside_their_limit():
    """Random symbols take their entropy at least, and little more than that and a table."""
    rows = coders.rows(5000, 1)
    assert {"trits", "bits 9", "gaps 1.0%", "ans levels s=4"} <= {row["coder"] for row in rows}
    for row in rows:
        bits, limit = row["bits"] * 5000, row["limit_bits"] * 5000
        assert limit <= bits * (1 + 1e-12)
        assert bits <= 1.06 * limit + 8 * 32


# Timing, with times given


def test_a_ratio_is_the_median_over_turns_of_the_copys_time_over_the_works(monkeypatch):
    times = {"copy": [1.0, 2.0, 9.0], "encode": [10.0, 4.0, 30.0], "decode": [1.0, 1.0, 1.0]}
    monkeypatch.setattr(timing, "race", lambda works, _: {name: times[name] for name in works})
    row = timing.measure(gaussian(), bytes, len, 3)
    assert (2.0, 10.0, 0.3) == (row["copy_seconds"], row["encode_seconds"], row["encode_ratio"])
    assert (1.0, 2.0) == (row["decode_seconds"], row["decode_ratio"])
    assert timing.measure(gaussian(), bytes, None, 3)["decode_ratio"] is None


def test_every_work_is_timed_once_a_turn():
    times = timing.race({"a": lambda: None, "b": lambda: None}, 4)
    assert {"a": 4, "b": 4} == {name: len(own) for name, own in times.items()}


# Peers


def test_every_peer_has_a_script_that_imports_none_of_this_project():
    for peer in PEERS:
        tree = ast.parse(peer.script.read_text())
        names = {
            name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
        }
        assert peer.name in names
        assert not {"netcomp", "benchmarks"} & names
        assert "timing" in names


SCRIPT = """
from timing import main

def codecs(values):
    yield "whole", values.tobytes, lambda data: values, len
    yield "half", lambda: bytes(2 * values.size), lambda data: 0 * values, len
    yield "broken", lambda: 1 // 0, lambda data: values, len

print("a library says hello")
main(codecs, {"library": "1.2"})
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Run a script as a peer's, here and without an environment of its own."""
    shutil.copy(timing.__file__, tmp_path)
    monkeypatch.setattr(environments, "_environment", lambda peer, place: sys.executable)

    def make(script):
        (tmp_path / "with_fake.py").write_text(script)
        np.save(tmp_path / "v.npy", gaussian(), allow_pickle=False)
        vector = {"name": "gaussian", "path": str(tmp_path / "v.npy")}
        peer = environments.Peer("fake", (), tmp_path / "with_fake.py")
        return run(peer, [vector], 1, tmp_path)

    return make


def test_a_peers_script_measures_its_codecs_and_names_those_that_fail(fake):
    answer = fake(SCRIPT)
    assert ("fake", {"library": "1.2"}) == (answer["peer"], answer["versions"])
    whole, half, broken = answer["rows"]
    assert ("whole", "gaussian", D, 32.0, 0.0) == tuple(
        whole[key] for key in ("codec", "vector", "d", "bits", "error_share")
    )
    assert (16.0, 1.0) == (half["bits"], pytest.approx(half["error_share"]))
    assert {"codec": "broken", "vector": "gaussian", "d": D} | {
        "error": "integer division or modulo by zero"
    } == broken


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import no_such_library_anywhere", "No module named 'no_such_library_anywhere'"),
        ("print('nothing of use')", "not an answer: nothing of use"),
        ("", "not an answer: nothing"),
        ("print('[1]')", "not an answer: [1]"),
    ],
)
def test_a_peer_that_fails_is_named_with_its_last_line(fake, script, error):
    answer = fake(script)
    assert {"peer", "error"} == set(answer)
    assert error in answer["error"]


def test_an_answer_is_the_last_line_of_json():
    said = 'noise\n{"versions": {"a": "1"}, "rows": []}\n'
    assert {"peer": "a", "versions": {"a": "1"}, "rows": []} == environments.answer_of("a", said)


def test_a_failure_is_told_without_the_paths_of_the_command():
    late = subprocess.TimeoutExpired(["/home/me/python"], 3)
    bad = subprocess.CalledProcessError(1, ["/home/me/python"], stderr="one\nERROR: no wheel\n")
    assert ["TimeoutExpired", "ERROR: no wheel"] == [
        environments.failure(one) for one in (late, bad)
    ]


# Verdicts


def row_of(**changed):
    row = {
        "compressor": "qsgd:s=1",
        "vector": "gaussian",
        "d": 10**7,
        "kept": 10.0**7,
        "payload_bits": 1.0,
        "wire_bits": 1.0,
        "wire_excess_bytes": -100.0,
        "index_bits": 0.0,
        "index_limit_bits": 0.0,
        "value_bits": 1.05,
        "value_limit_bits": 1.0,
        "encode_ratio": 0.2,
        "decode_ratio": 0.3,
        "peak_ratio": 2.0,
    }
    return row | changed


def byte_verdicts(**changed):
    return {v["goal"]: v["verdict"] for v in goals.byte_verdicts([row_of(**changed)])}


@pytest.mark.parametrize(
    ("goal", "good", "bad"),
    [
        (
            "wire − 1.01 × payload ≤ 40 bytes",
            {"wire_excess_bytes": 40.0},
            {"wire_excess_bytes": 40.1},
        ),
        ("levels ≤ 1.05 × entropy", {"value_bits": 1.05}, {"value_bits": 1.051}),
        (
            "levels ≤ 1.05 × entropy",
            {"compressor": "top-k:1%+dither:s=8", "value_bits": 0.5},
            {"compressor": "top-k:1%+dither:s=8", "value_bits": 2.0},
        ),
        (
            "top-k indices ≤ 1.05 × log2 C(d,k)",
            {"compressor": "top-k:1%", "index_bits": 0.105, "index_limit_bits": 0.1},
            {"compressor": "top-k:1%", "index_bits": 0.106, "index_limit_bits": 0.1},
        ),
        (
            "natural raw ≤ 9 bits",
            {"compressor": "natural", "value_bits": 9.0},
            {"compressor": "natural", "value_bits": 9.001},
        ),
        (
            "natural coded ≤ 1.05 × entropy",
            {"compressor": "natural:coding=entropy"},
            {"compressor": "natural:coding=entropy", "value_bits": 1.06},
        ),
        (
            "index bits = 0",
            {"compressor": "perm-k, n=10"},
            {"compressor": "rand-k:1%", "index_bits": 1e-9},
        ),
    ],
)
def test_a_byte_goal_holds_up_to_its_bound_and_no_further(goal, good, bad):
    assert "holds" == byte_verdicts(**good)[goal]
    assert "does not hold" == byte_verdicts(**bad)[goal]


def test_few_coded_values_are_not_judged():
    assert ["wire − 1.01 × payload ≤ 40 bytes"] == list(byte_verdicts(kept=9999.0))


def test_memory_is_judged_at_three_vectors():
    judged = goals.memory_verdicts([row_of(peak_ratio=3.0), row_of(peak_ratio=3.1)])
    assert ["holds", "does not hold"] == [v["verdict"] for v in judged]


def peer_row(share, **changed):
    row = {"peer": "numpy", "codec": "dense qsgd s=1", "vector": "gaussian", "d": 10**7}
    return row | {"encode_ratio": share} | changed


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.04, "holds"), (0.05, "within the gate"), (0.06, "does not hold"), (None, "not measured")],
)
def test_a_speed_goal_is_a_quotient_of_shares_of_a_copy(share, verdict):
    """Ours is 0.2 of a copy and the goal five times the peer; the gate is four times."""
    judged = goals.speed_verdicts([row_of()], [peer_row(share)])
    own = [v for v in judged if "dense" in v["goal"]]
    assert [verdict] == [v["verdict"] for v in own]
    assert (5.0, 4.0) == (own[0]["allowed"], own[0]["gate"])


def test_a_codec_that_failed_and_one_of_another_vector_are_not_measured():
    failed = {**peer_row(0.1), "error": "no"}
    del failed["encode_ratio"]
    for peers in ([], [failed], [peer_row(0.1, vector="laplace")]):
        verdicts = [v["verdict"] for v in goals.speed_verdicts([row_of()], peers)]
        assert ["not measured"] * 2 == verdicts


def test_a_goal_without_a_peer_is_a_share_of_the_copy():
    for ratio, verdict in ((0.7, "holds"), (0.57, "within the gate"), (0.5, "does not hold")):
        row = row_of(compressor="sign", encode_ratio=ratio)
        assert [verdict] == [v["verdict"] for v in goals.speed_verdicts([row], [])]


def test_a_dimension_without_a_goal_has_no_verdict():
    assert [] == goals.speed_verdicts([row_of(d=10**4)], [])


def test_decoding_is_judged_against_encoding():
    rows = [row_of(decode_ratio=ratio) for ratio in (0.2, 0.17, 0.1)]
    found = [v["verdict"] for v in goals.decoding_verdicts(rows)]
    assert ["holds", "within the gate", "does not hold"] == found


def test_the_goals_name_compressors_and_codecs_that_are_measured():
    assert {goal.compressor for goal in goals.SPEED} <= {str(case) for case in CASES}
    known = {peer.name: peer.script.read_text() for peer in PEERS}
    known["numpy"] = (Path(own.__file__).parent / "references.py").read_text()
    for goal in goals.SPEED:
        assert goal.peer is None or f'"{goal.codec}"' in known[goal.peer]


def test_the_goals_for_speed_are_as_documented():
    page = Path(benchmark.__file__).parents[2] / "docs" / "performance.md"
    part = page.read_text().partition("## Goals for speed")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    written = {
        (name.strip().strip("`"), against.strip()): (large.strip(), middle.strip())
        for name, against, large, middle in cells
    }
    assert {
        (goal.compressor, f"{goal.peer}'s {goal.codec}" if goal.peer else "an array copy"): tuple(
            f"{goal.factors[d]:g}" if d in goal.factors else "–" for d in (10**7, 10**6)
        )
        for goal in goals.SPEED
    } == written


# What is written


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
    peers = [peer_row(0.02), peer_row(0.04, vector="laplace")]
    judged = [v for v in goals.speed_verdicts(rows, peers) if "dense" in v["goal"]]
    _, table = report.pivot(judged, ("compressor",), "vector", ("peer_ratio",))
    assert [["qsgd:s=1", "10", "5", "–", "0.04", "5", "not measured"]] == table
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
