"""However a run ends, it ends: clearly, on both sides, with its results, leaving no process."""

import asyncio
import functools
import json
import os
import re
import signal
import socket

import numpy as np
import pytest

import netcomp
from netcomp.errors import NetcompError
from netcomp.experiment.local import load_local
from netcomp.net import loops
from netcomp.results.readers import read_rounds, read_summary
from relay import Relay
from support.cluster import (
    ENDLESS,
    METHODS,
    in_memory,
    serving,
    small,
)
from support.commands import WATCHDOG

TREE = small(cluster={"workers": 2}, algorithm=METHODS["m3"])
FOREVER = small(stop=ENDLESS, cluster={"workers": 2, "processes": 2})
BOTH_SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
LOST = r"worker [01] was lost in round \d+: "


def check_results(family, stopped_by):
    """Find the one run's results whole: summary, rows, model; return how many rounds they tell."""
    (folder,) = family.runs()
    summary, rows = read_summary(folder), read_rounds(folder)
    assert stopped_by == summary["stopped_by"]
    assert list(range(len(rows))) == [row["round"] for row in rows]
    assert len(rows) - 1 == summary["rounds"] > 0
    assert np.isfinite(np.load(folder / "model.npy")).all()
    return summary["rounds"]


# Signals


@BOTH_SIGNALS
def test_a_signal_ends_a_run_with_its_results(number, family):
    """Ctrl-C or SIGTERM to `netcomp run`: results as of now, exit 0, the workers gone."""
    run = family.start("run", family.spec(FOREVER))
    family.wait_for_rounds()
    run.signal(number)
    done = run.finish()

    assert 0 == done.code
    assert "Traceback" not in done.err
    check_results(family, "interrupted")


@BOTH_SIGNALS
def test_a_signal_ends_a_virtual_run_with_its_results(number, family):
    """The same for a run on the virtual clock, which has no loop to catch signals."""
    run = family.start("run", family.spec(FOREVER), "--clock", "virtual", "--json")
    family.wait_for_rounds()
    run.signal(number)
    done = run.finish()

    assert (0, "") == (done.code, done.err)
    assert "interrupted" == json.loads(done.out)["stopped_by"]
    check_results(family, "interrupted")


@pytest.mark.parametrize("method", METHODS)
def test_a_signal_with_frames_on_slow_links(method):
    """What is on its way when a virtual run is interrupted arrives in its order, and counts."""
    network = {"uplink": "1 kB/s", "downlink": ["1 kB/s", "2 kB/s", "1 B/s"], "latency": "1 s"}
    tree = small(algorithm=METHODS[method], network=network)
    cut = in_memory(tree, interrupt_after=5)

    assert ("interrupted", True) == (cut.outcome.stopped_by, cut.consistent)
    assert in_memory(tree).records[:6] == cut.records


@BOTH_SIGNALS
def test_a_signal_to_the_server_ends_both_sides(number, family):
    """The workers are told, say goodbye and end with 0; so does the server; all counts agree."""
    server, invitation = family.serve(FOREVER, "--json")
    workers = [family.start(argv=invitation) for _ in range(2)]
    family.wait_for_rounds()
    server.signal(number)
    ends = [worker.finish() for worker in workers]
    done = server.finish()

    assert [(0, "netcomp: done: interrupted\n")] * 2 == [(end.code, end.err) for end in ends]
    assert (0, "interrupted") == (done.code, json.loads(done.out)["stopped_by"])
    assert json.loads(done.out)["consistent"]
    check_results(family, "interrupted")


@BOTH_SIGNALS
def test_a_signal_to_a_server_that_waits(number, family):
    """Before the first round there is nothing to write: the server just ends, exit 0."""
    server, invitation = family.serve(FOREVER)
    worker = family.start(argv=invitation)
    server.until("1/2 workers")
    server.signal(number)

    assert (0, "netcomp: done: interrupted\n") == ((end := worker.finish()).code, end.err)
    assert 0 == server.finish().code
    assert [] == family.runs()


