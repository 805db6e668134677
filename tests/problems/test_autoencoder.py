"""The linear autoencoder: the formula written out, its least value, rows never copied."""

import tracemalloc
from math import sqrt

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from netcomp.data import Shard, equal, load
from netcomp.draw import Draw
from netcomp.errors import DataError
from netcomp.problems import Autoencoder, autoencoder
from netcomp.roles import Batch

WORKERS = 3


def shards(rows=36, width=7, seed=0, rank=None):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, width))
    if rank is not None:
        features = generator.normal(size=(rows, rank)) @ generator.normal(size=(rank, width))
    targets = np.zeros(rows)
    return [Shard(features[part], targets[part]) for part in equal(rows, WORKERS).parts]


def oracles(problem, own):
    return [problem.oracle(shard, i, len(own), Draw(0)) for i, shard in enumerate(own)]


def matrices(x, width, encoding):
    half = width * encoding
    return x[:half].reshape(width, encoding), x[half:].reshape(encoding, width)


@pytest.mark.parametrize("encoding", [1, 3, 7, 9])
@pytest.mark.parametrize("block", [1, 5, 2048])
def test_loss_and_gradient_are_the_formula(encoding, block, monkeypatch):
    """(1/m) Σ ‖DEa - a‖² + (λ/2)‖DE - I‖² and its derivatives with DE made, in any blocks."""
    monkeypatch.setattr(autoencoder, "_BLOCK", block)
    problem = Autoencoder(encoding=encoding, penalty=0.7)
    for shard in shards():
        oracle = problem.oracle(shard, 0, WORKERS, Draw(0))
        A = shard.features
        assert (2 * 7 * encoding, 12) == (oracle.dim, oracle.rows)
        x = np.random.default_rng(1).normal(size=oracle.dim)
        D, E = matrices(x, 7, encoding)
        R = D @ E - np.eye(7)
        loss = np.sum((A @ R.T) ** 2) / 12 + 0.35 * np.sum(R**2)
        outer = 2 / 12 * R @ A.T @ A + 0.7 * R
        gradient = np.concatenate([(outer @ E.T).ravel(), (D.T @ outer).ravel()])
        np.testing.assert_allclose(oracle.loss(x), loss, rtol=1e-12)
        np.testing.assert_allclose(oracle.gradient(x), gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_equals_dense(dtype):
    """CSR rows change no value, gradient, batch or least value."""
    problem = Autoencoder(encoding=3)
    dense = [Shard(np.maximum(s.features, 0).astype(dtype), s.targets) for s in shards()]
    thin = [Shard(csr_matrix(s.features), s.targets) for s in dense]
    full, sparse = oracles(problem, dense), oracles(problem, thin)
    x = problem.x0(full[0].dim, Draw(0))
    for a, b in zip(full, sparse, strict=True):
        np.testing.assert_allclose(b.loss(x), a.loss(x), rtol=1e-12)
        for batch in (None, Batch(4, Draw(1)), Batch(50, Draw(1), replace=True)):
            left, right = a.gradient(x, batch), b.gradient(x, batch)
            np.testing.assert_allclose(right, left, rtol=1e-10, atol=1e-12)
    assert problem.minimum(full) == pytest.approx(problem.minimum(sparse), rel=1e-12)


@pytest.mark.parametrize("encoding", [1, 3, 6, 7, 9])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_the_minimum_is_attained_by_the_principal_directions(encoding, penalty):
    """With D = Eᵀ the d_e leading eigenvectors of the mean second moment, f = f* and ∇f = 0."""
    problem = Autoencoder(encoding=encoding, penalty=penalty)
    own = oracles(problem, shards())
    moment = np.mean([s.features.T @ s.features / len(s.features) for s in shards()], axis=0)
    leading = np.linalg.eigh(moment)[1][:, ::-1][:, :encoding]
    D = np.zeros((7, encoding))
    D[:, : leading.shape[1]] = leading
    x = np.concatenate([D.ravel(), D.T.ravel()])
    value = np.mean([oracle.loss(x) for oracle in own])
    assert value == pytest.approx(problem.minimum(own), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(np.mean([o.gradient(x) for o in own], axis=0), 0, atol=1e-12)


def test_rows_of_low_rank_are_encoded_exactly():
    """Without a penalty rows in a plane have f* = 0, and no rounding takes it below."""
    problem = Autoencoder(encoding=2, penalty=0.0)
    least = problem.minimum(oracles(problem, shards(rank=2)))
    assert 0 <= least < 1e-12


def test_the_penalty_is_never_less_than_a_matrix_of_that_rank_allows():
    """‖DE - I‖² ≥ d_f - d_e in exact arithmetic, hence here too."""
    problem = Autoencoder(encoding=2, penalty=2.0)
    oracle = problem.oracle(Shard(np.zeros((1, 7)), np.zeros(1)), 0, 1, Draw(0))
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 2)))[0]
    loss = oracle.loss(np.concatenate([basis.ravel(), basis.T.ravel()]))
    assert 5.0 <= loss == pytest.approx(5.0, rel=1e-14)


