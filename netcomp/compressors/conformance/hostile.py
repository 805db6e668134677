"""Laws about bytes nobody wrote: refused as the peer's fault, or a vector, nothing else."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from itertools import cycle
from typing import Final

import numpy as np

from netcomp.compressors.base import Compressor, Payload
from netcomp.compressors.conformance.cases import Case, fresh
from netcomp.compressors.conformance.subject import Subject
from netcomp.draw import Stream
from netcomp.errors import RemoteProtocolError, told
from netcomp.laws import Broken

__all__ = ["hostile_bytes", "mutated", "wrong_lengths"]

_MUTATIONS: Final = 2000
"""How many altered payloads are decoded."""

_PATIENCE: Final = 20.0
"""Seconds after which a single decode counts as hanging."""
_SPARE: Final = 1 << 20
_GOES: Final = 3
_ONCE: Final = _MUTATIONS // 50
"""So many decodes may take too much once: others' memory that is, which is seldom."""
_VECTORS: Final = ("gaussian", "sparse", "one-hot", "heavy-tailed")

Parts = list[bytes]


def wrong_lengths(subject: Subject) -> str:
    """Check that a part missing, added, cut or too long is a `RemoteProtocolError`."""
    count = 0
    for case in subject.distinct:
        for name, worker, _, payload in case.payloads():
            parts = list(map(bytes, payload.parts))
            wrong = [parts[:-1], [*parts, b""], [*parts, b"\0"]]
            for i, part in enumerate(parts):
                others = (part[:-1], part + b"\0", part * 2)
                wrong += [[*parts[:i], other, *parts[i + 1 :]] for other in others]
            for other in wrong:
                if other != parts:
                    _refused(case, other, worker, name)
                    count += 1
    return f"{count} payloads refused"


def _refused(case: Case, parts: Parts, worker: int, name: str) -> None:
    try:
        case.compressor.decode(fresh(parts), case.d, case.key(worker))
    except RemoteProtocolError:
        return
    except Exception as error:  # noqa: BLE001 — any other exception is what is looked for
        what = f"{type(error).__name__} instead of RemoteProtocolError"
    else:
        what = "accepted"
    sizes = [len(part) for part in parts]
    raise Broken(f"{case}, {name}, parts of {sizes} bytes: {what}")


def hostile_bytes(subject: Subject) -> str:
    """Check that altered payloads are `RemoteProtocolError` or finite vectors of dimension d.

    2,000 of them: bytes flipped, cut, added and replaced, parts exchanged, at all sizes. No
    decode, refused or not, takes more memory than a few times what a valid one does and 1 MiB,
    and none hangs: after 20 s without an answer (a machine's usual one takes microseconds) it is
    given up.
    """
    attack = _Attack(subject)
    thread = threading.Thread(target=attack.run, daemon=True)
    thread.start()
    while thread.is_alive():
        before = attack.count
        thread.join(_PATIENCE)
        if thread.is_alive() and attack.count == before:
            raise Broken(f"{attack.where}: decode has not answered for {_PATIENCE:.0f} s")
    if attack.error is not None:
        raise attack.error
    return f"{attack.refused} of {attack.count} refused, the others decoded"


class _Attack:
    """Decodes altered payloads, one after the other."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.count = 0
        self.refused = 0
        self.once = 0
        """How many decodes took too much memory, and did not when they were repeated."""
        self.where = ""
        self.error: Exception | None = None

    def run(self) -> None:
        """Do so until something is wrong or all are done; for a thread of its own."""
        try:
            with np.errstate(all="ignore"):
                self._all()
        except Exception as error:  # noqa: BLE001 — handed over to the thread that waits
            self.error = error

    def _all(self) -> None:
        stages = [(case, worker) for case in self.subject.distinct for worker in case.speakers]
        valid = [_valid(case, worker) for case, worker in stages]
        usual = [_usual(*stage, parts) for stage, parts in zip(stages, valid, strict=True)]
        streams = [case.stream(1 + worker) for case, worker in stages]
        for at, case, worker in cycle((i, *stage) for i, stage in enumerate(stages)):
            if self.count == _MUTATIONS:
                return
            parts, what = mutated(valid[at], streams[at])
            self.where = f"{case}, mutation {self.count} ({what})"
            self._decode(case, parts, worker, usual[at])
            self.count += 1

    def _decode(self, case: Case, parts: Parts, worker: int, usual: int) -> None:
        given = sum(map(len, parts))
        most = 4 * usual + 64 * (8 * case.d + given) + _SPARE
        try:
            payload, used, kept = _memory(case.compressor, case, parts, worker)
            if used > most:
                self.once += 1
                used = max(kept, _repeated(case, parts, worker))
        except Exception as error:  # noqa: BLE001 — any but the one caught is what is looked for
            what = told(error)
            raise Broken(f"{self.where}: {what} instead of RemoteProtocolError") from None
        if used > most:
            raise Broken(f"{self.where}: {used} bytes of memory for {given} bytes")
        if self.once > _ONCE:
            raise Broken(f"{self.where}: {self.once} decodes took much memory once, not again")
        if payload is None:
            self.refused += 1
        else:
            self._sound(case, payload)

    def _sound(self, case: Case, payload: Payload) -> None:
        dense, added = payload.dense(), np.zeros(case.d)
        payload.add_to(added)
        if dense.shape != (case.d,) or not np.isfinite(dense).all():
            raise Broken(f"{self.where}: not a finite vector of dimension d")
        if not np.array_equal(dense, added):
            raise Broken(f"{self.where}: dense() and add_to disagree")


def _memory(
    compressor: Compressor, case: Case, parts: Parts, worker: int
) -> tuple[Payload | None, int, int]:
    """Decode; return the payload, None where it is refused, and bytes held: at most, at last."""
    given = fresh(parts)
    # Traced for no longer than that: it makes everything several times slower.
    if ours := not tracemalloc.is_tracing():
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        payload = _decoded(compressor, given, case, worker)
        kept, most = tracemalloc.get_traced_memory()
        return payload, most - before, kept - before
    finally:
        if ours:
            tracemalloc.stop()


def _decoded(
    compressor: Compressor, parts: list[memoryview], case: Case, worker: int
) -> Payload | None:
    try:
        return compressor.decode(parts, case.d, case.key(worker))
    except RemoteProtocolError:
        return None


def _repeated(case: Case, parts: Parts, worker: int) -> int:
    """Return the least bytes that decoding takes in several goes, each of another copy.

    What other threads of the process take in the meantime is counted as well, but hardly each
    time; of a copy, since what a compressor keeps it takes only once.
    """
    return min(_memory(case.anew(), case, parts, worker)[1] for _ in range(_GOES))


def _usual(case: Case, worker: int, valid: list[Parts]) -> int:
    """Return the most bytes that decoding valid payloads takes."""
    most = 0
    for parts in valid:
        payload, used, _ = _memory(case.compressor, case, parts, worker)
        if payload is None:
            raise Broken(f"{case}: a valid payload is refused")
        most = max(most, used)
    return most


def _valid(case: Case, worker: int) -> list[Parts]:
    """Return the parts of several vectors' payloads, zero among them."""
    payloads = {name: payload for name, one, _, payload in case.payloads() if one == worker}
    found = [payloads[name] for name in _VECTORS if name in payloads]
    found.append(case.compressor.compress(np.zeros(case.d), case.key(worker)))
    return [list(map(bytes, payload.parts)) for payload in found]


