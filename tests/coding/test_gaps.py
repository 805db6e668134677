"""Sets of indices: exact, near log2 C(d, k), and safe to read from strangers."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coding import plain
from coding.mutations import DAMAGED, mutations, refused
from netcomp.coding.gaps import MAX_DIMENSION, decode_indices, encode_indices
from netcomp.errors import RemoteProtocolError


def subset(d, k, seed=0):
    chosen = np.random.default_rng((d, k, seed)).choice(d, k, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)


def limit(d, k):
    """log2 C(d, k) in bytes."""
    nats = math.lgamma(d + 1) - math.lgamma(k + 1) - math.lgamma(d - k + 1)
    return nats / math.log(2) / 8


def round_trip(indices, d):
    data = encode_indices(indices, d)
    decoded = decode_indices(data.tobytes(), indices.size, d)
    assert decoded.dtype == np.int64
    np.testing.assert_array_equal(indices, decoded)
    return data


def checked_by_hand(indices, d):
    """Round trip, and the decoder written from the docstring alone reads the same."""
    data = round_trip(indices, d)
    assert indices.tolist() == plain.indices(data.tobytes(), indices.size, d)


@given(st.integers(1, 200).flatmap(lambda d: st.tuples(st.just(d), st.sets(st.integers(0, d - 1)))))
def test_round_trip(case):
    d, chosen = case
    checked_by_hand(np.array(sorted(chosen), dtype=np.int64), d)


@given(st.sets(st.integers(0, MAX_DIMENSION - 1), max_size=60))
def test_round_trip_in_the_largest_dimension(chosen):
    checked_by_hand(np.array(sorted(chosen), dtype=np.int64), MAX_DIMENSION)


SIZES = [
    (d, k)
    for d in (10_000, 300_000)
    for k in sorted({10, 11, 30, 100, *(int(d * p) for p in (0.003, 0.01, 0.03, 0.1, 0.2, 0.3))})
] + [(10_000, k) for k in (3_500, 3_820, 4_200, 4_800, 5_000)]


@pytest.mark.parametrize(("d", "k"), SIZES)
def test_uniform_sets_are_within_five_percent_of_the_limit(d, k):
    """At most 1.05 log2 C(d, k)/8 + 8 bytes; 1.01 times and 8 for k ≤ d/10."""
    for seed in range(3):
        size = round_trip(subset(d, k, seed), d).size
        assert size <= (1.01 if k <= d / 10 else 1.05) * limit(d, k) + 8


@pytest.mark.parametrize("k", [1, 10, 100, 1000, 3800, 4999])
def test_a_set_takes_what_its_complement_takes(k):
    indices, d = subset(10_000, k), 10_000
    others = np.setdiff1d(np.arange(d), indices)
    assert round_trip(indices, d).size == round_trip(others, d).size


@pytest.mark.parametrize("d", [1, 2, 3, 10_000, 10**7])
def test_extremes(d):
    """No or all indices are one byte; one index is its binary form and a byte."""
    assert 1 == round_trip(np.arange(0), d).size
    assert 1 == round_trip(np.arange(d), d).size
    for index in {0, d // 2, d - 1}:
        size = round_trip(np.array([index]), d).size
        assert size <= 1 + math.ceil((d - 1).bit_length() / 8)


def test_sets_that_are_not_uniform_take_less():
    """Clusters, one run, evenly spaced: never more than a uniform set takes."""
    d, k = 100_000, 1000
    rng = np.random.default_rng(5)
    clusters = np.unique(
        np.concatenate([rng.integers(0, d - 99) + subset(99, 50, i) for i in range(20)])
    )
    for indices in (clusters, np.arange(777, 777 + k), np.arange(0, d, 100)):
        assert round_trip(indices, d).size <= 1.01 * limit(d, indices.size) + 8


@pytest.mark.parametrize("d", [3, 60, 300, 5000])
def test_never_longer_than_fields_or_a_bitmap(d):
    """Spread, at the beginning, at the end, and at both, where the gaps' quotients are largest."""
    width = max(1, (d - 1).bit_length())
    for k in {*range(1, min(d, 40)), d // 3, d // 2, d - d // 3}:
        ends = np.concatenate([np.arange(k // 2), np.arange(d - k + k // 2, d)])
        for indices in (subset(d, k), np.arange(k), np.arange(d - k, d), ends):
            plain_bits = min(min(k, d - k) * width, d)
            assert round_trip(indices, d).size <= 1 + math.ceil(plain_bits / 8)


GOLDEN = [
    ([], 10, "00"),
    ([0, 1, 2], 3, "00"),
    ([700], 1000, "7eaf00"),
    ([0, 2, 3, 6, 7], 10, "01b3"),
    ([1, 5, 6, 20, 33, 47], 64, "0573b000e490"),
    ([3, 40, 41, 99, 180, 222], 256, "0d3e0e0140b212"),
    ([i for i in range(40) if i not in {3, 17, 30}], 40, "86908092"),
    ([i * i for i in range(1, 20)], 400, "092a6e14dc29b8530000faaa49244444"),
]


@pytest.mark.parametrize(("indices", "d", "text"), GOLDEN)
def test_golden(indices, d, text):
    assert text == encode_indices(np.array(indices, dtype=np.int64), d).tobytes().hex()
    assert indices == plain.indices(bytes.fromhex(text), len(indices), d)


@pytest.mark.parametrize(
    ("indices", "d"),
    [([1, 1], 9), ([2, 1], 9), ([-1, 1], 9), ([0, 9], 9), ([0, 1], 1), ([0], MAX_DIMENSION + 1)],
)
def test_what_is_no_set_below_d_is_not_written(indices, d):
    with pytest.raises(ValueError, match="indices"):
        encode_indices(np.array(indices, dtype=np.int64), d)


VALID = [(d, k) for d in (40, 1000, 2**31 - 1) for k in (0, 1, 2, 13, 20, 37) if k <= d]


def test_damage_gives_a_set_or_the_error():
    valid = [encode_indices(subset(d, k), d).tobytes() for d, k in VALID]
    accepted = 0
    for which, data in mutations(valid, DAMAGED, seed=6):
        d, k = VALID[which]
        if not refused(lambda d=d, k=k, data=data: decode_indices(data, k, d)):
            indices = decode_indices(data, k, d)
            assert (k,) == indices.shape
            assert bool(np.all(np.diff(indices, prepend=-1, append=d) > 0))
            accepted += 1
    assert 0 < accepted < DAMAGED / 2


@pytest.mark.parametrize("form", range(256))
@pytest.mark.parametrize(
    ("count", "d"), [(10**9, 2**31 - 1), (2 * 10**9, 2**31 - 1), (10**6, 10**7)]
)
def test_a_forged_count_costs_no_memory(form, count, d):
    """A hundred bytes that announce a billion indices are refused before they are allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            decode_indices(bytes([form]) + bytes(range(1, 101)), count, d)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("count", "d"), [(-1, 5), (6, 5), (1, 2**31), (0, -1)])
def test_impossible_counts_are_refused(count, d):
    with pytest.raises(RemoteProtocolError):
        decode_indices(b"\x00", count, d)


def test_memory_is_a_few_times_the_indices():
    d, k = 2_000_000, 400_000
    indices = subset(d, k)
    tracemalloc.start()
    try:
        data = encode_indices(indices, d)
        assert tracemalloc.get_traced_memory()[1] < 4 * indices.nbytes
        tracemalloc.reset_peak()
        decode_indices(data, k, d)
        assert tracemalloc.get_traced_memory()[1] < 6 * indices.nbytes
    finally:
        tracemalloc.stop()
