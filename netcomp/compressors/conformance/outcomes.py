"""All outcomes of what a compressor draws, where these are few: expectations without chance.

A compressor draws through its key alone. Given a key whose streams answer by a `_Script`, it shows
what it asks for; and as the scripts are gone through, every outcome comes once, like the leaves of
a tree. That is done where all it asks for are integers (`below`, `distinct`): words, uniform and
normal numbers have outcomes beyond counting. So has what somebody makes of a key in another way:
seed and round of a played key refuse to be read, and what is drawn must be among the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from netcomp.draw import Draw, Purpose, Stream
from netcomp.laws import Broken

__all__ = ["Outcomes", "every_outcome"]

Row = NDArray[np.float64]
Integers = NDArray[np.int64]
Ask = tuple[str, int, int]
"""The method of a stream, bound and count."""
Place = tuple[Draw, Purpose, int]
"""A question to a stream: its key and purpose, and how many came before."""


@dataclass(frozen=True)
class Outcomes:
    """What a function of random keys gives for every outcome."""

    rows: NDArray[np.float64]
    """One each but for those that broke a law."""
    shares: Row
    """The probability of each."""
    fault: Broken | None
    """The last that did break one."""

    def agree(self, drawn: NDArray[np.float64]) -> bool:
        """Whether all rows that were drawn are outcomes, to the bit."""
        known = {row.tobytes() for row in self.rows}
        return all(row.tobytes() in known for row in drawn)


class _Uncountable(Exception):
    """The outcomes are too many, or of a kind that cannot be listed."""


def every_outcome(of: Callable[[Callable[[Draw], Draw]], Row], most: int) -> Outcomes | None:
    """Return what `of` gives for each outcome.

    `of` is given what turns a key into one that is played, and compresses with such keys. None
    where an outcome is rarer than one in `most`, where what is drawn has outcomes that cannot be
    listed, or where something is raised but `Broken`.
    """
    script = _Script(most)
    rows: list[Row] = []
    shares: list[float] = []
    fault: Broken | None = None
    try:
        while script.more:
            try:
                rows.append(of(script.play()))
                shares.append(script.share)
            except Broken as broken:
                fault = broken
            script.turn()
    except Exception:  # noqa: BLE001 — whatever a foreign class raises, it does when drawn too
        return None
    finally:
        script.live = False
    return Outcomes(np.array(rows), np.array(shares), fault)


class _Script:
    """One way through all that is drawn: which of the options, equally likely, at each choice."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.more = True
        self.live = True
        """Whether it is being played: what keeps a key of it may look at that key afterwards."""
        self._refused = False
        self._path: list[_Choice] = []
        self._reached = 0
        self._answers: dict[tuple[Draw, Purpose], list[tuple[Ask, Integers]]] = {}

    @property
    def share(self) -> float:
        """The probability of this way."""
        return 1.0 / self._ways

    @property
    def _ways(self) -> int:
        return self._path[-1].ways if self._path else 1

    def play(self) -> Callable[[Draw], Draw]:
        """Begin anew, with the choices that are set; return what gives a key its streams."""
        self._reached = 0
        self._answers = {}
        return lambda key: _Played(key, self)

    def turn(self) -> None:
        """Set the choices for the next way: the last that has options left takes the next one.

        Raises `_Uncountable` where this way cannot be trusted.
        """
        # A refusal may have been swallowed; and choices that were made need not be made again
        # where something else than them decides.
        if self._refused or self._reached < len(self._path):
            self.refuse()
        while self._path:
            last = self._path.pop()
            if last.option + 1 < last.options:
                last.option += 1
                self._path.append(last)
                return
        self.more = False

    def refuse(self) -> NoReturn:
        """Give up: raises `_Uncountable`, and so does `turn` should somebody swallow that."""
        self._refused = True
        raise _Uncountable

    def choose(self, options: int, place: Place) -> int:
        """Return the option to take at the next choice, which a question at this place makes."""
        if options == 1:
            return 0
        if self._reached == len(self._path):
            if (ways := self._ways * options) > self.most:
                self.refuse()
            self._path.append(_Choice(0, options, ways, place))
        choice = self._path[self._reached]
        if (choice.options, choice.place) != (options, place):
            self.refuse()
        self._reached += 1
        return choice.option

    def answers(self, key: Draw, purpose: Purpose) -> list[tuple[Ask, Integers]]:
        """Return what this stream was asked for and answered so far: it repeats itself."""
        return self._answers.setdefault((key, purpose), [])


