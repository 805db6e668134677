"""One conversation, seen from both sides: what may come when, and every byte counted once."""

import itertools
import random
from collections import deque

import pytest

from netcomp.errors import LocalProtocolError, NetcompError, PayloadTooBig, RemoteProtocolError
from netcomp.protocol.session import CATEGORIES, Session, Side, State, Tally
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
from netcomp.wire.frames import HEADER_BYTES, FrameKind, header
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
        room = session.buffer()
        taken = min(room.nbytes, rest.nbytes, next(reads))
        room[:taken] = rest[:taken]
        rest = rest[taken:]
        yield from session.received(taken)


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


EVERYTHING = list(itertools.product(Side, State, FrameKind))


@pytest.mark.parametrize(("side", "state", "kind"), EVERYTHING)
def test_what_may_be_sent(side, state, kind):
    """Each side sends its own frames where the table has them, ERROR always; the rest is a
    mistake on this side that counts no byte and changes no state.
    """
    session = session_in(side, state)
    before = dict(session.sent)
    if kind is K.ERROR or (kind in FROM[side] and kind in NEXT[state]):
        session.send(FRAMES[kind])
        assert NEXT[state].get(kind, S.CLOSED) is session.state
        before[CATEGORIES[kind]] += FRAMES[kind].nbytes
    else:
        with pytest.raises(LocalProtocolError, match=f"{kind.name} .* {state.value}"):
            session.send(FRAMES[kind])
        assert state is session.state
    assert before == session.sent


@pytest.mark.parametrize(("side", "state", "kind"), EVERYTHING)
def test_what_may_arrive(side, state, kind):
    """Each side takes the other's frames where the table has them, and ERROR until the end; the
    rest is the peer's mistake, seen in the header, and changes no state.
    """
    session = session_in(side, state)
    before = dict(session.received_bytes)
    allowed = kind in FROM[other(side)] and kind in NEXT[state]
    if allowed or (kind is K.ERROR and state is not S.CLOSED):
        (event,) = give(session, joined(FRAMES[kind]))
        assert (kind, FRAMES[kind].nbytes) == (event.kind, event.nbytes)
        assert NEXT[state].get(kind, S.CLOSED) is session.state
        assert session.between_frames
        before[CATEGORIES[kind]] += FRAMES[kind].nbytes
    else:
        with pytest.raises(RemoteProtocolError, match="no place"):
            list(give(session, joined(FRAMES[kind])[:HEADER_BYTES]))
        assert state is session.state
    assert before == session.received_bytes


class Pair:
    """Both sessions, the bytes on their way, and two programs that hold the conversation.

    The server greets, begins, asks for `rounds` rounds with a probe before each, stops; the
    worker answers. A server that holds a kind waits there, as for other workers.
    """

    def __init__(self, rounds=2, holds=None):
        self.sessions = {side: Session(side) for side in Side}
        self.on_the_way = {side: bytearray() for side in Side}
        self.seen = {side: [] for side in Side}
        self.rounds = deque(range(rounds))
        self.bye = None
        self.holds = holds
        self.send(WORKER, FRAMES[K.HELLO])

    def send(self, side, outgoing):
        self.on_the_way[other(side)] += joined(self.sessions[side].send(outgoing))

    def move(self, side, nbytes, sizes=(10**9,)):
        """Let so many bytes arrive at a side, which acts on every event as it comes."""
        data = bytes(self.on_the_way[side][:nbytes])
        del self.on_the_way[side][:nbytes]
        for event in give(self.sessions[side], data, sizes):
            self.seen[side].append(event.kind)
            (self.serve if side is SERVER else self.work)(event)

    def finish(self, sizes=(10**9,)):
        while any(self.on_the_way.values()):
            for side in Side:
                self.move(side, 10**9, sizes)

    def serve(self, event):
        session = self.sessions[SERVER]
        if event.kind is K.BYE:
            self.bye = event
        elif session.state is S.CLOSING or event.kind is self.holds:
            return
        elif event.kind is K.HELLO:
            self.send(SERVER, FRAMES[K.WELCOME])
        elif event.kind is K.READY:
            session.agree(BEGIN)
            self.send(SERVER, FRAMES[K.BEGIN])
            self.ask()
        elif event.kind is K.UPLINK:
            self.ask()

    def ask(self):
        if self.rounds:
            round_ = self.rounds.popleft()
            self.send(SERVER, vector(K.PROBE, 24, round_))
            self.send(SERVER, vector(K.DOWNLINK, 66_000, round_))
        else:
            self.send(SERVER, FRAMES[K.STOP])

    def work(self, event):
        answers = {K.WELCOME: [K.READY], K.DOWNLINK: [K.REPORT, K.UPLINK], K.PROBE: [K.PROBED]}
        for kind in answers.get(event.kind, []):
            self.send(WORKER, FRAMES[kind])
        if event.kind is K.STOP:
            self.on_the_way[SERVER] += joined(self.sessions[WORKER].bye())

    def check_the_end(self):
        """Both are done, nothing is half read, and the accounts agree in every column."""
        server, worker = self.sessions[SERVER], self.sessions[WORKER]
        assert (S.CLOSED, S.CLOSED) == (server.state, worker.state)
        assert (True, True) == (server.between_frames, worker.between_frames)
        assert worker.sent == server.received_bytes
        assert server.sent == worker.received_bytes
        assert server.agrees(self.bye.content, self.bye.nbytes)


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.parametrize("sizes", CUTS)
def test_the_happy_conversation(rounds, sizes):
    """From HELLO to BYE, whatever the reads are: the same events, and accounts that agree."""
    pair = Pair(rounds)
    pair.finish(sizes)
    assert [K.HELLO, K.READY, *[K.PROBED, K.REPORT, K.UPLINK] * rounds, K.BYE] == pair.seen[SERVER]
    assert [K.WELCOME, K.BEGIN, *[K.PROBE, K.DOWNLINK] * rounds, K.STOP] == pair.seen[WORKER]
    pair.check_the_end()
    server = pair.sessions[SERVER]
    assert rounds * FRAMES[K.DOWNLINK].nbytes == server.sent["data"]
    assert rounds * FRAMES[K.PROBE].nbytes == server.sent["probe"]
    assert sum(server.sent.values()) == server.sent.total


