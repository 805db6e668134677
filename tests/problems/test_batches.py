"""Batches beyond the kit: subsets enumerated, draws that are unbiased, noise of the quadratics."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from netcomp.data import Shard
from netcomp.draw import Draw
from netcomp.laws import evidence
from netcomp.problems import PROBLEMS, LinearProblem, QuadraticHomogeneous, QuadraticScaledIdentity
from netcomp.problems.normals import BLOCK
from netcomp.roles import Batch

LINEAR = [name for name, entry in PROBLEMS.items() if issubclass(entry, LinearProblem)]
ROWS = 5
ALARM = 1e-6


def oracle(name, *, sparse=False, **options):
    rng = np.random.default_rng(3)
    features = rng.normal(size=(ROWS, 3)) * (rng.random((ROWS, 3)) < 0.7)
    shard = Shard(csr_matrix(features) if sparse else features, np.array([1.0, -1, -1, 1, -1]))
    options = {"l2": 0.2, "bias": True} | options
    return PROBLEMS.get(name)(**options).oracle(shard, 0, 1, Draw(0))


class Chosen(Batch):
    """A batch whose rows are told."""

    def __new__(cls, rows, *, replace):
        batch = object.__new__(cls)
        object.__setattr__(batch, "chosen", np.array(rows))
        return batch

    def __init__(self, rows, *, replace):
        super().__init__(len(rows), Draw(0), replace=replace)

    def rows(self, count):
        return self.chosen


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("replace", [False, True])
def test_the_mean_over_all_batches_is_the_gradient(name, size, replace):
    """All subsets without replacement, all sequences with it, equally often."""
    own, x = oracle(name), np.array([0.3, -1.0, 2.0, 0.5])
    every = product(range(ROWS), repeat=size) if replace else combinations(range(ROWS), size)
    found = [own.gradient(x, Chosen(rows, replace=replace)) for rows in every]
    np.testing.assert_allclose(np.mean(found, axis=0), own.gradient(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("replace", [False, True])
def test_drawn_batches_are_unbiased(name, replace):
    """400 keys: a bias of half the deviation is found, none is alleged but once in 10⁶."""
    own, x, size = oracle(name), np.array([0.3, -1.0, 2.0, 0.5]), 2
    full = own.gradient(x)
    singles = np.array([own.gradient(x, Chosen([j], replace=True)) for j in range(ROWS)])
    square = np.mean(np.sum((singles - full) ** 2, axis=1)) / size
    errors = np.array(
        [own.gradient(x, Batch(size, Draw(1, t), replace=replace)) - full for t in range(400)]
    )
    needed = np.log(errors.shape[1] / ALARM)
    assert evidence.nonzero(errors, square, 1e-12).max() < needed
    assert evidence.nonzero(errors + np.sqrt(square) / 2, 1.25 * square, 1e-12).max() > needed
    # With replacement the variance is that of one sample over the size, exactly.
    squares = np.sum(errors**2, axis=1)
    assert evidence.above(squares, square * (1 + 1e-9)) < needed
    assert evidence.above(squares, square / 4) > needed


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_sparse_batches_equal_dense_ones(name, replace, size):
    x = np.array([0.3, -1.0, 2.0, 0.5])
    for t in range(5):
        batch = Batch(size, Draw(2, t), replace=replace)
        a, b = (oracle(name, sparse=sparse).gradient(x, batch) for sparse in (False, True))
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


# Noise without rows


def quadratic(dim=6, noise=2.0):
    return QuadraticHomogeneous(dim=dim, noise=noise).oracle(None, 0, 1, Draw(0))


@pytest.mark.parametrize("size", [1, 16])
def test_noise_has_the_variance_asked_for(size):
    """E‖ξ‖² = noise²/b within five deviations of 4000 draws, and no coordinate has a mean."""
    own, count, d = quadratic(), 4000, 6
    x = np.ones(d)
    errors = np.array(
        [own.gradient(x, Batch(size, Draw(3, t))) - own.gradient(x) for t in range(count)]
    )
    variance = 4.0 / size
    squares = np.sum(errors**2, axis=1)
    np.testing.assert_allclose(
        squares.mean(), variance, atol=5 * variance * np.sqrt(2 / (d * count))
    )
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=5 * np.sqrt(variance / d / count))


def test_a_batch_has_the_same_noise_at_two_points():
    """A two-point difference is that of the exact gradients, to rounding."""
    own, batch = quadratic(), Batch(3, Draw(1, 5, worker=2))
    x, y = np.arange(6.0), np.ones(6)
    expected = own.gradient(x) - own.gradient(y)
    np.testing.assert_allclose(
        own.gradient(x, batch) - own.gradient(y, batch), expected, atol=1e-14
    )
    assert not np.allclose(own.gradient(x, batch), own.gradient(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_made_in_blocks_and_keeps_the_dtype(dtype):
    """Longer than a block: no two blocks are alike, the stream is the key's own."""
    own = QuadraticScaledIdentity(dim=BLOCK + 7, noise=1.0, linear="zero").oracle(
        None, 0, 1, Draw(0)
    )
    noise = own.gradient(np.zeros(own.dim, dtype), Batch(1, Draw(9)))
    assert noise.dtype == dtype
    assert np.unique(noise).size > 0.9 * own.dim
    np.testing.assert_allclose(np.sum(noise.astype(float) ** 2), 1.0, atol=0.05)


def test_without_noise_every_batch_is_exact():
    own = quadratic(noise=0.0)
    x = np.arange(6.0)
    assert own.gradient(x).tolist() == own.gradient(x, Batch(7, Draw(1))).tolist()
    for size in (0, -1):
        with pytest.raises(ValueError, match="batch of"):
            own.gradient(x, Batch(size, Draw(1)))
