"""Rules: numbers of an algorithm that follow from the setting, and what they are in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netcomp.algorithms import theory
from netcomp.algorithms.setting import Setting

__all__ = ["By", "Rule", "inverse_l_max", "words"]

Rule = Callable[[Setting], float]
"""A number from a setting: a theorem's step, a probability, a learning rate."""


@dataclass(frozen=True)
class By:
    """A formula of `theory` with what it is given of a setting: `By(diana_alpha, "omega_up")`."""

    formula: Callable[..., float]
    given: tuple[str, ...]

    def __init__(self, formula: Callable[..., float], *given: str) -> None:
        object.__setattr__(self, "formula", formula)
        object.__setattr__(self, "given", given)

    def __call__(self, setting: Setting) -> float:
        """Return the formula's value; raises what the setting raises for what it lacks."""
        return self.formula(*(getattr(setting, name) for name in self.given))


def inverse_l_max(s: Setting) -> float:
    """Return 1/L_max, the step of MCM's program and figures."""
    return theory.gd_step(s.constant("L_max"))


def words(rule: Rule | float | None) -> str:
    """Return a rule in words, the first line of its formula's docstring; a number as it is."""
    if rule is None:
        return "1"
    if not callable(rule):
        return f"{rule:g}"
    said = (rule.formula if isinstance(rule, By) else rule).__doc__ or "a rule of its own"
    return said.strip().split("\n")[0].removeprefix("Return ").rstrip(".:")
