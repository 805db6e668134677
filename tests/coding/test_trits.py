"""Five ternary digits a byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coding.mutations import DAMAGED, mutations, refused
from netcomp.coding.trits import pack_trits, unpack_trits
from netcomp.errors import RemoteProtocolError


@given(st.lists(st.integers(0, 2), max_size=60))
def test_round_trip_in_the_layout_of_the_docstring(digits):
    """Digit i stands in byte i mod m with the weight 3^⌊i/m⌋."""
    m = -(-len(digits) // 5)
    expected = [0] * m
    for i, digit in enumerate(digits):
        expected[i % m] += digit * 3 ** (i // m)
    data = pack_trits(np.array(digits, dtype=np.uint8))
    assert expected == data.tolist()
    assert digits == unpack_trits(data, len(digits)).tolist()


@pytest.mark.parametrize("count", [327_679, 327_681, 1_000_003])
def test_round_trip_in_many_chunks(count):
    digits = np.random.default_rng(count).integers(0, 3, count).astype(np.uint8)
    np.testing.assert_array_equal(digits, unpack_trits(pack_trits(digits), count))


def test_golden():
    digits = np.array([2, 2, 1, 2, 0, 1, 0, 2, 2, 2, 1, 1, 1], dtype=np.uint8)
    assert "8f2f31" == pack_trits(digits).tobytes().hex()


@pytest.mark.parametrize("digit", [3, 255])
def test_other_digits_are_not_written(digit):
    with pytest.raises(ValueError, match="0, 1 or 2"):
        pack_trits(np.array([0, digit], dtype=np.uint8))


@pytest.mark.parametrize(
    ("text", "count"),
    [("f3", 5), ("ff", 5), ("03", 1), ("0000", 5), ("", 1), ("00", 0), ("00", 2**60)],
)
def test_what_no_digits_give_is_refused(text, count):
    """A byte above 242, a digit after the last one, a wrong length."""
    with pytest.raises(RemoteProtocolError):
        unpack_trits(bytes.fromhex(text), count)


def test_damage_gives_the_same_bytes_again_or_the_error():
    digits = np.random.default_rng(1).integers(0, 3, 48).astype(np.uint8)
    for _, data in mutations([pack_trits(digits).tobytes()], DAMAGED, seed=4):
        if not refused(lambda data=data: unpack_trits(data, digits.size)):
            assert data == pack_trits(unpack_trits(data, digits.size)).tobytes()
