"""One worker's role of a composition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from netcomp.algorithms.composed.alike import Alike, Heard
from netcomp.algorithms.composed.composition import Composition, template
from netcomp.algorithms.composed.several import several, unpacked
from netcomp.algorithms.estimators import TwoPoint
from netcomp.channels import Audience, Marina, Memory
from netcomp.channels.base import Spoken
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message, Oracle

__all__ = ["ComposedWorker", "WorkerState"]


# Not frozen: that would double the time it takes to make one, and a round makes one a worker.
@dataclass(eq=False)
class WorkerState:
    """z_i and the channels' and the estimator's states; w_i lives in the down channel's.

    Not to be changed once it is made. `before` is z_i of the last round, kept for two-point
    estimators only; `x` the worker's own model where the downlink carries updates; `round` the
    newest one it has heard.
    """

    z: Array
    down: Any
    up: Any
    memory: Any = None
    before: Array | None = None
    x: Array | None = None
    round: int = 0


@dataclass(frozen=True)
class ComposedWorker:
    """Hears the model or its update, takes the momentum step, speaks the gradient there."""

    parts: Composition
    worker: int

    def init(self, x0: Array) -> WorkerState:
        """Return w⁰ = z⁰ = x⁰ and the channels' first states."""
        state: WorkerState = self._alike.beginning(x0, partial(self._first, x0))
        return state

    @property
    def _alike(self) -> Alike:
        return self.parts.alike[type(self)]

    def _first(self, x0: Array) -> WorkerState:
        parts, like = self.parts, template(x0)
        carries_model = parts.down_carries == "model"
        return WorkerState(
            z=x0,
            down=parts.down.receiver(x0 if carries_model else None, like),
            up=parts.up.sender(None, like),
            memory=parts.estimator.start(),
            x=None if carries_model else x0,
        )

    def step(
        self, state: WorkerState, message: Message, oracle: Oracle, draw: Draw
    ) -> tuple[WorkerState, Message]:
        """Answer one downlink message."""
        if draw.round > 0:
            state = self._heard(state, message, draw)
        elif message.kind is not Kind.START:
            raise RemoteProtocolError(f"round 0 began with a {message.kind.name} message")
        parts, key = self.parts, self.parts.up_key(draw, self.worker)
        whole = parts.up.sends_whole(state.up, key)
        keys = [key] if whole else parts.participation.keys(parts.workers, self.worker, key)
        if not keys:
            return state, Message(Kind.SILENT)
        named = {0: keys[0]} if len(keys) == 1 else dict(enumerate(keys))
        if parts.estimator.two_point and not whole:
            said, up = self._change(state, oracle, key, named)
            return replace(state, up=up), several(list(said.values()))
        gradient, memory = parts.estimator.gradient(state.memory, oracle, state.z, key)
        if parts.up_carries == "step":
            gradient = parts.step(draw.round) * gradient
        said, up = parts.up.send(state.up, gradient, named)
        if up is not state.up or memory is not state.memory:
            state = WorkerState(state.z, state.down, up, memory, state.before, state.x, state.round)
        return state, said[0] if len(said) == 1 else several(list(said.values()))

    def _change(
        self, state: WorkerState, oracle: Oracle, key: Draw, named: dict[int, Draw]
    ) -> Spoken:
        estimator, up = self.parts.estimator, self.parts.up
        assert isinstance(estimator, TwoPoint)  # noqa: S101 — all this is checked
        assert isinstance(up, Marina) and state.before is not None  # noqa: S101, PT018
        change = estimator.change(oracle, state.z, state.before, key)
        return up.send_change(state.up, change, named)

    def _heard(self, state: WorkerState, message: Message, draw: Draw) -> WorkerState:
        parts = self.parts
        if parts.groups == parts.workers:
            return self._now(state, self._hear(state, message, draw), draw)
        # Everybody in a group has the same key; who was away has missed other messages.
        alike, listener = self._alike, parts.listener(self.worker)
        became: WorkerState | None = alike.became(state, message, draw, listener)
        if became is None:
            key, hear = (draw, listener, state.round), partial(self._hear, state, message, draw)
            heard = alike.after((state.z, state.down, state.x), key, message, hear)
            became = self._now(state, heard, draw)
            alike.remember(state, message, draw, listener, became)
        return became

    def _now(self, state: WorkerState, heard: Heard, draw: Draw) -> WorkerState:
        """Return the state a worker has after it has heard."""
        z, down, x = heard
        before = state.z if self.parts.estimator.two_point else None
        return WorkerState(z, down, state.up, state.memory, before, x, draw.round)

    def _hear(self, state: WorkerState, message: Message, draw: Draw) -> Heard:
        parts = self.parts
        heard, down = self._decoded(state, message, draw)
        x = state.x
        if x is not None:
            carries_steps = "step" in (parts.down_carries, parts.up_carries)
            gamma = 1.0 if carries_steps else parts.step(draw.round - 1)
            heard = x = x - gamma * heard
        z = heard if parts.beta == 1.0 else parts.beta * heard + (1.0 - parts.beta) * state.z
        return z, down, x

    def _decoded(self, state: WorkerState, message: Message, draw: Draw) -> tuple[Array, Any]:
        """Return what the down channel says, of every round that was missed where some were."""
        parts, listener = self.parts, self.parts.listener(self.worker)
        rounds = [draw.round]
        if message.kind is Kind.RESET and isinstance(parts.down, Memory) and not parts.catches_up:
            raise RemoteProtocolError("a RESET message to a worker that has missed nothing")
        if parts.catches_up and message.kind is not Kind.RESET:
            rounds = [
                t
                for t in range(state.round + 1, draw.round + 1)
                if parts.participation.hearers(parts.workers, draw.at(round_=t))
            ]
        down, heard = state.down, state.z
        for t, one in zip(rounds, unpacked(message, len(rounds)), strict=True):
            key = parts.down_key(draw.at(round_=t), listener)
            heard, down = parts.down.receive(down, Audience.all([(one, key)]))
        return heard, down
