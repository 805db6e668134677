"""One connection's conversation, without any I/O: which frame may come when, and the counts.

    worker                      server
    HELLO      →
               ←  WELCOME             who you are, the spec
    READY      →                      what was loaded
               ←  BEGIN               the resolved plan, when all are ready
               ←  DOWNLINK  ┐
    REPORT     →            │ each round
    UPLINK     →            ┘
               ←  PROBE               now and then, out of band
    PROBED     →
               ←  STOP
    BYE        →                      its own byte counts

Either side may send ERROR at any time and is done then. STOP may come as soon as the worker
has said HELLO; what is under way towards the server by then is still accepted. Both ends use
the one table below, so a frame that one may not send is a frame the other refuses.

Use: give what arrives to `feed` and act on the events; pass every outgoing frame through `send`
and write its buffers. After any exception send `fail(error)` where the connection still stands
and close it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from netcomp.errors import (
    LocalProtocolError,
    NetcompError,
    ProtocolError,
    RemoteProtocolError,
)
from netcomp.link import Lag
from netcomp.roles import Message
from netcomp.wire.documents import DOCUMENTS, Begin, Bye, Document, Failure, Late, decode, encode
from netcomp.wire.frames import Frame, FrameKind, FrameParser
from netcomp.wire.layout import Layout
from netcomp.wire.messages import Outgoing, read_message
from netcomp.wire.reports import REPORT_BYTES, Report, read_report

__all__ = ["CATEGORIES", "Event", "Session", "Side", "State", "Tally"]


class Side(Enum):
    """Which end of the conversation this is."""

    SERVER = "server"
    WORKER = "worker"


class State(Enum):
    """How far the conversation has come."""

    CONNECTED = "connected"
    GREETED = "greeted"
    PREPARING = "preparing"
    PREPARED = "prepared"
    RUNNING = "running"
    CLOSING = "closing"
    CLOSED = "closed"


K, S = FrameKind, State
_FROM_WORKER: Final = {K.HELLO, K.READY, K.UPLINK, K.REPORT, K.PROBED, K.BYE}
_FROM_SERVER: Final = {K.WELCOME, K.BEGIN, K.DOWNLINK, K.PROBE, K.STOP}
_TABLE: Final[dict[State, dict[FrameKind, State]]] = {
    S.CONNECTED: {K.HELLO: S.GREETED},
    S.GREETED: {K.WELCOME: S.PREPARING, K.STOP: S.CLOSING},
    S.PREPARING: {K.READY: S.PREPARED, K.STOP: S.CLOSING},
    S.PREPARED: {K.BEGIN: S.RUNNING, K.STOP: S.CLOSING},
    S.RUNNING: {
        K.DOWNLINK: S.RUNNING,
        K.REPORT: S.RUNNING,
        K.UPLINK: S.RUNNING,
        K.PROBE: S.RUNNING,
        K.PROBED: S.RUNNING,
        K.STOP: S.CLOSING,
    },
    S.CLOSING: {
        K.READY: S.CLOSING,
        K.REPORT: S.CLOSING,
        K.UPLINK: S.CLOSING,
        K.PROBED: S.CLOSING,
        K.BYE: S.CLOSED,
    },
    S.CLOSED: {},
}

_MINE: Final = {
    (side, state): {kind: after for kind, after in table.items() if kind in kinds}
    | {K.ERROR: S.CLOSED}
    for side, kinds in ((Side.SERVER, _FROM_SERVER), (Side.WORKER, _FROM_WORKER))
    for state, table in _TABLE.items()
}
"""What a side may send in a state, and where that leads: ERROR at any time."""

CATEGORIES: Final[dict[FrameKind, str]] = {
    **dict.fromkeys((K.HELLO, K.WELCOME, K.READY, K.BEGIN), "handshake"),
    **dict.fromkeys((K.DOWNLINK, K.UPLINK), "data"),
    **dict.fromkeys((K.REPORT, K.STOP, K.BYE, K.ERROR), "control"),
    **dict.fromkeys((K.PROBE, K.PROBED), "probe"),
}
"""Which column of the accounts a frame's bytes belong to."""

_SMALL = 1 << 12
_LARGE = 1 << 20
_DOCUMENT_LIMITS: Final = {
    K.HELLO: _SMALL,
    K.WELCOME: _LARGE,
    K.READY: 1 << 16,
    K.BEGIN: 1 << 16,
    K.REPORT: REPORT_BYTES,
    K.STOP: 2 * _SMALL,
    K.BYE: _SMALL,
    K.ERROR: _SMALL,
}


