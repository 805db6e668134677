"""What is checked: the two roles at each size, with local functions, and runs of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from netcomp.algorithms.choice import Choice, SideChoice, StepSize
from netcomp.algorithms.composed import Composition, server_role, worker_role
from netcomp.algorithms.conformance.images import frozen
from netcomp.algorithms.entry import Algorithm
from netcomp.algorithms.plan import Plan, compose
from netcomp.constants import CONSTANTS, Constants, exact
from netcomp.draw import Draw, Purpose
from netcomp.laws import Broken
from netcomp.roles import Array, Batch, Message, ServerRole, WorkerRole

ROUNDS: Final = 8
"""How many rounds a run has."""
GAMMA: Final = 0.25
"""The step size where one is given."""
_ROWS: Final = 40

Carry = Callable[[Message, int], Message]
"""A message and its round to the message as it arrives."""


@dataclass(frozen=True)
class Pair:
    """Both roles of one size; what a message may have at most (bytes), where that is told."""

    server: ServerRole
    workers: Sequence[WorkerRole]
    max_down: int | None = None
    max_up: int | None = None

    @classmethod
    def of(cls, parts: Composition, d: int) -> Pair:
        """Return the roles of a composition."""
        workers = [worker_role(parts, worker) for worker in range(parts.workers)]
        return cls(server_role(parts), workers, parts.max_down(d), parts.max_up(d))


@dataclass(frozen=True)
class Local:
    """f_i = the mean over rows j of ½ Σ_k a_jk (x_k − b_jk)², 0 < a ≤ 1: 1-smooth, not alike."""

    scale: Array
    centre: Array

    @property
    def dim(self) -> int:
        """The dimension d."""
        return int(self.scale.shape[1])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.scale)

    def loss(self, x: Array) -> float:
        """Return f_i(x)."""
        return float((self.scale * (x - self.centre) ** 2).sum() / (2 * self.rows))

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x), or the mean over a batch of rows; a fresh array in the dtype of x."""
        at: Any = slice(None) if batch is None else batch.rows(self.rows)
        found: Array = (self.scale[at] * (x - self.centre[at])).mean(axis=0)
        return found.astype(x.dtype)


@dataclass(frozen=True)
class Round:
    """What a round began with, what was said, and what it left."""

    draw: Draw
    server: Any
    workers: tuple[Any, ...]
    down: Mapping[int, Message]
    up: Mapping[int, Message]
    after: Any


@dataclass(frozen=True)
class Case:
    """Dimension d and n workers: how roles are made there, and the functions they minimise."""

    d: int
    n: int
    seed: int
    make: Callable[[], Pair]

    def __str__(self) -> str:
        return f"d = {self.d}, n = {self.n}"

    @cached_property
    def pair(self) -> Pair:
        """The roles."""
        return self.make()

    @cached_property
    def oracles(self) -> list[Local]:
        """One local function a worker."""
        stream = Draw(self.seed, self.d, self.n).stream(Purpose.INIT)
        shape, found = (_ROWS, self.d), []
        for _ in range(self.n):
            scale = 0.25 + 0.75 * stream.uniforms(_ROWS * self.d).reshape(shape)
            found.append(Local(scale, 2.0 * stream.normals(_ROWS * self.d).reshape(shape)))
        return found

    def x0(self, dtype: Any = np.float64) -> Array:
        """Return the starting point, read-only."""
        values = Draw(self.seed, self.d, self.n, worker=0).stream(Purpose.INIT).normals(self.d)
        found: Array = frozen(values.astype(dtype))
        return found

    def begin(self, pair: Pair, dtype: Any = np.float64) -> tuple[Any, list[Any]]:
        """Return the first states."""
        x0 = self.x0(dtype)
        return pair.server.init(x0), [role.init(x0) for role in pair.workers]

    def play(
        self,
        pair: Pair,
        states: tuple[Any, list[Any]],
        carry: Carry,
        rounds: Sequence[int] = range(ROUNDS),
        look: Callable[[Any], Any] = lambda thing: thing,
    ) -> Iterator[Round]:
        """Yield the rounds of a run; `look` sees every state and message that is handed out."""
        server, workers = look(states[0]), [look(state) for state in states[1]]
        for t in rounds:
            draw, began, up = Draw(self.seed, t), tuple(workers), {}
            down = {i: look(said) for i, said in pair.server.downlink(server, draw).items()}
            self._are_workers(down, t)
            for i, said in sorted(down.items()):
                heard = carry(said, t)
                workers[i], up[i] = map(
                    look, pair.workers[i].step(workers[i], heard, self.oracles[i], draw)
                )
            heard_up = {i: carry(said, t) for i, said in up.items()}
            after = look(pair.server.aggregate(server, heard_up, draw))
            yield Round(draw, server, began, down, up, after)
            server = after

    def _are_workers(self, down: Mapping[int, Message], t: int) -> None:
        strangers = {*down} - {*range(self.n)}
        if strangers:
            raise Broken(f"{self}, round {t}: a message to worker {strangers.pop()}")


class Subject:
    """Roles to be checked: an algorithm's, or a pair that somebody makes."""

    def __init__(
        self,
        make: Callable[[int, int], Pair],
        sizes: Sequence[tuple[int, int]],
        seed: int,
        carry: Carry,
        entry: Algorithm | None = None,
    ) -> None:
        self.make = make
        self.seed = seed
        self.carry = carry
        self.entry = entry
        self.cases = [self.case(d, n) for d, n in sizes]

    @classmethod
    def of(
        cls, entry: Algorithm, sizes: Sequence[tuple[int, int]], seed: int, carry: Carry
    ) -> Subject:
        """Return what is to be checked of a catalogue entry."""

        def make(d: int, n: int) -> Pair:
            return Pair.of(compose(planned(entry, d, n), imports=True), d)

        return cls(make, sizes, seed, carry, entry)

    def case(self, d: int, n: int) -> Case:
        """Return one size."""
        return Case(d, n, self.seed, lambda: self.make(d, n))

    def heard(self, message: Message, _round: int) -> Message:
        """Carry a message without a wire: read-only bytes, and no paper bits."""
        return Message(message.kind, tuple(memoryview(bytes(part)) for part in message.parts))


def planned(entry: Algorithm, d: int, n: int, choice: Choice | None = None) -> Plan:
    """Return an entry's plan for the kit's functions, with its defaults unless told."""
    constants = Constants(dict.fromkeys(CONSTANTS, exact(1.0)))
    chosen = replace(choice or Choice(), rounds=ROUNDS)
    return entry.plan(chosen, d, n, constants, (_ROWS,) * n)


def uncompressed(entry: Algorithm) -> Choice:
    """Return what makes an entry gd: nothing lost, full gradients, everybody, no momentum."""

    def side(default: str | None) -> SideChoice:
        replaced = default is not None or entry.free
        return SideChoice(compressor="f64" if replaced else None)

    return Choice(
        step_size=StepSize(GAMMA, of_theory=False),
        up=side(entry.up.default),
        down=side(entry.down.default),
        momentum=None if entry.beta is None and not entry.free else 1.0,
        server_momentum=0.0,
        oracle="two-point" if entry.oracle.startswith("two-point") else "full",
        participation="all",
        values="f64",
    )
