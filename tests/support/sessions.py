"""Sessions in any state, and one frame of every kind."""

import itertools

from netcomp.protocol.session import Session, Side, State
from netcomp.roles import Kind, Message
from netcomp.wire.documents import (
    Begin,
    Bye,
    Failure,
    Hello,
    Known,
    Ready,
    Stop,
    Welcome,
    encode,
)
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import vector_message
from netcomp.wire.reports import Report, report_frame

K, S = FrameKind, State
SERVER, WORKER = Side.SERVER, Side.WORKER
ONE = Known(value=1.0, origin="exact")
DOWN, UP, PROBE = 70_000, 40_000, 300
BEGIN = Begin(plan={"name": "gd"}, max_down=DOWN, max_up=UP, max_probe=PROBE)
CUTS = [[10**9], [1], [7], [20, 3, 5], [32_768], [65_536, 1]]
COLUMNS = ["handshake", "data", "control", "probe"]


def vector(kind, nbytes, round_=0):
    return vector_message(kind, round_, Message(Kind.FULL, (memoryview(bytes(nbytes)),)))


FRAMES = {
    K.HELLO: encode(Hello(netcomp="0.1.0")),
    K.WELCOME: encode(
        Welcome(worker=0, workers=1, run="r", spec={"seed": 7}, rate=1e6, latency=0.0)
    ),
    K.READY: encode(Ready(dim=3, rows=5, digest="", constants={"L": ONE})),
    K.BEGIN: encode(BEGIN),
    K.DOWNLINK: vector(K.DOWNLINK, 66_000),
    K.UPLINK: vector(K.UPLINK, 30_000),
    K.REPORT: report_frame(Report(compute=0.0, compress=0.0, elapsed=0.0, paper_bits=1.0), 0),
    K.PROBE: vector(K.PROBE, 24),
    K.PROBED: vector(K.PROBED, 32),
    K.STOP: encode(Stop(reason="done")),
    K.BYE: encode(Bye(sent={}, received={})),
    K.ERROR: encode(Failure(code=3, reason="no")),
}
FROM = {
    SERVER: {K.WELCOME, K.BEGIN, K.DOWNLINK, K.PROBE, K.STOP},
    WORKER: {K.HELLO, K.READY, K.UPLINK, K.REPORT, K.PROBED, K.BYE},
}
UNDER_WAY = {K.READY, K.REPORT, K.UPLINK, K.PROBED}
ROUND = {K.DOWNLINK, K.REPORT, K.UPLINK, K.PROBE, K.PROBED}
# The documented conversation, written down a second time: what leads where.
NEXT = {
    S.CONNECTED: {K.HELLO: S.GREETED},
    S.GREETED: {K.WELCOME: S.PREPARING, K.STOP: S.CLOSING},
    S.PREPARING: {K.READY: S.PREPARED, K.STOP: S.CLOSING},
    S.PREPARED: {K.BEGIN: S.RUNNING, K.STOP: S.CLOSING},
    S.RUNNING: dict.fromkeys(ROUND, S.RUNNING) | {K.STOP: S.CLOSING},
    S.CLOSING: dict.fromkeys(UNDER_WAY, S.CLOSING) | {K.BYE: S.CLOSED},
    S.CLOSED: {},
}
COURSE = [K.HELLO, K.WELCOME, K.READY, K.BEGIN, K.STOP, K.BYE]
BEFORE = {state: COURSE[:at] for at, state in enumerate(State)}


def other(side):
    return WORKER if side is SERVER else SERVER


def give(session, data, sizes=(10**9,)):
    """Move bytes into a session in reads of these sizes; yield its events as they come."""
    rest, reads = memoryview(data), itertools.cycle(sizes)
    while rest.nbytes:
        room, taken = session.parser.room, min(rest.nbytes, next(reads))
        if room is None:
            yield from session.feed(bytes(rest[:taken]))
        else:
            taken = min(room.nbytes, taken)
            room[:taken] = rest[:taken]
            yield from session.received(taken)
        rest = rest[taken:]


def joined(outgoing):
    return b"".join(outgoing.buffers)


def session_in(side, state):
    """Return a session that the documented course has brought into a state."""
    session = Session(side)
    for kind in BEFORE[state]:
        if kind in FROM[side]:
            if kind is K.BEGIN:
                session.agree(BEGIN)
            session.send(FRAMES[kind])
        else:
            list(give(session, joined(FRAMES[kind])))
    assert state is session.state
    return session