def under_way(seed, holds=None):
    """Return a conversation that has come some way, by reads of any size in any order."""
    rng = random.Random(seed)  # noqa: S311 — reproducible schedules, no secret
    pair = Pair(holds=holds)
    for _ in range(rng.randrange(60)):
        pair.move(rng.choice(list(Side)), rng.choice([1, 60, 300, 5000, 40_000, 10**9]))
    return pair


@pytest.mark.parametrize(
    ("holds", "states"),
    [(None, {S.PREPARING, S.RUNNING}), (K.HELLO, {S.GREETED}), (K.READY, {S.PREPARED})],
)
def test_stop_may_come_at_any_time_after_hello(holds, states):
    """Bytes move both ways in any order and amount and the server stops in the midst of it:
    what is under way is still taken, BYE comes, and the accounts agree.
    """
    seen, late = set(), 0
    for seed in range(300):
        pair = under_way(seed, holds)
        server = pair.sessions[SERVER]
        if server.state in (S.CONNECTED, S.CLOSING, S.CLOSED):
            continue
        seen.add(server.state)
        taken = len(pair.seen[SERVER])
        pair.send(SERVER, FRAMES[K.STOP])
        pair.finish()
        pair.check_the_end()
        late += len(pair.seen[SERVER]) > taken + 1
    assert states <= seen
    assert holds or late >= 50


@pytest.mark.parametrize("failing", Side)
def test_error_may_come_at_any_time(failing):
    """Whoever fails is done at once; the other learns why in whatever state, and is done too."""
    seen = set()
    for seed in range(300):
        pair = under_way(seed)
        session, peer = pair.sessions[failing], pair.sessions[other(failing)]
        if S.CLOSED in (session.state, peer.state):
            continue
        seen.add(peer.state)
        error = session.fail(RemoteProtocolError("this and that"))
        *_, last = give(peer, pair.on_the_way[other(failing)] + joined(error))
        assert Failure(code=3, reason="this and that") == last.content
        assert (S.CLOSED, S.CLOSED) == (session.state, peer.state)
    worker_passes = {S.CONNECTED, S.PREPARING, S.CLOSING}
    transient = worker_passes if failing is SERVER else {S.GREETED, S.PREPARED}
    assert set(State) - {S.CLOSED} == seen | transient


def test_one_byte_more_anywhere_and_the_accounts_do_not_agree():
    """Every column of either direction on either side counts, and so does BYE's own size."""
    pair = Pair(1)
    pair.finish()
    server = pair.sessions[SERVER]
    sent, received, size = pair.bye.content.sent, pair.bye.content.received, pair.bye.nbytes
    assert server.agrees(Bye(sent=sent, received=received), size)
    assert not server.agrees(Bye(sent=sent, received=received), size + 1)
    for column in COLUMNS:
        more = {column: sent[column] + 1}
        assert not server.agrees(Bye(sent=sent | more, received=received), size)
        more = {column: received[column] + 1}
        assert not server.agrees(Bye(sent=sent, received=received | more), size)
        for tally in (server.sent, server.received_bytes):
            tally[column] += 1
            assert not server.agrees(Bye(sent=sent, received=received), size)
            tally[column] -= 1
    assert not server.agrees(Bye(sent={**sent, "other": 0}, received=received), size)
    assert not server.agrees(Bye(sent={}, received={}), size)


VECTOR_LIMITS = [(K.DOWNLINK, DOWN), (K.UPLINK, UP), (K.PROBE, PROBE), (K.PROBED, PROBE)]


