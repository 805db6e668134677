"""From a spec to the things that run: oracles, roles, plans, on either end.

The server needs no data: workers say what they loaded. Joint constants (L, L_A, L_B) are
exact where this machine can load the data too, else conservative bounds marked as such.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import asdict, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from netcomp.algorithms import ALGORITHMS, Choice, Composition, Plan, compose
from netcomp.compressors import MAX_LAYERS, with_layers
from netcomp.constants import JOINT, Constant, Constants, exact
from netcomp.data import (
    SPLITS,
    Dataset,
    FromFile,
    Own,
    Preparation,
    Split,
    SplitRule,
    data_folders,
    head_of,
    load,
    needs_no_file,
    parse_split,
)
from netcomp.draw import Draw
from netcomp.errors import DataError, ImportRefused, RemoteProtocolError, SpecError
from netcomp.experiment.spec import ProblemSpec, Spec
from netcomp.problems import LocalOracle, Problem
from netcomp.protocol.coordinator import Ground
from netcomp.protocol.round import Links
from netcomp.protocol.slot import Local
from netcomp.roles import Array, WorkerRole
from netcomp.wire.documents import Begin, Known, Ready, Welcome
from netcomp.wire.messages import VECTOR_OVERHEAD

__all__ = ["Experiment", "load_local"]

_DTYPES: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
}


_NUMBER = "{worker}"
_KEPT = 2  # data sets prepared, and splits: a process needs one for all its workers


@lru_cache(maxsize=_KEPT)
def _prepared(data: Dataset, preparation: Preparation) -> Dataset:
    return preparation.rows(data)


@lru_cache(maxsize=_KEPT)
def _dealt(rule: SplitRule, data: Dataset, workers: int, draw: Draw, _stamp: Hashable) -> Split:
    return rule.deal(data, workers, draw)


class _Oracles:
    """The local functions of a problem: data loaded, split and wrapped, worker by worker."""

    def __init__(
        self,
        spec: ProblemSpec,
        problem: Problem,
        workers: int,
        seed: int,
        own_data: str | None = None,
    ) -> None:
        self.problem = problem
        self.workers = workers
        self.draw = Draw(seed)
        self.own = isinstance(parse_split(spec.split), Own)
        self._spec = spec
        self._name = own_data or spec.data

    @cached_property
    def _rows(self) -> Dataset | None:
        """The rows that are split, with the labels they came with."""
        if self._name is None:
            if self.own:
                raise SpecError("problem.split", "own: each worker is to be started with --data")
            return None
        data = load(self._name, data_folders())
        if self.own:
            data = replace(data, partial=True)
        return _prepared(data, self._spec.preparation)

    @cached_property
    def data(self) -> Dataset | None:
        """The data set, prepared; None where the problem makes its own. Raises `DataError`."""
        if self._rows is None:
            return None
        return self.problem.prepare(self._spec.preparation.signs(self._rows))

    @cached_property
    def settled(self) -> Problem:
        """The problem with the options fixed that are relative to the data."""
        return self.problem if self.data is None else self.problem.settled(self.data)

    @cached_property
    def split(self) -> Split:
        """Which rows are whose; raises `SpecError` or `DataError`."""
        if self._rows is None:
            return Split((), 0)
        rule = parse_split(self._spec.split)
        return _dealt(rule, self._rows, self.workers, self.draw, rule.stamp())

    @cached_property
    def digest(self) -> str:
        """What all who hold the same data, prepared and split alike, have in common.

        Empty where there are no data, or none in common.
        """
        if self._rows is None or self.own:
            return ""
        return self.split.digest(self._spec.preparation.digest(self._rows))

    def oracle(self, worker: int) -> LocalOracle:
        """Return f_i."""
        shard = None if self.data is None else self.data.take(self.split.parts[worker])
        return self.settled.oracle(shard, worker, self.workers, self.draw)


def load_local(
    welcome: Welcome, data: str | None = None, *, trusted: bool = False, slots: int = 1
) -> Local:
    """Load what a worker needs, as the server's spec says; `data` is its own choice instead.

    In `data` "{worker}" stands for the worker's number; where all `slots` workers of a process
    are to have rows of their own it must be there.

    Unless the server is `trusted` its spec and plan may only name what is registered here, and
    data that is built in or lies in a folder of NETCOMP_DATA: neither modules to import nor paths.
    Raises `DataError`, or `RemoteProtocolError` where the server's spec cannot be followed.
    """
    try:
        tree = {"problem": welcome.spec["problem"], "seed": welcome.spec["seed"]}
        dtype = _DTYPES[welcome.spec["dtype"]]
        if not trusted:
            _refuse_reaching_out(tree["problem"], own_data=data is not None)
        spec = Spec.parse(tree)
    except (AttributeError, KeyError, TypeError) as error:
        raise RemoteProtocolError(f"the server's spec makes no sense here: {error}") from None
    problem = spec.problem_object()
    if data is not None and not problem.needs_data:
        raise SpecError("--data", f"{spec.problem.name} makes its own data")
    own_data = None if data is None else data.replace(_NUMBER, str(welcome.worker))
    oracles = _Oracles(spec.problem, problem, welcome.workers, spec.seed, own_data)
    if oracles.own and slots > 1 and own_data == data:
        raise SpecError(
            "--data", f"{slots} workers with split = 'own' need a file each: put {_NUMBER} into it"
        )
    oracle = oracles.oracle(welcome.worker)
    ready = Ready(
        dim=oracle.dim,
        rows=oracle.rows,
        dropped=oracles.split.dropped + oracle.dropped,
        digest=oracles.digest,
        constants={
            name: Known(value=constant.value, origin=constant.origin)
            for name, constant in oracle.constants.items()
        },
        metrics=[*oracle.metric_names],
        layers=_told(oracle),
    )

    def begin(tree: dict[str, Any]) -> tuple[WorkerRole, Array, int]:
        try:
            plan = Plan(**tree)
        except TypeError as error:
            raise RemoteProtocolError(f"the server's plan makes no sense here: {error}") from None
        if plan.dim != oracle.dim:
            raise RemoteProtocolError(f"the server plans for d = {plan.dim}, not {oracle.dim}")
        x0 = problem.x0(plan.dim, oracles.draw).astype(dtype, copy=False)
        try:
            composition = compose(plan, imports=trusted)
        except ImportRefused as error:
            raise _refusal(error.field, error.target) from None
        return composition.worker(welcome.worker), x0, spec.seed

    return Local(oracle, ready, begin)


def _told(oracle: LocalOracle) -> list[int]:
    """Return the layers as READY carries them: none where there are too many."""
    return [*oracle.layers] if len(oracle.layers) <= MAX_LAYERS else []


def _check_alike(ready: Sequence[Ready]) -> None:
    """Raise `RemoteProtocolError` unless all workers have the layers and metrics of the first."""
    for worker, one in enumerate(ready):
        if one.layers != ready[0].layers or one.metrics != ready[0].metrics:
            raise RemoteProtocolError(
                f"worker {worker} has layers {one.layers[:5]} and metrics {one.metrics} where"
                f" worker 0 has {ready[0].layers[:5]} and {ready[0].metrics}"
            )


def _refuse_reaching_out(problem: dict[str, Any], *, own_data: bool) -> None:
    """Refuse a server's spec that would import a module here or read any file it likes."""
    name, split, data = (str(problem.get(key, "")) for key in ("name", "split", "data"))
    registered = head_of(split) in SPLITS.names()
    for field, wanted in (("name", name), ("split", "" if registered else split)):
        if ":" in wanted:
            raise _refusal(f"problem.{field}", wanted)
    reads = [] if own_data or needs_no_file(data) else [data]
    if registered and isinstance(rule := parse_split(split), FromFile):
        reads.append(rule.path)
    for wanted in reads:
        if wanted and (os.sep in wanted or Path(wanted).exists()):
            raise RemoteProtocolError(
                f"the server wants {wanted!r} read here; give --data, or --trust-server to let it"
            )


