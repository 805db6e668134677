"""Uplinks heard together: the bits of hearing one worker after the other, whatever is sent."""

from itertools import pairwise

import numpy as np
import pytest

from netcomp.algorithms import StepSize, server_role
from netcomp.algorithms.composed.hearing import Hears
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Chorus, Kind, Message
from support.cases import heterogeneous
from support.simulate import chosen, composed, play, received

CASE = heterogeneous(12, 7)
STEP = StepSize(0.05, of_theory=False)
ALGORITHMS = {
    "gd": {},
    "gd in f16": {"values": "f16"},
    "dcgd": {"up": "natural"},
    "dcgd perm-k": {"up": "perm-k", "step_size": STEP},
    "diana": {"up": "rand-k:k=4"},
    "marina": {"up": "rand-k:k=4", "up_p": 0.4},
    "pp-marina": {"up": "rand-k:k=4", "up_p": 0.4, "participation": "uniform:r=4"},
    "mcm-pp": {"participation": "independent:p=0.5", "down": "rand-k:k=5", "up": "natural"},
    "ef21": {"up": "top-k:k=3"},
    "neolithic": {"up": "top-k:k=3", "down": "top-k:k=3"},
    "core": {"up": "sketch:m=5"},
}


def parts_of(name):
    choice = chosen(**{"values": "f64", "step_size": STEP, **ALGORITHMS[name]})
    return composed(name.split()[0], choice, CASE.d, CASE.n, CASE.constants)


def chorus_of(messages):
    """Return messages that are alike as they come from sockets: views of whole reads."""
    sizes = [part.nbytes for part in messages[0].parts]
    ends = np.cumsum([3, *sizes]).tolist()
    where = [slice(*pair) for pair in pairwise(ends)]
    reads = [b"".join((b"one", *message.parts, b"two")) for message in messages]
    return Chorus(messages[0].kind, reads, where)


def runs(up):
    """Yield workers in a row whose messages are alike, and what they said."""
    workers, messages = [], []
    for worker in sorted(up):
        message = received(up[worker])
        alike = messages and (message.kind, list(map(len, message.parts))) == (
            messages[0].kind,
            list(map(len, messages[0].parts)),
        )
        if messages and not alike:
            yield workers, messages
            workers, messages = [], []
        workers.append(worker)
        messages.append(message)
    if workers:
        yield workers, messages


@pytest.mark.parametrize("name", ALGORITHMS)
def test_heard_together_is_heard_one_by_one(name):
    """The server's next state is the same bit for bit from a mapping and from choruses."""
    parts = parts_of(name)
    role, other = server_role(parts), server_role(parts)
    state, twin = role.init(CASE.x0), other.init(CASE.x0)
    together = 0
    for done in play(parts, CASE.oracles, CASE.x0, 20, 3):
        draw = Draw(3, done.number)
        heard = {worker: received(message) for worker, message in done.up.items()}
        state = role.aggregate(state, heard, draw)
        hearing = other.hearing(twin, draw)
        for workers, messages in runs(done.up):
            hearing.take(workers, chorus_of(messages))
            together += len(workers) > 1
        twin = other.aggregate(twin, hearing, draw)
        assert state.x.tobytes() == twin.x.tobytes() == done.server.x.tobytes()
        assert role.model(state).tobytes() == other.model(twin).tobytes()
    assert together > 10


def hearing_of(name):
    return Hears(parts_of(name), CASE.x0, Draw(1, 2))


def said(values, kind=Kind.VALUE):
    return Message(kind, (memoryview(np.asarray(values, dtype=np.float64).tobytes()),))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_among_many(bad):
    """With the error it has on its own, wherever it stands."""
    good, wrong = said(np.ones(CASE.d)), said([*np.ones(CASE.d - 1), bad])
    with pytest.raises(RemoteProtocolError) as alone:
        hearing_of("gd").hear(0, wrong)
    with pytest.raises(RemoteProtocolError) as among:
        hearing_of("gd").take(range(5), chorus_of([good, good, good, wrong, good]))
    assert str(alone.value) == str(among.value)


def test_messages_of_another_length_or_kind_are_refused_together_as_alone():
    short, other = said(np.ones(CASE.d - 1)), said(np.ones(CASE.d), Kind.DELTA)
    for wrong in (short, other, Message(Kind.RESET), Message(Kind.SILENT)):
        first, second = hearing_of("gd"), hearing_of("gd")
        first.hear(0, said(np.ones(CASE.d)))
        second.take([0], chorus_of([said(np.ones(CASE.d))]))
        with pytest.raises(RemoteProtocolError) as alone:
            first.hear(1, wrong)
        with pytest.raises(RemoteProtocolError) as among:
            second.take([1, 2], chorus_of([wrong, wrong]))
        assert str(alone.value) == str(among.value)


def test_large_sums_of_many_rows_are_formed_in_order():
    """More rows than are decoded at once, whose sum depends on its order."""
    values = np.random.default_rng(4).normal(size=(3000, CASE.d)) * 10.0 ** np.arange(CASE.d)
    parts = composed(
        "gd", chosen(values="f32", step_size=STEP), CASE.d, len(values), CASE.constants
    )
    messages = [
        Message(Kind.VALUE, (memoryview(row.astype(np.float32).tobytes()),)) for row in values
    ]
    expected, actual = (Hears(parts, np.zeros(CASE.d, np.float32), Draw(1, 2)) for _ in range(2))
    for worker, message in enumerate(messages):
        expected.hear(worker, message)
    actual.take(range(len(messages)), chorus_of(messages))
    totals = [one.audience().mean.total for one in (expected, actual)]
    assert totals[0].tobytes() == totals[1].tobytes()
    assert totals[0].tobytes() != (values.astype(np.float32)[::-1] / 3000).sum(0).tobytes()
