"""Running one spec: as a local cluster over sockets, as a server for others, or in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from netcomp.draw import Draw
from netcomp.errors import NetcompError, SpecError
from netcomp.experiment.build import Experiment
from netcomp.experiment.cluster import run_local
from netcomp.experiment.local import load_local
from netcomp.experiment.recorder import Recorder, Result
from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import load_spec
from netcomp.experiment.virtual import VirtualCluster
from netcomp.link import Lag
from netcomp.net import loops
from netcomp.net.server import Server
from netcomp.net.worker import run_slots
from netcomp.protocol.coordinator import Coordinator
from netcomp.version import __version__

__all__ = ["execute", "run", "serve", "work"]

_LOG = logging.getLogger("netcomp")


def run(spec: Spec | Mapping[str, Any] | str | Path, *, show: bool = False) -> Result:
    """Run an experiment and return its result: the API's counterpart of `netcomp run`.

    `spec` is a `Spec`, a tree of tables, or the path of a TOML file. Works from a script and
    from inside a running event loop. With `network.clock = "virtual"` everything happens in
    this process; else workers are processes of their own and talk TCP.

    Raises `SpecError` for a spec that cannot run, `DataError` for data that cannot be used,
    and any other `NetcompError` that ended the run; what was recorded by then is on disk.
    """
    if isinstance(spec, str | Path):
        spec = load_spec(spec)
    result = execute(spec if isinstance(spec, Spec) else Spec.parse(spec), show=show)
    if result.error is not None:
        raise result.error
    return result


def execute(
    spec: Spec,
    *,
    show: bool = False,
    keep: bool = True,
    plot: bool = True,
    name: str | None = None,
    note: Callable[[str], None] = _LOG.info,
) -> Result:
    """Run a spec here, cluster or virtual; an error that ends the run is in the result.

    `show` displays the progress, `keep` writes a run folder, called after `name`, and `plot`
    its figures; `note` is told what a user may want to know.
    """
    experiment = Experiment(spec, name)
    experiment.check_data()
    recorder = Recorder(experiment, show=show, keep=keep, plot=plot, note=note)
    coordinator = _coordinator(experiment)
    with threadpool_limits(1):
        if spec.network.clock == "virtual":
            cluster = VirtualCluster(experiment, coordinator, recorder)
            with loops.on_signals_without_loop(cluster.interrupt):
                outcome = cluster.run(__version__)
            overhead, consistent, lag = cluster.overhead, cluster.consistent, Lag()
        else:
            server = _server(experiment, coordinator, recorder)
            outcome = loops.run(run_local(server, spec.cluster.slots), server.interrupt)
            overhead, consistent, lag = server.overhead, server.consistent, server.lag
    return recorder.finish(
        outcome, overhead, consistent=consistent, lag=lag, model=coordinator.model
    )


def serve(spec: Spec, host: str, port: int, *, show: bool, note: Callable[[str], None]) -> Result:
    """Be the server of an experiment whose workers come from elsewhere.

    Raises `NetcompError` naming the address when it cannot be listened on, `SpecError` for a
    virtual clock.
    """
    if spec.network.clock == "virtual":
        raise SpecError("network.clock", "a server with real workers has a real clock")
    experiment = Experiment(spec)
    recorder = Recorder(experiment, show=show, keep=True, note=note)
    coordinator = _coordinator(experiment)
    server = _server(experiment, coordinator, recorder)
    try:
        with threadpool_limits(1):
            outcome = loops.run(server.run(host, port, recorder.invite), server.interrupt)
    except OSError as error:
        raise NetcompError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return recorder.finish(
        outcome,
        server.overhead,
        consistent=server.consistent,
        lag=server.lag,
        model=coordinator.model,
    )


def work(
    host: str,
    port: int,
    *,
    slots: int,
    first: int | None,
    data: str | None,
    patience: float,
    trusted: bool,
) -> str:
    """Be `slots` workers of the server at an address; return why the run stopped.

    Only a `trusted` server may have modules imported and any path read here.

    Raises `NetcompError` where the run went wrong here or the server refused.
    """
    load = partial(load_local, data=data, trusted=trusted, slots=slots)
    try:
        with threadpool_limits(1):
            return loops.run(
                run_slots(
                    host,
                    port,
                    load,
                    version=__version__,
                    slots=slots,
                    first=first,
                    patience=patience,
                )
            )
    except OSError as error:
        raise NetcompError(f"no server at {host}:{port}: {error.strerror or error}") from None


def _server(experiment: Experiment, coordinator: Coordinator, recorder: Recorder) -> Server:
    draw = Draw(experiment.spec.seed)
    return Server(coordinator, experiment.links, recorder, experiment.ports, draw)


def _coordinator(experiment: Experiment) -> Coordinator:
    spec = experiment.spec
    return Coordinator(
        workers=spec.cluster.workers,
        seed=spec.seed,
        goals=spec.stop.goals,
        probe_every=spec.record.every,
        welcome=experiment.welcome,
        prepare=experiment.prepare,
        identify=experiment.identify,
    )