class Tally(dict[str, int]):
    """Wire bytes by category."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("handshake", "data", "control", "probe"), 0))

    @property
    def total(self) -> int:
        """All bytes."""
        return sum(self.values())


_Content = Document | Message | Report
_READ: Final[dict[FrameKind, Callable[[Frame], _Content]]] = {
    **dict.fromkeys(FrameKind, read_message),
    **dict.fromkeys(DOCUMENTS, decode),
    K.REPORT: read_report,
}


class Event(NamedTuple):
    """A frame that arrived: what it said, validated, and its bytes on the wire."""

    kind: FrameKind
    round: int
    content: _Content
    nbytes: int


_new = tuple.__new__


class Session:
    """The state, limits and byte counts of one connection, seen from one side.

    `parser` cuts the frames out of what the peer sends.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.state = State.CONNECTED
        self.sent = Tally()
        self.received_bytes = Tally()
        self._agreed = (0, 0, 0)
        self.parser = FrameParser({})
        self._mine: dict[FrameKind, State] = {}
        self._theirs: dict[FrameKind, State] = {}
        self._allow()

    @property
    def between_frames(self) -> bool:
        """Whether the incoming stream stands between two frames."""
        return self.parser.idle

    @property
    def arriving(self) -> tuple[FrameKind, int, int] | None:
        """The large frame under way: its kind, its bytes on the wire, how many are here."""
        return self.parser.arriving

    def agree(self, begin: Begin) -> None:
        """Set the largest bodies of vector messages; the server does so before it sends BEGIN."""
        self._agreed = (begin.max_down, begin.max_up, begin.max_probe)
        self._allow()

    def feed(self, data: bytes | memoryview) -> Iterable[Event]:
        """Take what the peer sent; yield what it completes, one event at a time.

        Exhaust the iterator before the next call. Raises `ProtocolError` when the peer broke
        the rules; close the connection then.
        """
        return self._events(self.parser.feed(data))

    def received(self, nbytes: int) -> Iterable[Event]:
        """Take bytes that were read into the parser's `room`, as `feed`."""
        return self._events(self.parser.received(nbytes))

    def _events(self, frames: Iterable[Frame]) -> Iterable[Event]:
        if type(frames) is tuple:
            return (self._arrived(*frames),)
        return map(self._arrived, frames)

    def joins(self, layout: Layout) -> bool:
        """Account for a read that fits others; False where it has to be looked at here."""
        # The same limits are the same state, in which these frames change nothing.
        if self.parser.limits is not layout.limits or not self.parser.idle:
            return False
        received = self.received_bytes
        for kind, nbytes in layout.kinds:
            received[CATEGORIES[kind]] += nbytes
        return True

    def send(self, outgoing: Outgoing) -> Outgoing:
        """Account for a frame about to be written; returns it.

        Raises `LocalProtocolError` where the conversation does not allow it now.
        """
        kind, nbytes, ahead = outgoing.kind, outgoing.nbytes, outgoing.ahead
        mine = self._mine
        after = mine.get(kind)
        if after is None or (ahead and K.REPORT not in mine):
            raise LocalProtocolError(f"{kind.name} cannot be sent while {self.state.value}")
        sent = self.sent
        if ahead:
            sent["control"] += ahead
        sent[CATEGORIES[kind]] += nbytes - ahead
        if after is not self.state:
            self._move(after)
        return outgoing

    def fail(self, error: NetcompError) -> Outgoing:
        """Return the ERROR frame that tells the peer why this side ends it."""
        code = error.code if isinstance(error, ProtocolError) else 0
        # Cut by bytes: characters may take four each, and the frame must fit _SMALL.
        text = str(error).encode(errors="replace")[:2000].decode(errors="ignore")
        return self.send(encode(Failure(code=code, reason=text)))

    def bye(self, lag: Lag | None = None) -> Outgoing:
        """Return the worker's last frame, with its own counts and how late its links were."""
        late = Late(**asdict(lag)) if lag is not None and lag.transfers else None
        counts = {"sent": dict(self.sent), "received": dict(self.received_bytes)}
        return self.send(encode(Bye(**counts, lag=late)))

    def agrees(self, bye: Bye, bye_bytes: int) -> bool:
        """Whether the worker counted what this side counted, byte for byte and column by column."""
        received = dict(self.received_bytes)
        received["control"] -= bye_bytes
        return bye.sent == received and bye.received == dict(self.sent)

    def _arrived(self, frame: Frame) -> Event:
        kind, nbytes = frame.kind, frame.nbytes
        after = self._theirs.get(kind)
        if after is None:
            # It was allowed when it began, but this side has ended the conversation since.
            raise RemoteProtocolError(f"{kind.name} came while {self.state.value}")
        self.received_bytes[CATEGORIES[kind]] += nbytes
        content = _READ[kind](frame)
        # By its kind first: asking a vector whether it is a document takes longer than reading it.
        if kind is K.BEGIN and isinstance(content, Begin):
            self.agree(content)
        if after is not self.state:
            self._move(after)
        said = kind, frame.round, content, nbytes
        return _new(Event, said)

    def _move(self, state: State) -> None:
        self.state = state
        self._allow()

    def _allow(self) -> None:
        """Note what may be said now, and tell the parser what may come and how large it may be."""
        self._mine = _MINE[self.side, self.state]
        peer = Side.WORKER if self.side is Side.SERVER else Side.SERVER
        self._theirs = {} if self.state is State.CLOSED else _MINE[peer, self.state]
        self.parser.limits = _limits(tuple(self._theirs), self._agreed)


@lru_cache(maxsize=64)
def _limits(kinds: tuple[FrameKind, ...], agreed: tuple[int, int, int]) -> Mapping[FrameKind, int]:
    """Return the largest bodies of these kinds: one object for all sessions that have it so far."""
    down, up, probe = agreed
    vectors = {K.DOWNLINK: down, K.UPLINK: up, K.PROBE: probe, K.PROBED: probe}
    sizes = _DOCUMENT_LIMITS | vectors
    return {kind: sizes[kind] for kind in kinds}
