"""A few positions with symbols, in as few bytes as counting allows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coding import plain
from coding.mutations import mutations, refused
from netcomp.coding.few import MAX_FEW, MAX_SYMBOLS, decode_few, encode_few, like_random
from netcomp.errors import RemoteProtocolError

sets = st.sets(st.integers(0, 900), min_size=1, max_size=300).map(sorted)


@settings(deadline=None)
@given(sets, st.integers(0, 600), st.integers(1, 9), st.integers(0, 2**16))
def test_round_trip_and_the_plain_decoder(positions, more, m, seed):
    """Positions and symbols come back; the docstring is enough to read them."""
    k, n = len(positions), positions[-1] + 1 + more
    symbols = np.random.default_rng(seed).integers(0, m, k)
    data = encode_few(np.array(positions), symbols, m, n)
    found = decode_few(data, m, k, n)
    assert (positions, symbols.tolist()) == tuple(part.tolist() for part in found)
    assert list(zip(positions, symbols.tolist(), strict=True)) == plain.few(data, k, n, m)
    for other in (data[:-1], data + b"\0", data + b"\1" * 999):
        if other == data:
            continue  # a single set needs no bytes
        with pytest.raises(RemoteProtocolError):
            decode_few(other, m, k, n)


@pytest.mark.parametrize("positions", [[0], [2**31 - 2], [0, 2**31 - 2], list(range(MAX_FEW))])
@pytest.mark.parametrize("m", [1, 2, MAX_SYMBOLS])
@pytest.mark.parametrize("n", [MAX_FEW, 2**31 - 1])
def test_the_ends_of_the_range(positions, m, n):
    """Nearest and farthest positions, as many as there may be, few and many symbols."""
    positions = sorted({min(position, n - 1) for position in positions})
    symbols = np.arange(len(positions)) * 7 % m
    data = encode_few(np.array(positions), symbols, m, n)
    found = decode_few(data, m, len(positions), n)
    assert (positions, symbols.tolist()) == tuple(part.tolist() for part in found)


@pytest.mark.parametrize(("k", "minus"), [(1, 0), (8, 4), (38, 3), (192, 96), (192, 0)])
def test_up_to_192_positions_take_what_counting_says(k, minus):
    """The bytes of ⌈log2⌉ of the number of such sets and signs, and of how many signs there are."""
    n, rng = 10_000, np.random.default_rng(5)
    signs = np.repeat([0, 1], [minus, k - minus])
    ways = math.comb(n, k) * math.comb(k, minus) << k.bit_length()
    for _ in range(20):
        positions = np.sort(rng.choice(n, k, replace=False))
        data = encode_few(positions, rng.permutation(signs), 2, n)
        assert len(data) <= -(-ways.bit_length() // 8)


@pytest.mark.parametrize(
    "positions", [[], [3, 3], [5, 2], [-1, 4], [9999], list(range(MAX_FEW + 1))]
)
def test_other_positions_are_not_written(positions):
    with pytest.raises(ValueError, match="increasing"):
        encode_few(np.array(positions, dtype=np.int64), np.zeros(len(positions), np.int64), 1, 9999)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 39, 41, 200, 2**60])
@pytest.mark.parametrize("data", ["", "ff" * 60, "80" * 30 + "00", "01" * 50_000])
def test_what_no_positions_give_is_refused(data, k):
    """Too few bytes or too many, a number that is too large, more positions than there may be."""
    with pytest.raises(RemoteProtocolError):
        decode_few(bytes.fromhex(data), 3, k, 40 if k < 200 else 900)


@pytest.mark.parametrize("m", [0, MAX_SYMBOLS + 1])
def test_other_numbers_of_symbols_are_refused(m):
    with pytest.raises(RemoteProtocolError, match=f"of {m} symbols"):
        decode_few(b"\1", m, 1, 9)


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_damage_gives_positions_or_the_error(share):
    """What is accepted is increasing and in range."""
    positions = np.flatnonzero(np.random.default_rng(1).random(900) < share)
    k, accepted = positions.size, 0
    whole = encode_few(positions, positions % 4, 4, 900)
    for i, (_, data) in enumerate(mutations([whole], 10_000, seed=4)):
        if not refused(lambda data=data: decode_few(data, 4, k, 900)):
            found, symbols = decode_few(data, 4, k, 900)
            assert (k, k) == (found.size, symbols.size)
            assert (np.diff(found, prepend=-1) > 0).all()
            assert found[-1] < 900
            assert symbols.max() < 4
            if i % 50 == 0:
                assert list(zip(found, symbols, strict=True)) == plain.few(data, k, 900, 4)
            accepted += 1
    assert 0 < accepted < 9_000


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_positions_that_flock_are_not_like_random_ones(share):
    """Random sets are; those whose gaps are nearly all small are not."""
    rng, n = np.random.default_rng(3), 100_000
    for _ in range(50):
        assert like_random(np.flatnonzero(rng.random(n) < share), n)
    assert not like_random(np.append(np.arange(int(share * n)), n - 1), n)
