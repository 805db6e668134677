"""A mean of messages: whose memory it is formed in, and that this is no matter of its bits."""

import numpy as np
import pytest

from netcomp.channels import Mean
from netcomp.compressors import All, Chain, FloatFormat
from netcomp.draw import Draw
from netcomp.roles import Kind, Message

D = 1 << 18
KEY = Draw(1)


def vectors():
    drawn = np.random.default_rng(1).normal(size=(3, D)).astype(np.float32)
    drawn[:, :100] = -0.0
    drawn[0, 100:200] = np.float32(3e38)
    return drawn


def message_of(vector):
    return Message(Kind.VALUE, (vector.view(np.uint8).data,))


def mean_of(sent, *, own, senders=3, like=np.float32):
    mean = Mean(Kind.VALUE, Chain(All(), FloatFormat("f32")), np.empty(D, like), senders)
    for vector in sent:
        mean.hear(message_of(vector), KEY, own=own)
    return mean.total


@pytest.mark.parametrize("like", [np.float32, np.float64])
@pytest.mark.parametrize("senders", [1, 3])
def test_own_bytes_give_the_same_bits(senders, like):
    """Negative zeros and large values too, with a weight and without one."""
    expected = mean_of(vectors(), own=False, senders=senders, like=like)
    actual = mean_of(vectors(), own=True, senders=senders, like=like)
    assert expected.tobytes() == actual.tobytes()
    assert expected.dtype == actual.dtype


def test_the_first_of_long_vectors_becomes_the_total():
    """A server of two workers so holds three long vectors, not four."""
    sent = vectors()
    total = mean_of(sent, own=True)
    assert np.shares_memory(total, sent[0])
    assert sent[1:].tobytes() == vectors()[1:].tobytes()


def test_what_belongs_to_others_is_not_written():
    """Not without being told, not where it is read-only, and not in another dtype."""
    sent = vectors()
    mean_of(sent, own=False)
    mean_of(sent, own=True, like=np.float64)
    sent.flags.writeable = False
    mean_of(sent, own=True)
    assert vectors().tobytes() == sent.tobytes()
