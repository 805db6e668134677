"""What a session allows in size, and how every failure is told."""

import pytest

from netcomp.errors import LocalProtocolError, NetcompError, PayloadTooBig, RemoteProtocolError
from netcomp.protocol.session import CATEGORIES, Session, Side, Tally
from netcomp.wire.documents import (
    Stop,
    encode,
)
from netcomp.wire.frames import HEADER_BYTES, FrameKind, header
from support.sessions import (
    COLUMNS,
    DOWN,
    FRAMES,
    FROM,
    PROBE,
    SERVER,
    UP,
    WORKER,
    K,
    S,
    give,
    joined,
    other,
    session_in,
    vector,
)

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
