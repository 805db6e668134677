"""Sets and arrangements as whole numbers."""

import math
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.coding.ranks import Reader, arrangement, joined, rank, unrank
from netcomp.errors import RemoteProtocolError


@pytest.mark.parametrize("n", range(9))
def test_every_number_is_one_set(n):
    """Ranks count the sets of one size in the order of their largest positions."""
    for k in range(n + 1):
        sets = sorted(combinations(range(n), k), key=lambda one: one[::-1])
        assert list(range(math.comb(n, k))) == [rank(one) for one in sets]
        assert [list(one) for one in sets] == [unrank(i, k, n) for i in range(len(sets))]


@given(st.sets(st.integers(0, 2**40), min_size=1, max_size=40).map(sorted), st.integers(1, 2**40))
def test_sets_of_a_wide_range_come_back(positions, more):
    assert positions == unrank(rank(positions), len(positions), positions[-1] + more)


@given(st.sets(st.integers(0, 400), min_size=1, max_size=300).map(sorted), st.integers(1, 9))
def test_dense_sets_come_back(positions, more):
    assert positions == unrank(rank(positions), len(positions), positions[-1] + more)


@pytest.mark.parametrize(("k", "m"), [(0, 3), (1, 1), (4, 2), (3, 4), (2, 9)])
def test_every_arrangement_has_its_own_bytes(k, m):
    """All of them, no two alike, read back with nothing left; cut or lengthened ones are not."""
    every = list(product(range(m), repeat=k))
    written = []
    for one in every:
        counts, digits = arrangement(one, m)
        written.append(joined([*counts, *digits]))
    assert len(every) == len(set(written))
    for one, data in zip(every, written, strict=True):
        assert list(one) == read(data, k, m)
        for other in (*(data[:size] for size in range(len(data))), data + b"\0", data + b"\1"):
            with pytest.raises(RemoteProtocolError):
                read(other, k, m)


def read(data, k, m):
    reader = Reader(data)
    symbols = reader.arrangement(k, m, reader.counts(k, m))
    reader.end()
    return symbols


@given(st.lists(st.tuples(st.integers(0, 2**70), st.integers(1, 2**70)), max_size=12))
def test_digits_come_back_in_order(pairs):
    """Any digits below their bases; one byte more or less is noticed."""
    digits = [(digit % base, base) for digit, base in pairs]
    data = joined(digits)
    for found in (data, data[:-1], data + b"\0"):
        reader = Reader(found)
        read = [reader.take(base) for _, base in digits]
        if found is data:
            assert [digit for digit, _ in digits] == read
            reader.end()
        elif len(found) != len(data):
            with pytest.raises(RemoteProtocolError, match="wrong length"):
                reader.end()


def test_a_number_with_more_in_it_than_was_taken_is_refused():
    reader = Reader(b"\7")
    assert reader.take(3) == 1
    with pytest.raises(RemoteProtocolError, match="wrong length or size"):
        reader.end()
