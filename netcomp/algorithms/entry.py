"""A catalogue entry: which parts, which defaults, which theorem; and its plan for a choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from netcomp.algorithms import theory
from netcomp.algorithms.checks import refuse_nonsense
from netcomp.algorithms.choice import Choice, SideChoice
from netcomp.algorithms.estimators import read_estimator
from netcomp.algorithms.guess import first_guess
from netcomp.algorithms.participation import read_participation
from netcomp.algorithms.parts import channel_kind
from netcomp.algorithms.plan import Plan, SidePlan, compose
from netcomp.algorithms.rules import By, Rule
from netcomp.algorithms.schedule import read_average, read_schedule
from netcomp.algorithms.setting import Setting
from netcomp.compressors import Compressor, parse_compressor
from netcomp.constants import Asked, Constants
from netcomp.errors import MissingConstant, SpecError

__all__ = ["Algorithm", "Regime", "Rule", "Side"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Regime:
    """A theorem's step sizes over the rounds and its average: γ_0, a schedule, an average."""

    gamma: float
    schedule: str
    average: str


@dataclass(frozen=True)
class Side:
    """One direction of an entry: its channel, its default compressor (None: uncompressed).

    p, alpha and eta are the channel's parameters, each a theorem's rule or a number.
    """

    channel: str = "direct"
    default: str | None = None
    carries: str | None = None
    p: Rule | float | None = None
    alpha: Rule | float | None = None
    eta: Rule | float | None = None
    opens_whole: bool = False
    collection: str = "same"
    reset: int = 0


