"""Rows as a linear map, and the eigenvalues of their second moment."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from netcomp.problems import rows
from netcomp.problems.rows import Rows, mean_of, mean_top_eigenvalue, positive_bottom, spectral_norm


def random_rows(count, width, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, width)) * (generator.random((count, width)) < 0.4)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(12, 7), (5, 9)])
def test_every_product_is_that_of_the_dense_matrix(shape, bias, sparse):
    """Sparse or not, the implied bias column acts as a column of ones in front."""
    features = random_rows(*shape)
    full = np.hstack([np.ones((shape[0], 1)), features]) if bias else features
    own = Rows(csr_matrix(features) if sparse else features, bias)
    x, r = np.arange(1.0, own.dim + 1), np.arange(1.0, own.count + 1)
    moment = full.T @ full / own.count
    assert (own.count, own.dim) == full.shape
    np.testing.assert_allclose(own.times(x), full @ x, rtol=1e-13)
    np.testing.assert_allclose(own.transposed_times(r), full.T @ r, rtol=1e-13)
    np.testing.assert_allclose(own.moment_times(x), moment @ x, rtol=1e-12)
    np.testing.assert_allclose(own.moment(), moment, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(own.squared_norms(), np.sum(full**2, axis=1), rtol=1e-13)
    eigenvalues = np.linalg.eigvalsh(moment)
    np.testing.assert_allclose(own.top_eigenvalue, eigenvalues[-1], rtol=1e-12)
    np.testing.assert_allclose(positive_bottom(moment), max(eigenvalues[0], 0), atol=1e-13)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(60, 9), (9, 60), (40, 40)])
def test_lanczos_and_dense_solvers_agree(monkeypatch, shape, bias, sparse):
    """The way to an eigenvalue does not change it."""
    features = random_rows(*shape)
    features = csr_matrix(features) if sparse else features
    shards = [Rows(features[:5], bias), Rows(features[3:], bias)]
    difference = shards[0].moment() - shards[1].moment()
    dense = (
        [s.top_eigenvalue for s in shards],
        mean_top_eigenvalue(shards),
        spectral_norm(difference),
    )
    monkeypatch.setattr(rows, "DENSE", 0)
    fresh = [Rows(s.features, bias).top_eigenvalue for s in shards]
    np.testing.assert_allclose(fresh, dense[0], rtol=1e-12)
    np.testing.assert_allclose(mean_top_eigenvalue(shards), dense[1], rtol=1e-12)
    np.testing.assert_allclose(spectral_norm(difference), dense[2], rtol=1e-12)


def test_dependent_columns_have_eigenvalue_zero():
    """Rounding noise is not taken for strong convexity."""
    features = random_rows(50, 6)
    features[:, 5] = features[:, 0] + features[:, 1]
    assert 0.0 == positive_bottom(Rows(features, bias=False).moment())


def test_the_zero_map_has_norm_zero(monkeypatch):
    """Lanczos breaks down on it, the answer is known."""
    monkeypatch.setattr(rows, "DENSE", 0)
    assert spectral_norm(np.zeros((9, 9))) == 0.0


def test_shards_of_unequal_size_weigh_the_same():
    """The mean is over workers, not over rows."""
    shards = [Rows(np.full((1, 1), 3.0), bias=False), Rows(np.ones((9, 1)), bias=False)]
    assert mean_top_eigenvalue(shards) == 5.0


def test_mean_of_arrays():
    """The mean is that of numpy, and no argument is written to."""
    arrays = [np.array([1.0, 2.0]), np.array([3.0, 6.0])]
    assert mean_of(iter(arrays)).tolist() == [2.0, 4.0]
    assert arrays[0].tolist() == [1.0, 2.0]
