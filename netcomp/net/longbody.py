"""Reading a long body straight into its place: asyncio asks this protocol where bytes belong."""

from __future__ import annotations

import asyncio
from typing import Protocol

from netcomp.wire.frames import FrameParser

__all__ = ["LongBody"]


class _Owner(Protocol):
    """The connection that reads by itself when no long body is under way."""

    def body_received(self, nbytes: int) -> None: ...

    def eof_received(self) -> bool: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


class LongBody(asyncio.BufferedProtocol):
    """Takes a connection's place as its transport's protocol while a long body is under way.

    What is read goes into the parser's `room` without a copy, and the owner is told of it; the
    owner takes its place back when the body is whole.
    """

    def __init__(self, owner: _Owner, parser: FrameParser) -> None:
        self._owner = owner
        self._parser = parser

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — asyncio's signature
        """Asyncio's callback."""
        room = self._parser.room
        assert room is not None  # noqa: S101 — the owner reads itself again when there is none
        return room

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio's callback."""
        self._owner.body_received(nbytes)

    def eof_received(self) -> bool:
        """Asyncio's callback."""
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        """Asyncio's callback."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """Asyncio's callback."""
        self._owner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback."""
        self._owner.connection_lost(exc)
