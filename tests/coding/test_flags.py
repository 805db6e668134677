"""Set bits are where flags say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.coding.flags import count_ones, invert, ones


@given(st.integers(0, 3000), st.sampled_from([0.0, 0.001, 0.02, 0.3, 1.0]), st.integers(0, 99))
def test_ones_are_where_the_flags_are(count, share, seed):
    flags = np.random.default_rng(seed).random(count) < share
    assert np.flatnonzero(flags).tolist() == ones(np.packbits(flags)).tolist()
    assert np.count_nonzero(flags) == count_ones(np.packbits(flags))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64])
def test_the_other_way_round_nothing_is_set_behind_the_flags(count):
    flags = np.random.default_rng(count).random(count) < 0.5
    raw = np.packbits(flags)
    invert(raw, count)
    np.testing.assert_array_equal(np.packbits(~flags), raw)


@pytest.mark.parametrize("stride", [1, 3, 8, 16])
def test_ones_of_every_byte(stride):
    """All 256 of them, next to each other and with zeros between."""
    raw = np.zeros(256 * stride, dtype=np.uint8)
    raw[::stride] = np.arange(256)
    assert np.flatnonzero(np.unpackbits(raw)).tolist() == ones(raw).tolist()
    assert np.flatnonzero(np.unpackbits(raw[::stride])).tolist() == ones(raw[::stride]).tolist()
    assert count_ones(raw) == count_ones(raw[::stride]) == 1024


@pytest.mark.parametrize("share", [0.001, 0.09, 0.2])
def test_ones_of_more_than_a_piece(share):
    flags = np.random.default_rng(2).random(2_500_001) < share
    assert np.array_equal(np.flatnonzero(flags), ones(np.packbits(flags)))
    assert np.count_nonzero(flags) == count_ones(np.packbits(flags))


@pytest.mark.parametrize("place", [0, 7, 8, 15, 16, 1_000_006])
def test_a_single_one_among_many_bits(place):
    flags = np.zeros(1_000_007, bool)
    flags[place] = True
    assert [place] == ones(np.packbits(flags)).tolist()
