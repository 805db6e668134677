"""The benchmark of rounds: its contestants do the same work, its goals are judged as documented."""

import ast
import os
import subprocess
import sys

import pytest

from benchmarks.cores import children, on_core, pin, two_cores
from benchmarks.environments import answer_of
from benchmarks.machine import describe
from benchmarks.rounds import __main__ as benchmark
from benchmarks.rounds import goals, link, own, report
from benchmarks.rounds.__main__ import CASES, PEERS
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import vector_message


def test_the_head_is_what_a_frame_has_beside_its_vector():
    """So everybody sends as many bytes as netcomp does."""
    message = Message(Kind.VALUE, (memoryview(bytes(4000)),))
    assert own.HEAD == vector_message(FrameKind.UPLINK, 7, message).nbytes - 4000


def test_a_contestants_script_imports_none_of_this_project():
    """It runs in an environment that has none of it."""
    for peer in PEERS:
        names = {
            (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
            for node in ast.walk(ast.parse(peer.script.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert "contest" in names
        assert not {"netcomp", "benchmarks"} & names


@pytest.mark.parametrize("name", ["uvloop", "sockets"])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (3, 1), (2, 30_000)])
def test_the_bare_contestants_play_as_many_rounds_as_asked(name, n, d):
    """Short and long messages, one worker and several."""
    (peer,) = (peer for peer in PEERS if peer.name == name)
    cores = list(two_cores())
    question = f'{{"n": {n}, "d": {d}, "head": 28, "rounds": 4, "warm": 2, "cores": {cores}}}'
    done = subprocess.run(
        [sys.executable, peer.script, question],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = answer_of(name, done.stdout)
    assert [4] == [len(row["seconds"]) for row in answer["rows"]]
    assert all(seconds > 0 for seconds in answer["rows"][0]["seconds"])


def test_processes_are_put_on_cores():
    """This thread, what it starts meanwhile, and another process; then all is as before."""
    before = os.sched_getaffinity(0)
    first, last = two_cores()
    with on_core(first), subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as other:
        assert {first} == os.sched_getaffinity(0) == os.sched_getaffinity(other.pid)
        assert other.pid in children()
        pin(other.pid, last)
        assert {last} == os.sched_getaffinity(other.pid)
        other.communicate(b"\n")
    assert before == os.sched_getaffinity(0)


def test_netcomps_rounds_are_recorded_ones():
    """As many as asked for, and none of them holds a probe."""
    assert 5 == len(own.seconds(2, 3, 5, 1))


@pytest.mark.parametrize("d", [1, 30_000])
def test_one_link_answers_every_request(d):
    """As many as asked for; a reply of another length would end the conversation."""
    found = link.seconds(d, 5, 1)
    assert 5 == len(found)
    assert all(seconds > 0 for seconds in found)


def test_a_heartbeat_on_the_servers_loop_tells_the_longest_stall():
    """It beats while a run goes on, and the latest beat is told."""
    assert own.longest_stall(1, 3, 2) > 0.0


def row(who, n, d, *turns):
    return benchmark._row(who, n, d, list(turns), "" if turns else "ERROR: no wheel")


ROWS = [
    row("netcomp", 10, 1000, 2.0, 9.0, 4.0),
    row("uvloop", 10, 1000, 1.0, 3.0, 3.0),
    row("netcomp", 1, 250_000, 9.0),
    row("one link", 1, 250_000, 1.0),
    row("sockets", 1, 250_000, 0.7),
    row("netcomp", 1000, 1000, 1.0),
    row("uvloop", 1000, 1000, 0.5),
    row("pyzmq", 1000, 1000, 1.2),
    row("grpc", 1000, 1000),
]


def test_a_ratio_is_the_median_over_the_turns():
    """Of this turn's times, since other turns had other neighbours."""
    assert 0.5 == goals.ratio(ROWS, "uvloop", 10, 1000)
    assert goals.ratio(ROWS, "grpc", 1000, 1000) is None
    assert goals.ratio(ROWS, "uvloop", 7, 7) is None


def test_every_goal_is_judged_and_has_a_case():
    """At its factor it holds, at 0.8 of it it is within the gate."""
    found = {(one["peer"], one["n"], one["d"]): one["verdict"] for one in goals.verdicts(ROWS)}
    assert "within the gate" == found["uvloop", 10, 1000]
    assert "within the gate" == found["uvloop", 1000, 1000]
    assert "holds" == found["pyzmq", 1000, 1000]
    assert "holds" == found["sockets", 1, 250_000]
    assert "not measured" == found["grpc", 1000, 1000]
    assert {(goal.n, goal.d) for goal in goals.GOALS} <= set(CASES)
    assert {goal.peer for goal in goals.GOALS} <= {peer.name for peer in PEERS}


def test_slopes_are_exponents():
    """Of c·size^p, whatever c is."""
    assert goals.slope([(1, 3.0), (10, 300.0), (100, 30000.0)]) == pytest.approx(2.0)
    assert goals.slope([(1, 3.0)]) is None


def test_the_report_has_goals_figures_errors_and_slopes(tmp_path):
    """And all of it in files."""
    stalls = [{"n": 2, "d": 9, "seconds": 0.0123, "goal": 0.25}]
    verdicts = goals.verdicts(ROWS)
    results = {"machine": describe(), "rows": ROWS, "verdicts": verdicts, "stalls": stalls}
    paths = report.write(results, tmp_path)
    page = paths[2].read_text()
    assert "| 10 | 1000 | netcomp | uvloop | ≥ 0.6 | 0.50 | within the gate |" in page
    assert "| 1000 | 1000 | grpc | ERROR: no wheel | – | – |" in page
    assert "| netcomp | -0.30 | – | – |" in page
    assert "| 2 | 9 | 12 | 250 |" in page
    assert all(path.stat().st_size for path in paths)
