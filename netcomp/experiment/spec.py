"""What a user asks for: one TOML file, the same tree from Python and from `--set a.b=c`.

Everything is checked here by name before anything starts; what depends on the data (k ≤ d,
the theorems' constants) is checked as soon as the data is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from netcomp.algorithms import ALGORITHMS, Choice, DownCarries, SideChoice, StepSize, UpCarries
from netcomp.compressors import parse_compressor
from netcomp.data import Own, Preparation, check_name, parse_split
from netcomp.draw import MAX_SEED
from netcomp.errors import SpecError
from netcomp.experiment.network import LinkSpec, NetworkSpec, ServerLinkSpec, Table, each
from netcomp.link import parse_bytes, parse_seconds
from netcomp.problems import PROBLEMS, Problem, make_problem
from netcomp.protocol.goals import Goals

__all__ = [
    "ENOUGH_ROUNDS",
    "AlgorithmSpec",
    "ClusterSpec",
    "LinkSpec",
    "NetworkSpec",
    "ProblemSpec",
    "RecordSpec",
    "ServerLinkSpec",
    "Spec",
    "StopSpec",
]

DEFAULT_DATA: Final = "digits-pairs"
"""What the default problem, nonconvex-logistic, is posed on where neither is named."""

MEASURED: Final = "measured"
"""The `cluster.compute` that takes the time this machine takes."""

ENOUGH_ROUNDS: Final = 10_000
"""The budget of a run that has neither stop.rounds nor stop.seconds."""

Labels = Annotated[tuple[float, ...], Field(min_length=1)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

_WITH_UNITS: Final = ("network.", "cluster.compute")
"""How the fields begin whose text is a number with a unit."""

# What pydantic adds to the place of an error in a value that may be one thing or another.
_UNION_MEMBERS = frozenset({"str", "int", "float", "list[str]"})


class ProblemSpec(BaseModel):
    """What is minimised, on which data, split how; other keys are the problem's own options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = "nonconvex-logistic"
    data: str | None = None
    split: str = "equal"
    features: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    classes: Labels | None = None
    standardise: Literal[False, True, "scale"] = False
    positive: Labels | None = None

    @property
    def preparation(self) -> Preparation:
        """Return what is done to the data before they are split."""
        return Preparation(self.features, self.classes, self.standardise, self.positive)

    def check_data(self, *, needed: bool) -> None:
        """Raise `SpecError` where data, split and preparation do not go together."""
        own = isinstance(parse_split(self.split), Own)
        if not needed:
            for key in ("data", "features", "classes", "standardise", "positive"):
                if getattr(self, key) not in (None, False):
                    raise SpecError(f"problem.{key}", f"{self.name} makes its own data")
        elif self.data is None and not own:
            raise SpecError("problem.data", f"{self.name} needs a data set")
        if self.data is not None:
            check_name(self.data, "problem.data")
        if own and self.data is not None:
            raise SpecError(
                "problem.data", "split = 'own': each worker names its rows, `--data PATH`"
            )
        if own and self.standardise:
            raise SpecError(
                "problem.standardise", "is over all rows, which with split = 'own' nobody holds"
            )


class ClusterSpec(Table):
    """How many logical workers there are, and over how many processes `run` spreads them.

    `compute` is what a worker's answer costs on the virtual clock: a time, "measured", or a
    list with one a worker; on the real clock it costs what it costs.
    """

    workers: Annotated[int, Field(ge=1, le=100_000)] = 5
    processes: Annotated[int, Field(ge=1, le=10_000)] | None = None
    compute: str | list[str] = "0 s"

    @property
    def slots(self) -> list[int]:
        """Return the logical workers of each local process; two processes unless told."""
        processes = min(self.processes or 2, self.workers)
        return [
            self.workers // processes + (process < self.workers % processes)
            for process in range(processes)
        ]

    @property
    def compute_seconds(self) -> list[float | None]:
        """Return each worker's seconds for an answer, None where they are to be measured."""
        pairs = each(self.compute, self.workers, "cluster.compute")
        return [None if text == MEASURED else parse_seconds(text, field) for field, text in pairs]


