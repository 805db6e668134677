"""All outcomes of what a compressor draws, where these are few: expectations without chance.

A compressor draws through its key alone. Given a key whose streams answer by a `_Script`, it shows
what it asks for; and as the scripts are gone through, every outcome comes once, like the leaves of
a tree. That is done where all it asks for are integers (`below`, `distinct`): words, uniform and
normal numbers have outcomes beyond counting. So has what somebody makes of a key in another way,
which therefore has no seed and no round to read.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, islice
from math import comb, prod
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw, Purpose, Stream

__all__ = ["every_outcome"]

Vector = NDArray[np.float64]
Ask = tuple[str, int, int]
"""The method of a stream, bound and count."""

_HIDDEN: Final = frozenset({"seed", "round"})
"""What of a key differs from draw to draw."""


class _Uncountable(Exception):
    """The outcomes are too many, or of a kind that cannot be listed."""


def every_outcome(
    of: Callable[[Callable[[Draw], Draw]], Vector], most: int
) -> tuple[NDArray[np.float64], Vector] | None:
    """Return what `of` gives for each outcome, as rows, and their probabilities.

    `of` is given what turns a key into one that is played, and compresses with such keys. None
    where an outcome is rarer than one in `most`, where what is drawn has outcomes that cannot be
    listed, or where something goes wrong, which it will without a script as well.
    """
    script = _Script(most)
    rows: list[Vector] = []
    shares: list[float] = []
    try:
        while script.more:
            rows.append(of(script.play()))
            shares.append(script.share)
            script.turn()
    except Exception:  # noqa: BLE001 — whatever a foreign class raises
        return None
    return np.array(rows), np.array(shares)


class _Script:
    """One way through all that is drawn: which of the options, equally likely, at each choice."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.more = True
        self._path: list[tuple[int, int]] = []
        """The option taken and how many there are."""
        self._reached = 0
        self._streams: dict[tuple[Draw, Purpose], list[tuple[Ask, NDArray[np.int64]]]] = {}

    @property
    def share(self) -> float:
        """The probability of this way."""
        return 1.0 / self._ways()

    def _ways(self) -> int:
        return prod(options for _, options in self._path)

    def play(self) -> Callable[[Draw], Draw]:
        """Begin anew, with the choices that are set; return what gives a key its streams."""
        self._reached = 0
        self._streams = {}
        return lambda key: _Played(key, self)

    def turn(self) -> None:
        """Set the choices for the next way: the last that has options left takes the next one."""
        while self._path:
            option, options = self._path.pop()
            if option + 1 < options:
                self._path.append((option + 1, options))
                return
        self.more = False

    def choose(self, options: int) -> int:
        """Return the option to take at the next choice."""
        if self._reached == len(self._path):
            self._path.append((0, options))
            if self._ways() > self.most:
                raise _Uncountable
        option, known = self._path[self._reached]
        if known != options:  # another way through than the last time: not a function of choices
            raise _Uncountable
        self._reached += 1
        return option

    def answers(self, key: Draw, purpose: Purpose) -> list[tuple[Ask, NDArray[np.int64]]]:
        """Return what this stream was asked for and answered so far: it repeats itself."""
        return self._streams.setdefault((key, purpose), [])


class _Played(Draw):
    """A key whose streams answer by a script, and so do those of keys made from it."""

    script: _Script

    def __new__(cls, key: Draw, script: _Script) -> Self:
        made = super().__new__(cls, *key)
        made.script = script
        return made

    def at(self, **parts: Any) -> _Played:
        return _Played(self._key().at(**parts), self.script)

    def shared(self) -> _Played:
        return _Played(self._key().shared(), self.script)

    def stream(self, purpose: Purpose) -> Stream:
        return _Listed(self.script, self.script.answers(self._key(), purpose))

    def _key(self) -> Draw:
        return Draw._make(super().__iter__())

    def __getattribute__(self, name: str) -> Any:
        if name in _HIDDEN:
            raise _Uncountable
        return super().__getattribute__(name)

    def _unreadable(self, *_: Any) -> Any:
        raise _Uncountable

    # Nothing may be kept by it either: it would be taken for that of the key with these numbers.
    __iter__ = __getitem__ = __hash__ = __repr__ = _unreadable


class _Listed(Stream):
    """A stream from its beginning: what was asked before is answered as before."""

    __slots__ = ("_answers", "_at", "_script")

    def __init__(self, script: _Script, answers: list[tuple[Ask, NDArray[np.int64]]]) -> None:
        self._script = script
        self._answers = answers
        self._at = 0

    def words64(self, count: int) -> NDArray[np.uint64]:
        raise _Uncountable

    def uniform(self) -> float:
        raise _Uncountable

    def below(self, bound: int, count: int) -> NDArray[np.int64]:
        return self._answer(("below", bound, count), self._below)

    def distinct(self, bound: int, count: int) -> NDArray[np.int64]:
        return self._answer(("distinct", bound, count), self._distinct)

    def _answer(self, ask: Ask, listed: Callable[[int, int], list[int]]) -> NDArray[np.int64]:
        if self._at == len(self._answers):
            self._answers.append((ask, np.array(listed(*ask[1:]), dtype=np.int64)))
        asked, answer = self._answers[self._at]
        if asked != ask:  # the same words in two ways: not independent choices
            raise _Uncountable
        self._at += 1
        return answer.copy()

    def _below(self, bound: int, count: int) -> list[int]:
        # What the real one refuses is left to it.
        if bound < 1:
            raise _Uncountable
        return [self._script.choose(bound) for _ in range(count)]

    def _distinct(self, bound: int, count: int) -> list[int]:
        if not 0 <= count <= bound:
            raise _Uncountable
        # All subsets but the two trivial ones are at least as many as the integers.
        if 0 < count < bound and bound > self._script.most:
            raise _Uncountable
        at = self._script.choose(comb(bound, count))
        return list(next(islice(combinations(range(bound), count), at, None)))