@dataclass(frozen=True)
class Algorithm:
    """`theorem` names what the rules come from, `needs` the constants they ask for.

    Without `gamma` there is no theorem's step: a run is given a number, or takes `first_guess`.
    `regimes` are schedules by name that bring their own step, `presets` the rules of published
    programs where they differ from the papers'.
    """

    name: str
    summary: str
    source: str
    theorem: str = ""
    needs: tuple[str, ...] = ()
    gamma: Rule | None = None
    up: Side = Side()
    down: Side = Side()
    beta: Rule | None = None
    heavy: float = 0.0
    oracle: str = "full"
    participation: str = "all"
    regimes: Mapping[str, Callable[[Setting], Regime]] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)
    reduces: bool = True
    """Whether it is gd where nothing is compressed, gradients are full and everybody is there."""
    roles: str = ""
    """Hand-written roles, by the name of an entry point of `netcomp.roles` or module:Name."""
    guesses: bool = False
    """Whether a run that asks for no step takes `first_guess` where the theorem lacks something."""
    free: bool = False
    """Whether every part is the user's choice."""

    def plan(
        self,
        choice: Choice,
        d: int,
        n: int,
        constants: Constants,
        rows: tuple[int, ...] = (),
    ) -> Plan:
        """Settle every number for dimension d and n workers with so many rows each.

        Raises `SpecError` naming the field, `MissingConstant` where the theorem lacks one.
        """
        self._check(choice)
        up = self._compressor("up", choice).resolve(d, n)
        down = self._compressor("down", choice).resolve(d, n)
        smallest = min(rows, default=0)
        setting = Setting(
            by=f"{self.name} ({self.theorem})" if self.theorem else self.name,
            d=d,
            n=n,
            up=up,
            down=down,
            constants=constants,
            groups=self._groups(choice, n, down),
            rows=rows,
            rounds=choice.rounds,
            estimator=read_estimator(_or(choice.oracle, self.oracle)).resolve(smallest),
            participation=read_participation(_or(choice.participation, self.participation)),
        )
        rules = self._rules(choice)
        for name in ("p_up", "p_down", "alpha_up", "alpha_down", "eta_up", "eta_down", "beta"):
            settled: dict[str, Any] = {name: _number(rules.get(name), setting)}
            setting = replace(setting, **settled)
        regime = self._regime(choice, rules.get("gamma"), setting)
        heard = self._side("up", setting, choice.up)
        forwards = self._carries("down", choice) == "forward"
        plan = Plan(
            name=self.name,
            dim=d,
            workers=n,
            up=heard,
            # What is forwarded is decoded as the uplink is.
            down=replace(heard, carries="forward")
            if forwards
            else self._side("down", setting, choice.down),
            values=choice.values,
            groups=setting.groups,
            gamma=float(regime.gamma),
            beta=setting.beta,
            heavy=float(_or(choice.server_momentum, self.heavy)),
            oracle=str(setting.estimator),
            participation=str(setting.participation),
            schedule=regime.schedule,
            average=regime.average,
            roles=self.roles,
        )
        refuse_nonsense(compose(plan, imports=True))
        return plan

    def asks(self, choice: Choice, d: int, n: int, rows: tuple[int, ...] = ()) -> set[str]:
        """Return the names of the constants that `plan` looks up, whatever they are.

        Of the rules chosen: a preset, a schedule or a correlated compressor may ask for others
        than `needs`, a number given for none. Raises `SpecError` as `plan` does.
        """
        asked = Asked()
        self.plan(choice, d, n, Constants(asked), rows)
        return asked.names

    def asks_nothing(self, choice: Choice) -> bool:
        """Whether `plan` surely looks up no constant, whatever d and the workers' rows are.

        So it is where the step is a number and no rule but a formula of other things is left.
        Raises `SpecError` for a preset there is not.
        """
        given = choice.step_size is not None and not choice.step_size.of_theory
        if not given or choice.schedule in self.regimes:
            return False
        rules = {name: rule for name, rule in self._rules(choice).items() if name != "gamma"}
        formulas = [rule for rule in rules.values() if callable(rule)]
        return all(isinstance(rule, By) and "constants" not in rule.given for rule in formulas)

    def _groups(self, choice: Choice, n: int, down: Compressor) -> int:
        if choice.down.collection is not None:
            return _groups(choice.down.collection, n, down)
        kind, _, count = self.down.collection.partition(":")
        own = f"{kind}:{min(int(count), n)}" if count else kind
        # Of an entry's own broadcast, perm-k is the exception that is meant.
        return _groups("independent" if down.correlated else own, n, down)

    def _rules(self, choice: Choice) -> dict[str, Rule | float | None]:
        """Return what settles each number: the user's, else the preset's, else the entry's."""
        rules: dict[str, Rule | float | None] = {"gamma": self.gamma, "beta": self.beta}
        for way, side, chosen in (("up", self.up, choice.up), ("down", self.down, choice.down)):
            theirs = chosen.channel in (None, side.channel)
            usual = USUAL[way].get(chosen.channel or side.channel, {})
            for key in ("p", "alpha", "eta"):
                own = getattr(side, key) if theirs else None
                rules[f"{key}_{way}"] = usual.get(key) if own is None else own
        rules |= self._preset(choice)
        for way, chosen in (("up", choice.up), ("down", choice.down)):
            for key in ("p", "alpha", "eta"):
                given = getattr(chosen, key)
                if given is not None:
                    rules[f"{key}_{way}"] = given
        return rules if choice.momentum is None else rules | {"beta": choice.momentum}

    def _preset(self, choice: Choice) -> Mapping[str, Rule]:
        if choice.preset is None:
            return {}
        if choice.preset not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise SpecError("algorithm.preset", f"{self.name} has {known}, not {choice.preset!r}")
        return self.presets[choice.preset]

    def _regime(self, choice: Choice, gamma: Any, setting: Setting) -> Regime:
        """Return step, schedule and average: a theorem's regime, or what is chosen."""
        step, name = choice.step_size, choice.schedule
        if name is not None and name in self.regimes:
            regime = self.regimes[name](setting)
            average = _or(choice.average, regime.average)
            if step is not None:
                value = step.value * regime.gamma if step.of_theory else step.value
                return Regime(value, regime.schedule, average)
            return replace(regime, average=average)
        schedule = str(read_schedule(_or(name, "constant")))
        average = str(read_average(_or(choice.average, "none")))
        return Regime(self._step(choice, gamma, setting), schedule, average)

    def _step(self, choice: Choice, gamma: Rule | None, setting: Setting) -> float:
        step = choice.step_size
        if step is not None and not step.of_theory:
            return float(step.value)
        composed = [way for way in ("up", "down") if self._recomposed(way, choice)]
        if gamma is not None and not composed:
            try:
                return float((1.0 if step is None else step.value) * gamma(setting))
            except (MissingConstant, SpecError):
                if step is not None or not self.guesses:
                    raise
        if step is not None:
            reason = (
                f"the channels of {self.name} were changed"
                if composed
                else (f"no theorem gives {self.name} a step size")
            )
            raise SpecError("algorithm.step_size", f"{reason}: give a number")
        return first_guess(setting)

    def _recomposed(self, way: str, choice: Choice) -> bool:
        side, chosen = (self.up, choice.up) if way == "up" else (self.down, choice.down)
        channel = chosen.channel not in (None, side.channel)
        return channel or chosen.carries not in (None, side.carries or _DEFAULT_CARRIES[way])

    def _carries(self, way: str, choice: Choice) -> str:
        side, chosen = (self.up, choice.up) if way == "up" else (self.down, choice.down)
        return chosen.carries or side.carries or _DEFAULT_CARRIES[way]

    def _side(self, way: str, setting: Setting, chosen: SideChoice) -> SidePlan:
        side = self.up if way == "up" else self.down
        compressor = setting.up if way == "up" else setting.down
        own = chosen.channel in (None, side.channel)
        return SidePlan(
            channel=chosen.channel or side.channel,
            compressor=_text(compressor, way, setting),
            carries=chosen.carries or side.carries or _DEFAULT_CARRIES[way],
            p=getattr(setting, f"p_{way}"),
            alpha=getattr(setting, f"alpha_{way}"),
            eta=getattr(setting, f"eta_{way}"),
            opens_whole=side.opens_whole and own,
            reset=side.reset if chosen.reset is None else chosen.reset,
        )

    def _compressor(self, way: str, choice: Choice) -> Compressor:
        side, chosen = (self.up, choice.up) if way == "up" else (self.down, choice.down)
        own = side.default is None and not self._recomposed(way, choice)
        if chosen.compressor is not None and own and not self.free:
            raise SpecError(
                f"algorithm.{way}",
                f"{self.name} sends it uncompressed, so {chosen.compressor!r} has no place;"
                f" algorithm.{way}.channel or .carries makes it another algorithm",
            )
        default = None if self._carries(way, choice) == "forward" else side.default
        text = chosen.compressor or default or "identity"
        return parse_compressor(text, values=choice.values, field=f"algorithm.{way}", imports=True)

    def _check(self, choice: Choice) -> None:
        """Refuse parameters the algorithm's channels do not have, and values out of range."""
        if self._carries("down", choice) == "forward":
            _refuse_ignored(choice.down)
        for way, side, chosen in (("up", self.up, choice.up), ("down", self.down, choice.down)):
            name = side.channel if chosen.channel is None else chosen.channel
            kind = channel_kind(name, f"algorithm.{way}.channel", imports=True)
            for key in ("p", "alpha", "eta", "reset"):
                given = getattr(chosen, key)
                if given is None:
                    continue
                if key not in kind.params:
                    raise SpecError(
                        f"algorithm.{way}.{key}", f"{self.name} has no such parameter there"
                    )
                if key != "reset" and not 0.0 <= given <= 1.0:
                    raise SpecError(f"algorithm.{way}.{key}", f"{given} is outside [0, 1]")
        if choice.momentum is not None and not 0.0 < choice.momentum <= 1.0:
            raise SpecError("algorithm.momentum", f"{choice.momentum} is outside (0, 1]")
        if choice.momentum is not None and self.beta is None and not self.free:
            raise SpecError("algorithm.momentum", f"{self.name} has no such parameter")
        if choice.server_momentum is not None and not 0.0 <= choice.server_momentum < 1.0:
            raise SpecError(
                "algorithm.server_momentum", f"{choice.server_momentum} is outside [0, 1)"
            )


