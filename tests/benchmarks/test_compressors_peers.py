"""Other libraries: their scripts, what these answer, and what is told of one that fails."""

import ast
import shutil
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import environments
from benchmarks.compressors import duels
from benchmarks.compressors import environments as peers
from benchmarks.compressors.environments import PEERS, run
from benchmarks.compressors.goals import SpeedGoal
from benchmarks.compressors.peers import timing
from support.measured import D, gaussian


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
        return environments.Peer("fake", (), tmp_path / "with_fake.py")

    return make


@pytest.fixture
def answered(fake, tmp_path):
    """Ask a script about one vector."""
    vector = {"name": "gaussian", "path": str(tmp_path / "v.npy")}
    return lambda script: run(fake(script), [vector], 1)


def test_a_peers_script_measures_its_codecs_and_names_those_that_fail(answered):
    answer = answered(SCRIPT)
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
def test_a_peer_that_fails_is_named_with_its_last_line(answered, script, error):
    answer = answered(script)
    assert {"peer", "error"} == set(answer)
    assert error in answer["error"]


def test_a_peer_answers_a_turn_at_a_time(fake, tmp_path):
    """Whatever else it prints; one codec that fails leaves the others alone."""
    path = str(tmp_path / "v.npy")
    with peers.turns(fake(SCRIPT), 1e-4) as talk:
        whole = [talk.ask({"path": path, "codec": "whole"}) for _ in range(3)]
        assert all(turn["seconds"] > 0 for turn in whole)
        assert {"error": "integer division or modulo by zero"} == talk.ask(
            {"path": path, "codec": "broken"}
        )
        assert {"error"} == set(talk.ask({"path": path, "codec": "no such codec"}))
        assert {"seconds"} == set(talk.ask({"path": path, "codec": "half"}))


def test_a_peer_that_is_gone_is_an_error_of_the_turn(fake, tmp_path):
    with peers.turns(fake("import no_such_library_anywhere"), 1e-4) as talk:
        found = [talk.ask({"path": str(tmp_path / "v.npy"), "codec": "whole"}) for _ in range(2)]
    assert [{"error": "it ended with 1"}] * 2 == found


def test_goal_and_peer_take_turns(fake, tmp_path, monkeypatch):
    """Two goals, two vectors, one peer that knows one of the codecs; numpy's is timed here."""
    found = [
        SpeedGoal("sign", {D: 2.0}, "fake", "whole"),
        SpeedGoal("sign", {D: 2.0}, "fake", "broken"),
        SpeedGoal("top-k:1%", {D: 2.0}, "numpy", "argpartition 1%"),
        SpeedGoal("top-k:1%", {D + 1: 2.0}, "numpy", "argpartition 1%"),
    ]
    monkeypatch.setattr(duels, "SPEED", found)
    monkeypatch.setattr(duels, "PEERS", [fake(SCRIPT)])
    monkeypatch.setattr(duels, "_LEAST", 1e-4)
    vectors = [(name, gaussian(), str(tmp_path / "v.npy")) for name in ("one", "two")]
    rows = list(duels.rows(vectors, ["sign", "top-k:1%"], 2, peers=True))
    assert [("sign", "whole", "one"), ("sign", "whole", "two")] == [
        (row["compressor"], row["codec"], row["vector"]) for row in rows[:2]
    ]
    assert [2, 2] == [len(row[side]) for row in rows[4:5] for side in ("ours", "theirs")]
    assert 6 == len(rows)
    assert ["error" in row for row in rows] == [False, False, True, True, False, False]
    alone = list(duels.rows(vectors, ["sign", "top-k:1%"], 2, peers=False))
    assert ["numpy", "numpy"] == [row["peer"] for row in alone]


def test_an_answer_is_the_last_line_of_json():
    said = 'noise\n{"versions": {"a": "1"}, "rows": []}\n'
    assert {"peer": "a", "versions": {"a": "1"}, "rows": []} == environments.answer_of("a", said)


def test_a_failure_is_told_without_the_paths_of_the_command():
    late = subprocess.TimeoutExpired(["/home/me/python"], 3)
    bad = subprocess.CalledProcessError(1, ["/home/me/python"], stderr="one\nERROR: no wheel\n")
    assert ["TimeoutExpired", "ERROR: no wheel"] == [
        environments.failure(one) for one in (late, bad)
    ]
