"""The laws of two roles, and those of an entry that makes them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from netcomp.algorithms.conformance.images import copied, frozen, image
from netcomp.algorithms.conformance.subject import (
    GAMMA,
    ROUNDS,
    Case,
    Pair,
    Round,
    Subject,
    planned,
    uncompressed,
)
from netcomp.algorithms.plan import Plan, compose
from netcomp.compressors import MAX_PARTS
from netcomp.errors import SpecError
from netcomp.laws import Broken
from netcomp.roles import Array

__all__ = [
    "bounded",
    "downlink_twice",
    "dtype",
    "gd",
    "never_written",
    "one_coordinate",
    "one_worker",
    "plan",
    "pure",
    "resume",
    "start",
    "wire",
]

_EXACTLY: Final = 1e-12


def _finite(case: Case, x: Array, where: str) -> None:
    if x.shape != (case.d,) or not np.isfinite(x).all():
        raise Broken(f"{case}, {where}: a model of shape {x.shape}, or not finite")


def _run(subject: Subject, case: Case) -> list[Round]:
    states = case.begin(case.pair)
    return list(case.play(case.pair, states, subject.heard))


def plan(subject: Subject) -> str:
    """Check that a plan is plain data: through JSON, as in the handshake, it is itself again.

    So both ends compose equal parts from it.
    """
    assert subject.entry is not None  # noqa: S101 — a law of entries only
    for case in subject.cases:
        made = planned(subject.entry, case.d, case.n)
        again = Plan.of(json.loads(json.dumps(asdict(made))))
        if again != made or compose(again, imports=True) != compose(made, imports=True):
            raise Broken(f"{case}: the plan or its composition is another after the handshake")
    return f"{len(subject.cases)} plans"


def start(subject: Subject) -> str:
    """Check that the first model is x⁰, which every worker knows without being told."""
    for case in subject.cases:
        state, _ = case.begin(case.pair)
        if image(case.pair.server.model(state)) != image(case.x0()):
            raise Broken(f"{case}: model(init(x0)) is not x0")
    return "the model begins at x⁰"


def gd(subject: Subject) -> str:
    """Check that it is gradient descent, to 10⁻¹², where nothing is compressed.

    With full gradients, everybody and no momentum. An entry whose `reduces` is false says that it
    is not; one whose compressors cannot be replaced is not asked.
    """
    entry = subject.entry
    assert entry is not None  # noqa: S101 — a law of entries only
    if not entry.reduces:
        return "declares that it is none"
    for case in subject.cases:
        try:
            made = planned(entry, case.d, case.n, uncompressed(entry))
        except SpecError as error:
            return f"not asked: {error}"
        pair = Pair.of(compose(made, imports=True), case.d)
        x = case.x0()
        for done in case.play(pair, case.begin(pair), subject.heard):
            x = x - GAMMA * np.mean([one.gradient(x) for one in case.oracles], axis=0)
            off = float(np.linalg.norm(pair.server.model(done.after) - x))
            if not off <= _EXACTLY * (1.0 + float(np.linalg.norm(x))):
                raise Broken(f"{case}, round {done.draw.round}: {off:.2g} from gradient descent")
    return f"{ROUNDS} rounds, to 1e-12"


def one_worker(subject: Subject) -> str:
    """Check that a single worker is enough, and that the model stays finite."""
    case = subject.case(max(case.d for case in subject.cases), 1)
    return _runs(subject, case)


def one_coordinate(subject: Subject) -> str:
    """Check that d = 1 is legal, and that the model stays finite."""
    case = subject.case(1, max(case.n for case in subject.cases))
    return _runs(subject, case)


def _runs(subject: Subject, case: Case) -> str:
    for done in _run(subject, case):
        _finite(case, case.pair.server.model(done.after), f"round {done.draw.round}")
    return f"{case}: {ROUNDS} rounds"


def dtype(subject: Subject) -> str:
    """Check that the model keeps the dtype of x⁰, float32 and float64, and stays finite."""
    for case in subject.cases:
        for kind in (np.float32, np.float64):
            states = case.begin(case.pair, kind)
            for done in case.play(case.pair, states, subject.heard):
                x = case.pair.server.model(done.after)
                if x.dtype != kind:
                    raise Broken(f"{case}, round {done.draw.round}: {x.dtype} from {kind.__name__}")
                _finite(case, x, f"round {done.draw.round}")
    return "float32, float64"


def downlink_twice(subject: Subject) -> str:
    """Check that `downlink`, asked again, says the same bytes, and leaves the state as it was."""
    for case in subject.cases:
        for done in _run(subject, case):
            before = image(done.server)
            again = case.pair.server.downlink(done.server, done.draw)
            where = f"{case}, round {done.draw.round}"
            if image(dict(again)) != image(dict(done.down)):
                raise Broken(f"{where}: other messages when asked again")
            if image(done.server) != before:
                raise Broken(f"{where}: the state is another one afterwards")
    return "the same bytes, the same state"


def pure(subject: Subject) -> str:
    """Check that `step` and `aggregate` give the same again from the same state and messages."""
    for case in subject.cases:
        for done in _run(subject, case):
            where = f"{case}, round {done.draw.round}"
            heard = {i: subject.heard(said, 0) for i, said in done.up.items()}
            after = case.pair.server.aggregate(done.server, heard, done.draw)
            if image(after) != image(done.after):
                raise Broken(f"{where}: aggregate gives another state the second time")
            for i, said in done.down.items():
                oracle, role = case.oracles[i], case.pair.workers[i]
                told = subject.heard(said, 0)
                answers = [role.step(done.workers[i], told, oracle, done.draw)[1] for _ in range(2)]
                if image(answers[0]) != image(done.up[i]) or image(answers[1]) != image(done.up[i]):
                    raise Broken(f"{where}: worker {i} answers otherwise the second time")
    return "every call twice"


def resume(subject: Subject) -> str:
    """Check that a run goes on from a copy of the states, in new roles, bit for bit."""
    half = ROUNDS // 2
    for case in subject.cases:
        whole = _run(subject, case)
        server, workers = copied(whole[half].server), [copied(s) for s in whole[half].workers]
        pair = case.make()
        rest = case.play(pair, (server, workers), subject.heard, range(half, ROUNDS))
        for done, was in zip(rest, whole[half:], strict=True):
            if _told(pair, done) != _told(case.pair, was):
                raise Broken(f"{case}: round {done.draw.round} differs after resuming in {half}")
    return f"split after {half} of {ROUNDS} rounds"


def _told(pair: Pair, done: Round) -> Any:
    return image((dict(done.down), done.up, pair.server.model(done.after)))


def never_written(subject: Subject) -> str:
    """Check that no array of a state or a message is written again once it was handed out.

    All are made read-only, and looked at again in the end.
    """
    for case in subject.cases:
        kept: list[tuple[Any, Any]] = []

        def look(thing: Any, kept: list[tuple[Any, Any]] = kept) -> Any:
            kept.append((thing, image(thing)))
            return frozen(thing)

        states = case.begin(case.pair)
        rounds = case.play(case.pair, states, subject.heard, look=look)
        try:
            for _ in rounds:
                pass
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise Broken(f"{case}: writes into what it handed out ({error})") from error
        for thing, was in kept:
            if image(thing) != was:
                raise Broken(f"{case}: a {type(thing).__name__} was written after it was given")
    return "states and messages stay as they were"


def bounded(subject: Subject) -> str:
    """Check that no message exceeds what the plan allows, which a session would refuse."""
    for case in subject.cases:
        for done in _run(subject, case):
            where = f"{case}, round {done.draw.round}"
            for way, said, most in (
                ("down", done.down, case.pair.max_down),
                ("up", done.up, case.pair.max_up),
            ):
                for i, message in said.items():
                    if most is not None and message.payload_bytes > most:
                        size = message.payload_bytes
                        raise Broken(f"{where}, {way}, worker {i}: {size} bytes of {most} allowed")
                    if len(message.parts) > MAX_PARTS:
                        raise Broken(f"{where}, {way}, worker {i}: {len(message.parts)} parts")
    return "within what is announced"


def wire(subject: Subject) -> str:
    """Check that a run whose messages went through frames is the same, bit for bit."""
    for case in subject.cases:
        over = list(case.play(case.pair, case.begin(case.pair), subject.carry))
        for done, was in zip(over, _run(subject, case), strict=True):
            if _told(case.pair, done) != _told(case.pair, was):
                raise Broken(f"{case}: round {done.draw.round} differs over the wire")
    return "frames and back"
