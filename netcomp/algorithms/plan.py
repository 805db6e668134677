"""A plan: every number of an algorithm, plain data that travels in the handshake.

Server and workers compose their roles from equal plans, so they are exactly the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args, get_type_hints

from netcomp.algorithms.composed import Composition, DownCarries, UpCarries
from netcomp.algorithms.estimators import read_estimator
from netcomp.algorithms.participation import read_participation
from netcomp.algorithms.parts import channel_kind, roles_of
from netcomp.algorithms.schedule import read_average, read_schedule
from netcomp.channels import Channel
from netcomp.compressors import parse_compressor
from netcomp.errors import SpecError

__all__ = ["Plan", "SidePlan", "compose"]


@dataclass(frozen=True, slots=True)
class SidePlan:
    """One direction: its channel with the channel's parameters, and its compressor."""

    channel: str
    compressor: str
    carries: str
    p: float = 1.0
    alpha: float = 1.0
    eta: float = 1.0
    opens_whole: bool = False
    reset: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything both ends need to compose their roles."""

    name: str
    dim: int
    workers: int
    up: SidePlan
    down: SidePlan
    values: str
    groups: int
    gamma: float
    beta: float
    heavy: float
    oracle: str
    participation: str
    schedule: str
    average: str
    roles: str = ""
    """Hand-written roles by name; empty for the composed ones."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Plan:
        """Return the plan that `dataclasses.asdict` made a tree of.

        It may come from a stranger: raises `TypeError` naming the field, or `KeyError`, for a tree
        that is none, or has a value of another type or a number that is not finite.
        """
        sides = {way: _typed(SidePlan, tree[way], f"{way}.") for way in ("up", "down")}
        return _typed(cls, {**tree, **sides}, "")


T = TypeVar("T")


def _typed(kind: Callable[..., T], tree: Mapping[str, Any], where: str) -> T:
    """Return the dataclass of a tree whose values have the types it declares."""
    if not isinstance(tree, Mapping):
        raise TypeError(f"{where.rstrip('.')} is no table")
    for name, declared in get_type_hints(kind).items():
        value = tree.get(name)
        # True and 1 are equal, and so would be the plans: a type is exactly what it is.
        if name in tree and type(value) is not declared:
            raise TypeError(f"{where}{name} is no {declared.__name__}: {value!r:.60}")
        if isinstance(value, float) and not math.isfinite(value):
            raise TypeError(f"{where}{name} is not finite: {value}")
    return kind(**tree)


def compose(plan: Plan, *, imports: bool = False) -> Composition:
    """Return the composition a plan describes; both ends call this with equal plans.

    `imports` lets it name compressors, channels and hand-written roles as ``module:Name``, for a
    plan of one's own or of a server that is trusted. Raises `SpecError` where the plan names what
    is not known here.
    """
    return Composition(
        workers=plan.workers,
        down=_channel(plan, plan.down, "down", imports=imports),
        up=_channel(plan, plan.up, "up", imports=imports),
        gamma=plan.gamma,
        beta=plan.beta,
        heavy=plan.heavy,
        groups=plan.groups,
        down_carries=cast(DownCarries, _carried(DownCarries, plan.down.carries, "down")),
        up_carries=cast(UpCarries, _carried(UpCarries, plan.up.carries, "up")),
        estimator=read_estimator(plan.oracle),
        participation=read_participation(plan.participation),
        schedule=read_schedule(plan.schedule),
        average=read_average(plan.average),
        roles=roles_of(plan.roles, "algorithm.name", imports=imports) if plan.roles else None,
    )


def _channel(plan: Plan, side: SidePlan, way: str, *, imports: bool) -> Channel:
    kind = channel_kind(side.channel, f"algorithm.{way}.channel", imports=imports)
    # A plan's notation is complete: what it leaves out is f32, whatever `values` says.
    compressor = parse_compressor(side.compressor, field=f"algorithm.{way}", imports=imports)
    plain = parse_compressor("identity", values=plan.values)
    return kind.build(compressor.resolve(plan.dim, plan.workers), plain, side)


def _carried(known: object, name: str, way: str) -> str:
    """Return what is carried; raises `SpecError` unless it is one of a `Literal`."""
    if name not in get_args(known):
        raise SpecError(
            f"algorithm.{way}.carries", f"{name!r} is none of {', '.join(get_args(known))}"
        )
    return name
