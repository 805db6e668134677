"""The generic pair of roles: down channel, momentum, oracle, up channel.

One round, as every algorithm of the five papers has it:

    server   x^{t+1} = x^t − γ ĝ^t, speaks x^{t+1} through the down channel
    worker i w_i ≈ x^{t+1};  z_i ← β w_i + (1−β) z_i;  speaks ∇f_i(z_i) through the up channel
    server   ĝ^{t+1} ≈ (1/n) Σ ∇f_i(z_i)

Round 0 has no downlink vector: w⁰ = z⁰ = x⁰ is known to all (MARINA Alg. 1 l. 1,
MARINA-P Alg. 1 and 2 l. 1), so a START message begins it. The step x − γ ĝ is taken
where ĝ arrives, in `aggregate`, so that `model` is the newest point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netcomp.channels import Channel
from netcomp.draw import ALL, Direction, Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message, Oracle

__all__ = ["ComposedServer", "ComposedWorker", "Composition"]


@dataclass(frozen=True)
class Composition:
    """The parts of an algorithm: two channels, step size γ, momentum β, n workers."""

    workers: int
    down: Channel
    up: Channel
    gamma: float
    beta: float = 1.0
    broadcast: bool = True
    """Whether one downlink message serves all workers; else each has its own key."""

    def server(self) -> ComposedServer:
        """Return the server's role."""
        return ComposedServer(self)

    def worker(self, worker: int) -> ComposedWorker:
        """Return the role of one worker, numbered from 0."""
        return ComposedWorker(self, worker)

    def down_draw(self, draw: Draw, worker: int) -> Draw:
        """Return the key of the downlink message that `worker` hears."""
        return draw.at(direction=Direction.DOWN, worker=ALL if self.broadcast else worker)


@dataclass(frozen=True)
class ServerState:
    """x, and the channels' states; `pending` remembers the round's downlink until it counts."""

    x: Array
    down: Any
    up: Any
    pending: dict[int, tuple[list[Message], Any]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class WorkerState:
    """z_i and the channels' states; w_i lives in the down channel's."""

    z: Array
    down: Any
    up: Any


@dataclass(frozen=True)
class ComposedServer:
    """The server's role of a composition."""

    parts: Composition

    def init(self, x0: Array) -> ServerState:
        """Return x⁰ and the channels' first states."""
        like = _template(x0)
        return ServerState(x0, self.parts.down.sender(x0, like), self.parts.up.receiver(None, like))

    def downlink(self, state: ServerState, draw: Draw) -> Mapping[int, Message]:
        """Return the messages of the round; the same ones when asked again."""
        everyone = range(self.parts.workers)
        if draw.round == 0:
            start = Message(Kind.START)
            return dict.fromkeys(everyone, start)
        messages, _ = self._spoken(state, draw)
        if self.parts.broadcast:
            return dict.fromkeys(everyone, messages[0])
        return dict(zip(everyone, messages, strict=True))

    def aggregate(
        self, state: ServerState, uplinks: Mapping[int, Message], draw: Draw
    ) -> ServerState:
        """Hear all workers in their order and take the step x − γ ĝ."""
        _, down = self._spoken(state, draw) if draw.round else (None, state.down)
        heard = [
            (uplinks[worker], draw.at(direction=Direction.UP, worker=worker))
            for worker in sorted(uplinks)
        ]
        estimate, up = self.parts.up.receive(state.up, heard)
        # x + (−γ) ĝ is x − γ ĝ bit for bit, in the estimate's own memory where nobody needs it.
        x = np.multiply(
            estimate, -self.parts.gamma, out=None if self.parts.up.keeps_estimate else estimate
        )
        x += state.x
        return ServerState(x, down, up)

    def model(self, state: ServerState) -> Array:
        """Return x."""
        return state.x

    def _spoken(self, state: ServerState, draw: Draw) -> tuple[list[Message], Any]:
        if draw.round not in state.pending:
            speakers = (ALL,) if self.parts.broadcast else range(self.parts.workers)
            draws = [self.parts.down_draw(draw, worker) for worker in speakers]
            state.pending.clear()
            state.pending[draw.round] = self.parts.down.send(state.down, state.x, draws)
        return state.pending[draw.round]


@dataclass(frozen=True)
class ComposedWorker:
    """One worker's role of a composition."""

    parts: Composition
    worker: int

    def init(self, x0: Array) -> WorkerState:
        """Return w⁰ = z⁰ = x⁰ and the channels' first states."""
        like = _template(x0)
        return WorkerState(x0, self.parts.down.receiver(x0, like), self.parts.up.sender(None, like))

    def step(
        self, state: WorkerState, message: Message, oracle: Oracle, draw: Draw
    ) -> tuple[WorkerState, Message]:
        """Hear the model, take the momentum step, speak the gradient there."""
        if draw.round > 0:
            state = self._heard(state, message, draw)
        elif message.kind is not Kind.START:
            raise RemoteProtocolError(f"round 0 began with a {message.kind.name} message")
        up_draw = draw.at(direction=Direction.UP, worker=self.worker)
        gradient = oracle.gradient(state.z)
        (uplink,), up = self.parts.up.send(state.up, gradient, [up_draw])
        return replace(state, up=up), uplink

    def _heard(self, state: WorkerState, message: Message, draw: Draw) -> WorkerState:
        key = self.parts.down_draw(draw, self.worker)
        w, down = self.parts.down.receive(state.down, [(message, key)])
        beta = self.parts.beta
        z = w if beta == 1.0 else beta * w + (1.0 - beta) * state.z
        return replace(state, z=z, down=down)


def _template(x: Array) -> Array:
    """Return a read-only stand-in with the shape and dtype of x that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype=x.dtype), x.shape)
