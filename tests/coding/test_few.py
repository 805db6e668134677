"""A few positions with numbers, in one string of bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coding import plain
from coding.mutations import mutations, refused
from netcomp.coding.few import MAX_FEW, decode_few, encode_few, like_random
from netcomp.errors import RemoteProtocolError

sets = st.sets(st.integers(0, 5000), min_size=1, max_size=60).map(sorted)


@settings(deadline=None)
@given(sets, st.integers(0, 9000), st.integers(0, 16), st.integers(0, 2**16))
def test_round_trip_and_the_plain_decoder(positions, more, width, seed):
    """Positions and numbers come back; the docstring is enough to read them."""
    k, n = len(positions), positions[-1] + 1 + more
    numbers = np.random.default_rng(seed).integers(0, 1 << width, k)
    data = encode_few(np.array(positions), numbers, width, n)
    found = decode_few(data, width, k, n)
    assert (positions, numbers.tolist()) == tuple(part.tolist() for part in found)
    assert list(zip(positions, numbers.tolist(), strict=True)) == plain.few(data, k, n, width)
    for other in (data[:-1], data + b"\0", data + data):
        with pytest.raises(RemoteProtocolError):
            decode_few(other, width, k, n)


@pytest.mark.parametrize("positions", [[0], [2**31 - 2], [0, 2**31 - 2], list(range(MAX_FEW))])
@pytest.mark.parametrize("width", [0, 1, 16])
@pytest.mark.parametrize("n", [MAX_FEW, 2**31 - 1])
def test_the_ends_of_the_range(positions, width, n):
    """Nearest and farthest positions, as many as there may be, and any width between."""
    positions = [min(position, n - 1) for position in positions]
    numbers = np.full(len(positions), (1 << width) - 1)
    data = encode_few(np.array(positions), numbers, width, n)
    found = decode_few(data, width, len(positions), n)
    assert (positions, numbers.tolist()) == tuple(part.tolist() for part in found)


@pytest.mark.parametrize(
    "positions", [[], [3, 3], [5, 2], [-1, 4], [9999], list(range(MAX_FEW + 1))]
)
def test_other_positions_are_not_written(positions):
    with pytest.raises(ValueError, match="increasing"):
        encode_few(np.array(positions, dtype=np.int64), np.zeros(len(positions), np.int64), 1, 9999)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 39, 41, 2**60])
@pytest.mark.parametrize("data", ["", "00", "80" * 20, "ff" * 20, "01" * 50_000])
def test_what_no_positions_give_is_refused(data, k):
    """No bytes, too few ones or too many, more positions or bytes than there may be."""
    with pytest.raises(RemoteProtocolError):
        decode_few(bytes.fromhex(data), 3, k, 40)


def test_damage_gives_positions_or_the_error():
    """What is accepted is increasing and in range."""
    positions = np.flatnonzero(np.random.default_rng(1).random(900) < 0.02)
    k, accepted = positions.size, 0
    whole = encode_few(positions, positions % 4, 2, 900)
    for _, data in mutations([whole], 20_000, seed=4):
        if not refused(lambda data=data: decode_few(data, 2, k, 900)):
            found, numbers = decode_few(data, 2, k, 900)
            assert (np.diff(found, prepend=-1) > 0).all()
            assert found[-1] < 900
            assert numbers.max() < 4
            assert list(zip(found, numbers, strict=True)) == plain.few(data, k, 900, 2)
            accepted += 1
    assert 0 < accepted < 15_000


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_positions_that_flock_are_not_like_random_ones(share):
    """Random sets are; those whose gaps are nearly all small are not."""
    rng, n = np.random.default_rng(3), 100_000
    for _ in range(50):
        assert like_random(np.flatnonzero(rng.random(n) < share), n)
    assert not like_random(np.append(np.arange(int(share * n)), n - 1), n)
