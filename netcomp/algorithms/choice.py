"""What a user may set of an algorithm; what is left out the catalogue entry decides."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netcomp.errors import SpecError

__all__ = ["Choice", "SideChoice", "StepSize"]

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
class SideChoice:
    """One direction: its compressor, channel, what it carries, and the channel's parameters.

    `collection` and `reset` are the downlink's: "same", "independent", "groups:G"; rounds
    between resets of a single memory.
    """

    compressor: str | None = None
    channel: str | None = None
    carries: str | None = None
    p: float | None = None
    alpha: float | None = None
    eta: float | None = None
    collection: str | None = None
    reset: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A user's settings; None leaves one to the entry."""

    step_size: StepSize | None = None
    up: SideChoice = SideChoice()
    down: SideChoice = SideChoice()
    momentum: float | None = None
    server_momentum: float | None = None
    oracle: str | None = None
    participation: str | None = None
    schedule: str | None = None
    average: str | None = None
    preset: str | None = None
    values: str = "f32"
    rounds: int | None = None
    """How many rounds the run may have at most: some theorems' steps depend on it."""
