"""Verdicts follow from figures: up to its bound a goal holds, and no further."""

from pathlib import Path

import pytest

from benchmarks.compressors import __main__ as benchmark
from benchmarks.compressors import goals, own
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.environments import PEERS
from support.measured import duel_row, row_of


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


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [
        ([0.05], "holds"),
        ([0.04], "within the gate"),
        ([0.03], "does not hold"),
        ([0.03, 0.06, 9.0], "holds"),
        ([0.03, 0.04, 9.0], "within the gate"),
        ([], "not measured"),
    ],
)
def test_a_speed_goal_is_the_median_over_the_turns_of_a_quotient_of_seconds(theirs, verdict):
    """Ours are 10 ms and the goal is five times the peer's speed; the gate is four times."""
    judged = goals.speed_verdicts([row_of()], [duel_row(*theirs)])
    own = [v for v in judged if "dense" in v["goal"]]
    assert [verdict] == [v["verdict"] for v in own]
    assert (5.0, 4.0) == (own[0]["allowed"], own[0]["gate"])


def test_each_turns_quotient_is_of_that_turn():
    """A moment in which everything takes ten times as long changes nothing."""
    duel = duel_row(0.06, 0.6, 0.06, ours=None) | {"ours": [0.01, 0.1, 0.01]}
    (judged,) = (v for v in goals.speed_verdicts([row_of()], [duel]) if "dense" in v["goal"])
    assert pytest.approx(6.0) == judged["figure"]


def test_a_duel_of_another_vector_or_peer_is_none_of_this_goal():
    for other in ({"vector": "laplace"}, {"codec": "argpartition 1%"}, {"d": 10**6}):
        duels = [duel_row(0.1, **other)]
        verdicts = [v["verdict"] for v in goals.speed_verdicts([row_of()], duels)]
        assert ["not measured"] * 2 == verdicts


def test_a_copy_is_a_peer_too():
    for ratio, verdict in ((0.7, "holds"), (0.57, "within the gate"), (0.5, "does not hold")):
        turn = duel_row(ratio * 0.01, compressor="sign", codec="array copy")
        judged = goals.speed_verdicts([row_of(compressor="sign")], [turn])
        assert [verdict] == [v["verdict"] for v in judged]


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
        assert f'"{goal.codec}"' in known[goal.peer]


def test_the_goals_for_speed_are_as_documented():
    page = Path(benchmark.__file__).parents[2] / "docs" / "performance.md"
    part = page.read_text().partition("## Goals for speed")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    written = {
        (name.strip().strip("`"), against.strip()): (large.strip(), middle.strip())
        for name, against, large, middle in cells
    }
    assert {
        (goal.compressor, f"{goal.peer}'s {goal.codec}"): tuple(
            f"{goal.factors[d]:g}" if d in goal.factors else "–" for d in (10**7, 10**6)
        )
        for goal in goals.SPEED
    } == written