_DEFAULT_CARRIES = {"up": "gradient", "down": "model"}


def _usual_alpha(way: str) -> Rule:
    def alpha(s: Setting) -> float:
        """Return EF21's 1 for a contractive compressor, DIANA's 1/(1 + ω) for an unbiased one."""
        compressor: Compressor = getattr(s, way)
        return theory.diana_alpha(getattr(s, f"omega_{way}")) if compressor.unbiased else 1.0

    return alpha


USUAL: Mapping[str, Mapping[str, Mapping[str, Rule]]] = {
    "up": {
        "marina": {"p": By(theory.marina_p_probability, "omega_up")},
        "memory": {"alpha": _usual_alpha("up")},
        "dasha": {"alpha": By(theory.dasha_rate, "omega_up")},
    },
    "down": {
        "marina": {"p": By(theory.marina_p_probability, "omega_down")},
        "memory": {"alpha": _usual_alpha("down")},
        "single-memory": {"alpha": _usual_alpha("down")},
        "dasha": {"alpha": By(theory.dasha_rate, "omega_down")},
    },
}
"""What a channel's parameters are where neither user nor entry says."""


def _number(rule: Rule | float | None, setting: Setting) -> float:
    """Return a rule's value or the number, 1 where there is neither.

    A Python float: a numpy scalar would widen the states it is multiplied with.
    """
    if rule is None:
        return 1.0
    return float(rule(setting) if callable(rule) else rule)


def _or(given: T | None, usual: T) -> T:
    return usual if given is None else given


def _text(compressor: Compressor, way: str, s: Setting) -> str:
    """Return the notation of a resolved compressor, from which both ends make it again.

    Raises `SpecError` where somebody's own class prints what means another one.
    """
    text, name = str(compressor), f"algorithm.{way}"
    try:
        again = parse_compressor(text, field=name, imports=True).resolve(s.d, s.n)
    except SpecError as error:
        raise SpecError(name, f"its str, {text!r}, is no notation: {error.reason}") from error
    if again != compressor:
        raise SpecError(
            name, f"{text!r} does not read back as what printed it: is it a frozen dataclass?"
        )
    return text


def _refuse_ignored(down: SideChoice) -> None:
    """Raise `SpecError` for what a downlink that forwards would not look at."""
    for key in ("compressor", "channel", "p", "alpha", "eta", "reset"):
        given = getattr(down, key)
        if given is not None:
            raise SpecError(
                "algorithm.down",
                f"{key} = {given!r} has no place: what is forwarded is the uplink's message,"
                " not compressed again",
            )


def _groups(collection: str, n: int, down: Compressor) -> int:
    """Return how many downlink messages differ; raises `SpecError` for what cannot be."""
    name = "algorithm.down.collection"
    if collection == "same":
        if down.correlated:
            raise SpecError(name, f"{down} cannot be one message for all")
        return 1
    if collection == "independent":
        return n
    kind, _, count = collection.partition(":")
    if kind != "groups" or not count.isdigit() or not 1 <= int(count) <= n:
        raise SpecError(
            name, f"{collection!r} is none of same, independent, groups:G with G in 1..{n}"
        )
    if down.correlated and int(count) != n:
        raise SpecError(name, f"{down} needs a message for each worker")
    return int(count)
