"""The constants theorems ask for, each with where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netcomp.errors import MissingConstant, SpecError

__all__ = ["CONSTANTS", "Constant", "Constants"]

CONSTANTS = ("L", "L_A", "L_B", "L_max", "L_rms")
"""Names a user may set: smoothness of f, MARINA-P Assumption 4.2, max and RMS of L_i."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with its origin: "exact", "bound" (conservative) or "given" by the user."""

    value: float
    origin: str


@dataclass(frozen=True)
class Constants:
    """Looks constants up by name; a missing one names the theorem that wanted it."""

    known: Mapping[str, Constant]

    @classmethod
    def gather(
        cls,
        local: Sequence[float],
        joint: Mapping[str, float] | None,
        given: Mapping[str, float],
    ) -> Constants:
        """Combine the workers' L_i, the joint constants where computed, and the user's.

        Without joint constants the bounds hold that the L_i alone imply: L ≤ mean L_i, and
        (L_A, L_B) = (L_max, 0) by MARINA-P Thm 4.4.
        """
        known: dict[str, Constant] = {}
        if local:
            n = len(local)
            known["L_max"] = Constant(max(local), "exact")
            known["L_rms"] = Constant(math.sqrt(sum(v * v for v in local) / n), "exact")
            known["L"] = Constant(sum(local) / n, "exact" if n == 1 else "bound")
            known["L_A"] = Constant(max(local), "bound")
            known["L_B"] = Constant(0.0, "bound")
        known |= {name: Constant(value, "exact") for name, value in (joint or {}).items()}
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