@BOTH_SIGNALS
def test_a_signal_to_a_worker(number, family):
    """The worker leaves with 0; the run cannot go on without it, says so, keeps its results."""
    server, invitation = family.serve(FOREVER, "--json")
    leaver = family.start(argv=[*invitation, "--id", "1"])
    stayer = family.start(argv=[*invitation, "--id", "0"])
    family.wait_for_rounds()
    leaver.signal(number)
    done = server.finish()
    reason = r"worker 1 was lost in round \d+: .*its user interrupted it"

    assert (0, "netcomp: done: interrupted\n") == ((end := leaver.finish()).code, end.err)
    assert re.fullmatch(f"netcomp: done: {reason}\n", stayer.finish().err)
    assert 1 == done.code
    assert re.fullmatch(f"netcomp: error: {reason}", done.err.splitlines()[-1])
    check_results(family, "failed")


def test_nobody_reads_what_it_says(family):
    """With nobody left at the other end of stderr, runs and signals take their course."""
    spec, port = family.spec(small(cluster={"workers": 1})), free_port()
    command = f"netcomp server {spec} --listen 127.0.0.1:{port} --json 2>&1 >out | head -1"
    shell = family.start(argv=["sh", "-c", command])
    worker = family.run("worker", "--connect", f"127.0.0.1:{port}")

    assert (0, "netcomp: done: rounds\n") == (worker.code, worker.err)
    assert 0 == shell.finish().code
    assert "rounds" == json.loads((family.folder / "out").read_text())["stopped_by"]


# Kills


def test_a_killed_worker_is_named(family):
    """SIGKILL to one worker: the server names it and the round, ends with 1, keeps the rows."""
    server, invitation = family.serve(FOREVER, "--json")
    victim = family.start(argv=[*invitation, "--id", "1"])
    other = family.start(argv=[*invitation, "--id", "0"])
    family.wait_for_rounds()
    victim.signal(signal.SIGKILL)
    done = server.finish()

    assert (1, "") == (done.code, done.out)
    assert re.fullmatch("netcomp: error: worker 1 was lost in round .*", done.err.splitlines()[-1])
    assert (0, True) == ((end := other.finish()).code, "worker 1 was lost" in end.err)
    assert "Traceback" not in done.err
    check_results(family, "failed")


def test_a_killed_worker_process_of_a_local_run(family):
    """The same inside `netcomp run`, whose workers are its own processes."""
    run = family.start("run", family.spec(FOREVER), "--json")
    family.wait_for_rounds()
    victim = max(pid for pid in family.members() if pid != run.process.pid)
    os.kill(victim, signal.SIGKILL)
    done = run.finish()

    assert 1 == done.code
    assert re.fullmatch(f"netcomp: error: {LOST}.*", done.err.splitlines()[-1])
    assert "no goodbye in time" not in done.err
    check_results(family, "failed")


def test_a_killed_server_leaves_no_workers(family):
    """SIGKILL to `netcomp run`: its worker processes end by themselves; the rows are there."""
    run = family.start("run", family.spec(FOREVER), "--json")
    family.wait_for_rounds()
    run.signal(signal.SIGKILL)

    assert -signal.SIGKILL == run.finish().code
    assert read_rounds(family.runs()[0])


def test_a_worker_whose_server_is_gone(family):
    """It ends with 1 and one line."""
    server, invitation = family.serve(FOREVER, "--json")
    workers = [family.start(argv=invitation) for _ in range(2)]
    family.wait_for_rounds()
    server.signal(signal.SIGKILL)

    for worker in workers:
        assert re.fullmatch(
            "netcomp: error: the connection ended.*", (end := worker.finish()).error
        )
        assert 1 == end.code


# Who starts first


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_a_worker_waits_for_its_server(monkeypatch, loop_name):
    """A worker that found no server tries again, and is in the run when there is one."""
    # Bound, not listened on: whoever dials is refused, and nobody else can take it.
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]

    async def scenario():
        tried = asyncio.Event()
        retrying = functools.partial(
            netcomp.net.worker.AsyncRetrying, before_sleep=lambda _: tried.set()
        )
        monkeypatch.setattr("netcomp.net.worker.AsyncRetrying", retrying)
        version = netcomp.__version__
        early = asyncio.create_task(
            netcomp.net.worker.run_slots("127.0.0.1", port, load_local, version=version, slots=2)
        )
        async with asyncio.timeout(WATCHDOG):
            await tried.wait()
        held.close()
        async with serving(TREE, port=port) as cluster:
            return await cluster.played(), await early

    played, reason = loops.run(scenario())
    assert "rounds" == reason
    assert in_memory(TREE).trajectory == played.trajectory


