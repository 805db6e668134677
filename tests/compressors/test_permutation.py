"""Permutations evaluated where needed: bijective, the recipe, the same however asked."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from netcomp.compressors.permutation import SORT_LIMIT, Permutation
from netcomp.draw import Draw, Purpose
from support.recipe import PlainStream, plain_permutation

CONFIDENCE = 1 - 1e-6
SIZES = [1, 2, 3, 7, 64, 1000, SORT_LIMIT, SORT_LIMIT + 1, 8191, 8192, 8193, 20_000, 70_001]
seeded = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def permutation(d, seed=1):
    return Permutation(d, Draw(seed).stream(Purpose.SPARSIFIER))


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_is_a_bijection(d, seed):
    """The images of 0 … d−1 are 0 … d−1, each once."""
    images = permutation(d, seed).block(0, d)
    assert np.arange(d).tolist() == np.sort(images).tolist()
    assert np.int64 == images.dtype


@pytest.mark.parametrize("d", [1, 5, SORT_LIMIT, SORT_LIMIT + 1, 8192, 10_007])
def test_is_the_recipe_in_plain_integers(d):
    """The sorted order and the Feistel network written out give the same images."""
    plain = PlainStream(4, purpose=Purpose.SPARSIFIER)
    assert plain_permutation(d, plain) == permutation(d, 4).block(0, d).tolist()


@pytest.mark.parametrize("d", [50, SORT_LIMIT + 1, 2**31 - 1])
@seeded
@given(data=st.data())
def test_a_block_is_a_slice_of_the_whole(d, data):
    """A block is the same whether asked for at once, in pieces, or alone."""
    start = data.draw(st.integers(0, d))
    stop = data.draw(st.integers(start, min(d, start + 200)))
    middle = data.draw(st.integers(start, stop))
    whole = permutation(d).block(start, stop).tolist()
    pieces = [permutation(d).block(*ends).tolist() for ends in ((start, middle), (middle, stop))]
    assert whole == pieces[0] + pieces[1]
    assert len(set(whole)) == stop - start
    assert all(0 <= image < d for image in whole)


def test_a_block_spans_chunks():
    """Blocks longer than a chunk are in one piece what they are in two."""
    d = 100_000
    whole = permutation(d).block(10, d - 10)
    assert whole[40_000:40_100].tolist() == permutation(d).block(40_010, 40_110).tolist()


def test_small_permutations_are_uniform():
    """Chi-square over the 24 orders of four, 100 draws expected of each."""
    seen = dict.fromkeys(permutations(range(4)), 0)
    for seed in range(2400):
        seen[tuple(permutation(4, seed).block(0, 4).tolist())] += 1
    statistic = sum((count - 100) ** 2 / 100 for count in seen.values())
    assert statistic < chi2.ppf(CONFIDENCE, 23)


def test_images_of_a_large_permutation_are_uniform():
    """Chi-square of where single positions land, 16 cells, over 3000 keys."""
    d, cells = 5000, 16
    images = np.array([permutation(d, seed).block(0, 3) for seed in range(3000)])
    edges = np.arange(cells + 1) * d / cells
    for position in range(3):
        seen, _ = np.histogram(images[:, position], bins=edges)
        sizes = np.diff(np.ceil(edges)) * 3000 / d
        assert ((seen - sizes) ** 2 / sizes).sum() < chi2.ppf(CONFIDENCE, cells - 1)
    # Neighbours must part: their distance around the circle is uniform as well.
    apart = np.histogram((images[:, 1] - images[:, 0]) % d, bins=edges)[0]
    assert ((apart - 3000 / cells) ** 2 / (3000 / cells)).sum() < chi2.ppf(CONFIDENCE, cells - 1)


@pytest.mark.parametrize("n", [25, 500])
@pytest.mark.parametrize("apart", [1, 64, 128])
def test_two_coordinates_share_a_block_as_often_as_in_a_uniform_permutation(n, apart):
    """Neighbours in either direction of the grid: in one of n blocks with chance (d/n−1)/(d−1).

    But for 1/d; the mean over 300 keys lies within five of its standard errors.
    """
    d = 5000
    expected = (d // n - 1) / (d - 1)
    shares = []
    for seed in range(300):
        blocks = np.empty(d, dtype=np.int64)
        blocks[permutation(d, seed).block(0, d)] = np.arange(d) * n // d
        shares.append(float(np.mean(blocks[apart:] == blocks[:-apart])))
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - expected) < 1 / d + 5 * error
