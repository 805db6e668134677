"""LEB128: one spelling a number, singly and in arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coding.mutations import DAMAGED, mutations, refused
from netcomp.coding.varint import (
    MAX_VARINT,
    read_varint,
    read_varints,
    write_varint,
    write_varints,
)
from netcomp.errors import RemoteProtocolError

GOLDEN = {0: "00", 1: "01", 127: "7f", 128: "8001", 300: "ac02", MAX_VARINT: "ff" * 8 + "7f"}


@pytest.mark.parametrize("value", GOLDEN)
def test_golden(value):
    assert GOLDEN[value] == write_varint(value).hex()


@given(st.integers(0, MAX_VARINT), st.binary(max_size=4), st.binary(max_size=4))
def test_round_trip(value, before, after):
    data = write_varint(value)
    read = read_varint(memoryview(before + data + after), len(before))
    assert (value, len(before) + len(data)) == read


@given(st.lists(st.integers(0, 2**35 - 1), max_size=50), st.binary(max_size=4))
def test_an_array_is_its_numbers_one_after_the_other(values, after):
    data = write_varints(np.array(values, dtype=np.int64))
    assert b"".join(map(write_varint, values)) == data
    read, at = read_varints(memoryview(data + after), len(values), 0)
    assert (values, len(data)) == (read.tolist(), at)


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_numbers_out_of_range_are_not_written(value):
    with pytest.raises(ValueError, match="cannot be written"):
        write_varint(value)
    with pytest.raises(ValueError, match="cannot be written"):
        write_varints(np.array([min(value, MAX_VARINT)]))


@pytest.mark.parametrize("text", ["", "80", "8000", "ff00", "ff" * 9 + "01", "80" * 9 + "00"])
def test_what_no_writer_writes_is_refused(text):
    """Cut off, too long, or not the shortest form."""
    data = memoryview(bytes.fromhex(text))
    with pytest.raises(RemoteProtocolError):
        read_varint(data, 0)
    with pytest.raises(RemoteProtocolError):
        read_varints(data, 1, 0)


def test_an_array_of_more_numbers_than_bytes_is_refused():
    with pytest.raises(RemoteProtocolError):
        read_varints(memoryview(b"\x01\x01"), 2**60, 0)


def test_damage_gives_numbers_in_range_or_the_error():
    values = np.array([0, 5, 127, 128, 2**20, 2**34, 7], dtype=np.int64)
    for _, data in mutations([write_varints(values)], DAMAGED, seed=1):
        if not refused(lambda data=data: read_varints(memoryview(data), values.size, 0)):
            read, at = read_varints(memoryview(data), values.size, 0)
            assert data[:at] == write_varints(read)
