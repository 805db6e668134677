"""The constants theorems ask for: what each is, and where its number comes from.

Workers give those of their own f_i, a problem those of f where all the data is at hand, a
user any of them. `Constants.gather` brings them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from netcomp.errors import MissingConstant, SpecError

__all__ = [
    "CONSTANTS",
    "JOINT",
    "Asked",
    "Constant",
    "Constants",
    "Lazy",
    "Origin",
    "Rule",
    "bound",
    "estimated",
    "exact",
]

Origin = Literal["exact", "bound", "estimated", "given"]
"""A formula's or an eigenvalue's, on the safe side of it, measured, or the user's."""

CONSTANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "L": "∇f is L-Lipschitz",
        "L_max": "max L_i, where ∇f_i is L_i-Lipschitz",
        "L_rms": "√(mean L_i²) (MARINA's L, DASHA's L̂)",
        "L_A": "functional (L_A, L_B) inequality (MARINA-P Assumption 4.2)",
        "L_B": "functional (L_A, L_B) inequality (MARINA-P Assumption 4.2)",
        "L_pm": "L_±, the Hessian variance (arXiv 2110.03300, Definition 2)",
        "calL": "ℒ = √(mean ℒ_i²), average smoothness of the samples (MARINA Assumption 3.1)",
        "L_sample": "every sample's gradient ∇f_ij is L_sample-Lipschitz",
        "mu": "f is μ-strongly convex, or satisfies the PŁ inequality with μ",
        "sigma_sq": "σ², the variance of one sample's gradient, mean over the workers",
        "b_sq": "b², of the workers' gradients: (1/n) Σ ‖∇f_i(x) - ∇f(x)‖² ≤ b²",
        "Delta": "Δ ≥ f(x⁰) - f*",
    }
)
"""Names a problem may give and a user may set, and what each is."""

JOINT: Final = frozenset({"L", "L_A", "L_B", "L_pm", "mu", "b_sq", "Delta"})
"""Those that all the data together tells better than the workers' own do, or alone can tell."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with its origin."""

    value: float
    origin: Origin = "exact"


def exact(value: float) -> Constant:
    """Return a constant that a formula or an eigenvalue gives, to rounding."""
    return Constant(float(value), "exact")


def bound(value: float) -> Constant:
    """Return a constant for which the theorem holds, though a better one may exist."""
    return Constant(float(value), "bound")


def estimated(value: float) -> Constant:
    """Return a measured constant: nothing proves that the theorem holds with it."""
    return Constant(float(value), "estimated")


Rule = Callable[[], Constant | None]
"""Computes a constant; None where it turns out to be unknown."""


class Lazy(Mapping[str, Constant]):
    """Constants by name, each computed when it is first asked for.

    Eigenvalues of large data take seconds: who looks one name up, or asks whether it is there,
    pays for that one alone. Which others are known only their rules can tell, so iterating,
    `items` and `len` compute all of them.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = dict(rules)
        self._found: dict[str, Constant | None] = {}

    def __getitem__(self, name: str) -> Constant:
        if name not in self._found:
            self._found[name] = self._rules[name]()
        found = self._found[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._rules if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Asked(Mapping[str, Constant]):
    """All constants, each 1, that remembers in `names` which of them were looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Constant:
        if name not in CONSTANTS:
            raise KeyError(name)
        self.names.add(name)
        return exact(1.0)

    def __contains__(self, name: object) -> bool:
        return name in CONSTANTS

    def __iter__(self) -> Iterator[str]:
        return iter(CONSTANTS)

    def __len__(self) -> int:
        return len(CONSTANTS)


@dataclass(frozen=True)
class Constants:
    """Looks constants up by name; a missing one names the theorem that wanted it."""

    known: Mapping[str, Constant]

    @classmethod
    def gather(
        cls,
        local: Sequence[Mapping[str, Constant]],
        joint: Mapping[str, Constant] | None,
        given: Mapping[str, float],
    ) -> Constants:
        """Combine the workers' own constants, the joint ones where computed, and the user's.

        Without joint constants the bounds hold that the workers' imply: L ≤ mean L_i,
        (L_A, L_B) = (L_max, 0) by MARINA-P Thm 4.4, L_± ≤ L_rms, for a variance is at most
        the mean square, and μ ≥ mean μ_i. A constant that some worker lacks is missing. Raises
        `SpecError` for a given name that is none.
        """
        known: dict[str, Constant] = {}
        for name, combine in _COMBINED.items():
            known |= combine([one[name] for one in local]) if _all_have(local, name) else {}
        known |= joint or {}
        for name, value in given.items():
            if name not in CONSTANTS:
                raise SpecError(
                    f"algorithm.constants.{name}",
                    f"no such constant; known: {', '.join(CONSTANTS)}",
                )
            known[name] = Constant(value, "given")
        return cls(known)

    def need(self, name: str, by: str) -> float:
        """Return a constant; raises `MissingConstant` naming the theorem `by`."""
        if name not in self.known:
            raise MissingConstant(name, by)
        return self.known[name].value


_Combine = Callable[[Sequence[Constant]], dict[str, Constant]]


def _all_have(local: Sequence[Mapping[str, Constant]], name: str) -> bool:
    return bool(local) and all(name in one for one in local)


def _origin(parts: Sequence[Constant]) -> Origin:
    """Return the weakest origin: a bound of bounds, an estimate where anything is one."""
    origins = {part.origin for part in parts}
    return "estimated" if "estimated" in origins else "bound" if "bound" in origins else "exact"


def _mean(parts: Sequence[Constant]) -> float:
    return math.fsum(part.value for part in parts) / len(parts)


def _root_mean_square(parts: Sequence[Constant]) -> Constant:
    mean = math.fsum(part.value**2 for part in parts) / len(parts)
    return Constant(math.sqrt(mean), _origin(parts))


def _largest(parts: Sequence[Constant]) -> Constant:
    return Constant(max(part.value for part in parts), _origin(parts))


def _weaker(parts: Sequence[Constant]) -> Origin:
    """Return the origin of a mean that only bounds the constant of the mean of functions."""
    origin = _origin(parts)
    return "bound" if origin == "exact" and len(parts) > 1 else origin


def _smoothness(parts: Sequence[Constant]) -> dict[str, Constant]:
    largest, root = _largest(parts), _root_mean_square(parts)
    implied: Origin = "estimated" if largest.origin == "estimated" else "bound"
    return {
        "L": Constant(_mean(parts), _weaker(parts)),
        "L_max": largest,
        "L_rms": root,
        "L_pm": Constant(root.value, implied),
        "L_A": Constant(largest.value, implied),
        "L_B": Constant(0.0, implied),
    }


_COMBINED: Final[Mapping[str, _Combine]] = {
    "L": _smoothness,
    "mu": lambda parts: {"mu": Constant(_mean(parts), _weaker(parts))},
    "calL": lambda parts: {"calL": _root_mean_square(parts)},
    "L_sample": lambda parts: {"L_sample": _largest(parts)},
    "sigma_sq": lambda parts: {"sigma_sq": Constant(_mean(parts), _origin(parts))},
}
"""From the workers' constants of one name to what they say of f."""