def test_zero_is_stationary_and_the_start_is_not():
    """At D = E = 0 every gradient vanishes; x0 is normal of variance 2/(d_f + d_e)."""
    problem = Autoencoder(encoding=16)
    oracle = problem.oracle(Shard(np.ones((4, 784)), np.zeros(4)), 0, 1, Draw(0))
    assert not oracle.gradient(np.zeros(25_088)).any()
    start = problem.x0(25_088, Draw(0))
    assert abs(start.var() - 2 / 800) < 5 * 2 / 800 * sqrt(2 / 25_088)
    assert oracle.gradient(start).any()


def test_no_constant_is_claimed():
    """A quartic has no L, neither has the mean, so a run asks for a step size."""
    problem = Autoencoder(encoding=2)
    own = oracles(problem, shards())
    assert {} == problem.joint(own)
    assert [{}] * WORKERS == [dict(oracle.constants) for oracle in own]


@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_a_solver_reaches_the_least_value(penalty):
    """From x0 a quasi-Newton method ends at f*, not above and not below."""
    problem = Autoencoder(encoding=2, penalty=penalty)
    own = oracles(problem, shards())
    found = minimize(
        lambda x: np.mean([oracle.loss(x) for oracle in own]),
        problem.x0(own[0].dim, Draw(1)),
        jac=lambda x: np.mean([oracle.gradient(x) for oracle in own], axis=0),
        method="L-BFGS-B",
        options={"ftol": 1e-14, "gtol": 1e-7},
    )
    assert problem.minimum(own) == pytest.approx(found.fun, rel=1e-8)


def test_gradient_descent_on_digits_gets_down():
    """On the real digits f falls below half of its start, and not below f*."""
    problem = Autoencoder(encoding=4)
    data = problem.prepare(load("digits"))
    own = oracles(problem, [data.take(part) for part in equal(data.rows, 10).parts])
    x = problem.x0(own[0].dim, Draw(1))
    start = np.mean([oracle.loss(x) for oracle in own])
    for _ in range(30):
        x = x - 0.02 * np.mean([oracle.gradient(x) for oracle in own], axis=0)
    assert problem.minimum(own) <= np.mean([oracle.loss(x) for oracle in own]) < start / 2


def test_a_worker_keeps_its_rows_as_they_are():
    """A view of the data stays one, in its dtype, and targets are not looked at."""
    features = np.ones((10, 6), dtype=np.float32)
    oracle = Autoencoder(encoding=2).oracle(Shard(features[2:7], np.full(5, np.nan)), 0, 2, Draw(0))
    assert np.shares_memory(features, oracle.features)
    assert np.float32 == oracle.features.dtype
    assert 5 == oracle.rows


@pytest.mark.parametrize("rows_as", [np.float32, np.float64])
@pytest.mark.parametrize("x_as", [np.float32, np.float64])
def test_a_gradient_needs_little_beside_its_rows(rows_as, x_as):
    """6000 rows of 784 in blocks: less than 32 MB at the peak, where DE - I alone takes 5 MB."""
    features = np.random.default_rng(0).random((6000, 784), dtype=rows_as)
    problem = Autoencoder()
    oracle = problem.oracle(Shard(features, np.zeros(6000)), 0, 1, Draw(0))
    x = problem.x0(oracle.dim, Draw(0)).astype(x_as)
    tracemalloc.start()
    gradient, loss = oracle.gradient(x), oracle.loss(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25
    wide = problem.oracle(Shard(features.astype(np.float64), np.zeros(6000)), 0, 1, Draw(0))
    exact = wide.gradient(x.astype(np.float64))
    np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())
    assert loss == pytest.approx(wide.loss(x.astype(np.float64)), rel=1e-6)


def test_no_least_value_where_it_is_dear():
    """Beyond 2000 features the eigenvalues are not asked for."""
    problem = Autoencoder(encoding=1)
    oracle = problem.oracle(Shard(csr_matrix((3, 2001)), np.zeros(3)), 0, 1, Draw(0))
    assert problem.minimum([oracle]) is None


def test_no_oracle_without_rows():
    """An empty shard is a data error that names the worker."""
    with pytest.raises(DataError, match="worker 4"):
        Autoencoder().oracle(Shard(np.ones((0, 2)), np.ones(0)), 4, 5, Draw(0))