@pytest.mark.parametrize(("kind", "limit"), VECTOR_LIMITS)
def test_a_vector_frame_is_at_most_what_was_agreed(kind, limit):
    """BEGIN sets the limits on both sides: exactly that many bytes of body are taken, one more
    is refused on its header.
    """
    receiver = SERVER if kind in FROM[WORKER] else WORKER
    padding = 59 if limit >= 1 << 16 else 0
    exact = vector(kind, limit - 5 - padding)
    (event,) = give(session_in(receiver, S.RUNNING), joined(exact))
    assert HEADER_BYTES + 3 + limit == event.nbytes
    with pytest.raises(PayloadTooBig) as caught:
        list(give(session_in(receiver, S.RUNNING), header(kind, 0, 3, limit + 1)))
    assert (limit + 1, limit) == (caught.value.size, caught.value.limit)


@pytest.mark.parametrize("kind", [K.UPLINK, K.PROBED])
def test_no_vector_is_under_way_when_the_end_comes_before_begin(kind):
    """Before BEGIN no frame of a round has a place, as the table says; and a server that stops
    before it agreed on sizes takes no vector of any size afterwards.
    """
    server = session_in(SERVER, S.PREPARED)
    server.send(FRAMES[K.STOP])
    with pytest.raises(PayloadTooBig) as caught:
        list(give(server, header(kind, 0, 3, 1)))
    assert (1, 0) == (caught.value.size, caught.value.limit)


@pytest.mark.parametrize(
    ("side", "kind"), [(SERVER, K.HELLO), (SERVER, K.ERROR), (WORKER, K.ERROR)]
)
def test_a_stranger_may_announce_4096_bytes_at_most(side, kind):
    """Until the handshake has begun nobody makes this side hold more than 4 KiB."""
    assert [] == list(give(Session(side), header(kind, 0, 0, 4096)))
    with pytest.raises(PayloadTooBig) as caught:
        list(give(Session(side), header(kind, 0, 0, 4097)))
    assert (4097, 4096) == (caught.value.size, caught.value.limit)


def test_a_frame_that_is_refused_for_its_contents_changes_no_state():
    """A damaged document raises and leaves the session where it was, able to send ERROR."""
    server = session_in(SERVER, S.CONNECTED)
    with pytest.raises(RemoteProtocolError, match="HELLO"):
        list(give(server, header(K.HELLO, 0, 0, 1) + b"\x90"))
    assert S.CONNECTED is server.state
    assert K.ERROR is server.fail(RemoteProtocolError("no")).kind


@pytest.mark.parametrize(
    ("side", "kind", "nbytes"), [(WORKER, K.DOWNLINK, 66_000), (SERVER, K.UPLINK, 39_000)]
)
def test_the_rest_of_a_large_frame_after_the_end_is_refused(side, kind, nbytes):
    """Where this side gave up in the middle of a frame, its end is no event any more."""
    session = session_in(side, S.RUNNING)
    stream = joined(vector(kind, nbytes))
    assert [] == list(give(session, stream[:-1]))
    assert not session.between_frames
    session.fail(RemoteProtocolError("too slow"))
    with pytest.raises(RemoteProtocolError, match=f"{kind.name} came while closed"):
        list(give(session, stream[-1:]))


ERRORS = [
    (RemoteProtocolError("broken"), 3),
    (LocalProtocolError("a bug"), 2),
    (PayloadTooBig(2, 1), 4),
    (NetcompError(""), 0),
    (NetcompError("x" * 100_000), 0),
    (NetcompError("∇" * 5000), 0),
    (NetcompError("😀" * 5000), 0),
    (NetcompError("a file called \udcff"), 0),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
@pytest.mark.parametrize("side", Side)
def test_every_failure_can_be_told(side, error, code):
    """ERROR carries the closing code and as much of the reason as fits, in any script, and a
    peer that has said nothing yet takes it.
    """
    outgoing = Session(side).fail(error)
    (event,) = give(Session(other(side)), joined(outgoing))
    assert code == event.content.code
    text = str(error).replace("\udcff", "?")
    assert text.startswith(event.content.reason)
    assert min(2000, len(text.encode())) - 3 <= len(event.content.reason.encode()) <= 2000


@pytest.mark.parametrize("letter", ["x", "∇", "😀"])
def test_the_longest_reason_to_stop_arrives(letter):
    """What a STOP may say by its document fits into its frame, in any script."""
    worker = session_in(WORKER, S.RUNNING)
    (event,) = give(worker, joined(encode(Stop(reason=letter * 2000))))
    assert letter * 2000 == event.content.reason


def test_every_kind_has_its_column():
    """Every frame's bytes are in exactly one of the four columns."""
    assert set(FrameKind) == set(CATEGORIES)
    assert set(COLUMNS) == set(CATEGORIES.values()) == set(Tally())
