"""What is wrong is said in one line, before anything is written; strangers change nothing."""

import asyncio
import contextlib
import json
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading

import numpy as np
import pytest

from netcomp.experiment.tree import load_spec
from netcomp.net import loops
from netcomp.wire.documents import Hello, encode
from netcomp.wire.frames import VERSION, FrameKind, header
from relay import Relay
from support.cluster import (
    ENDLESS,
    METHODS,
    WORKERS,
    in_memory,
    serving,
    small,
)
from support.commands import WATCHDOG, Done, Family

QUADRATIC = "--problem quadratic-heterogeneous --workers 3 --set problem.dim=24"

# What is typed, and what the one line must name.
MISTAKES = {
    "run QUADRATIC --algorithm nosuch": "algorithm 'nosuch'.*marina",
    "run QUADRATIC --algorithm dcgd --up rnd-k:3": "algorithm.up.*rand-k",
    "run QUADRATIC --algorithm dcgd --up rand-k:q=3": "algorithm.up.*'q=3'",
    "run QUADRATIC --algorithm dcgd --up rand-k:25": "k = 25.*d = 24",
    "run QUADRATIC --algorithm gd --up rand-k:3": "algorithm.up: gd",
    "run --problem nosuch": "problem 'nosuch'",
    "run QUADRATIC --set problem.dims=3": "problem.dims",
    "run QUADRATIC --set problem.dim=0": "problem.dim",
    "run QUADRATIC --set cluster.wrokers=3": "cluster.wrokers: unknown key",
    "run QUADRATIC --set nosuch.key=3": "nosuch: unknown key",
    "run QUADRATIC --uplink '10 Mbps'": "network.uplink.*'Mbit/s'",
    "run QUADRATIC --latency 20": "network.latency.*no unit",
    "run QUADRATIC --set network.uplink=5": "network.uplink: .*not 5",
    "run QUADRATIC --set 'network.uplink=[\"1 B/s\"]'": "network.uplink: 1 .* 3",
    "run QUADRATIC --uplink 'normal:mean=1 B/s'": "network.uplink: 'normal' is none of lognormal",
    "run QUADRATIC --uplink 'trace:nosuch.csv'": "network.uplink: nosuch.csv: No such file",
    "run QUADRATIC --downlink 'uniform:low=1 B/s'": "network.downlink: high is missing",
    "run QUADRATIC --set network.profile=dsl": "network.profile: .*'adsl'",
    "run QUADRATIC --set network.jitter=5": "network.jitter: .*not 5",
    "run QUADRATIC --set network.jitter='5 m'": "network.jitter: .*'min' or 'ms'",
    "run QUADRATIC --set network.overhead=ip": "network.overhead",
    "run QUADRATIC --set network.server.send=fast": "network.server.send: 'fast'",
    "run QUADRATIC --set network.server.in=fast": "network.server.in: unknown key",
    "run QUADRATIC --set network.worker.9.uplink='1 B/s'": "network.worker.9: .*0 to 2",
    "run QUADRATIC --set network.worker.1-0.uplink='1 B/s'": "network.worker.1-0: .*0-1",
    "run QUADRATIC --set network.worker.1.uplink='1 B/s' --set network.worker.0-2.uplink='2 B/s'": (
        "network.worker.0-2: worker 1 has a table already: network.worker.1"
    ),
    'run QUADRATIC --set \'network.uplink=["1 B/s", 2, "3 B/s"]\'': (
        "network.uplink.1: must be text in quotes, with its unit.*not 2"
    ),
    "run QUADRATIC --set network.worker.x.uplink='1 B/s'": "network.worker.x: a worker is a number",
    "run QUADRATIC --set network.worker.1.uplink=1": "network.worker.1.uplink: .*not 1",
    "run QUADRATIC --set network.worker.1.jitter='1 m'": "network.worker.1.jitter: .*'min'",
    "run QUADRATIC --set network.worker.1.nosuch=1": "network.worker.1.nosuch: unknown key",
    "run QUADRATIC --set cluster.compute='5 ms'": "cluster.compute: .*virtual",
    "run QUADRATIC --clock virtual --set cluster.compute=slow": "cluster.compute: 'slow'",
    "run QUADRATIC --clock virtual --set 'cluster.compute=[\"5 ms\"]'": "compute: 1 .* 3",
    "run QUADRATIC --algorithm dcgd --up top-k:3 --step-size 0.1 --strict": "strict: .*Example 1",
    "run QUADRATIC --step-size -1": "algorithm.step_size",
    "run QUADRATIC --set seed=one": "seed: .*'one'",
    "run QUADRATIC --set stop=5": "stop: must be a table",
    "run QUADRATIC --set stop.rounds=0": "stop.rounds",
    "run QUADRATIC --set nonsense": "--set: 'nonsense'",
    "run QUADRATIC --set =5": "--set: '=5'",
    "run QUADRATIC --clock sundial": "network.clock",
    "run QUADRATIC --rounds many": "--rounds",
    "run QUADRATIC --nosuch": "--nosuch",
    "nosuch": "'nosuch'",
    "list nosuch": "'nosuch'.*algorithms",
    "run nosuch.toml": "nosuch.toml: No such file",
    "run broken.toml": "broken.toml: is not TOML: .*line 2",
    "run --problem logistic": "problem.data: logistic needs",
    "run --problem logistic --data nosuch": "data set 'nosuch'.*breast_cancer",
    "run --problem logistic --data good.svm --workers 9": "cluster.workers: 9 .* 8 rows",
    "server --listen nowhere": "--listen: 'nowhere'",
    "server --listen 0.0.0.0:0": "--listen: .*--insecure",
    "server --set network.clock=virtual": "network.clock",
    "worker --connect nowhere:99999": "--connect: 'nowhere:99999'",
    "worker": "--connect",
    "compare QUADRATIC": "compare: no algorithm",
    "compare QUADRATIC --algorithm gd --algorithm nosuch": "'nosuch'",
    "compare QUADRATIC --algorithm gd --algorithm dcgd,up=top-k:99": "k = 99",
    "compare QUADRATIC --algorithm m3,momentum=x": "algorithm.momentum",
    "compare QUADRATIC --algorithm m3,x": "--algorithm: .*'x'",
    "run --problem logistic --data ./nosuch.svm": "nosuch.svm: there is no such file",
    "run --problem logistic --data broken.svm": "broken.svm, line 3: not LIBSVM",
    "run --problem logistic --data diabetes": "diabetes: .*two distinct labels",
}


