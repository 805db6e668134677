"""Bit strings: fixed fields and unary numbers against the plain definition, damage refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coding.mutations import DAMAGED, mutations, refused
from netcomp.coding.bits import (
    MAX_WIDTH,
    pack_bits,
    pack_unary,
    packed_bytes,
    unpack_bits,
    unpack_unary,
)
from netcomp.errors import RemoteProtocolError


def plain(fields):
    """Return the bytes of a string of 0 and 1."""
    return np.packbits(np.array(list(fields), dtype=np.uint8)).tobytes()


def random_fields(count, width, seed=0):
    values = np.random.default_rng(seed).integers(0, 1 << width, count, dtype=np.uint64)
    return values.astype(np.uint32)


@pytest.mark.parametrize("width", range(1, MAX_WIDTH + 1))
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 65_535, 65_537])
def test_round_trip(width, count):
    values = random_fields(count, width)
    data = pack_bits(values, width)
    assert packed_bytes(count, width) == data.size
    np.testing.assert_array_equal(values, unpack_bits(data, count, width))


@given(st.integers(1, MAX_WIDTH), st.integers(0, 40), st.integers(0, 99))
def test_fields_stand_one_after_the_other_most_significant_bit_first(width, count, seed):
    values = random_fields(count, width, seed)
    fields = "".join(f"{value:0{width}b}" for value in values)
    assert plain(map(int, fields)) == pack_bits(values, width).tobytes()


def test_golden():
    assert "29cb80" == pack_bits(np.array([1, 2, 3, 4, 5, 6, 0], np.uint8), 3).tobytes().hex()
    assert "00000fff0102" == pack_bits(np.array([0, 4095, 258], np.uint16), 16).tobytes().hex()
    assert "1190" == pack_unary(np.array([3, 3, 0, 2])).tobytes().hex()


@given(st.lists(st.integers(0, 70), min_size=1, max_size=60))
def test_a_unary_number_is_its_zeros_and_a_one(values):
    data = pack_unary(np.array(values))
    assert plain(map(int, "".join("0" * value + "1" for value in values))) == data.tobytes()
    assert values == unpack_unary(data, len(values)).tolist()


@pytest.mark.parametrize(
    "values", [np.random.default_rng(1).geometric(0.4, 200_000) - 1, np.full(50_000, 7)]
)
def test_unary_numbers_in_many_chunks(values):
    """Of chunks that meet within a byte, and of such that end with one."""
    flags = np.zeros(values.size + values.sum(), dtype=bool)
    flags[np.cumsum(values + 1) - 1] = True
    data = pack_unary(values)
    np.testing.assert_array_equal(np.packbits(flags), data)
    np.testing.assert_array_equal(values, unpack_unary(data, values.size))


@pytest.mark.parametrize("width", [0, 33, -1])
def test_widths_out_of_range(width):
    with pytest.raises(ValueError, match="1 to 32 bits"):
        pack_bits(np.zeros(1, np.uint8), width)
    with pytest.raises(ValueError, match="1 to 32 bits"):
        unpack_bits(b"", 0, width)


@pytest.mark.parametrize(("value", "width"), [(2, 1), (8, 3), (256, 8), (65_536, 16)])
def test_a_value_that_does_not_fit_is_not_written(value, width):
    with pytest.raises(ValueError, match="too large"):
        pack_bits(np.array([0, value], dtype=np.uint32), width)


@pytest.mark.parametrize(
    ("text", "count", "width"),
    [("", 1, 1), ("0000", 1, 8), ("01", 3, 2), ("01", 7, 1), ("00", 2**60, 32), ("00", 0, 5)],
)
def test_fields_of_a_wrong_length_are_refused(text, count, width):
    with pytest.raises(RemoteProtocolError):
        unpack_bits(bytes.fromhex(text), count, width)


@pytest.mark.parametrize(
    ("text", "count"), [("", 1), ("00", 1), ("8000", 1), ("80", 2), ("c0", 1), ("80", 2**60)]
)
def test_unary_numbers_that_do_not_fill_their_bytes_are_refused(text, count):
    with pytest.raises(RemoteProtocolError):
        unpack_unary(bytes.fromhex(text), count)


def test_damage_gives_the_same_bytes_again_or_the_error():
    values = random_fields(29, 11)
    for _, data in mutations([pack_bits(values, 11).tobytes()], DAMAGED, seed=2):
        if not refused(lambda data=data: unpack_bits(data, values.size, 11)):
            assert data == pack_bits(unpack_bits(data, values.size, 11), 11).tobytes()
    zeros = np.arange(29) % 5
    for _, data in mutations([pack_unary(zeros).tobytes()], DAMAGED, seed=3):
        if not refused(lambda data=data: unpack_unary(data, zeros.size)):
            assert data == pack_unary(unpack_unary(data, zeros.size)).tobytes()
