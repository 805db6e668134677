"""From a name and a user's choices to the numbers both ends build their roles from.

An `Algorithm` is a catalogue entry: which channels, which defaults, which theorem. Its
`plan` turns a `Choice` into a `Plan`, plain data that travels in the handshake, so that
server and workers compose exactly the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from netcomp.algorithms.composed import Composition
from netcomp.channels import Channel, Direct, ErrorFeedback, Marina, Memory
from netcomp.compressors import Collection, Compressor, parse_compressor
from netcomp.constants import Constants
from netcomp.errors import SpecError

__all__ = ["Algorithm", "Choice", "Plan", "Setting", "Side", "StepSize", "compose"]

_TIMES_THEORY = re.compile(r"(?:([0-9.]+(?:e[+-]?[0-9]+)?)\s*\*\s*)?theory")


@dataclass(frozen=True, slots=True)
class StepSize:
    """A number, or a multiple of the theorem's: "theory", "4*theory", 0.1."""

    value: float = 1.0
    of_theory: bool = True

    @classmethod
    def parse(cls, text: str | float) -> StepSize:
        """Read the notation; raises `SpecError` unless it is a positive number."""
        match = _TIMES_THEORY.fullmatch(text.strip()) if isinstance(text, str) else None
        try:
            value = float(match[1] or 1.0) if match else float(text)
        except (ValueError, OverflowError):
            value = 0.0
        if not 0.0 < value < float("inf"):
            raise SpecError(
                "algorithm.step_size", f"{text!r} is no positive number, 'theory' or '4*theory'"
            )
        return cls(value, match is not None)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user may set of an algorithm; None leaves it to the catalogue entry."""

    step_size: StepSize = field(default_factory=StepSize)
    up: str | None = None
    down: str | None = None
    collection: Collection | None = None
    p_up: float | None = None
    p_down: float | None = None
    alpha: float | None = None
    momentum: float | None = None
    values: str = "f32"


@dataclass(frozen=True)
class Setting:
    """What a theorem may look at: sizes, compressors, constants, and what is settled so far."""

    by: str
    d: int
    n: int
    up: Compressor
    down: Compressor
    collection: Collection
    constants: Constants
    p_up: float = 1.0
    p_down: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0

    def constant(self, name: str) -> float:
        """Return a constant of the problem; raises `MissingConstant`."""
        return self.constants.need(name, self.by)

    @property
    def omega_up(self) -> float:
        """ω of the uplink's compressors; raises `SpecError` unless unbiased and independent."""
        if (self.up.correlated or self.up.shared) and self.n > 1:
            raise SpecError(
                "algorithm.up",
                f"{self.by} is for independent compressors, which those of {self.up} are not;"
                " give every parameter and a numeric step size to run it all the same",
            )
        return self._unbiased(self.up.omega(self.d), "up", self.up)

    @property
    def omega_down(self) -> float:
        """ω of the downlink's compressor; raises `SpecError` where it is biased."""
        return self._unbiased(self.down.omega(self.d), "down", self.down)

    @property
    def theta(self) -> float:
        """θ of the n downlink compressors as a collection."""
        return self._unbiased(self.down.theta(self.d, self.n, self.collection), "down", self.down)

    def _unbiased(self, constant: float | None, way: str, compressor: Compressor) -> float:
        if constant is None:
            raise SpecError(
                f"algorithm.{way}",
                f"{self.by} needs an unbiased compressor, which {compressor} is not;"
                " give every parameter and a numeric step size to run it all the same",
            )
        return constant


@dataclass(frozen=True)
class Side:
    """One direction of an entry: its channel and its default compressor (None: uncompressed)."""

    channel: str = "direct"
    default: str | None = None


Rule = Callable[[Setting], float]


def _text(compressor: Compressor, way: str, d: int, n: int) -> str:
    """Return the notation of a resolved compressor, from which both ends make it again.

    Raises `SpecError` where somebody's own class prints what means another one.
    """
    text, field_name = str(compressor), f"algorithm.{way}"
    try:
        again = parse_compressor(text, field=field_name, imports=True).resolve(d, n)
    except SpecError as error:
        raise SpecError(field_name, f"its str, {text!r}, is no notation: {error.reason}") from error
    if again != compressor:
        raise SpecError(
            field_name, f"{text!r} does not read back as what printed it: is it a frozen dataclass?"
        )
    return text


def _settle(given: float | None, rule: Rule | None, setting: Setting) -> float:
    """Return what the user gave, else what the entry's rule says, else 1.

    A Python float: a numpy scalar would widen the states it is multiplied with.
    """
    if given is not None:
        return float(given)
    return float(rule(setting)) if rule else 1.0