# Runs each command in a process of its own, but imports everything only once.
FORKS = """
import json, os, sys, tempfile
import sklearn.datasets
from netcomp.cli import main
done = []
for argv in json.load(sys.stdin):
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if not (pid := os.fork()):
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            sys.argv = ["netcomp", *argv]
            try:
                main()
            except SystemExit as end:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(end.code or 0)  # taking all the imports down takes ten times as long
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0), err.seek(0)
        done.append((code, out.read(), err.read()))
json.dump(done, sys.stdout)
"""


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory):
    """Make every mistake in one folder; return how each command ended."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "broken.toml").write_text("seed = 1\nseed seed\n")
    (folder / "good.svm").write_text("+1 1:1\n-1 2:1\n" * 4)
    (folder / "broken.svm").write_text("+1 1:1\n-1 2:1\n+1 1:one\n-1 1:1\n")
    argvs = [shlex.split(mistake.replace("QUADRATIC", QUADRATIC)) for mistake in MISTAKES]
    forks = subprocess.run(
        [sys.executable, "-c", FORKS],
        cwd=folder,
        env=Family(folder).environment(),
        input=json.dumps(argvs),
        capture_output=True,
        text=True,
        check=True,
        timeout=WATCHDOG,
    )
    ends = (Done(*end) for end in json.loads(forks.stdout))
    return folder, dict(zip(MISTAKES, ends, strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_it(mistake, mistakes):
    """One line on stderr, nothing on stdout, exit code 2."""
    done = mistakes[1][mistake]

    assert (2, "") == (done.code, done.out)
    assert re.fullmatch(rf"netcomp: error: .*{MISTAKES[mistake]}.*", done.error)


def test_a_mistake_leaves_nothing_behind(mistakes):
    """No run folder, not even an empty one."""
    names = sorted(path.name for path in mistakes[0].iterdir())

    assert ["broken.svm", "broken.toml", "good.svm"] == names


def test_the_installed_command_ends_the_same(family, mistakes):
    """What the two tests above saw is what a shell sees."""
    for mistake in ("run --problem nosuch", "worker"):
        assert mistakes[1][mistake] == family.run(argv=["netcomp", *mistake.split()])


def test_a_port_in_use_is_named(family):
    """A server that cannot listen says where, and ends with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = family.run("server", "--listen", f"127.0.0.1:{port}")

    assert 1 == done.code
    assert re.fullmatch(f"netcomp: error: cannot listen on 127.0.0.1:{port}: .+", done.error)


