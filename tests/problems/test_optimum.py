"""Where f is least: exact for least squares and quadratics, estimated for the logistic loss."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from netcomp.data import Dataset, Shard, UnknownDataSet, load
from netcomp.draw import Draw
from netcomp.problems import LeastSquares, Logistic, NonconvexLogistic, rows, solvers
from netcomp.problems.base import Optimum

MCM_WORKERS = 20


def shards(shape=(30, 6), workers=3, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=shape) * (rng.random(shape) < 0.6)
    targets = np.where(rng.random(shape[0]) < 0.4, -1.0, 1.0)
    bounds = np.linspace(0, shape[0], workers + 1).astype(int) + np.array([0, 2, -3, 0])
    return [Shard(features[a:b], targets[a:b]) for a, b in pairwise(bounds)]


def oracles(problem, pieces):
    return [problem.oracle(piece, i, len(pieces), Draw(0)) for i, piece in enumerate(pieces)]


def mean_loss(own, x):
    return np.mean([oracle.loss(x) for oracle in own])


def mean_gradient(own, x):
    return np.mean([oracle.gradient(x) for oracle in own], axis=0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(30, 6), (30, 40)])
@pytest.mark.parametrize("block", [4, 1000])
def test_least_squares_are_solved_as_one_system(monkeypatch, bias, l2, shape, block):
    """x* is numpy's least-norm solution of all rows, a worker's weighed by 1/m_i; f* its value."""
    monkeypatch.setattr(solvers, "_BLOCK", block)
    problem, pieces = LeastSquares(bias=bias, l2=l2), shards(shape)
    own = oracles(problem, pieces)
    found = problem.optimum(own)
    full = [np.hstack([np.ones((s.rows, 1)), s.features])[:, not bias :] for s in pieces]
    A = np.vstack([B / np.sqrt(3 * len(B)) for B in full] + [np.sqrt(l2) * np.eye(own[0].dim)])
    b = np.concatenate([s.targets / np.sqrt(3 * s.rows) for s in pieces] + [np.zeros(own[0].dim)])
    expected = np.linalg.lstsq(A, b, rcond=1e-12)[0]
    np.testing.assert_allclose(found.x, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.value.value, mean_loss(own, expected), atol=1e-14)
    assert problem.minimum(own) == found.value.value
    assert "exact" == found.value.origin


def test_of_many_solutions_the_shortest_is_taken():
    """With dependent columns the null space adds nothing to x*."""
    pieces = shards((30, 6))
    pieces = [Shard(np.hstack([s.features, s.features[:, :2]]), s.targets) for s in pieces]
    own = oracles(LeastSquares(), pieces)
    x = LeastSquares().optimum(own).x
    np.testing.assert_allclose(x[:2], x[-2:], rtol=1e-9)
    np.testing.assert_allclose(mean_gradient(own, x), 0, atol=1e-13)


@pytest.mark.parametrize("problem", [LeastSquares(l2=0.1), Logistic(l2=0.1, bias=True)])
def test_sparse_data_have_the_same_optimum(problem):
    dense = shards()
    sparse = [Shard(csr_matrix(piece.features), piece.targets) for piece in dense]
    a, b = (problem.optimum(oracles(problem, pieces)) for pieces in (dense, sparse))
    np.testing.assert_allclose(a.x, b.x, rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"l2": 1e-3}, {"bias": True, "l2": 2.0}])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 30.0])
def test_the_logistic_optimum_has_no_gradient(options, scale):
    """To 10⁻¹⁰, told as an estimate, and no point nearby is lower."""
    problem = Logistic(**options)
    pieces = [Shard(scale * piece.features, piece.targets) for piece in shards((200, 6))]
    own = oracles(problem, pieces)
    found = problem.optimum(own)
    assert np.linalg.norm(mean_gradient(own, found.x)) <= 1e-10 * (1 + 1e-3)
    assert "estimated" == found.value.origin
    np.testing.assert_allclose(found.value.value, mean_loss(own, found.x), rtol=1e-14)
    for shift in np.random.default_rng(1).normal(size=(20, own[0].dim)):
        assert mean_loss(own, found.x + 0.1 * shift / scale) > found.value.value


def test_dependent_columns_do_not_stop_newton():
    """A singular Hessian everywhere: x* is not unique, f* is."""
    plain = shards((200, 6))
    twice = [Shard(np.hstack([s.features, s.features]), s.targets) for s in plain]
    a, b = (Logistic().optimum(oracles(Logistic(), pieces)) for pieces in (plain, twice))
    np.testing.assert_allclose(a.value.value, b.value.value, rtol=1e-12)


def test_separable_data_fall_to_zero():
    """There is no x*; what is found is small, and said to be an estimate."""
    pieces = [Shard(np.array([[1.0], [-2.0]]), np.array([1.0, -1.0]))]
    found = Logistic().optimum(oracles(Logistic(), pieces))
    assert 0 <= found.value.value < 1e-9
    assert "estimated" == found.value.origin


def test_no_optimum_where_it_is_too_dear_or_unknown(monkeypatch):
    """A system beyond the limit is not made; the non-convex loss has none."""
    pieces = shards()
    assert NonconvexLogistic().optimum(oracles(NonconvexLogistic(), pieces)) is None
    monkeypatch.setattr(solvers, "LARGEST_SYSTEM", 30)
    for problem in (LeastSquares(), Logistic()):
        assert problem.optimum(oracles(problem, pieces)) is None
        assert problem.minimum(oracles(problem, pieces)) is None


def test_newton_that_does_not_converge_says_nothing(monkeypatch):
    monkeypatch.setattr(solvers, "_STEPS", 2)
    assert Logistic().optimum(oracles(Logistic(), shards())) is None


def test_an_optimum_is_its_callers():
    """Nobody else sees the array."""
    own = oracles(LeastSquares(), shards())
    first, second = (LeastSquares().optimum(own) for _ in range(2))
    assert isinstance(first, Optimum)
    assert not np.shares_memory(first.x, second.x)
    assert rows.DENSE < solvers.LARGEST_SYSTEM


def test_the_split_of_mcm_on_a9a():
    """F* over MCM's 20 clusters, features standardised and a bias, is near 0.3196268.

    Rare features are nearly separable, so a run of iterations stays a little above F*.
    """
    folders = [Path(part) for part in os.environ.get("NETCOMP_DATA", "").split(os.pathsep) if part]
    try:
        raw = load("a9a", folders)
    except UnknownDataSet:
        pytest.skip("the data set a9a is not in NETCOMP_DATA")
    paths = [folder / "splits" / "mcm-a9a-n20.txt" for folder in folders]
    found = [path for path in paths if path.exists()]
    if not found:
        pytest.skip("the split mcm-a9a-n20.txt is not in NETCOMP_DATA")
    owner = np.loadtxt(found[0], dtype=int)
    dense = raw.features.toarray()
    deviation = dense.std(axis=0)
    scaled = (dense - dense.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    problem = Logistic(bias=True)
    data = problem.prepare(Dataset("a9a", scaled, raw.targets, "0"))
    own = oracles(problem, [data.take(np.flatnonzero(owner == i)) for i in range(MCM_WORKERS)])
    found = problem.optimum(own)
    assert np.linalg.norm(mean_gradient(own, found.x)) <= 1e-10 * (1 + 1e-3)
    assert 0.3196268 - 1e-6 < found.value.value <= 0.3196268
    np.testing.assert_allclose(found.value.value, 0.319625948494, atol=1e-11)
