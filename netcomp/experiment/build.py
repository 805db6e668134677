"""From a spec to the server's side of a run: what it tells workers, the plan, its role.

The server needs no data: workers say what they loaded. Joint constants (L, L_A, L_B) are
exact where this machine can load the data too, else conservative bounds marked as such.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from netcomp.algorithms import (
    ALGORITHMS,
    Choice,
    Composition,
    Plan,
    SideChoice,
    compose,
    doubts,
    server_role,
)
from netcomp.compressors import with_layers
from netcomp.constants import JOINT, Constant, Constants, exact
from netcomp.errors import DataError, RemoteProtocolError, SpecError
from netcomp.experiment.local import DTYPES, Oracles, layers_told
from netcomp.experiment.spec import Spec
from netcomp.protocol.coordinator import Ground
from netcomp.protocol.round import Links, Ways
from netcomp.wire.documents import Begin, Ready, Welcome, steps_of
from netcomp.wire.messages import VECTOR_OVERHEAD

__all__ = ["Experiment"]

_LOG = logging.getLogger("netcomp")


def _check_alike(ready: Sequence[Ready]) -> None:
    """Raise `RemoteProtocolError` unless all workers have the layers and metrics of the first."""
    for worker, one in enumerate(ready):
        if one.layers != ready[0].layers or one.metrics != ready[0].metrics:
            raise RemoteProtocolError(
                f"worker {worker} has layers {one.layers[:5]} and metrics {one.metrics} where"
                f" worker 0 has {ready[0].layers[:5]} and {ready[0].metrics}"
            )


class Experiment:
    """One spec made ready to run; the server's side of it."""

    def __init__(self, spec: Spec, run: str | None = None) -> None:
        """Prepare `spec` to run, called `run` in its folder's name: the algorithm's unless told."""
        self.spec = spec
        self.run = run or ALGORITHMS.get(spec.algorithm.name).name
        pairs = spec.network.links(spec.cluster.workers, spec.seed)
        self.links = [Links(up, down) for up, down in pairs]
        self.ports = spec.network.ports(pairs)
        self.rates = spec.network.rates(pairs)
        self.compute_seconds = spec.cluster.compute_seconds
        self.plan: Plan | None = None
        self.constants: Constants | None = None
        self.dropped = 0
        self.doubts: list[str] = []
        self._problem = spec.problem_object()
        self._oracles = Oracles(spec.problem, self._problem, spec.cluster.workers, spec.seed)

    @property
    def _choice(self) -> Choice:
        return self.spec.algorithm.choice(self.spec.stop.rounds)

    def _doubt(self, composition: Composition, d: int) -> None:
        """Say what no theorem covers; raises `SpecError` where the spec is strict."""
        self.doubts = doubts(composition, d)
        if self.doubts and self.spec.algorithm.strict:
            raise SpecError("algorithm.strict", "; ".join(self.doubts))
        for doubt in self.doubts:
            _LOG.warning("%s", doubt)

    def check_data(self) -> None:
        """Load the data here and see whether everything fits, before any process starts.

        Raises `DataError`, `SpecError` or `MissingConstant`.
        """
        first = self._oracles.oracle(0)
        self._check_metrics(first.metric_names)
        choice = self._laid_out(self._choice, layers_told(first))
        n = self.spec.cluster.workers
        algorithm = ALGORITHMS.get(self.spec.algorithm.name)
        algorithm.asks(choice, first.dim, n, (first.rows,) * n)

    def identify(self) -> tuple[int, str] | None:
        """Return (d, digest) of the right data, None where it cannot be had here."""
        try:
            return self._oracles.oracle(0).dim, self._oracles.digest
        except (DataError, SpecError, OSError):
            return None

    def welcome(self, worker: int) -> Welcome:
        """Return what the server tells a worker that joins."""
        links = self.links[worker]
        spec = {
            "problem": self.spec.tree().get("problem", {}),
            "seed": self.spec.seed,
            "dtype": self.spec.algorithm.dtype,
        }
        if ALGORITHMS.get(self.spec.algorithm.name).asks_nothing(self._choice):
            # Of large data they take minutes. What else may be asked for depends on d and rows,
            # which nobody has told yet.
            spec["constants"] = []
        return Welcome(
            worker=worker,
            workers=self.spec.cluster.workers,
            run=self.run,
            spec=spec,
            rate=links.up.rate,
            latency=links.down.latency,
            jitter=links.down.jitter,
            trace=steps_of(links.up.trace),
        )

    def prepare(self, ready: Sequence[Ready]) -> Ground:
        """Resolve everything from what the workers hold; called when all are ready."""
        d = ready[0].dim
        self.dropped = ready[0].dropped
        algorithm = ALGORITHMS.get(self.spec.algorithm.name)
        _check_alike(ready)
        self._check_metrics(ready[0].metrics)
        choice = self._laid_out(self._choice, ready[0].layers)
        rows = tuple(one.rows for one in ready)
        given = self.spec.algorithm.constants
        wanted = (algorithm.asks(choice, d, len(ready), rows) & JOINT) - given.keys()
        self.constants = Constants.gather(
            [one.known for one in ready],
            self._joint(ready, wanted) if wanted else None,
            given,
        )
        self.plan = algorithm.plan(choice, d, len(ready), self.constants, rows)
        composition = compose(self.plan, imports=True)
        self._doubt(composition, d)
        dtype = DTYPES[self.spec.algorithm.dtype]
        x0 = self._problem.x0(d, self._oracles.draw).astype(dtype, copy=False)
        begin = self._begin(composition, dtype, len(ready[0].metrics))
        own = [
            math.inf if one is None else one.rate for one in (self.ports.receive, self.ports.send)
        ]
        return Ground(server_role(composition), x0, begin, Ways(self.links, *own))

    def _laid_out(self, choice: Choice, layers: Sequence[int]) -> Choice:
        """Return the choice with the problem's layers written into its compressors."""

        def filled(way: str, side: SideChoice) -> SideChoice:
            if side.compressor is None:
                return side
            name = f"algorithm.{way}"
            text = with_layers(
                side.compressor, layers, values=choice.values, field=name, imports=True
            )
            return replace(side, compressor=text)

        return replace(choice, up=filled("up", choice.up), down=filled("down", choice.down))

    def _check_metrics(self, metrics: Sequence[str]) -> None:
        if self.spec.stop.accuracy is not None and "accuracy" not in metrics:
            raise SpecError("stop.accuracy", f"{self.spec.problem.name} measures no accuracy")

    def _begin(self, composition: Composition, dtype: np.dtype[Any], measured: int) -> Begin:
        assert self.plan is not None  # noqa: S101 — for the type checker
        d = self.plan.dim
        return Begin(
            plan=asdict(self.plan),
            max_down=composition.max_down(d) + VECTOR_OVERHEAD,
            max_up=composition.max_up(d) + VECTOR_OVERHEAD,
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
        found = {name: joint[name] for name in wanted if name in joint}
        minimum = self._oracles.settled.minimum(oracles) if "Delta" in wanted else None
        if minimum is not None:
            x0 = self._problem.x0(ready[0].dim, self._oracles.draw)
            start = sum(oracle.loss(x0) for oracle in oracles) / len(oracles)
            found["Delta"] = exact(start - minimum)
        return found

    def resolved(self) -> dict[str, Any]:
        """Return what was resolved, for the run's spec.toml: plan, constants, dropped rows, rates.

        `network` has the rates of links that differ: who reads it need not draw them again.
        """
        if self.plan is None or self.constants is None:
            return {}
        constants = {
            name: {"value": constant.value, "origin": constant.origin}
            for name, constant in self.constants.known.items()
        }
        return asdict(self.plan) | {
            "dropped_rows": self.dropped,
            "doubts": self.doubts,
            "constants": constants,
            "network": self.rates,
        }
