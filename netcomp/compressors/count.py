"""How many coordinates: a number, a percentage of d, or d/n."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from netcomp.errors import SpecError

__all__ = ["Count"]

_INTEGER = re.compile(r"[0-9]{1,12}")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%")


@dataclass(frozen=True, slots=True)
class Count:
    """A number of coordinates as written: "250", "1%" (of d, at least 1) or "d/n" (⌊d/n⌋)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check the notation; raises ValueError saying what would be right."""
        percent = _PERCENT.fullmatch(text)
        if percent and not 0 < float(percent[1]) <= 100:  # noqa: PLR2004 — a percentage
            raise ValueError("a percentage must be above 0% and at most 100%")
        if not (percent or _INTEGER.fullmatch(text) or text == "d/n"):
            raise ValueError("expected a count as 250, a percentage as 1%, or d/n")
        if _INTEGER.fullmatch(text) and int(text) == 0:
            raise ValueError("a count must be at least 1")
        return cls(text)

    def __str__(self) -> str:
        return self.text

    def resolve(self, d: int, n: int, field: str) -> Count:
        """Return the fixed count for dimension d and n workers.

        Raises `SpecError` naming `field` unless it lies in 1…d.
        """
        if self.text == "d/n":
            value = max(1, d // n)
        elif self.text.endswith("%"):
            value = max(1, round(d * float(self.text[:-1]) / 100))
        else:
            value = int(self.text)
        if not 1 <= value <= d:
            name = field.rpartition(".")[2]
            raise SpecError(field, f"{name} = {value} is outside 1..d = {d}")
        return Count(str(value))

    @property
    def value(self) -> int:
        """The number; raises ValueError where the count has not been resolved."""
        return int(self.text)
