"""The parts of an algorithm, and what follows from them alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from netcomp.algorithms.composed.alike import Alike
from netcomp.algorithms.composed.several import MOST_MESSAGES
from netcomp.algorithms.estimators import Estimator, Full
from netcomp.algorithms.participation import Everybody, Independent, Participation, Uniform
from netcomp.algorithms.schedule import Average, Constant, Newest, Schedule
from netcomp.channels import Channel
from netcomp.compressors import MAX_PARTS
from netcomp.draw import ALL, Direction, Draw
from netcomp.roles import Array, ServerRole, WorkerRole

__all__ = ["Composition", "DownCarries", "Roles", "UpCarries", "template"]

DownCarries = Literal["model", "update", "step", "forward"]
UpCarries = Literal["gradient", "step"]

_new = tuple.__new__


@dataclass(frozen=True)
class Composition:
    """Two channels, what they carry, step size γ, momenta, n workers and who takes part."""

    workers: int
    down: Channel
    up: Channel
    gamma: float
    beta: float = 1.0
    """β of z_i ← β w_i + (1−β) z_i at the workers (MARINA-P Alg. 2 l. 8)."""
    heavy: float = 0.0
    """μ of the server's heavy ball m ← μ m + ĝ, with which it moves in place of ĝ."""
    groups: int = 1
    """How many messages differ downlink: 1 is a broadcast, n one each, G one a group."""
    down_carries: DownCarries = "model"
    up_carries: UpCarries = "gradient"
    estimator: Estimator = field(default_factory=Full)
    participation: Participation = field(default_factory=Everybody)
    schedule: Schedule = field(default_factory=Constant)
    average: Average = field(default_factory=Newest)
    roles: Roles | None = None
    """Hand-written roles, which take of all this what they want; None for the composed ones."""

    def step(self, t: int) -> float:
        """Return γ_t."""
        return self.gamma * self.schedule.factor(t)

    @cached_property
    def alike(self) -> defaultdict[type, Alike]:
        """What the workers of this process have in common, by the class of their role."""
        return defaultdict(Alike)

    def listener(self, worker: int) -> int:
        """Return which of the downlink's messages a worker hears: groups are contiguous."""
        return worker * self.groups // self.workers

    def down_key(self, draw: Draw, listener: int) -> Draw:
        """Return the key of a downlink message; of what is forwarded, the uplink's own."""
        if self.down_carries == "forward":
            return draw.at(round_=draw.round - 1, direction=Direction.UP, worker=ALL)
        # With one worker perm-k's message is for all, and still that worker's own part.
        everybody = self.groups == 1 and not self.down.compressor.correlated
        return draw.at(direction=Direction.DOWN, worker=ALL if everybody else listener)

    def up_key(self, draw: Draw, worker: int) -> Draw:
        """Return the key of a worker's uplink message."""
        # Not `at`, nor by name: both ends ask for one a worker and round.
        seed, round_, sub, _, _ = draw
        return _new(Draw, (seed, round_, sub, Direction.UP, worker))

    @property
    def catches_up(self) -> bool:
        """Whether a worker may miss what others hear, and is told later."""
        absent = isinstance(self.participation, Independent)
        return absent and self.groups == 1 and self.down.has_shared

    def max_down(self, d: int) -> int:
        """Return the largest payload of a downlink message (bytes)."""
        if self.roles is not None:
            return self.roles.max_down(self, d)
        one = self.down.max_bytes(d)
        # What was missed never costs more than the memory itself, in the state's dtype.
        return one + 8 * d + 2 * MAX_PARTS if self.catches_up else one

    def max_up(self, d: int) -> int:
        """Return the largest payload of an uplink message (bytes)."""
        if self.roles is not None:
            return self.roles.max_up(self, d)
        one = self.up.max_bytes(d)
        if not isinstance(self.participation, Uniform):
            return one
        return min(self.participation.r, MOST_MESSAGES) * (2 + one)


class Roles(ABC):
    """Both roles of an algorithm that the composed ones do not cover, written by hand."""

    @abstractmethod
    def server(self, parts: Composition) -> ServerRole:
        """Return the server's role, with the numbers and compressors of `parts`."""

    @abstractmethod
    def worker(self, parts: Composition, worker: int) -> WorkerRole:
        """Return the role of one worker, numbered from 0."""

    def max_down(self, parts: Composition, d: int) -> int:
        """Return the largest payload of a downlink message (bytes); the down channel's unless told.

        More than what both ends agree on is refused before it is read.
        """
        return parts.down.max_bytes(d)

    def max_up(self, parts: Composition, d: int) -> int:
        """Return the largest payload of an uplink message (bytes); the up channel's unless told."""
        return parts.up.max_bytes(d)


def template(x: Array) -> Array:
    """Return a read-only stand-in with the shape and dtype of x that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype=x.dtype), x.shape)