def mutated(valid: list[Parts], stream: Stream) -> tuple[Parts, str]:
    """Return a payload altered in some way, and in which."""
    parts = list(valid[_below(stream, len(valid))])
    if not parts:
        return [stream.words64(2).tobytes()], "parts out of nothing"
    at, way = _below(stream, len(parts)), _WAYS[_below(stream, len(_WAYS))]
    if way in _OF_ALL:
        return _OF_ALL[way](parts, at, valid, stream), way
    parts[at] = bytes(_OF_ONE[way](bytearray(parts[at]), stream))
    return parts, way


def _below(stream: Stream, bound: int) -> int:
    return int(stream.below(bound, 1)[0])


def _flip(part: bytearray, stream: Stream) -> bytearray:
    for _ in range(1 + _below(stream, 4) if part else 0):
        part[_below(stream, len(part))] ^= 1 + _below(stream, 255)
    return part


def _bit(part: bytearray, stream: Stream) -> bytearray:
    if part:
        part[_below(stream, len(part))] ^= 1 << _below(stream, 8)
    return part


def _cut(part: bytearray, stream: Stream) -> bytearray:
    return part[: _below(stream, len(part) + 1)]


def _longer(part: bytearray, stream: Stream) -> bytearray:
    return part + stream.words64(1 + _below(stream, 8)).tobytes()[: 1 + _below(stream, 64)]


def _replaced(part: bytearray, stream: Stream) -> bytearray:
    return bytearray(stream.words64(len(part) // 8 + 1).tobytes()[: len(part)])


def _filled(part: bytearray, stream: Stream) -> bytearray:
    return bytearray([(0, 255, 127, 128)[_below(stream, 4)]]) * len(part)


def _extreme(part: bytearray, stream: Stream) -> bytearray:
    """Overwrite up to 8 neighbouring bytes with a number at the edge of its range."""
    size = 1 << _below(stream, 4)
    start = _below(stream, max(1, len(part) - size + 1))
    value = (0, 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1)
    part[start : start + size] = value[_below(stream, len(value))].to_bytes(size, "little")[
        : len(part) - start
    ]
    return part


def _mixed(parts: Parts, at: int, valid: list[Parts], stream: Stream) -> Parts:
    other = valid[_below(stream, len(valid))]
    return [*parts[:at], *other[at : at + 1], *parts[at + 1 :]]


_OF_ONE: Final[dict[str, Callable[[bytearray, Stream], bytearray]]] = {
    "bytes flipped": _flip,
    "a bit flipped": _bit,
    "a part cut": _cut,
    "a part longer": _longer,
    "a part random": _replaced,
    "a part filled": _filled,
    "an extreme number": _extreme,
}
_OF_ALL: Final[dict[str, Callable[[Parts, int, list[Parts], Stream], Parts]]] = {
    "a part dropped": lambda parts, at, *_: [*parts[:at], *parts[at + 1 :]],
    "a part twice": lambda parts, at, *_: [*parts, parts[at]],
    "parts turned": lambda parts, at, *_: [*parts[at:], *parts[:at]],
    "a part of another vector": _mixed,
}
_WAYS: Final = (*_OF_ONE, *_OF_ALL)
