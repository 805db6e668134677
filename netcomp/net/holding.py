"""Arrived data frames that are not to be handed on yet, as the emulated link says.

A frame is held until the receiver's own rate, which links share, has let it in, and by the
link's delay and jitter. Frames never overtake each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from netcomp.draw import Draw
from netcomp.link import Lag, Link, Port, Schedule
from netcomp.net.alarm import Alarm, clock
from netcomp.protocol.session import Event

__all__ = ["Holding"]


@dataclass(slots=True)
class _Held:
    """An arrived frame that is not to be handed on before `at`, once it is through a port."""

    event: Event
    transfer: Schedule | None
    delay: float
    at: float
    seconds: float = 0.0


class Holding:
    """Holds the data frames of one connection; `hand_on(event, now)` gets each when it is time.

    `draw` is the key of their jitter but for the round, `port` this end's rate, of which the
    connection is number `flow`. How late a frame was handed on is noted in `lag`.
    """

    def __init__(
        self,
        hand_on: Callable[[Event, float], None],
        link: Link,
        draw: Draw,
        port: Port | None,
        flow: int,
        lag: Lag,
    ) -> None:
        self._hand_on = hand_on
        self._link = link
        self._draw = draw
        self._port = port
        self._flow = flow
        self._lag = lag
        self._entering: Schedule | None = None
        self._held: deque[_Held] = deque()
        self._handed = 0.0
        self._timer = Alarm(self._release)

    def arrived(self, event: Event) -> None:
        """Take a frame that is there, all of it."""
        entering, self._entering = self._entering, None
        delay = self._link.delay(self._draw.at(round_=event.round))
        if self._port is not None and entering is None:
            entering = self._through(self._port, event.nbytes, event.nbytes)
        if entering is None and not delay and not self._held:
            self._hand_on(event, clock())
            return
        self._held.append(_Held(event, entering, delay, clock() + delay))
        self._release()

    def arriving(self, nbytes: int, here: int) -> None:
        """Let a large frame begin to take its share of this end's rate as soon as it is seen."""
        if self._port is not None and self._entering is None:
            self._entering = self._through(self._port, nbytes, here)

    def cancel(self) -> None:
        """Hand nothing on any more."""
        self._timer.cancel()

    def _through(self, port: Port, nbytes: int, here: int) -> Schedule:
        """Return the schedule of a frame of which so many bytes are here already.

        It began when the first of them left the other end, at its link's rate.
        """
        began = clock() - here / self._link.mean_rate
        return port.enqueue(self._flow, nbytes, began)

    def _release(self) -> None:
        """Hand on what has been held long enough; timers fire early, so the clock is asked."""
        while self._held:
            head, now = self._held[0], clock()
            if (entering := head.transfer) is not None:
                if entering.allowed(now) < head.event.nbytes:
                    self._timer.set(entering.due(head.event.nbytes - 1), exact=True)
                    return
                head.at = entering.finish + head.delay
                head.seconds = entering.finish - entering.start
                head.transfer = None
            if now < head.at:
                self._timer.set(head.at, exact=True)
                return
            self._held.popleft()
            # What waited for the frame before it is not late.
            self._handed = max(self._handed, head.at)
            self._lag.note(now - self._handed, head.seconds + head.delay)
            self._hand_on(head.event, now)
