"""The law about many messages at once: a server adds up a round's as it would one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np

from netcomp.compressors.base import Payload
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.subject import Subject
from netcomp.draw import Draw
from netcomp.laws import Broken, same_bits
from netcomp.roles import Chorus, Kind

__all__ = ["together"]

_DTYPES: Final = (np.float64, np.float32)
_VECTORS: Final = ("gaussian", "sparse", "heavy-tailed")
_WEIGHTS: Final = (1.0, 1 / 3)
_ROUNDS: Final = 12

Sent = tuple[Payload, Draw]


def together(subject: Subject) -> str:
    """Check that `add_all` adds what `decode` and `add_to` do one after the other, bit for bit.

    Of messages that are alike, their parts of one length each, as in a round.
    """
    count = 0
    for case in subject.distinct:
        for dtype in _DTYPES:
            for name in _VECTORS:
                alike: dict[tuple[int, ...], list[Sent]] = {}
                for payload, key in _sent(case, name, dtype):
                    sizes = tuple(part.nbytes for part in payload.parts)
                    alike.setdefault(sizes, []).append((payload, key))
                for sizes, sent in alike.items():
                    _check(case, dtype, sent, sizes)
                    count += len(sent)
    return f"{count} messages"


def _sent(case: Case, name: str, dtype: Any) -> Iterator[Sent]:
    """Yield what the workers send in some rounds, with their keys: each a vector of its own."""
    v = case.vectors[name].astype(dtype)
    for round_ in range(_ROUNDS):
        for worker in range(case.n):
            key, own = case.key(worker, round_), v / dtype(1 + worker + case.n * round_)
            if (payload := case.sent(name, own, key)) is not None:
                yield payload, key


def _check(case: Case, dtype: Any, sent: Sequence[Sent], sizes: Sequence[int]) -> None:
    ends = [*accumulate(sizes, initial=2)]
    where = [slice(*pair) for pair in pairwise(ends)]
    reads = [b"".join((b"in", *payload.parts, b"front")) for payload, _ in sent]
    chorus, keys = Chorus(Kind.VALUE, reads, where), [key for _, key in sent]
    for weight in _WEIGHTS:
        expected = case.vectors["gaussian"].astype(dtype)
        actual = expected.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for message, key in zip(chorus, keys, strict=True):
                case.other.decode(message.parts, case.d, key).add_to(expected, weight)
            case.other.add_all(actual, chorus, keys.__getitem__, weight)
        if not same_bits(expected, actual):
            name = dtype.__name__
            raise Broken(f"{case}, {name}: {len(sent)} messages together add up to something else")
