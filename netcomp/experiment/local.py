"""What a spec is where the data lie: local functions, and a worker's role.

Data are loaded, prepared and split the same way on either end. What a server that is not
trusted may make a worker import or read is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from netcomp.algorithms import (
    Composition,
    Plan,
    compose,
    worker_role,
)
from netcomp.compressors import MAX_LAYERS
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
from netcomp.errors import ImportRefused, RemoteProtocolError, SpecError
from netcomp.experiment.spec import ProblemSpec, Spec
from netcomp.problems import LocalOracle, Problem
from netcomp.protocol.slot import Local
from netcomp.roles import Array, WorkerRole
from netcomp.wire.documents import Known, Ready, Welcome

__all__ = ["DTYPES", "Oracles", "layers_told", "load_local"]

DTYPES: dict[str, np.dtype[Any]] = {
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


@lru_cache(maxsize=_KEPT)
def _composed(plan: Plan, *, imports: bool) -> Composition:
    """Return one composition for all workers of a process: what they hear alike is kept in it."""
    return compose(plan, imports=imports)


class Oracles:
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
        dtype = DTYPES[welcome.spec["dtype"]]
        if not trusted:
            _refuse_reaching_out(tree["problem"], own_data=data is not None)
        spec = Spec.parse(tree)
    except (AttributeError, KeyError, TypeError) as error:
        raise RemoteProtocolError(f"the server's spec makes no sense here: {error}") from None
    problem = spec.problem_object()
    if data is not None and not problem.needs_data:
        raise SpecError("--data", f"{spec.problem.name} makes its own data")
    own_data = None if data is None else data.replace(_NUMBER, str(welcome.worker))
    oracles = Oracles(spec.problem, problem, welcome.workers, spec.seed, own_data)
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
        constants=_known(oracle, welcome.spec.get("constants")),
        metrics=[*oracle.metric_names],
        layers=layers_told(oracle),
    )

    def begin(tree: dict[str, Any]) -> tuple[WorkerRole, Array, int]:
        try:
            plan = Plan.of(tree)
        except (TypeError, KeyError) as error:
            raise RemoteProtocolError(f"the server's plan makes no sense here: {error}") from None
        if plan.dim != oracle.dim:
            raise RemoteProtocolError(f"the server plans for d = {plan.dim}, not {oracle.dim}")
        x0 = problem.x0(plan.dim, oracles.draw).astype(dtype, copy=False)
        try:
            composition = _composed(plan, imports=trusted)
        except ImportRefused as error:
            raise _refusal(error.field, error.target) from None
        return worker_role(composition, welcome.worker), x0, spec.seed

    return Local(oracle, ready, begin)


def _known(oracle: LocalOracle, wanted: Any) -> dict[str, Known]:
    """Return the constants of f_i the server wants, all where it does not say; others may wait.

    Raises `RemoteProtocolError` where what it wants are no names.
    """
    if wanted is not None and not (
        isinstance(wanted, list) and all(isinstance(name, str) for name in wanted)
    ):
        raise RemoteProtocolError("the server's spec makes no sense here: constants")
    known = oracle.constants if wanted is None or wanted else {}
    names = known if wanted is None else [name for name in wanted if name in known]
    return {name: Known(value=known[name].value, origin=known[name].origin) for name in names}


def layers_told(oracle: LocalOracle) -> list[int]:
    """Return the layers as READY carries them: none where there are too many."""
    return [*oracle.layers] if len(oracle.layers) <= MAX_LAYERS else []


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
