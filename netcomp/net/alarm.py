"""Waking at a moment of the clock, as exactly as an event loop lets one.

Loops keep time in whole milliseconds: a timer fires up to 1 ms early (uvloop) or late
(asyncio). Where it matters, the last bit is therefore spent asking the clock again and again;
in between the loop serves whoever else has something to do, so nobody is kept waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, Final

__all__ = ["LEAD", "Alarm", "clock"]

clock = monotonic
"""The only clock that decides anything."""

LEAD: Final = 0.0005
"""Seconds before a moment that matters at which a timer is to fire.

Longer would miss fewer moments on an idle machine, but who spins long is interrupted by the
system where others want the processor, and for milliseconds.
"""

_PAUSE: Final = 19 * LEAD
"""Seconds of rest after each spin: all alarms of a process together spin a twentieth of the time.
"""


class Alarm:
    """Calls `wake` once at, or a little before, the moment set last; its owner asks the clock.

    Setting it again replaces the moment. Use it from the running loop's thread only.
    """

    _rest_until: ClassVar[float] = 0.0

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._handle: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spins_for = 0.0

    def set(self, due: float, *, exact: bool = False) -> None:
        """Wake at `due` (s of the clock), or, where `exact`, again and again just before it."""
        if self._handle is not None:
            self._handle.cancel()
        loop = self._loop = self._loop or asyncio.get_running_loop()
        now = clock()
        left = due - now
        if exact and left > LEAD:
            left -= LEAD
        elif exact and left > 0 and self._may_spin(due, now):
            left = 0.0
        self._handle = loop.call_later(left, self._fire) if left > 0 else loop.call_soon(self._fire)

    def cancel(self) -> None:
        """Do not wake."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _may_spin(self, due: float, now: float) -> bool:
        """Whether to spin for this moment: already at it, or the process has rested enough."""
        if abs(self._spins_for - due) < LEAD:
            return True
        if now < Alarm._rest_until:
            return False
        self._spins_for = due
        Alarm._rest_until = due + _PAUSE
        return True

    def _fire(self) -> None:
        self._handle = None
        self._wake()
