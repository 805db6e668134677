"""What a channel may hear, and whose the states and estimates are."""

import numpy as np
import pytest

from netcomp.channels import Audience, Direct, Memory
from netcomp.draw import ALL
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Kind, Message
from support.channels import (
    CHANNELS,
    SENDERS,
    SPEAKS,
    TEXTS,
    D,
    build,
    channels,
    decoded,
    key,
    like,
    run,
    texts,
    vectors,
)
from support.simulate import received


@channels
def test_a_message_of_another_kind_is_refused(name):
    """Each channel hears the kinds it speaks, and one kind a round; else RemoteProtocolError."""
    channel = build(name, "identity+f64")
    part = channel.compressor.compress(vectors()[0, 0], key(1, 0)).parts
    state = channel.receiver(like(), like())
    spoken = SPEAKS[type(channel)]
    for kind in Kind:
        heard = [(Message(kind, part), key(1, i)) for i in range(2)]
        if kind in spoken:
            channel.receive(state, Audience.all(heard))
            continue
        with pytest.raises(RemoteProtocolError, match=f"a {kind.name} message"):
            channel.receive(state, Audience.all(heard))
    good = min(spoken)
    for kind in set(Kind) - {good}:
        mixed = [(Message(one, part), key(1, 0)) for one in (good, kind)]
        with pytest.raises(RemoteProtocolError):
            channel.receive(state, Audience.all(mixed))


@channels
@pytest.mark.parametrize("text", TEXTS)
def test_damaged_messages_are_refused(name, text):
    """A message that does not decode is a RemoteProtocolError, whatever else was heard."""
    channel = build(name, text)
    for _, _, heard, _, receiver in run(channel, vectors(rounds=4)):
        message, draw = heard[-1]
        cut = Message(message.kind, (*message.parts[:-1], message.parts[-1][:-1]))
        with pytest.raises(RemoteProtocolError):
            channel.receive(receiver, Audience.all([*heard[:-1], (cut, draw)]))


def states_of(state):
    """Return the vectors a state holds."""
    if isinstance(state, np.ndarray):
        return [state]
    return [v for part in state for v in states_of(part)] if isinstance(state, tuple) else []


@pytest.mark.parametrize("name", ["memory", "error-feedback", "error-feedback, damped"])
def test_listeners_have_states_of_their_own(name):
    """Each listener's memory or error is that of a channel that speaks to it alone, bit for bit.

    It moves only when the listener is spoken to.
    """
    channel, sequence = build(name, "rand-k:3+f64"), vectors()[:, 0]
    alone = {i: channel.sender(None, like()) for i in range(SENDERS)}
    state = channel.sender(None, like(), SENDERS)
    for t, v in enumerate(sequence):
        present = [i for i in range(SENDERS) if (t + i) % 3]
        said, state = channel.send(state, v, {i: key(t, i) for i in present})
        assert present == list(said)
        for i in present:
            one, alone[i] = channel.send(alone[i], v, {0: key(t, i)})
            assert [bytes(p) for p in one[0].parts] == [bytes(p) for p in said[i].parts]
        assert [h.tolist() for h in state] == [alone[i][0].tolist() for i in range(SENDERS)]


def test_direct_and_marina_speak_one_message_a_key():
    """Several keys give several messages in their order; a full vector is one object for all."""
    v, keys = vectors()[0, 0], {i: key(1, i) for i in range(SENDERS)}
    direct = build("direct", "rand-k:3+f64")
    said, _ = direct.send(None, v, keys)
    expected = [direct.compressor.compress(v, draw).dense().tolist() for draw in keys.values()]
    assert expected == [d.tolist() for d in decoded(direct, [(said[i], keys[i]) for i in keys])]
    marina = build("marina", "rand-k:3+f64")
    full, _ = marina.send(None, v, keys)
    assert 1 == len({id(message) for message in full.values()})
    assert list(keys) == list(full)


@texts
@channels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_keep_their_dtype_and_are_never_written(name, text, dtype):
    """Estimates and states are of the vectors' dtype; old states and vectors stay as they were."""
    channel, sequence = build(name, text, values="f32"), vectors(dtype)
    known = like(dtype)
    known.flags.writeable = False
    sequence.flags.writeable = False
    for before, after, _, estimate, _ in run(channel, sequence, known):
        for state in states_of((*before, *after, estimate)):
            assert dtype == state.dtype
            state.flags.writeable = False


def test_a_broadcast_key_serves_every_receiver():
    """With the key of all workers, each receiver decodes the same estimate from one message."""
    for name in CHANNELS:
        channel = build(name, "rand-k:3+f64")
        draw = key(1, ALL)
        said, _ = channel.send(channel.sender(like(), like()), vectors()[0, 0], {0: draw})
        heard = Audience.all([(received(said[0]), draw)])
        estimates = [channel.receive(channel.receiver(like(), like()), heard)[0] for _ in range(2)]
        assert estimates[0].tolist() == estimates[1].tolist()


@texts
@channels
def test_an_estimate_that_is_not_kept_may_be_overwritten(name, text):
    """Scribbling over an estimate changes a later one only where the channel says it keeps it."""
    channel = build(name, text)
    plain = [estimate.copy() for *_, estimate, _ in run(channel, vectors())]
    scribbled = []
    for *_, estimate, _ in run(channel, vectors()):
        scribbled.append(estimate.copy())
        estimate[:] = 1e3
    unchanged = all(np.array_equal(a, b) for a, b in zip(plain, scribbled, strict=True))
    assert unchanged is not channel.keeps_estimate


def test_a_receive_of_ones_own_is_taken_to_share_its_memory():
    """It says so itself where it does not; without one of its own it is what its base is."""

    class Keeps(Direct):
        def receive(self, state, audience):
            return state, state

    class Fresh(Keeps):
        keeps_estimate = False

        def receive(self, state, audience):
            return state.copy(), state

    class Sends(Memory):
        def send(self, state, v, keys):
            return super().send(state, v, keys)

    assert (True, False, False) == (
        Keeps.keeps_estimate,
        Fresh.keeps_estimate,
        Sends.keeps_estimate,
    )


@pytest.mark.parametrize("name", ["marina", "dasha"])
def test_an_estimate_of_nobody_is_refused(name):
    """Marina and dasha have no word for a round in which nobody speaks."""
    channel = build(name, "identity+f64")
    with pytest.raises(RemoteProtocolError, match="nobody spoke"):
        channel.receive(channel.receiver(like(), like()), Audience([], SENDERS, 0.5))


@pytest.mark.parametrize("name", ["direct", "memory", "error-feedback"])
def test_a_share_of_senders_is_scaled_where_it_is_an_estimate(name):
    """Present with probability p: the estimate adds (1/(pn)) Σ_S c, the state (α/n) Σ_S c."""
    channel, sequence = build(name, "identity+f64"), vectors()
    h = np.zeros(D)
    receiver = channel.receiver(None, like())
    for t, present in enumerate([[0, 2], [], [1], [0, 1, 2]]):
        heard = []
        for i in present:
            payload = channel.compressor.compress(sequence[t, i], key(t, i))
            kind = min(SPEAKS[type(channel)])
            heard.append((Message(kind, payload.parts), key(t, i)))
        total = sequence[t, present].sum(axis=0) / SENDERS
        estimate, receiver = channel.receive(receiver, Audience(heard, SENDERS, 0.5))
        np.testing.assert_allclose(estimate, h + total / 0.5, rtol=1e-13, atol=1e-14)
        if name == "memory":
            h = h + channel.alpha * total
            np.testing.assert_allclose(receiver[0], h, rtol=1e-13, atol=1e-14)