@dataclass
class _Choice:
    """An option taken of so many; how many ways there are up to here; who asked."""

    option: int
    options: int
    ways: int
    place: Place


class _Sealed:
    """A number of a key that may not be read: whatever is made of it would be drawn elsewhere."""

    def __init__(self, script: _Script) -> None:
        self._script = script

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        self._script.refuse()

    __bool__ = __int__ = __index__ = __float__ = __complex__ = __array__ = _refuse
    __str__ = __repr__ = __format__ = __reduce_ex__ = __getattr__ = _refuse
    __add__ = __sub__ = __mul__ = __mod__ = __pow__ = __truediv__ = __floordiv__ = _refuse
    __radd__ = __rsub__ = __rmul__ = __rmod__ = __rpow__ = __rtruediv__ = __rfloordiv__ = _refuse
    __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = __divmod__ = __neg__ = __abs__ = _refuse
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = __rdivmod__ = __invert__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __eq__(self, other: object) -> bool:
        if self._script.live:
            self._script.refuse()
        return self is other

    def __hash__(self) -> int:
        if self._script.live:
            self._script.refuse()
        return id(self)


class _Played(Draw):
    """A key whose streams answer by a script, and so do those of keys made from it."""

    script: _Script
    key: Draw

    def __new__(cls, key: Draw, script: _Script) -> _Played:  # noqa: PYI034 — of Draw's making
        seed: Any = _Sealed(script)
        round_: Any = _Sealed(script)
        made = super().__new__(cls, seed, round_, key.sub, key.direction, key.worker)
        made.script, made.key = script, key
        return made

    def at(self, **parts: Any) -> _Played:
        if parts.get("round_") is not None:  # It would be the same whatever the round is.
            self.script.refuse()
        return _Played(self.key.at(**parts), self.script)

    def shared(self) -> _Played:
        return _Played(self.key.shared(), self.script)

    def stream(self, purpose: Purpose) -> Stream:
        return _Listed(self.script, self.key, purpose)


class _Listed(Stream):
    """A stream from its beginning: what was asked before is answered as before."""

    __slots__ = ("_answers", "_asked", "_key", "_purpose", "_script")

    def __init__(self, script: _Script, key: Draw, purpose: Purpose) -> None:
        self._script = script
        self._key = key
        self._purpose = purpose
        self._answers = script.answers(key, purpose)
        self._asked = 0

    def __reduce_ex__(self, _: Any) -> NoReturn:
        self._script.refuse()  # A copy would have a script of its own.

    def words64(self, count: int) -> NDArray[np.uint64]:
        self._script.refuse()

    def uniform(self) -> float:
        self._script.refuse()

    def below(self, bound: int, count: int) -> Integers:
        return self._answer(("below", bound, count), self._below)

    def distinct(self, bound: int, count: int) -> Integers:
        return self._answer(("distinct", bound, count), self._distinct)

    def _answer(self, ask: Ask, listed: Callable[[int, int], list[int]]) -> Integers:
        if self._asked == len(self._answers):
            self._answers.append((ask, np.array(listed(*ask[1:]), dtype=np.int64)))
        asked, answer = self._answers[self._asked]
        if asked != ask:  # The same words in two ways: not independent choices.
            self._script.refuse()
        self._asked += 1
        return answer.copy()

    def _choose(self, options: int) -> int:
        return self._script.choose(options, (self._key, self._purpose, self._asked))

    def _below(self, bound: int, count: int) -> list[int]:
        if bound < 1 or count < 0:  # What the real one refuses is left to it.
            self._script.refuse()
        return [self._choose(bound) for _ in range(count)]

    def _distinct(self, bound: int, count: int) -> list[int]:
        if not 0 <= count <= bound:
            self._script.refuse()
        # All subsets but the two trivial ones are at least as many as the integers.
        if 0 < count < bound and bound > self._script.most:
            self._script.refuse()
        at = self._choose(comb(bound, count))
        return list(next(islice(combinations(range(bound), count), at, None)))
