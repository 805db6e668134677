"""Whom a receiver hears in one round: each message, or what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcomp.channels.mean import Mean
from netcomp.draw import Draw
from netcomp.roles import Kind, Message

__all__ = ["Audience", "Heard"]

Heard = tuple[Message, Draw]
"""A received message with the key its sender drew from."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a receiver hears in one round: `heard` of `senders`, each present at `share`.

    The sum of what is heard over `senders` is the mean of all of them where everybody
    speaks. Where each speaks with probability `share`, that sum over `share` is the unbiased
    estimate of this round's mean, and the plain one what the senders' own states moved by.
    Messages that were added up as they came are in `mean`, and not in `heard`.
    """

    heard: Sequence[Heard]
    senders: int
    share: float = 1.0
    mean: Mean | None = None

    @property
    def kind(self) -> Kind | None:
        """What the first message is; None where nobody spoke."""
        if self.mean is not None:
            return self.mean.kind
        return self.heard[0][0].kind if self.heard else None

    @classmethod
    def all(cls, heard: Sequence[Heard]) -> Audience:
        """Return the audience of a round in which every sender speaks."""
        return cls(heard, len(heard))
