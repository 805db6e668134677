"""The channels: what both ends hold after any sequence of vectors."""

import numpy as np
import pytest

from netcomp.channels import Audience, SingleMemory
from netcomp.compressors import parse_compressor
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Kind, Message
from support.channels import (
    SENDERS,
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


@texts
@channels
def test_the_mean_receiver_is_the_mean_of_single_receivers(name, text):
    """One aggregate state hears n senders as n receivers of one sender each do on average."""
    channel = build(name, text)
    single = [channel.receiver(None, like()) for _ in range(SENDERS)]
    for _, _, heard, estimate, _ in run(channel, vectors()):
        estimates = []
        for i, one in enumerate(heard):
            alone, single[i] = channel.receive(single[i], Audience.all([one]))
            estimates.append(alone)
        np.testing.assert_allclose(estimate, np.mean(estimates, axis=0), rtol=0, atol=1e-13)


@texts
def test_direct_estimates_the_decoded_vector(text):
    """Direct: the estimate is the mean of what decodes, and nothing is remembered."""
    channel = build("direct", text)
    for before, after, heard, estimate, _ in run(channel, vectors()):
        assert [None] * SENDERS == before == after
        np.testing.assert_allclose(estimate, np.mean(decoded(channel, heard), axis=0), atol=1e-13)


@texts
def test_memory_keeps_both_ends_together(text):
    """Memory: the receiver's h is the mean of the senders' h; each moves by α decoded c."""
    channel = build("memory", text)
    mean = np.zeros(D)
    for before, after, heard, estimate, receiver in run(channel, vectors()):
        c = decoded(channel, heard)
        for (old,), (new,), said in zip(before, after, c, strict=True):
            np.testing.assert_allclose(new, old + channel.alpha * said, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(receiver[0], np.mean(after, axis=0)[0], rtol=0, atol=1e-13)
        np.testing.assert_allclose(estimate, mean + np.mean(c, axis=0), rtol=0, atol=1e-13)
        mean = receiver[0]


@texts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_with_one_sender_agrees_to_the_last_bit(text, dtype):
    """Memory with one sender: the two h are equal bit for bit, wire rounding or not."""
    channel = build("memory", text, senders=1)
    known = vectors(dtype)[0, 0]
    for _, ((h,),), _, _, (theirs, _) in run(channel, vectors(dtype, 1), known):
        assert h.tolist() == theirs.tolist()
        assert dtype == h.dtype == theirs.dtype


@texts
@pytest.mark.parametrize("name", ["error-feedback", "error-feedback, damped"])
def test_error_feedback_loses_nothing(name, text):
    """ErrorFeedback: c + e' = v + η e with the decoded c, so that with η = 1 Σc + e = Σv."""
    channel, sequence = build(name, text), vectors()
    spoken = np.zeros((SENDERS, D))
    for t, (before, after, heard, _, _) in enumerate(run(channel, sequence)):
        for i, c in enumerate(decoded(channel, heard)):
            expected = sequence[t, i] + channel.eta * before[i][0]
            np.testing.assert_allclose(after[i][0] + c, expected, rtol=1e-13, atol=1e-12)
            spoken[i] += c
    if channel.eta == 1.0:
        total = sequence.sum(axis=0)
        left = np.array([e for (e,) in after])
        np.testing.assert_allclose(spoken + left, total, rtol=1e-12, atol=1e-10)


@texts
def test_marina_follows_its_coin(text):
    """Marina: the coin says FULL or DELTA to all; the estimate is v̂ = v, or v̂ + mean C(v − v_prev).

    v_prev is the sender's true previous vector. The first vector always goes in full.
    """
    channel, sequence = build("marina", text), vectors()
    held, kinds = None, []
    for t, (before, after, heard, estimate, _) in enumerate(run(channel, sequence)):
        full = t == 0 or key(t, 0).coin(channel.p)
        assert {Kind.FULL if full else Kind.DELTA} == {message.kind for message, _ in heard}
        kinds.append(full)
        assert all(
            new is vector or new.tolist() == vector.tolist()
            for new, vector in zip(after, sequence[t], strict=True)
        )
        if full:
            held = sequence[t].mean(axis=0)
        else:
            said = []
            for i in range(SENDERS):
                change = sequence[t, i] - before[i]
                said.append(channel.compressor.compress(change, key(t, i)).dense())
            held = held + np.mean(said, axis=0)
        np.testing.assert_allclose(estimate, held, rtol=0, atol=1e-12)
    assert {True, False} == set(kinds)


def test_marina_rounds_again_only_until_the_next_coin():
    """Half-precision deltas drift from v by wire rounding; a full vector ends the drift."""
    channel, sequence = build("marina", "f16", senders=1), vectors(senders=1, rounds=40)
    drifts = []
    for t, (*_, heard, estimate, _) in enumerate(run(channel, sequence)):
        drift = np.abs(estimate - sequence[t, 0]).max()
        if heard[0][0].kind is Kind.FULL:
            assert drift == 0
        else:
            drifts.append(drift)
    assert 0 < max(drifts) < 1e-2


def test_marina_starts_from_what_both_know():
    """With a first vector known to both ends, the first message may be a difference."""
    channel, known = build("marina", "identity+f64"), vectors()[0, 0]
    first = next(t for t in range(99) if not key(t, 0).coin(channel.p))
    said, _ = channel.send(channel.sender(known, like()), 2 * known, {0: key(first, 0)})
    assert Kind.DELTA is said[0].kind
    heard = Audience.all([(said[0], key(first, 0))])
    estimate, _ = channel.receive(channel.receiver(known, like()), heard)
    np.testing.assert_allclose(estimate, 2 * known, rtol=1e-15)


def test_marina_refuses_to_begin_with_a_difference():
    """A DELTA with nothing to add it to is the sender's fault."""
    channel = build("marina", "identity+f64")
    payload = channel.compressor.compress(vectors()[0, 0], key(0, 0))
    delta = Message(Kind.DELTA, payload.parts)
    with pytest.raises(RemoteProtocolError, match="did not come in full"):
        channel.receive(channel.receiver(None, like()), Audience.all([(delta, key(0, 0))]))


@texts
def test_dasha_follows_its_letters(text):
    """Dasha: m = C(h' − h − a(g − h)), g' = g + decoded m, h' = v; h⁰ = g⁰ = v⁰ in full.

    The receiver's estimate is the mean of the senders' g.
    """
    channel, sequence = build("dasha", text), vectors()
    for t, (before, after, heard, estimate, _) in enumerate(run(channel, sequence)):
        assert {Kind.DELTA if t else Kind.FULL} == {message.kind for message, _ in heard}
        for i, m in enumerate(decoded(channel, heard)):
            h, g = before[i] or (None, None)
            if t:
                change = sequence[t, i] - h - channel.a * (g - h)
                expected = channel.compressor.compress(change, key(t, i)).dense()
                assert expected.tolist() == m.tolist()
                np.testing.assert_allclose(after[i][1], g + m, rtol=1e-14, atol=1e-15)
            assert sequence[t, i].tolist() == after[i][0].tolist()
        np.testing.assert_allclose(estimate, np.mean([g for _, g in after], axis=0), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_memory_is_the_mean_of_what_was_told(dtype):
    """SingleMemory: H̄ ← H̄ + (α/n) Σ_S c_i; worker i decodes with an H_i of its own."""
    channel = SingleMemory(
        parse_compressor("rand-k:3+f64").resolve(D, SENDERS), parse_compressor("identity"), 0.3
    )
    known = vectors(dtype)[0, 0]
    state = channel.sender(known, like(dtype), SENDERS)
    theirs = [channel.receiver(known, like(dtype)) for _ in range(SENDERS)]
    mean, own = known, [known] * SENDERS
    for t, v in enumerate(vectors(dtype)[:, 1]):
        present = [i for i in range(SENDERS) if (t + i) % 3]
        keys = {i: key(t, i) for i in present}
        said, state = channel.send(state, v, keys)
        c = {i: channel.compressor.compress(v - mean, keys[i]).dense() for i in present}
        mean = mean + sum((0.3 / SENDERS * one for one in c.values()), np.zeros(D)).astype(dtype)
        np.testing.assert_allclose(state[0], mean, atol=8 * np.finfo(dtype).eps)
        mean = state[0]
        for i in present:
            heard = Audience.all([(received(said[i]), keys[i])])
            estimate, theirs[i] = channel.receive(theirs[i], heard)
            np.testing.assert_allclose(estimate, own[i] + c[i].astype(dtype), rtol=1e-6)
            own[i] = theirs[i]
            assert dtype == estimate.dtype == theirs[i].dtype == state[0].dtype


def test_a_reset_gives_the_listener_the_single_memory_to_the_last_bit():
    """At or after every `reset`-th round a listener's first message begins with H̄ itself."""
    channel = SingleMemory(
        parse_compressor("rand-k:3+f16").resolve(D, SENDERS), parse_compressor("identity"), 0.3, 4
    )
    state = channel.sender(like(), like(), SENDERS)
    theirs = [channel.receiver(like(), like()) for _ in range(SENDERS)]
    resets = {i: [] for i in range(SENDERS)}
    # Worker 2 is away in rounds 4 to 9.
    for t, v in enumerate(vectors(rounds=14)[:, 0]):
        present = [i for i in range(SENDERS) if i < 2 or not 4 <= t < 10]
        keys, before = {i: key(t, i) for i in present}, state[0]
        said, state = channel.send(state, v, keys)
        for i in present:
            c = channel.compressor.compress(v - before, keys[i]).dense()
            if said[i].kind is Kind.RESET:
                resets[i].append(t)
                assert before.tobytes() == bytes(said[i].parts[0])
                assert 8 * D + 3 * 2 == said[i].payload_bytes
                theirs[i] = before
            heard = Audience.all([(received(said[i]), keys[i])])
            estimate, moved = channel.receive(theirs[i], heard)
            np.testing.assert_allclose(estimate, theirs[i] + c, rtol=1e-14, atol=1e-15)
            np.testing.assert_allclose(moved, theirs[i] + 0.3 * c, rtol=1e-14, atol=1e-15)
            theirs[i] = moved
    assert {0: [4, 8, 12], 1: [4, 8, 12], 2: [10, 12]} == resets