SPEC = {
    "problem": {"name": "logistic", "data": "data.svm"},
    "cluster": {"workers": 2},
    "algorithm": {"name": "marina", "up": "rand-k:k=1"},
    "stop": {"rounds": 10},
}
ROWS = "+1 1:1 2:1\n-1 2:1 3:2\n+1 1:2\n-1 3:1\n"


def test_wrong_workers_are_refused_and_the_right_ones_finish(family):
    """Other data, a number taken or beyond the last: both sides say why; the run completes.

    The invitation the server prints works as it stands.
    """
    files = {"data": ROWS, "wider": ROWS + "+1 4:1\n", "other": ROWS.replace("3:2", "3:3")}
    (family.folder / "sets").mkdir()
    for name, rows in files.items():
        (family.folder / f"sets/{name}.svm").write_text(rows)
    family.changes["NETCOMP_DATA"] = "sets"
    server, invitation = family.serve(SPEC)
    server.until("0/2 workers; start one with: netcomp worker --connect 127.0.0.1:[0-9]+$")
    right = family.start(argv=[*invitation, "--id", "0"])
    server.until("1/2 workers")
    # A second one that says no more than hello, so that the server tells when the first is ready.
    with socket.create_connection(("127.0.0.1", int(invitation[-1].rpartition(":")[2]))) as silent:
        silent.sendall(encode(Hello(netcomp="test", worker=1)).buffers[0])
        server.until("2 workers are here, 1 have loaded")
    server.until("worker 1 left: the connection ended")

    for extra, ours, theirs in (
        (("--id", "0"), "worker 0 is here already", "worker 0 is here already"),
        (("--id", "7"), "no worker 7: the run has 2, from 0", "no worker 7"),
        (("--data", "wider.svm"), "worker 1 has dim 4 where 3 is wanted", "worker 1 left"),
        (("--data", "other.svm"), "worker 1 has digest .* where .* is wanted", "worker 1 left"),
    ):
        refused = family.run(argv=[*invitation, *extra])
        assert (1, "") == (refused.code, refused.out)
        assert re.fullmatch(f"netcomp: error: refused by the other side: .*{ours}.*", refused.error)
        server.until(theirs)
    late = family.run(argv=invitation)

    assert (0, "netcomp: done: rounds\n") == (late.code, late.err)
    assert (0, "netcomp: done: rounds\n") == ((done := right.finish()).code, done.err)
    assert 0 == server.finish().code
    (folder,) = family.runs()
    tree = load_spec(folder / "spec.toml")
    tree["problem"]["data"] = str(family.folder / "sets/data.svm")
    assert in_memory(tree).model.tobytes() == np.load(folder / "model.npy").tobytes()


def test_one_worker_too_many_is_refused(family):
    """A full run takes nobody else, and goes on."""
    server, invitation = family.serve(small(cluster={"workers": 1}, stop=ENDLESS))
    worker = family.start(argv=invitation)
    server.until("^round")
    refused = family.run(argv=invitation)
    worker.signal(2)

    assert 1 == refused.code
    assert re.fullmatch("netcomp: error: .*all 1 workers are here already", refused.error)
    assert 0 == worker.finish().code
    assert 1 == server.finish().code


def tls_hello():
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


