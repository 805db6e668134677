"""Run a composition in memory, without sockets or frames, a round at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcomp.algorithms import (
    ALGORITHMS,
    Choice,
    Composition,
    SideChoice,
    compose,
    server_role,
    worker_role,
)
from netcomp.constants import Constants
from netcomp.draw import Draw
from netcomp.roles import Array, Message, Oracle


@dataclass(frozen=True)
class Round:
    """One round: where it began, what was said, and the states after it."""

    number: int
    point: Array
    """x at the beginning of the round."""
    down: Mapping[int, Message]
    up: Mapping[int, Message]
    server: Any
    workers: tuple[Any, ...]


ROLES = server_role, worker_role


def play(
    parts: Composition,
    oracles: Sequence[Oracle],
    x0: Array,
    rounds: int,
    seed: int = 0,
    roles: Sequence[Callable[..., Any]] = ROLES,
) -> Iterator[Round]:
    """Yield the rounds of a run, as the shell would drive the two roles."""
    server = roles[0](parts)
    workers = [roles[1](parts, i) for i in range(parts.workers)]
    state, states = server.init(x0), [worker.init(x0) for worker in workers]
    for t in range(rounds):
        draw, point, up = Draw(seed, t), state.x, {}
        down = server.downlink(state, draw)
        for i in down:
            states[i], up[i] = workers[i].step(states[i], received(down[i]), oracles[i], draw)
        state = server.aggregate(state, {i: received(said) for i, said in up.items()}, draw)
        yield Round(t, point, down, up, state, tuple(states))


def received(message: Message) -> Message:
    """Return the message as it comes out of a socket: read-only copies, no paper bits."""
    return Message(message.kind, tuple(memoryview(bytes(part)) for part in message.parts))


def models(
    parts: Composition, oracles: Sequence[Oracle], x0: Array, rounds: int, seed: int = 0
) -> list[Array]:
    """Return x¹, …, x^rounds of a run."""
    return [done.server.x for done in play(parts, oracles, x0, rounds, seed)]


def chosen(**options: Any) -> Choice:
    """Return a choice whose sides are written flat: up="natural", down_p=0.5."""
    sides: dict[str, dict[str, Any]] = {"up": {}, "down": {}}
    rest = {}
    for name, value in options.items():
        way, _, key = name.partition("_")
        if way in sides:
            sides[way][key or "compressor"] = value
        else:
            rest[name] = value
    return Choice(up=SideChoice(**sides["up"]), down=SideChoice(**sides["down"]), **rest)


def composed(
    name: str,
    choice: Choice,
    d: int,
    n: int,
    constants: Constants,
    rows: tuple[int, ...] = (),
) -> Composition:
    """Return the composition of a catalogue name."""
    return compose(ALGORITHMS.get(name).plan(choice, d, n, constants, rows))