class UpSpec(Table):
    """The uplink: its compressor, its channel with that one's parameters, what it carries."""

    compressor: str | None = None
    channel: str | None = None
    carries: UpCarries | None = None
    p: float | None = None
    alpha: float | None = None
    eta: float | None = None


class DownSpec(Table):
    """The downlink: as the uplink, and whether messages differ, and a single memory's resets."""

    compressor: str | None = None
    channel: str | None = None
    carries: DownCarries | None = None
    p: float | None = None
    alpha: float | None = None
    eta: float | None = None
    collection: str | None = None
    reset: Annotated[int, Field(ge=0)] | None = None


# `up = "x"` is short for the table with that compressor.
_short = BeforeValidator(lambda value: {"compressor": value} if isinstance(value, str) else value)


class AlgorithmSpec(Table):
    """Which method, with which compressors and step size.

    `values` is the float format on the wire, `dtype` that of the state.
    """

    name: str = "gd"
    up: Annotated[UpSpec, _short] = UpSpec()
    down: Annotated[DownSpec, _short] = DownSpec()
    step_size: str | float | None = None
    momentum: float | None = None
    server_momentum: float | None = None
    oracle: str | None = None
    participation: str | None = None
    schedule: str | None = None
    average: str | None = None
    preset: str | None = None
    strict: bool = False
    values: Literal["f64", "f32", "f16"] = "f32"
    dtype: Literal["f64", "f32"] = "f64"
    constants: dict[str, Positive] = Field(default_factory=dict)

    def choice(self, rounds: int | None = None) -> Choice:
        """Return what the user chose of a run of at most so many rounds; raises `SpecError`."""
        return Choice(
            step_size=None if self.step_size is None else StepSize.parse(self.step_size),
            up=SideChoice(**self.up.model_dump()),
            down=SideChoice(**self.down.model_dump()),
            momentum=self.momentum,
            server_momentum=self.server_momentum,
            oracle=self.oracle,
            participation=self.participation,
            schedule=self.schedule,
            average=self.average,
            preset=self.preset,
            values=self.values,
            rounds=rounds,
        )


class StopSpec(Table):
    """When the run ends: budgets, and targets checked at probes.

    Bytes are wire bytes over all workers, a number or a size as "10 MB".
    """

    rounds: Annotated[int, Field(ge=1)] | None = None
    grad_norm_sq: Positive | None = None
    loss: float | None = None
    accuracy: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    seconds: Positive | None = None
    uplink_bytes: int | str | None = None
    downlink_bytes: int | str | None = None

    @property
    def goals(self) -> Goals:
        """Return the goals; raises `SpecError` where a size is unreadable.

        A target that may never be met gets a budget of `ENOUGH_ROUNDS` unless one is given.
        """
        unlimited = self.rounds is None and self.seconds is None
        return Goals(
            rounds=ENOUGH_ROUNDS if unlimited else self.rounds,
            seconds=self.seconds,
            uplink_bytes=_size(self.uplink_bytes, "stop.uplink_bytes"),
            downlink_bytes=_size(self.downlink_bytes, "stop.downlink_bytes"),
            grad_norm_sq=self.grad_norm_sq,
            loss=self.loss,
            accuracy=self.accuracy,
        )


class RecordSpec(Table):
    """How often the model is probed (in rounds) and where run folders go."""

    every: Annotated[int, Field(ge=1)] = 10
    dir: str = "runs"


