"""Memory of one message: at most three times the vector, its result included.

Traced, not timed: numpy reports every array to tracemalloc, so the figures are the same on any
machine, and at this length nothing else counts.
"""

import re
from functools import cache

import numpy as np
import pytest

from netcomp.compressors import perm_k, sketch
from support.held import held
from support.notations import ATOMS, key, resolved

D, N = 1 << 20, 10
LIMIT = 3.0
# Of m = 10 % the Gaussians would take minutes; with two each end draws them piece by piece.
# Of thousands of tiny layers the objects would count, not the vectors.
TEXTS = [
    re.sub(r"(?<![.\d])\d+/\.\.\.", "65536/...", text.replace("m=10%", "m=2")) for text in ATOMS
]
SHORT = [
    *("top-k:1%", "top-k:10%", "bernoulli:p=0.5", "sketch:m=10", "fcc:r=4(top-k:1%)"),
    *("natural", "natural:coding=entropy", "round:b=2", "round:b=2,biased=yes", "ternary", "sign"),
    *(
        "dither:s=8",
        "dither:s=8,p=inf",
        "dither:s=1,b=1,p=inf",
        "qsgd:s=1",
        "qsgd:s=4",
        "qsgd:s=16",
    ),
]
WRAPPED = [text for text in TEXTS if text.startswith("fcc:")]


def vector():
    return np.random.default_rng(1).standard_normal(D).astype(np.float32)


def forget():
    """Clear what a first message leaves to the next one of the same key."""
    for cached in (perm_k._permutations, sketch._kept, sketch._first_asking):
        cached.cache_clear()


def traced(work, d=D):
    """Return what `work` returns, and the most memory it took in multiples of a float32 vector."""
    result, peak = held(work, LIMIT * 4 * d, forget)
    return result, peak / (4 * d)


def with_values(payload):
    """Return the payload once it holds its values: some make them when first asked."""
    assert payload.values.size
    return payload


@cache
def peaks(text):
    """Return the peaks of compress and decode, and the size of the payload, in vectors."""
    compressor, v = resolved(text, D, N), vector()
    payload, sent = traced(lambda: with_values(compressor.compress(v, key(1))))
    parts = [memoryview(bytes(part)) for part in payload.parts]
    del payload
    _, received = traced(lambda: compressor.decode(parts, D, key(1)))
    return sent, received, sum(part.nbytes for part in parts) / (4 * D)


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in WRAPPED])
def test_a_message_takes_three_vectors_at_most(text):
    """Compressing and decoding a float32 vector, each with the payload it returns."""
    sent, received, _ = peaks(text)
    assert sent <= LIMIT
    assert received <= LIMIT


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("text", SHORT)
def test_a_short_message_takes_three_vectors_at_most(text, seed):
    """Scratch memory follows the vector: at d = 10⁴ a fixed 64 K entries would be 6 of them."""
    v = np.random.default_rng(seed).standard_normal(10_000).astype(np.float32)
    # As in gradients of sparse data, whose zeros top-k sets apart.
    v[: 2000 * seed] = 0.0
    compressor = resolved(text, v.size, N)
    # What is made once a process is no part of a message.
    compressor.compress(v, key(1, 2))
    _, peak = traced(lambda: compressor.compress(v, key(1)), v.size)
    assert peak <= LIMIT


@pytest.mark.parametrize("text", WRAPPED)
def test_fcc_has_one_message_at_a_time_where_its_sum_is_not_asked_for(text):
    """A sender without a memory: one inner message, what is left over, and what is sent."""
    inner = text.partition("(")[2].removesuffix(")")
    compressor, v = resolved(text, D, N), vector()
    # What is made once a process is no part of a message.
    compressor.compress(v, key(1, 2))
    payload, sent = traced(lambda: compressor.compress(v, key(1)))
    inner_sent, _, _ = peaks(inner)
    assert sent <= max(LIMIT, 1.0 + inner_sent + payload.nbytes / (4 * D))


@pytest.mark.parametrize("text", WRAPPED)
def test_fcc_adds_what_is_left_over_and_a_sum(text):
    """Where the sum is dense: one inner message, what is left over, the sum, and what is sent."""
    inner = text.partition("(")[2].removesuffix(")")
    sent, received, size = peaks(text)
    inner_sent, inner_received, _ = peaks(inner)
    assert sent <= max(LIMIT, inner_sent + 1.0 + 2.0 + size)
    assert received <= max(LIMIT, inner_received + 2.0 + size)


def test_the_trace_sees_arrays():
    """Without this a numpy that does not report its memory would pass everything."""
    array, peak = held(lambda: np.ones(D, dtype=np.float32), 4.01 * D)
    assert D == array.size
    assert abs(peak / (4 * D) - 1.0) < 0.01