def test_a_worker_without_a_server_gives_up(family):
    """After --wait seconds it says where it looked, and ends with 1."""
    port = free_port()
    done = family.run("worker", "--connect", f"127.0.0.1:{port}", "--wait", "0.2")

    assert 1 == done.code
    assert re.fullmatch(f"netcomp: error: no server at 127.0.0.1:{port}: .+", done.error)


# Inside other programs


def test_inside_a_running_loop(loop_name, tmp_path):
    """`netcomp.run` works where a loop is running already, as in a notebook."""

    async def cell():
        return netcomp.run(TREE | {"record": {"every": 4, "dir": str(tmp_path)}})

    assert in_memory(TREE).model.tobytes() == loops.run(cell()).model.tobytes()


def test_from_a_script(family):
    """A script needs no main guard: the workers are commands of their own."""
    (family.folder / "script.py").write_text(
        f"import netcomp\nresult = netcomp.run({TREE!r})\nprint(result.model.tobytes().hex())\n"
    )
    done = family.run(argv=["python", "script.py"])

    assert (0, in_memory(TREE).model.tobytes().hex()) == (done.code, done.out.strip())


# Connections that end or lie at any byte


async def one_bad_connection(harm):
    """Run two workers, one through a relay that `harm` sets up; return how all ended.

    The bad one's place is offered to another as long as the run has not begun.
    """
    async with serving(TREE) as cluster, Relay(cluster.host, cluster.port) as relay:
        harm(relay)
        good = cluster.worker()
        await cluster.watcher.has((1, 1, 2))
        bad = cluster.worker(port=relay.port)
        (ended,) = await asyncio.gather(bad, return_exceptions=True)
        while len(cluster.server._peers) > 1 and not cluster.ended:  # noqa: ASYNC110
            await asyncio.sleep(0)  # until the server, which has no event for it, has noticed
        if not cluster.coordinator.stopping:
            await cluster.worker()
        played = await cluster.played()
        return played, ended, (await asyncio.gather(good, return_exceptions=True))[0]


def check_end(played, bad, good):
    """Either the run was harmed, and everybody knows; or it was not, and all is as always."""
    if played.outcome.error is None:
        # A number that is damaged may be an enormous one.
        assert good == played.outcome.stopped_by
        assert good in ("rounds", "diverged")
        return in_memory(TREE).trajectory == played.trajectory
    assert isinstance(bad, NetcompError) or bad == str(played.outcome.error)
    assert isinstance(good, str)
    assert isinstance(played.outcome.error, NetcompError)
    assert str(played.outcome.error)
    return False


def offsets(direction):
    """Return positions all over the handshake and the first rounds of one worker's stream."""
    sizes = loops.run(sizes_of_a_stream())
    whole = sizes[direction]
    return sorted({*range(0, 400, 29), *range(0, whole, whole // 12)})


async def sizes_of_a_stream():
    async with serving(TREE) as cluster, Relay(cluster.host, cluster.port) as relay:
        await cluster.worker(slots=2, port=relay.port)
        await cluster.played()
        return {"up": relay.connections[0].up, "down": relay.connections[0].down}


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_connection_cut_anywhere(direction, how, loop_name):
    """Cut in the handshake: another takes the place, same model. Cut later: worker and round."""
    begun = 0
    for offset in offsets(direction)[:-1]:

        def cut(relay, offset=offset):
            relay.cut_after(direction, offset, how=how, connection=0)

        played, bad, good = loops.run(one_bad_connection(cut))
        harmless = check_end(played, bad, good)
        assert harmless or re.match(LOST, str(played.outcome.error))
        begun += not harmless
    assert begun > 0


@pytest.mark.parametrize("xor", [0x01, 0xFF])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_byte_corrupted_anywhere(direction, xor, monkeypatch):
    """One damaged byte is refused, is a number's, or does no harm; nothing hangs."""
    # A damaged length makes a frame nobody completes: do not wait for it as long as usual.
    monkeypatch.setattr("netcomp.net.connection._STALL_SECONDS", 0.5)
    monkeypatch.setattr("netcomp.net.server._HELLO_SECONDS", 2.0)
    headers = range(20)
    for offset in sorted({*headers, *offsets(direction)}):

        def corrupt(relay, offset=offset):
            relay.corrupt(direction, offset, xor=xor, connection=0)

        check_end(*loops.run(one_bad_connection(corrupt)))
