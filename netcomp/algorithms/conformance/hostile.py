"""Messages nobody's role sent: refused as the peer's fault, or taken, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from netcomp.algorithms.conformance.subject import Case, Subject
from netcomp.draw import Draw, Purpose, Stream
from netcomp.errors import NotFinite, RemoteProtocolError
from netcomp.laws import Broken
from netcomp.roles import Kind, Message

__all__ = ["hostile_downlinks", "hostile_uplinks"]

_EACH: Final = 12
"""How often a message is altered at random, besides every other kind."""


def hostile_uplinks(subject: Subject) -> str:
    """Check that `aggregate` refuses altered uplinks with `RemoteProtocolError`, or takes them.

    Every other kind, bytes flipped, cut, added and exchanged, parts missing and doubled. What
    decodes to numbers that cannot be spoken of may be `NotFinite`.
    """
    refused = count = 0
    for case in subject.cases:
        for done in case.play(case.pair, case.begin(case.pair), subject.heard):
            uplinks = {i: subject.heard(said, 0) for i, said in done.up.items()}
            for i, wrong in _altered(case, uplinks, done.draw):
                where = f"{case}, round {done.draw.round}, worker {i}, a {wrong.kind.name} message"
                heard = {**uplinks, i: wrong}
                call = partial(case.pair.server.aggregate, done.server, heard, done.draw)
                refused += _refuses(where, call)
                count += 1
    return f"{refused} of {count} refused, the others taken"


def hostile_downlinks(subject: Subject) -> str:
    """Check that `step` refuses altered downlinks with `RemoteProtocolError`, or takes them."""
    refused = count = 0
    for case in subject.cases:
        for done in case.play(case.pair, case.begin(case.pair), subject.heard):
            downlinks = {i: subject.heard(said, 0) for i, said in done.down.items()}
            for i, wrong in _altered(case, downlinks, done.draw):
                where = f"{case}, round {done.draw.round}, to {i}, a {wrong.kind.name} message"
                role, state = case.pair.workers[i], done.workers[i]
                call = partial(role.step, state, wrong, case.oracles[i], done.draw)
                refused += _refuses(where, call)
                count += 1
    return f"{refused} of {count} refused, the others taken"


def _refuses(where: str, call: Callable[[], Any]) -> bool:
    try:
        call()
    except (RemoteProtocolError, NotFinite):
        return True
    except Exception as error:
        raise Broken(
            f"{where}: {type(error).__name__} instead of RemoteProtocolError ({error})"
        ) from error
    return False


def _altered(case: Case, said: dict[int, Message], draw: Draw) -> Iterator[tuple[int, Message]]:
    stream = Draw(case.seed, draw.round, case.d, worker=case.n).stream(Purpose.INIT)
    for i, message in said.items():
        for kind in Kind:
            if kind is not message.kind:
                yield i, Message(kind, message.parts)
                yield i, Message(kind, (memoryview(b""), *message.parts))
        parts = [bytes(part) for part in message.parts]
        yield i, Message(message.kind)
        yield i, _message(message.kind, [*parts, *parts])
        yield i, _message(message.kind, [*parts, b"\0"])
        for _ in range(_EACH if parts else 0):
            yield i, _message(message.kind, _mutated(parts, stream))


def _message(kind: Kind, parts: list[bytes]) -> Message:
    return Message(kind, tuple(map(memoryview, parts)))


def _mutated(parts: list[bytes], stream: Stream) -> list[bytes]:
    """Return parts of which one has a byte changed, is cut, longer, or other bytes altogether."""
    at, way, value = (int(stream.below(bound, 1)[0]) for bound in (len(parts), 4, 256))
    part = parts[at]
    place = int(stream.below(max(len(part), 1), 1)[0])
    changed = (
        part[:place] + bytes([value]) + part[place + 1 :],
        part[:place],
        part + bytes([value]),
        bytes([value]) * len(part),
    )[way]
    return [*parts[:at], changed, *parts[at + 1 :]]
