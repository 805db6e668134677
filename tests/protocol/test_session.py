"""One conversation, seen from both sides: what may come when, and every byte counted once."""

import itertools
import random
from collections import deque

import pytest

from netcomp.errors import LocalProtocolError, RemoteProtocolError
from netcomp.protocol.session import CATEGORIES, Session, Side, State
from netcomp.wire.documents import (
    Bye,
    Failure,
)
from netcomp.wire.frames import HEADER_BYTES, FrameKind
from support.sessions import (
    BEGIN,
    COLUMNS,
    CUTS,
    FRAMES,
    FROM,
    NEXT,
    SERVER,
    WORKER,
    K,
    S,
    give,
    joined,
    other,
    session_in,
    vector,
)

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