class Spec(Table):
    """One experiment. Build it with `Spec.parse` or `load_spec`, which name what is wrong."""

    seed: Annotated[int, Field(ge=0, lt=MAX_SEED)] = 1
    problem: ProblemSpec = ProblemSpec(data=DEFAULT_DATA)
    cluster: ClusterSpec = ClusterSpec()
    algorithm: AlgorithmSpec = AlgorithmSpec()
    network: NetworkSpec = NetworkSpec()
    stop: StopSpec = StopSpec(rounds=1000)
    record: RecordSpec = RecordSpec()

    @classmethod
    def parse(cls, tree: Mapping[str, Any]) -> Spec:
        """Check a tree of tables and return the spec.

        Raises `SpecError` or `UnknownName` with the dotted path of the first bad value.
        """
        tree = dict(tree)
        problem = tree.get("problem", {})
        if isinstance(problem, Mapping) and not {"name", "data"} & {*problem}:
            tree["problem"] = {**problem, "data": DEFAULT_DATA}
        try:
            spec = cls.model_validate(tree)
        except ValidationError as error:
            raise _spec_error(error) from None
        spec.check()
        return spec

    def check(self) -> None:
        """Check what the types do not say: names, units, notations."""
        self.problem.check_data(needed=self.problem_object().needs_data)
        ALGORITHMS.get(self.algorithm.name)
        choice = self.algorithm.choice()
        for way, side in (("up", choice.up), ("down", choice.down)):
            if side.compressor is not None:
                parse_compressor(side.compressor, field=f"algorithm.{way}", imports=True)
        self.network.ports(self.network.links(self.cluster.workers, self.seed))
        given = self.cluster.compute_seconds
        if self.network.clock == "real" and any(given):
            raise SpecError("cluster.compute", 'is for network.clock = "virtual"')
        _ = self.stop.goals

    def problem_object(self) -> Problem:
        """Return the problem with its options; raises `SpecError` for an unknown one.

        `module:name` may be a class of problems, or a function that takes the options by name
        and returns one.
        """
        name = self.problem.name
        try:
            return make_problem(PROBLEMS.get(name), name, self.problem.model_extra or {})
        except ValidationError as error:
            raise _spec_error(error, "problem") from None

    def tree(self) -> dict[str, Any]:
        """Return the spec as plain tables, without what is not set."""
        tree: dict[str, Any] = _without_none(self.model_dump(mode="json"))
        return tree

    def anywhere(self) -> Self:
        """Return the same spec with whole paths of traces: as it can be run in any folder."""
        return self.model_copy(update={"network": self.network.anywhere()})

    def toml(self, **extra: Mapping[str, Any]) -> str:
        """Return the spec as TOML, with further tables behind it."""
        return tomli_w.dumps(self.tree() | _without_none(extra))


def _size(value: int | str | None, field: str) -> int | None:
    size = parse_bytes(value, field) if isinstance(value, str) else value
    if size is not None and not 0 < size < math.inf:
        raise SpecError(field, f"{value!r} is no positive number of bytes")
    return size


def _spec_error(error: ValidationError, prefix: str = "") -> SpecError:
    first = _inmost(error.errors(include_url=False))
    path = [prefix, *(str(part) for part in first["loc"] if part not in _UNION_MEMBERS)]
    field = ".".join(part for part in path if part)
    if first["type"] == "extra_forbidden":
        return SpecError(field, "unknown key")
    if first["type"] in ("model_type", "dict_type"):
        return SpecError(field, f"must be a table, not {first['input']!r}")
    if first["type"] == "string_type":
        hint = ', with its unit: "5 Mbit/s", "20 ms"' if field.startswith(_WITH_UNITS) else ""
        return SpecError(field, f"must be text in quotes{hint}, not {first['input']!r}")
    return SpecError(field, f"{first['msg'].lower()}, not {first['input']!r}")


def _inmost(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the first error, or the first within a list where that is what was given."""
    first = errors[0]
    if not isinstance(first["input"], list):
        return first
    within = (one for one in errors if len(one["loc"]) > len(first["loc"]))
    return next(within, first)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_none(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in kept.items() if item != {}}
    return value
