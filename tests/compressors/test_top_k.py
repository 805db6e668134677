"""top-k by a guessed threshold: exactly the k largest, whatever the guess and the vector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.compressors import Count, TopK, top_k
from netcomp.compressors.top_k import largest_indices
from netcomp.errors import RemoteProtocolError
from support.notations import key, resolved

seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
LARGE = 200_003  # above what is partitioned whole, and no multiple of a chunk


def plain(v, k):
    """Return the k largest magnitudes' places by a stable sort: ties to the lower index."""
    return np.sort(np.argsort(-np.abs(v), kind="stable")[:k])


def vectors(d):
    rng = np.random.default_rng(4)
    normal = rng.normal(size=d)
    zeros = rng.random(d) < 0.81
    return {
        "normal": normal,
        "heavy-tailed": rng.standard_t(1.1, d),
        "sparse": np.where(zeros, 0.0, normal),
        "very sparse": np.where(np.arange(d) % 5000 == 7, normal, 0.0),
        "ties": np.round(normal, 1),
        "two values": np.where(zeros, 1.0, -1.5),
        "constant": np.full(d, -2.0),
        "zeros": np.zeros(d),
        "increasing": np.sort(normal),
        "decreasing": np.sort(np.abs(normal))[::-1],
        "periodic": np.tile([0.0, 3, -1, 2, 0, 0, 8], d)[:d],
        "one run": np.where(np.arange(d) // 1000 == 3, normal + 9, normal),
        "subnormal": normal * 1e-42,
        "huge": normal * 1e37,
    }


VECTORS = vectors(LARGE)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 20, 2000, LARGE // 9, LARGE // 3, LARGE - 5, LARGE])
def test_it_is_the_sorted_definition(name, dtype, k):
    """The same places as a stable sort gives, for vectors with and without ties and structure."""
    v = VECTORS[name].astype(dtype)
    assert np.array_equal(plain(v, k), largest_indices(v, k))


@pytest.mark.parametrize(
    "guesses", [[], [1e30], [1e30, 2.5], [3.0], [2.5], [0.5], [1e-30], [1e-30, 1e-30]]
)
@pytest.mark.parametrize("name", ["normal", "ties", "sparse"])
def test_a_bad_guess_changes_nothing(guesses, name, monkeypatch):
    """Too high, too low, only the second one good or none at all: the result is the same."""
    v = VECTORS[name]
    monkeypatch.setattr(top_k, "_guesses", lambda *_: guesses)
    assert np.array_equal(plain(v, 2000), largest_indices(v, 2000))


def test_the_guess_is_mostly_good(monkeypatch):
    """For 40 normal vectors nothing is partitioned whole: the second guess practically holds."""
    monkeypatch.setattr(top_k, "_partitioned", None)
    for seed in range(40):
        v = np.random.default_rng(seed).normal(size=LARGE)
        assert 2000 == largest_indices(v, 2000).size


@seeded
@given(
    st.integers(1, 60).flatmap(
        lambda d: st.tuples(
            st.lists(st.integers(-3, 3).map(float), min_size=d, max_size=d), st.integers(1, d)
        )
    )
)
def test_short_vectors_with_many_ties(case):
    """Short vectors of few values, every k."""
    v, k = np.array(case[0]), case[1]
    assert plain(v, k).tolist() == largest_indices(v, k).tolist()


def sets(d, k):
    """Index sets hard on gap codes: runs, ends, equal gaps, random, one far away."""
    rng = np.random.default_rng(d + k)
    yield np.arange(k)
    yield np.arange(d - k, d)
    yield np.arange(k) * (d // k)
    yield np.sort(rng.choice(d, k, replace=False))
    yield np.append(np.arange(k - 1), d - 1)
    yield np.append(0, np.arange(d - k + 1, d))
    steps = np.minimum(2.0 ** np.minimum(np.arange(k), 40), d / k).astype(np.int64)
    yield np.cumsum(np.maximum(steps, 1)) - 1


@pytest.mark.parametrize("d", [1, 2, 3, 17, 255, 256, 1000, 70_000])
def test_indices_take_no_more_than_announced(d):
    """`index_bytes` bounds the bytes of every set; they are read back as they were."""
    for k in {1, 2, 3, d // 100, d // 10, d // 3, d // 2, 2 * d // 3, d - 1, d} & set(
        range(1, d + 1)
    ):
        sparsifier = TopK(Count(str(k)))
        for indices in sets(d, k):
            (part,) = sparsifier.encode_indices(indices, d)
            assert part.nbytes <= sparsifier.index_bytes(d)
            assert indices.tolist() == sparsifier.derive([part], d, key()).tolist()


def test_indices_are_near_their_limit():
    """At 1 % of 100,000 coordinates: at most 1.05 times log₂ C(d, k) bits."""
    d, k = 100_000, 1000
    compressor = resolved("top-k:1%", d, 1)
    payload = compressor.compress(np.random.default_rng(5).normal(size=d), key())
    j = np.arange(k)
    limit = np.log2((d - j) / (k - j)).sum() / 8
    assert limit <= payload.parts[0].nbytes <= 1.05 * limit
    with pytest.raises(RemoteProtocolError):
        compressor.decode([payload.parts[0][:-1], payload.parts[1]], d, key())
