"""The server's role of a composition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from netcomp.algorithms.composed.composition import Composition, template
from netcomp.algorithms.composed.hearing import Hears
from netcomp.algorithms.composed.missed import Missed
from netcomp.channels import Audience
from netcomp.compressors import Sketch
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError
from netcomp.roles import Array, Hearing, Kind, Message

__all__ = ["ComposedServer", "ServerState"]


@dataclass(frozen=True)
class ServerState:
    """x, what the next round begins with, and the channels' states.

    `said` are the next round's messages by worker; `heard` is what the receivers of an update
    hold, `velocity` the heavy ball, `average` x̄, each None where the composition has none;
    `unsayable` is why the next round cannot begin.
    """

    x: Array
    said: Mapping[int, Message]
    down: Any
    up: Any
    heard: Any = None
    velocity: Array | None = None
    average: Array | None = None
    missed: Missed | None = None
    unsayable: NotFinite | None = None


@dataclass(frozen=True)
class ComposedServer:
    """Hears gradients, moves x, speaks through the down channel."""

    parts: Composition
    folds: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        if "aggregate" in vars(cls) and "folds" not in vars(cls):
            cls.folds = False

    def init(self, x0: Array) -> ServerState:
        """Return x⁰ and the channels' first states."""
        parts, like = self.parts, template(x0)
        carries_model = parts.down_carries == "model"
        known = x0 if carries_model else None
        return ServerState(
            x=x0,
            said={},
            down=parts.down.sender(known, like, parts.groups),
            up=parts.up.receiver(None, like),
            heard=None if carries_model else parts.down.receiver(None, like),
            average=None if parts.average.share(1) == 1.0 else x0,
            missed=Missed.none(parts.workers) if parts.catches_up else None,
        )

    def downlink(self, state: ServerState, draw: Draw) -> Mapping[int, Message]:
        """Return the messages of the round; the same ones when asked again.

        Raises `NotFinite` where the model or its update cannot be said.
        """
        if state.unsayable is not None:
            raise state.unsayable
        if draw.round == 0:
            return dict.fromkeys(self.parts.participation.hearers(self.parts.workers, draw), _START)
        return state.said

    def hearing(self, state: ServerState, draw: Draw) -> Hears:
        """Return what hears the workers of a round, one after the other."""
        return Hears(self.parts, state.x, draw)

    def aggregate(
        self, state: ServerState, uplinks: Mapping[int, Message] | Hearing, draw: Draw
    ) -> ServerState:
        """Hear the workers in their order, move, and find the next round's words."""
        parts, t = self.parts, draw.round
        if not isinstance(uplinks, Hears):
            assert isinstance(uplinks, Mapping)  # noqa: S101 — nothing else has heard anybody
            uplinks = self._heard(state, uplinks, draw)
        audience = uplinks.audience()
        move = self._forward if parts.down_carries == "forward" else self._answer
        state = move(state, audience, draw)
        if state.average is None:
            return state
        moved = parts.average.share(t + 1) * (state.x - state.average)
        return replace(state, average=state.average + moved)

    def model(self, state: ServerState) -> Array:
        """Return x, or its average where the composition asks for one."""
        return state.x if state.average is None else state.average

    def _answer(self, state: ServerState, audience: Audience, draw: Draw) -> ServerState:
        """Take the step of the estimate heard, and say the model or the update."""
        parts, t = self.parts, draw.round
        estimate, up = parts.up.receive(state.up, audience)
        velocity = state.velocity
        if parts.heavy:
            estimate = estimate if velocity is None else parts.heavy * velocity + estimate
            velocity = estimate
        gamma = 1.0 if parts.up_carries == "step" else parts.step(t)
        state, following = replace(state, up=up, velocity=velocity), draw.at(round_=t + 1)
        if parts.down_carries == "model":
            own = not (parts.up.keeps_estimate or parts.heavy)
            x = _moved(state.x, gamma, estimate, own=own)
            return self._say(replace(state, x=x), x, following)
        if parts.down_carries == "step":
            estimate, gamma = gamma * estimate, 1.0
        state = self._say(state, estimate, following)
        return state if state.unsayable else self._hear_itself(state, gamma, following)

    def _heard(self, state: ServerState, uplinks: Mapping[int, Message], draw: Draw) -> Hears:
        hearing = self.hearing(state, draw)
        for worker in sorted(uplinks):
            hearing.hear(worker, uplinks[worker])
        return hearing

    def _forward(self, state: ServerState, audience: Audience, draw: Draw) -> ServerState:
        """Send everybody the mean of what was heard, and move by what they decode."""
        sketch = self.parts.up.compressor
        assert isinstance(sketch, Sketch)  # noqa: S101 — checked where it is composed
        if any(message.kind is not Kind.VALUE for message, _ in audience.heard):
            raise RemoteProtocolError("a message of another kind where VALUE belongs")
        mean = sketch.averaged([message.parts for message, _ in audience.heard])
        message = Message(Kind.VALUE, mean, sketch.paper_bits(state.x.size))
        state = replace(state, said=dict.fromkeys(range(self.parts.workers), message))
        gamma, following = self.parts.step(draw.round), draw.at(round_=draw.round + 1)
        return self._hear_itself(state, gamma, following)

    def _say(self, state: ServerState, v: Array, draw: Draw) -> ServerState:
        """Find the words of a round: v, to the workers that take part in it."""
        parts = self.parts
        hearers = parts.participation.hearers(parts.workers, draw)
        listeners = sorted({parts.listener(worker) for worker in hearers})
        keys = {listener: parts.down_key(draw, listener) for listener in listeners}
        try:
            said, down = parts.down.send(state.down, v, keys)
        except NotFinite as error:
            # The round that led here is over and counts: the next one is what cannot begin.
            return replace(state, unsayable=error)
        if state.missed is not None and keys:
            memory = parts.down.shared(state.down)
            assert memory is not None  # noqa: S101 — of the model, which is known from x⁰ on
            told, missed = state.missed.tell(said[0], memory, hearers, keys[0])
            return replace(state, said=told, down=down, missed=missed)
        return replace(state, said={w: said[parts.listener(w)] for w in hearers}, down=down)

    def _hear_itself(self, state: ServerState, gamma: float, draw: Draw) -> ServerState:
        """Move by the update as every worker decodes it."""
        down, message = self.parts.down, next(iter(state.said.values()))
        key = self.parts.down_key(draw, 0)
        update, heard = down.receive(state.heard, Audience.all([(message, key)]))
        x = _moved(state.x, gamma, update, own=not down.keeps_estimate)
        return replace(state, x=x, heard=heard)


_START = Message(Kind.START)


def _moved(x: Array, gamma: float, direction: Array, *, own: bool) -> Array:
    """Return x − γ·direction, in the direction's memory where that is nobody else's."""
    # x + (−γ) v is x − γ v bit for bit.
    moved: Array = np.multiply(direction, -gamma, out=direction if own else None)
    moved += x
    return moved