def _refusal(field: str, target: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"{field}: the server wants {target!r} imported here; start with --trust-server to let it"
    )


class Experiment:
    """One spec made ready to run; the server's side of it."""

    def __init__(self, spec: Spec, run: str | None = None) -> None:
        """Prepare `spec` to run, called `run` in its folder's name: the algorithm's unless told."""
        self.spec = spec
        self.run = run or ALGORITHMS.get(spec.algorithm.name).name
        self.links = [Links(up, down) for up, down in spec.network.links(spec.cluster.workers)]
        self.plan: Plan | None = None
        self.constants: Constants | None = None
        self.dropped = 0
        self._problem = spec.problem_object()
        self._oracles = _Oracles(spec.problem, self._problem, spec.cluster.workers, spec.seed)

    def check_data(self) -> None:
        """Load the data here and see whether everything fits, before any process starts.

        Raises `DataError`, `SpecError` or `MissingConstant`.
        """
        first = self._oracles.oracle(0)
        self._check_metrics(first.metric_names)
        choice = self._laid_out(self.spec.algorithm.choice, _told(first))
        n = self.spec.cluster.workers
        algorithm = ALGORITHMS.get(self.spec.algorithm.name)
        # Stand-in constants: this asks whether the compressors fit the dimension.
        algorithm.plan(choice, first.dim, n, Constants.gather([{"L": exact(1.0)}], None, {}))

    def identify(self) -> tuple[int, str] | None:
        """Return (d, digest) of the right data, None where it cannot be had here."""
        try:
            return self._oracles.oracle(0).dim, self._oracles.digest
        except (DataError, SpecError, OSError):
            return None

    def welcome(self, worker: int) -> Welcome:
        """Return what the server tells a worker that joins."""
        links = self.links[worker]
        return Welcome(
            worker=worker,
            workers=self.spec.cluster.workers,
            run=self.run,
            spec={
                "problem": self.spec.tree().get("problem", {}),
                "seed": self.spec.seed,
                "dtype": self.spec.algorithm.dtype,
            },
            rate=links.up.rate,
            latency=links.down.latency,
        )

    def prepare(self, ready: Sequence[Ready]) -> Ground:
        """Resolve everything from what the workers hold; called when all are ready."""
        d = ready[0].dim
        self.dropped = ready[0].dropped
        algorithm = ALGORITHMS.get(self.spec.algorithm.name)
        _check_alike(ready)
        self._check_metrics(ready[0].metrics)
        choice = self._laid_out(self.spec.algorithm.choice, ready[0].layers)
        wanted = {*algorithm.needs} & JOINT if choice.step_size.of_theory else set()
        self.constants = Constants.gather(
            [one.known for one in ready],
            self._joint(ready, wanted) if wanted else None,
            self.spec.algorithm.constants,
        )
        self.plan = algorithm.plan(choice, d, len(ready), self.constants)
        composition = compose(self.plan, imports=True)
        dtype = _DTYPES[self.spec.algorithm.dtype]
        x0 = self._problem.x0(d, self._oracles.draw).astype(dtype, copy=False)
        begin = self._begin(composition, dtype, len(ready[0].metrics))
        return Ground(composition.server(), x0, begin, self.links)

    def _laid_out(self, choice: Choice, layers: Sequence[int]) -> Choice:
        """Return the choice with the problem's layers written into its compressors."""

        def filled(way: str, notation: str | None) -> str | None:
            if notation is None:
                return None
            return with_layers(notation, layers, values=choice.values, field=f"algorithm.{way}")

        return replace(choice, up=filled("up", choice.up), down=filled("down", choice.down))

    def _check_metrics(self, metrics: Sequence[str]) -> None:
        if self.spec.stop.accuracy is not None and "accuracy" not in metrics:
            raise SpecError("stop.accuracy", f"{self.spec.problem.name} measures no accuracy")

    def _begin(self, composition: Composition, dtype: np.dtype[Any], measured: int) -> Begin:
        assert self.plan is not None  # noqa: S101 — for the type checker
        d = self.plan.dim
        return Begin(
            plan=asdict(self.plan),
            max_down=composition.down.max_bytes(d) + VECTOR_OVERHEAD,
            max_up=composition.up.max_bytes(d) + VECTOR_OVERHEAD,
            max_probe=d * dtype.itemsize + 8 * (1 + measured) + VECTOR_OVERHEAD,
        )

    def _joint(self, ready: Sequence[Ready], wanted: set[str]) -> dict[str, Constant] | None:
        """Return the joint constants wanted, or None where the data cannot be had here."""
        try:
            if self._oracles.digest != ready[0].digest:
                return None
            oracles = [self._oracles.oracle(worker) for worker in range(len(ready))]
        except (DataError, SpecError, OSError):
            return None
        joint = self._oracles.settled.joint(oracles)
        return {name: joint[name] for name in wanted if name in joint}

    def resolved(self) -> dict[str, Any]:
        """Return what was resolved, for the run's spec.toml: the plan, constants, dropped rows."""
        if self.plan is None or self.constants is None:
            return {}
        constants = {
            name: {"value": constant.value, "origin": constant.origin}
            for name, constant in self.constants.known.items()
        }
        return asdict(self.plan) | {"dropped_rows": self.dropped, "constants": constants}
