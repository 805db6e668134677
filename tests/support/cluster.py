"""Whole clusters for tests: in memory, and in this process's loop."""

import asyncio
import contextlib
from dataclasses import dataclass

import netcomp
from netcomp.experiment import run as running
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import merged
from netcomp.experiment.virtual import VirtualCluster
from netcomp.net import loops
from netcomp.net.connection import Connection
from netcomp.net.worker import run_slots
from netcomp.protocol.session import Side
from support.commands import WATCHDOG

WORKERS, DIM, ROUNDS = 3, 24, 15
SMALL = {
    "problem": {"name": "quadratic-heterogeneous", "dim": DIM},
    "cluster": {"workers": WORKERS},
    "stop": {"rounds": ROUNDS},
    "record": {"every": 4},
}
"""A run that needs no data and takes a moment."""

_DATA = {"oracle": "minibatch:b=5", "step_size": 0.05}

METHODS = {
    "gd": {"name": "gd"},
    "dcgd": {"name": "dcgd", "up": "rand-k:k=4"},
    "diana": {"name": "diana", "up": "rand-k:k=4"},
    "marina": {"name": "marina", "up": "rand-k:k=8"},
    "marina-p perm-k": {"name": "marina-p", "down": "perm-k"},
    "marina-p rand-k same": {
        "name": "marina-p",
        "down": {"compressor": "rand-k:k=8", "collection": "same"},
    },
    "marina-p rand-k independent": {
        "name": "marina-p",
        "down": {"compressor": "rand-k:k=8", "collection": "independent"},
    },
    "m3": {"name": "m3"},
}
"""One method of each way of speaking, with each kind of compressor collection it may have."""

EVERY_NAME = METHODS | {
    "cgd": {"name": "cgd", "up": "sign", "step_size": 0.05},
    "ec-sgd": {"name": "ec-sgd", "up": "top-k:k=4", "schedule": "theorem-21-i"},
    "dasha": {"name": "dasha", "up": "rand-k:k=4"},
    "ef21": {"name": "ef21", "up": "top-k:k=4"},
    "ef21-p": {"name": "ef21-p", "down": "top-k:k=4"},
    "ef21-p+dcgd": {"name": "ef21-p+dcgd", "step_size": 0.02},
    "ef21-bc": {"name": "ef21-bc", "step_size": 0.02},
    "core": {"name": "core", "up": "sketch:m=6"},
    "pp-marina": {"name": "pp-marina", "up": "rand-k:k=4", "participation": "uniform:r=4"},
    **{
        name: {"name": name, **_DATA}
        for name in (
            *("sgd", "qsgd", "mem-sgd", "signsgd-ef", "double-squeeze"),
            *("artemis", "artemis-nd-direct", "artemis-nd-memory", "artemis-nd-update", "dore"),
            *("mcm", "rand-mcm", "rand-mcm-g", "rand-mcm-pp", "rand-mcm-pp-single"),
        )
    },
    "dist-ef-sgd": {"name": "dist-ef-sgd", "up": "rand-k:k=4,scaled=no", **_DATA},
    "mcm-pp": {"name": "mcm-pp", "participation": "independent:p=0.3", **_DATA},
    "mcm-pp by the whole": {
        "name": "mcm-pp",
        "participation": "independent:p=0.4",
        "down": "rand-k:k=20",
        "values": "f64",
        **_DATA,
    },
    "rand-mcm-pp-reset": {"name": "rand-mcm-pp-reset", "down": {"reset": 3}, **_DATA},
    "neolithic": {"name": "neolithic", **_DATA, "oracle": "accumulate:r=4,b=5"},
    "neolithic-uni": {"name": "neolithic-uni", **_DATA, "oracle": "accumulate:r=4,b=5"},
    "vr-diana": {"name": "vr-diana", **_DATA, "oracle": "svrg:b=5,p=0.3"},
    "vr-marina": {"name": "vr-marina", "up": {"p": 0.3}, **_DATA, "oracle": "two-point:b=5"},
    "vr-marina-online": {
        "name": "vr-marina-online",
        "up": {"p": 0.3},
        **_DATA,
        "oracle": "two-point:b=5,whole=50",
    },
    "custom": {
        "name": "custom",
        "up": {"channel": "dasha", "compressor": "rand-k:k=6"},
        "down": {"channel": "memory", "compressor": "natural", "collection": "groups:2"},
        "server_momentum": 0.5,
        "schedule": "stairs:ratio=0.5,every=4",
        "average": "equal",
        "step_size": 0.05,
    },
}
"""Every algorithm of the catalogue, and each way of taking part."""

LOGISTIC = {"name": "logistic", "data": "breast_cancer"}
"""A problem with rows to draw."""


def of_method(table) -> dict:
    """Return the small run of a method; on real data where it draws minibatches."""
    if "b=" not in str(table.get("oracle", "")):
        return small(algorithm=table)
    tree = small(algorithm=table, problem=LOGISTIC)
    del tree["problem"]["dim"]
    return tree


def small(**tables) -> dict:
    """Return the small run with other tables laid over it."""
    return merged(SMALL, tables)


