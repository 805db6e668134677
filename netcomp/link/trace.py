"""A rate that changes with time and repeats: which byte is through at which moment.

A trace is a staircase: for `seconds[j]` seconds it carries `rates[j]` bytes per second, and
after the last step it begins again. With C(t) the bytes carried from 0 to t, what is handed
to an idle link at t and is N bytes long is through at the earliest u with C(u) = C(t) + N.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from netcomp.errors import SpecError

__all__ = ["MAX_STEPS", "Trace"]

MAX_STEPS: Final = 3 << 14
"""The most steps of a trace: so many fit into the document that tells a worker its link."""


@dataclass(frozen=True)
class Trace:
    """`rates[j]` bytes/s for `seconds[j]` seconds, step after step, round and round.

    Raises `SpecError` (field "trace") unless there are 1 … `MAX_STEPS` steps, each longer
    than 0 s, no rate is negative, not all are 0, and everything is finite.
    """

    seconds: tuple[float, ...]
    rates: tuple[float, ...]
    _times: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _bytes: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.seconds) == len(self.rates) <= MAX_STEPS:
            sizes = f"{len(self.seconds)} durations and {len(self.rates)} rates"
            raise SpecError("trace", f"{sizes} are not 1 to {MAX_STEPS} steps")
        if not all(0 < one < math.inf for one in self.seconds):
            raise SpecError("trace", "a step is longer than 0 s and finite")
        if not all(0 <= one < math.inf for one in self.rates):
            raise SpecError("trace", "a rate is at least 0 bytes/s and finite")
        carried = (s * r for s, r in zip(self.seconds, self.rates, strict=True))
        object.__setattr__(self, "_times", tuple(accumulate(self.seconds, initial=0.0)))
        object.__setattr__(self, "_bytes", tuple(accumulate(carried, initial=0.0)))
        if not (0 < self.capacity < math.inf and self.period < math.inf):
            raise SpecError("trace", "it carries nothing at all, or more than a number can say")

    @property
    def period(self) -> float:
        """Seconds until it repeats."""
        return self._times[-1]

    @property
    def capacity(self) -> float:
        """Bytes carried in one period."""
        return self._bytes[-1]

    @property
    def mean(self) -> float:
        """Bytes per second over a whole period."""
        return self.capacity / self.period

    def at(self, time: float) -> tuple[float, float]:
        """Return the rate (bytes/s) at `time` (s, from the trace's beginning), and until when.

        The second number is the absolute time of the next step, always later than `time`.
        """
        step, passes = self._step(time)
        until = passes * self.period + self._times[step + 1]
        return self.rates[step], max(until, math.nextafter(time, math.inf))

    def after(self, time: float, nbytes: float) -> float:
        """Return when `nbytes` more are through than at `time`; both in s from the beginning."""
        if nbytes <= 0:
            return time
        step, passes = self._step(time)
        began = (
            self._bytes[step]
            + (time - passes * self.period - self._times[step]) * (self.rates[step])
        )
        more, rest = divmod(began + nbytes, self.capacity)
        if rest == 0.0:  # through with the last byte of a period, not with the next one's first
            more, rest = more - 1.0, self.capacity
        last = bisect_left(self._bytes, rest, lo=1) - 1
        into = (rest - self._bytes[last]) / self.rates[last]
        # The division may round past the step's end.
        within = min(self._times[last] + into, self._times[last + 1])
        return max(time, (passes + more) * self.period + within)

    def scaled(self, factor: float) -> Trace:
        """Return the same steps with every rate multiplied by `factor`."""
        return Trace(self.seconds, tuple(rate * factor for rate in self.rates))

    def _step(self, time: float) -> tuple[int, float]:
        """Return the number of the step at `time`, and how often the trace had ended by then."""
        passes, phase = divmod(time, self.period)
        step = bisect_right(self._times, phase) - 1
        return min(step, len(self.rates) - 1), passes
