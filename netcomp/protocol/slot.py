"""A worker's course of a run, without I/O: what one slot answers to each event.

A slot is one logical worker with a connection of its own; a process may hold many. Loading
the data and composing the role are injected, and so is the clock: the virtual one stands
still while a gradient is computed, unless it is told otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.protocol.session import Event
from netcomp.roles import Array, Batch, Kind, Message, Oracle, WorkerRole
from netcomp.wire.documents import Begin, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing, vector_message
from netcomp.wire.reports import answer_frames

__all__ = ["Local", "Probeable", "Slot"]


class Probeable(Oracle, Protocol):
    """What a slot asks beside its role: the oracle of a worker."""

    def probe(self, x: Array) -> tuple[float, Array, Mapping[str, float]]:
        """Return f_i(x), ∇f_i(x) and what is measured at x; nothing is changed by it."""
        ...


@dataclass(frozen=True)
class Local:
    """What a worker holds: its oracle, what it says of it, and how it begins.

    `begin` makes role, x⁰ and seed from the plan the server settled.
    """

    oracle: Probeable
    ready: Ready
    begin: Callable[[dict[str, Any]], tuple[WorkerRole, Array, int]]


class _TimedOracle:
    """An oracle that adds up the seconds its gradients take."""

    def __init__(self, oracle: Oracle, clock: Callable[[], float]) -> None:
        self._oracle = oracle
        self._clock = clock
        self.seconds = 0.0

    @property
    def dim(self) -> int:
        return self._oracle.dim

    def loss(self, x: Array) -> float:
        return self._oracle.loss(x)

    @property
    def rows(self) -> int:
        return self._oracle.rows

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        before = self._clock()
        gradient = self._oracle.gradient(x, batch)
        self.seconds += self._clock() - before
        return gradient


class Slot:
    """One logical worker; call `answer` with every event and write what it returns."""

    def __init__(self, load: Callable[[Welcome], Local], clock: Callable[[], float]) -> None:
        self._load = load
        self._clock = clock
        self._local: Local | None = None
        self._timed: _TimedOracle | None = None
        self._role: WorkerRole | None = None
        self._state: Any = None
        self._seed = 0
        self._dtype: np.dtype[np.floating[Any]] = np.dtype(np.float64)
        self._next_round = 0
        self.worker: int | None = None
        self.stopped: str | None = None
        self.seconds = math.inf
        """How long the answer to the last message took, without waiting; infinite before any."""

    def answer(self, event: Event, delivered: float) -> tuple[Outgoing, ...]:
        """Return the frames that answer an event delivered at `delivered` (s of the clock).

        To be called `quietly`. After STOP, `stopped` holds its reason and the session's `bye` is
        due. Raises `NetcompError` where the worker cannot go on.
        """
        content = event.content
        if isinstance(content, Message):
            if event.kind is FrameKind.PROBE:
                before = self._clock()
                probed = self._probed(event.round, content)
                self.seconds = self._clock() - before
                return (probed,)
            return self._step(event.round, content, delivered)
        if isinstance(content, Welcome):
            self.worker = content.worker
            self._local = self._load(content)
            return (encode(self._local.ready),)
        if isinstance(content, Begin):
            self._begin(content)
        elif isinstance(content, Stop):
            self.stopped = content.reason
        return ()

    def _begin(self, begin: Begin) -> None:
        assert self._local is not None  # noqa: S101 — the session lets BEGIN follow WELCOME only
        self._role, x0, self._seed = self._local.begin(begin.plan)
        self._timed = _TimedOracle(self._local.oracle, self._clock)
        self._state = self._role.init(x0)
        self._dtype = x0.dtype

    def _step(self, round_: int, message: Message, delivered: float) -> tuple[Outgoing, ...]:
        # A worker is not spoken to in rounds it takes no part in.
        if self._role is None or self._timed is None or round_ < self._next_round:
            raise RemoteProtocolError(f"round {round_} came where {self._next_round} was due")
        self._next_round = round_ + 1
        clock, oracle = self._clock, self._timed
        before, oracle.seconds = clock(), 0.0
        draw = Draw(self._seed, round_)
        self._state, uplink = self._role.step(self._state, message, oracle, draw)
        after = clock()
        self.seconds = after - before
        # The clock may be another's: none of it may be below zero.
        compute, rest = oracle.seconds, self.seconds - oracle.seconds
        elapsed = after - delivered
        said = compute, max(0.0, rest), max(0.0, elapsed)
        return (answer_frames(round_, uplink, *said),)

    def _probed(self, round_: int, message: Message) -> Outgoing:
        assert self._local is not None  # noqa: S101 — the session lets PROBE follow BEGIN only
        oracle, names = self._local.oracle, self._local.ready.metrics
        if [part.nbytes for part in message.parts] != [oracle.dim * self._dtype.itemsize]:
            raise RemoteProtocolError("a probe that is no vector of the problem's dimension")
        x = np.frombuffer(message.parts[0], dtype=self._dtype)
        loss, gradient, metrics = oracle.probe(x)
        numbers = np.array([loss, *(metrics[name] for name in names)], dtype="<f8")
        parts = (numbers.view(np.uint8).data, gradient.view(np.uint8).data)
        return vector_message(FrameKind.PROBED, round_, Message(Kind.FULL, parts))
