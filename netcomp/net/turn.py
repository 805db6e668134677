"""What the connections of one loop read in one of its turns, handed on together.

In a round everybody says the same but for what is in it. What is read like that is kept until
the loop has read all that is there, and then handed on at once: what has to be done for each
worker is then done for all of them in one go, and numpy adds up rows, not vectors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from netcomp.net.alarm import clock
from netcomp.protocol.session import Session
from netcomp.wire.layout import Layout, read_layout

__all__ = ["Turn"]

_KNOWN: Final = 32
"""Sizes of reads that are remembered: where payloads are coded, every one may have another."""

T = TypeVar("T")


class Turn(Generic[T]):
    """Keeps what is read alike; `take` gets it when the turn is over.

    `take(layout, reads)` is called for each layout there was, with who read it, the bytes,
    and when (s of the clock). Whose bytes are nothing of this kind is to call `over` before they
    are handed on otherwise, so that they stay behind what was kept. Two reads of one connection
    that are laid out differently may change places: in a round nobody says two such things.
    """

    def __init__(self, take: Callable[[Layout, Sequence[tuple[T, bytes, float]]], None]) -> None:
        self._take = take
        self._known: dict[int, Layout] = {}
        self._reads: dict[Layout, list[tuple[T, bytes, float]]] = {}

    def keeps(self, who: T, session: Session, data: bytes) -> bool:
        """Keep what was read, should it be what everybody says; else nothing has been done."""
        layout = self._known.get(len(data))
        if layout is None or not (layout.fits(data) and session.joins(layout)):
            layout = read_layout(data, session.parser.limits)
            if layout is None or not session.joins(layout):
                return False
            if len(self._known) == _KNOWN:
                self._known.clear()
            self._known[layout.size] = layout
        reads = self._reads.get(layout)
        if reads is None:
            if not self._reads:
                asyncio.get_running_loop().call_soon(self.over)
            reads = self._reads[layout] = []
        elif reads[-1][1] == data:
            # A broadcast that n slots read is held once, not n times.
            data = reads[-1][1]
        reads.append((who, data, clock()))
        return True

    def over(self) -> None:
        """Hand on what was read, each layout in the order in which it began to come."""
        reads, self._reads = self._reads, {}
        for layout, some in reads.items():
            try:
                self._take(layout, some)
            except Exception as error:  # noqa: BLE001 — a bug, and no reason to lose the others
                context = {"message": "what was read could not be taken", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