HELLO = FrameKind.HELLO
STRANGERS = {
    "a browser": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "not netcomp's protocol"),
    "random bytes": (np.random.default_rng(1).bytes(100_000), "not netcomp's protocol"),
    "a TLS hello": (tls_hello(), "not netcomp's protocol"),
    "half a header": (header(HELLO, 0, 0, 9)[:10], "in the middle of a frame"),
    "half a frame": (header(HELLO, 0, 0, 9), "in the middle of a frame"),
    "a huge frame": (header(HELLO, 0, 0, 2**63), "9223372036854775808 bytes announced"),
    "a damaged hello": (header(HELLO, 0, 0, 9) + b"\xc1" * 9, "damaged HELLO"),
    "a bomb": (header(HELLO, 0, 0, 4096) + b"\xdd\xff\xff\xff\xff" * 819 + b"\0", "damaged HELLO"),
    "a frame out of turn": (header(FrameKind.UPLINK, 0, 0, 0), "no place here"),
    "nothing at all": (b"", None),
}


async def visit(host, port, said):
    """Connect, say that, and hear the server out."""
    reader, writer = await asyncio.open_connection(host, port)
    heard = b""
    with contextlib.suppress(ConnectionError):
        writer.write(said)
        writer.write_eof()
        heard = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return heard


@contextlib.asynccontextmanager
async def in_mid_run(tree):
    """Hold a run in its third round or so while the block runs, then let it end."""
    async with serving(tree) as cluster, Relay(cluster.host, cluster.port) as relay:
        relay.stall("up", after=1500)
        worker = cluster.worker(slots=cluster.spec.cluster.workers, port=relay.port)
        while not relay.connections:  # noqa: ASYNC110 — the relay has no event for it
            await asyncio.sleep(0)
        await relay.connections[0].wait_passed("up", 1500)
        yield cluster
        relay.resume()
        cluster.result = await cluster.played()
        await worker


def test_strangers_do_not_change_the_run(loop_name):
    """Whoever else connects while it runs is sent away; model and counts stay bit for bit."""
    tree = small(algorithm=METHODS["m3"])

    async def scenario():
        async with in_mid_run(tree) as cluster:
            for said, _ in STRANGERS.values():
                assert b"" == await visit(cluster.host, cluster.port, said)
            # A port that is looked at every few seconds must not cost memory for ever.
            assert WORKERS == len(cluster.server._accepted)
        return cluster.result

    played, reference = loops.run(scenario()), in_memory(tree)
    assert reference.trajectory == played.trajectory
    assert reference.traffic == played.traffic
    assert played.consistent
    reasons = [reason for _, reason in STRANGERS.values() if reason]
    assert len(reasons) == len(played.notes)
    for reason, note in zip(reasons, played.notes, strict=True):
        assert note.startswith("closed a connection: ")
        assert reason in note


def test_another_version_is_told_both_versions(loop_name):
    """A peer of another protocol version gets an ERROR frame that names both; the run goes on."""
    theirs = header(HELLO, 0, 0, 0).replace(b"NC" + bytes([VERSION]), b"NC\x63")
    text = f"protocol version 99 met where this side speaks {VERSION}"

    async def scenario():
        async with in_mid_run(small()) as cluster:
            heard = await visit(cluster.host, cluster.port, theirs)
        return heard, cluster.result

    heard, played = loops.run(scenario())
    assert header(FrameKind.ERROR, 0, 0, 0)[:4] == heard[:4]
    assert text.encode() in heard
    assert [f"closed a connection: {text}"] == played.notes
    assert in_memory(small()).trajectory == played.trajectory


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (header(FrameKind.WELCOME, 0, 0, 0).replace(b"NC" + bytes([VERSION]), b"NC\x63"),
         f"protocol version 99 met where this side speaks {VERSION}"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "these bytes are not netcomp's protocol"),
        (b"", "the connection ended"),
    ],
    ids=["another version", "a web server", "a closing port"],
)  # fmt: skip
def test_a_worker_at_the_wrong_door_says_so(answer, said, family):
    """A worker whose server is none ends at once with one line and 1: it does not try again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            client, _ = listener.accept()
            with client:
                client.settimeout(WATCHDOG)
                client.recv(1 << 16)
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 16):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        done = family.run("worker", "--connect", f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join(WATCHDOG)

    assert (1, f"netcomp: error: {said}") == (done.code, done.error)
