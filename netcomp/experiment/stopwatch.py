"""How long a worker's answer takes on the virtual clock: no time, a given one, or its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from netcomp.net.alarm import clock
from netcomp.protocol.slot import Local, Probeable
from netcomp.roles import Array, Batch

__all__ = ["Stopwatch"]


class Stopwatch:
    """A worker's clock: `now()`, and what its present answer has taken so far on top.

    `seconds` is what the gradients of one answer take together, however many they are; None
    takes what the whole answer takes on this machine, compression included.
    """

    def __init__(
        self,
        now: Callable[[], float],
        seconds: float | None,
        machine: Callable[[], float] = clock,
    ) -> None:
        self.spent = 0.0
        self._now = now
        self._seconds = seconds
        self._machine = machine
        self._began: float | None = None
        self._owed = 0.0

    def __call__(self) -> float:
        """Return the worker's time in seconds."""
        return self._now() + self._elapsed()

    @contextmanager
    def running(self, *, timed: bool) -> Iterator[None]:
        """Measure an answer, where it is `timed`; `spent` is then what it took."""
        self.spent = 0.0
        if timed and self._seconds is None:
            self._began = self._machine()
        elif timed:
            self._owed = self._seconds or 0.0
        try:
            yield
        finally:
            self.spent = self._elapsed()
            self._began = None
            self._owed = 0.0

    def gradient(self) -> None:
        """Note that a gradient was computed: the first of an answer takes all its seconds."""
        self.spent += self._owed
        self._owed = 0.0

    def timing(self, local: Local) -> Local:
        """Return a worker's own part with gradients that this watch notes."""
        return replace(local, oracle=_Noted(local.oracle, self))

    def _elapsed(self) -> float:
        return self.spent if self._began is None else self._machine() - self._began


class _Noted:
    """An oracle whose gradients take their time on a stopwatch."""

    def __init__(self, oracle: Probeable, watch: Stopwatch) -> None:
        self._oracle = oracle
        self._watch = watch

    @property
    def dim(self) -> int:
        return self._oracle.dim

    @property
    def rows(self) -> int:
        return self._oracle.rows

    def loss(self, x: Array) -> float:
        return self._oracle.loss(x)

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        gradient = self._oracle.gradient(x, batch)
        self._watch.gradient()
        return gradient

    def probe(self, x: Array) -> tuple[float, Array, Mapping[str, float]]:
        return self._oracle.probe(x)