class Watcher:
    """An observer that keeps everything it is told."""

    def __init__(self):
        self.records, self.notes, self.counts, self.targets = [], [], [], []
        self._counted = asyncio.Event()
        self.on_record = lambda _: None

    async def has(self, counts):
        """Wait until (present, ready, needed) has been told."""
        while counts not in self.counts:
            self._counted.clear()
            await self._counted.wait()

    def waiting(self, present, ready, needed):
        self.counts.append((present, ready, needed))
        self._counted.set()

    def note(self, text):
        self.notes.append(text)

    def record(self, record):
        self.records.append(record)
        self.on_record(record)

    def reached(self, target):
        self.targets.append(target)


@dataclass
class Played:
    """What became of a run."""

    outcome: object
    records: list
    model: object
    overhead: object
    consistent: bool
    plan: object
    notes: list

    @property
    def trajectory(self):
        """All that must be equal bit for bit: the last model, and what every probe saw."""
        probes = [(r.round, r.loss, r.grad_norm_sq) for r in self.records if r.probed]
        return str(self.model.dtype), self.model.tobytes(), probes

    @property
    def traffic(self):
        """Every data count of every worker and round."""
        return [(r.round, [(w.worker, w.up, w.down) for w in r.workers]) for r in self.records]

    def total(self, way, count="wire_bytes"):
        return sum(getattr(getattr(record, way)(), count) for record in self.records)


class Cluster:
    """A server of a spec in this loop; workers are added as tasks."""

    def __init__(self, tree):
        self.spec = Spec.parse(tree)
        self.experiment = Experiment(self.spec, "test")
        self.watcher = Watcher()
        self.coordinator = running._coordinator(self.experiment)
        self.server = running._server(self.experiment, self.coordinator, self.watcher)
        self.host, self.port = "", 0
        self._listening = asyncio.Event()
        self._task = None

    async def start(self, host, port):
        self._task = asyncio.create_task(self.server.run(host, port, self._listens))
        heard = asyncio.create_task(self._listening.wait())
        await asyncio.wait([self._task, heard], return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        if self.ended:
            self._task.result()

    def _listens(self, host, port):
        self.host, self.port = host, port
        self._listening.set()

    def worker(self, slots=1, first=None, port=None, load=load_local, patience=WATCHDOG):
        """Start what a worker process would do, as a task."""
        options = {"slots": slots, "first": first, "patience": patience}
        course = run_slots(
            self.host, port or self.port, load, version=netcomp.__version__, **options
        )
        return asyncio.create_task(course)

    ended = property(lambda self: self._task.done())
    """Whether the server's part is over."""

    async def played(self) -> Played:
        """Wait for the end."""
        outcome = await self._task
        return _played(outcome, self.experiment, self.coordinator, self.server, self.watcher)

    async def close(self):
        self.server.interrupt()  # does nothing where the run is over
        await asyncio.wait([self._task])


@contextlib.asynccontextmanager
async def serving(tree, host="127.0.0.1", port=0):
    """Serve a spec in this loop; afterwards nothing of it is left."""
    async with asyncio.timeout(WATCHDOG):
        cluster = Cluster(tree)
        await cluster.start(host, port)
        try:
            yield cluster
        finally:
            await cluster.close()


ENDLESS = {"rounds": 10**9}
"""A run that only ends when something ends it."""


def shares(workers, processes):
    """Return (first, slots) of each process."""
    return [
        (first, (workers * (p + 1)) // processes - first)
        for p in range(processes)
        for first in [(workers * p) // processes]
    ]


async def over_sockets(tree, processes=1) -> Played:
    """Run a spec over loopback TCP, server and `processes` times `run_slots` in this loop."""
    async with serving(tree) as cluster:
        parts = shares(cluster.spec.cluster.workers, processes)
        tasks = [cluster.worker(slots, first) for first, slots in parts]
        played = await cluster.played()
        await asyncio.gather(*tasks)
        return played


def on_sockets(tree, processes=1) -> Played:
    """Do the same from outside a loop; NETCOMP_LOOP says on which."""
    return loops.run(over_sockets(tree, processes))


def in_memory(tree, interrupt_after=None) -> Played:
    """Run a spec on the virtual clock; a signal may come while that round is written down."""
    experiment, watcher = Experiment(Spec.parse(tree), "test"), Watcher()
    coordinator = running._coordinator(experiment)
    cluster = VirtualCluster(experiment, coordinator, watcher)
    watcher.on_record = lambda record: record.round == interrupt_after and cluster.interrupt()
    outcome = cluster.run(netcomp.__version__)
    return _played(outcome, experiment, coordinator, cluster, watcher)


def _played(outcome, experiment, coordinator, cluster, watcher):
    return Played(
        outcome,
        watcher.records,
        coordinator.model,
        cluster.overhead,
        cluster.consistent,
        experiment.plan,
        watcher.notes,
    )


def spied(monkeypatch):
    """Return the list that every connection of this process will be in, by side."""
    made = {Side.SERVER: [], Side.WORKER: []}

    class Spied(Connection):
        def __init__(self, side, *args):
            super().__init__(side, *args)
            self.frames = []
            made[side].append(self)

        def _scheduled(self, frame):
            transfer = super()._scheduled(frame)
            self.frames.append((frame.kind, frame.nbytes, transfer is not None))
            return transfer

    monkeypatch.setattr("netcomp.net.server.Connection", Spied)
    monkeypatch.setattr("netcomp.net.worker.Connection", Spied)
    return made
