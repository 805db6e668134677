"""Algorithms with one thing wrong each, and the law that names it.

All are gd or dcgd with roles of their own (`Honest`) but for what their own lines change.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from netcomp.algorithms import Algorithm, Composition, Roles, Side
from netcomp.algorithms.composed import ComposedServer, ComposedWorker
from netcomp.roles import Kind, Message

CULPRITS = {}
"""The law that each entry of this module breaks, by its name."""


def entry(name, law, **parts):
    """Enter an algorithm with this module's roles of that name."""
    CULPRITS[name] = law
    given = {"up": Side(default="rand-k:k=25%"), "gamma": lambda _: 0.1} | parts
    return Algorithm(name=name, summary=law, source="a test", roles=f"{__name__}:{name}", **given)


class Server(ComposedServer):
    pass


class Worker(ComposedWorker):
    pass


class Honest(Roles):
    """gd's roles, as somebody else would write them: they keep every law."""

    server_kind, worker_kind = Server, Worker

    def server(self, parts: Composition):
        return self.server_kind(parts)

    def worker(self, parts: Composition, worker):
        return self.worker_kind(parts, worker)


HONEST = Algorithm(
    name="honest",
    summary="keeps every law",
    source="a test",
    up=Side(default="rand-k:k=25%"),
    gamma=lambda _: 0.1,
    roles=f"{__name__}:Honest",
)


def roles(law, *, server=Server, worker=Worker, **parts):
    """Return a decorator that gives a class these roles, and enters an algorithm with them."""

    def enter(kind):
        kind.server_kind, kind.worker_kind = server, worker
        kind.entry = entry(kind.__name__, law, **parts)
        return kind

    return enter


# Plans


@dataclass(frozen=True)
class NumpyNumbers(Algorithm):
    """A step that JSON does not know."""

    def plan(self, *args):
        return replace(super().plan(*args), heavy=np.float32(0.0))


CULPRITS["NumpyPlan"] = "plan"


class NumpyPlan(Honest):
    entry = NumpyNumbers(name="NumpyPlan", summary="", source="a test", gamma=lambda _: 0.1)


# The course


class BeginsElsewhere(Server):
    def init(self, x0):
        return super().init(x0 + 1.0)


@roles("start", server=BeginsElsewhere)
class WrongStart(Honest):
    """x⁰ is another one at the server."""


class Hurries(Server):
    def aggregate(self, state, uplinks, draw):
        after = super().aggregate(state, uplinks, draw)
        return replace(after, x=after.x + 1e-9 * (after.x - state.x))


@roles("gd", server=Hurries)
class NearlyGd(Honest):
    """A step a billionth too long."""


class NeedsTwo(Server):
    def aggregate(self, state, uplinks, draw):
        after = super().aggregate(state, uplinks, draw)
        if self.parts.workers > 1:
            return after
        return replace(after, x=after.x * np.inf)


@roles("one-worker", server=NeedsTwo)
class BesselsCorrection(Honest):
    """Divides by n − 1."""


class LooksAtTheSecond(Worker):
    def step(self, state, message, oracle, draw):
        if state.z[1] > 1e9:
            return state, Message(Kind.SILENT)
        return super().step(state, message, oracle, draw)


@roles("one-coordinate", worker=LooksAtTheSecond)
class TwoCoordinates(Honest):
    """Takes d > 1 for granted."""


class Widens(Server):
    def aggregate(self, state, uplinks, draw):
        after = super().aggregate(state, uplinks, draw)
        return replace(after, x=after.x * np.ones(1))


@roles("dtype", server=Widens)
class Float64Only(Honest):
    """A float64 factor makes the model float64."""


# Purity


class Counts(Server):
    """A role that remembers what it was asked, outside its state."""

    asked: ClassVar = Counter()

    def downlink(self, state, draw):
        self.asked[draw] += 1
        said = super().downlink(state, draw)
        if draw.round == 0 or self.asked[draw] == 1:
            return said
        return {i: Message(Kind.VALUE, (memoryview(b"again"),)) for i in said}


class CountsAnew(Counts):
    def init(self, x0):
        self.asked.clear()
        return super().init(x0)


@roles("downlink-twice", server=CountsAnew)
class SaysItOnce(Honest):
    """The second `downlink` of a round says something else."""


class Tires(Worker):
    """Counts its answers in the class; a counter is no part of a state."""

    answers: ClassVar = Counter()

    def step(self, state, message, oracle, draw):
        self.answers[self.worker] += 1
        state, said = super().step(state, message, oracle, draw)
        salt = self.answers[self.worker] % 251
        return state, said._replace(parts=(*said.parts[:-1], _salted(said.parts[-1], salt)))


def _salted(part, salt):
    return memoryview(bytes([*part[:-1], (part[-1] & 0x80) | (salt & 0x3F)]))


@roles("pure", worker=Tires)
class HiddenCounter(Honest):
    """What a worker says depends on how often it was asked."""


class Remembers(Server):
    """Keeps x⁰ in the role itself, where no snapshot finds it."""

    def init(self, x0):
        object.__setattr__(self, "origin", x0)
        return super().init(x0)

    def aggregate(self, state, uplinks, draw):
        after = super().aggregate(state, uplinks, draw)
        return replace(after, x=after.x + 0.0 * self.origin)


@roles("resume", server=Remembers)
class StateInTheRole(Honest):
    """New roles with the old states cannot go on."""


class Overwrites(Server):
    def init(self, x0):
        return super().init(x0.copy())

    def aggregate(self, state, uplinks, draw):
        after = super().aggregate(state, uplinks, draw)
        state.x[:] = after.x
        return replace(after, x=state.x)


@roles("never-written", server=Overwrites)
class InPlace(Honest):
    """The new model is written over the old one."""


# Messages


@roles("bounded")
class Boundless(Honest):
    """Announces less than it sends."""

    def max_up(self, parts, d):
        return 1


class Uncast(Worker):
    def step(self, state, message, oracle, draw):
        state, said = super().step(state, message, oracle, draw)
        parts = tuple(memoryview(np.frombuffer(part, np.uint8).view("<f4")) for part in said.parts)
        return state, said._replace(parts=parts)


@roles("wire", worker=Uncast, up=Side())
class PartsOfFloats(Honest):
    """Parts are views of floats, not of bytes: their length is counted in floats."""


class Trusts(Server):
    def aggregate(self, state, uplinks, draw):
        for message in uplinks.values():
            _ = message.parts[0]
        return super().aggregate(state, uplinks, draw)


@roles("hostile-uplinks", server=Trusts)
class TrustsWorkers(Honest):
    """A message without parts is an IndexError."""


class TrustsToo(Worker):
    def step(self, state, message, oracle, draw):
        if draw.round:
            _ = message.parts[0]
        return super().step(state, message, oracle, draw)


@roles("hostile-downlinks", worker=TrustsToo)
class TrustsTheServer(Honest):
    """The same at the worker."""
