"""A few positions with numbers, in one string of bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coding import plain
from coding.mutations import mutations, refused
from netcomp.coding.few import MAX_FEW, decode_few, encode_few
from netcomp.errors import RemoteProtocolError

sets = st.sets(st.integers(0, 5000), min_size=1, max_size=60).map(sorted)


@settings(deadline=None)
@given(sets, st.integers(0, 16), st.integers(0, 2**16))
def test_round_trip_and_the_plain_decoder(positions, width, seed):
    """Positions and numbers come back; the docstring is enough to read them."""
    numbers = np.random.default_rng(seed).integers(0, 1 << width, len(positions))
    w, data = encode_few(np.array(positions), numbers, width)
    found = decode_few(data, w, width, positions[-1] + 1)
    assert (positions, numbers.tolist()) == tuple(part.tolist() for part in found)
    assert list(zip(positions, numbers.tolist(), strict=True)) == plain.few(data, w, width)
    with pytest.raises(RemoteProtocolError):
        decode_few(data, w, width, positions[-1])


@pytest.mark.parametrize("positions", [[0], [2**31 - 2], [0, 2**31 - 2], list(range(MAX_FEW))])
@pytest.mark.parametrize("width", [0, 1, 16])
def test_the_ends_of_the_range(positions, width):
    """Nearest and farthest positions, as many as there may be, and any width between."""
    numbers = np.full(len(positions), (1 << width) - 1)
    w, data = encode_few(np.array(positions), numbers, width)
    found = decode_few(data, w, width, 2**31 - 1)
    assert (positions, numbers.tolist()) == tuple(part.tolist() for part in found)


@pytest.mark.parametrize("positions", [[], [3, 3], [5, 2], [-1, 4], list(range(MAX_FEW + 1))])
def test_other_positions_are_not_written(positions):
    with pytest.raises(ValueError, match="increasing"):
        encode_few(np.array(positions, dtype=np.int64), np.zeros(len(positions), np.int64), 1)


@pytest.mark.parametrize("data", ["", "00", "80" * 20, "ff" * 20, "01" * 50_000])
def test_what_no_positions_give_is_refused(data):
    """No bytes, no ones, ones that no number of fields fits, more than there may be."""
    with pytest.raises(RemoteProtocolError):
        decode_few(bytes.fromhex(data), 3, 1, 40)


def test_damage_gives_positions_or_the_error():
    """What is accepted is increasing and in range, and has just one number of positions."""
    positions = np.flatnonzero(np.random.default_rng(1).random(900) < 0.02)
    w, whole = encode_few(positions, positions % 4, 2)
    for _, data in mutations([whole], 20_000, seed=4):
        if not refused(lambda data=data: decode_few(data, w, 2, 900)):
            found, numbers = decode_few(data, w, 2, 900)
            assert (np.diff(found, prepend=-1) > 0).all()
            assert found[-1] < 900
            assert numbers.max() < 4
            assert list(zip(found, numbers, strict=True)) == plain.few(data, w, 2)