@dataclass(frozen=True)
class Algorithm:
    """A catalogue entry; `theorem` names what its rules come from, `needs` its constants."""

    name: str
    summary: str
    source: str
    theorem: str
    needs: tuple[str, ...]
    gamma: Rule
    down: Side = Side()
    up: Side = Side()
    p_up: Rule | None = None
    p_down: Rule | None = None
    alpha: Rule | None = None
    beta: Rule | None = None
    collection: Collection = "same"

    def plan(self, choice: Choice, d: int, n: int, constants: Constants) -> Plan:
        """Settle every number for dimension d and n workers.

        Raises `SpecError` naming the field, `MissingConstant` where the theorem lacks one.
        """
        up = self._compressor("up", self.up, choice.up, choice.values).resolve(d, n)
        down = self._compressor("down", self.down, choice.down, choice.values).resolve(d, n)
        self._check(choice, down)
        setting = Setting(
            by=f"{self.name} ({self.theorem})",
            d=d,
            n=n,
            up=up,
            down=down,
            collection=choice.collection or self.collection,
            constants=constants,
        )
        setting = replace(setting, p_up=_settle(choice.p_up, self.p_up, setting))
        setting = replace(setting, p_down=_settle(choice.p_down, self.p_down, setting))
        setting = replace(setting, alpha=_settle(choice.alpha, self.alpha, setting))
        setting = replace(setting, beta=_settle(choice.momentum, self.beta, setting))
        step = choice.step_size
        gamma = float(step.value * (self.gamma(setting) if step.of_theory else 1.0))
        return Plan(
            name=self.name,
            dim=d,
            workers=n,
            up=_text(up, "up", d, n),
            down=_text(down, "down", d, n),
            values=choice.values,
            broadcast=setting.collection == "same" and not down.correlated,
            gamma=gamma,
            p_up=setting.p_up,
            p_down=setting.p_down,
            alpha=setting.alpha,
            beta=setting.beta,
            up_channel=self.up.channel,
            down_channel=self.down.channel,
        )

    def _compressor(self, way: str, side: Side, chosen: str | None, values: str) -> Compressor:
        if chosen is not None and side.default is None:
            raise SpecError(
                f"algorithm.{way}", f"{self.name} sends it uncompressed, so {chosen!r} has no place"
            )
        text = chosen or side.default or "identity"
        return parse_compressor(text, values=values, field=f"algorithm.{way}", imports=True)

    def _check(self, choice: Choice, down: Compressor) -> None:
        """Refuse parameters the algorithm does not have, and collections that make no sense."""
        for field_name, given, rule in (
            ("algorithm.up.p", choice.p_up, self.p_up),
            ("algorithm.down.p", choice.p_down, self.p_down),
            ("algorithm.up.alpha", choice.alpha, self.alpha),
            ("algorithm.momentum", choice.momentum, self.beta),
        ):
            if given is not None and rule is None:
                raise SpecError(field_name, f"{self.name} has no such parameter")
            if given is not None and not 0.0 < given <= 1.0:
                raise SpecError(field_name, f"{given} is outside (0, 1]")
        if choice.collection is not None and self.down.default is None:
            raise SpecError("algorithm.down.collection", f"{self.name} has no such parameter")
        if choice.collection == "same" and down.correlated:
            raise SpecError("algorithm.down.collection", f"{down} cannot be one message for all")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything both ends need to compose their roles: plain data, sent in the handshake."""

    name: str
    dim: int
    workers: int
    up: str
    down: str
    values: str
    broadcast: bool
    gamma: float
    p_up: float
    p_down: float
    alpha: float
    beta: float
    up_channel: str
    down_channel: str


_CHANNELS: dict[str, Callable[[Compressor, Compressor, float, float], Channel]] = {
    "direct": lambda compressor, plain, _p, _alpha: Direct(compressor, plain),
    "memory": lambda compressor, plain, _p, alpha: Memory(compressor, plain, alpha),
    "error-feedback": lambda compressor, plain, _p, _alpha: ErrorFeedback(compressor, plain),
    "marina": lambda compressor, plain, p, _alpha: Marina(compressor, plain, p),
}


def compose(plan: Plan, *, imports: bool = False) -> Composition:
    """Return the composition a plan describes; both ends call this with equal plans.

    `imports` lets it name compressors as ``module:Class``, for a plan of one's own or of a server
    that is trusted. Raises `SpecError` where the plan names no known channel or compressor.
    """

    def channel(way: str, kind: str, text: str, p: float) -> Channel:
        if kind not in _CHANNELS:
            raise SpecError(f"algorithm.{way}", f"unknown channel {kind!r}")
        # A plan's notation is complete: what it leaves out is f32, whatever `values` says.
        compressor = parse_compressor(text, field=f"algorithm.{way}", imports=imports)
        plain = parse_compressor("identity", values=plan.values)
        resolved = compressor.resolve(plan.dim, plan.workers)
        return _CHANNELS[kind](resolved, plain, p, plan.alpha)

    return Composition(
        workers=plan.workers,
        down=channel("down", plan.down_channel, plan.down, plan.p_down),
        up=channel("up", plan.up_channel, plan.up, plan.p_up),
        gamma=plan.gamma,
        beta=plan.beta,
        broadcast=plan.broadcast,
    )
