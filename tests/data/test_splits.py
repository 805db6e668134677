"""Splits: equal shares, nothing twice, the remainder dropped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.data import SPLITS, equal, shuffled
from netcomp.draw import Draw
from netcomp.errors import SpecError


@given(
    st.sampled_from(["equal", "shuffled"]),
    st.integers(1, 60),
    st.integers(0, 200),
    st.integers(0, 2**64 - 1),
)
def test_parts_are_disjoint_and_equal(name, workers, extra, seed):
    """There are n parts of ⌊rows / n⌋ distinct rows each, and what is left is dropped."""
    rows = workers + extra
    split = SPLITS.get(name)(rows, workers, Draw(seed))
    assert [part.size for part in split.parts] == [rows // workers] * workers
    assert split.dropped == rows % workers
    dealt = np.concatenate(split.parts)
    assert dealt.dtype == np.int64
    assert np.unique(dealt).size == dealt.size
    assert dealt.min() >= 0
    assert dealt.max() < rows


def test_equal_keeps_the_order_of_the_file():
    """Worker i gets the rows [i·m, (i+1)·m)."""
    split = equal(7, 3)
    assert [part.tolist() for part in split.parts] == [[0, 1], [2, 3], [4, 5]]
    assert split.dropped == 1


def test_shuffled_is_the_same_at_every_worker():
    """The order depends on the seed only, not on whose key it is."""
    parts = [np.concatenate(shuffled(50, 5, draw).parts) for draw in (Draw(1), Draw(1, worker=3))]
    assert parts[0].tolist() == parts[1].tolist()
    assert parts[0].tolist() != np.concatenate(shuffled(50, 5, Draw(2)).parts).tolist()
    assert sorted(parts[0].tolist()) == list(range(50))


@pytest.mark.parametrize("name", SPLITS.names())
@pytest.mark.parametrize(("rows", "workers"), [(4, 5), (0, 1), (3, 0)])
def test_nobody_goes_without_rows(name, rows, workers):
    """Fewer rows than workers, or no workers, is a mistake in the spec."""
    with pytest.raises(SpecError) as caught:
        SPLITS.get(name)(rows, workers, Draw(0))
    assert caught.value.field == "cluster.workers"
