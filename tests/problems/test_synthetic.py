"""Synthetic rows: those of the paper's section 5.1, the same at both ends, never a file."""

from math import sqrt

import numpy as np
import pytest

from netcomp.draw import Draw
from netcomp.problems import LeastSquares, Logistic, SyntheticLeastSquares, SyntheticLogistic
from support.cases import values

KINDS = [SyntheticLeastSquares, SyntheticLogistic]
kinds = pytest.mark.parametrize("kind", KINDS)
DRAW = Draw(3)


def oracles(problem, workers=4):
    return [problem.oracle(None, i, workers, DRAW) for i in range(workers)]


@kinds
def test_the_setting_of_the_paper(kind):
    """By default d = 30, M = 1000; rows standard normal, no two workers' the same."""
    one, other = oracles(kind(), 2)
    assert (1000, 30) == (one.rows, one.dim) == one.design.features.shape
    features = one.design.features
    assert abs(features.mean()) < 5 / sqrt(30_000)
    assert abs((features**2).mean() - 1) < 5 * sqrt(2 / 30_000)
    assert not (features == other.design.features).any()
    assert "heterogeneity=1.0" in repr(kind())


def test_measurements_are_those_of_the_local_solution():
    """b_i - A_i x_i* is white noise of deviation `noise`, 0.1 unless told, exactly 0 without."""
    (oracle,) = oracles(SyntheticLeastSquares(), 1)
    residual = oracle.targets - oracle.design.times(SyntheticLeastSquares().solution(0, DRAW))
    assert abs(residual.mean()) < 5 * sqrt(0.01 / 1000)
    assert abs((residual**2).mean() - 0.01) < 5 * sqrt(2 * 0.01**2 / 1000)
    (louder,) = oracles(SyntheticLeastSquares(noise=3.0), 1)
    np.testing.assert_allclose(
        louder.targets - oracle.targets, (3.0 - 0.1) / 0.1 * residual, rtol=1e-10, atol=1e-12
    )
    silent = SyntheticLeastSquares(noise=0.0)
    for worker, one in enumerate(oracles(silent)):
        assert 0.0 == one.loss(silent.solution(worker, DRAW))


def test_labels_follow_the_local_solution():
    """A label is 1 with probability σ(⟨h, x_i*⟩): counted in bins of the probability."""
    problem = SyntheticLogistic(rows=20_000)
    (oracle,) = oracles(problem, 1)
    assert {-1.0, 1.0} == set(oracle.targets.tolist())
    chances = 1 / (1 + np.exp(-oracle.design.times(problem.solution(0, DRAW))))
    for low in np.arange(0, 1, 0.2):
        inside = (low <= chances) & (chances < low + 0.2)
        surplus = (oracle.targets[inside] == 1).sum() - chances[inside].sum()
        assert abs(surplus) < 5 * sqrt((chances * (1 - chances))[inside].sum())


@kinds
@pytest.mark.parametrize("heterogeneity", [0.0, 0.3, 1.0])
def test_heterogeneity_is_the_share_of_the_workers_own(kind, heterogeneity):
    """E[x_i*²] = 1 and E[x_i* x_j*] = 1 - h per coordinate; with h = 0 all are the same."""
    problem = kind(dim=20_000, heterogeneity=heterogeneity)
    one, other = (problem.solution(worker, DRAW) for worker in (0, 1))
    assert abs((one**2).mean() - 1) < 5 * sqrt(2 / 20_000)
    assert abs((one * other).mean() - (1 - heterogeneity)) < 5 * sqrt(2 / 20_000)
    assert (heterogeneity == 0) == (one.tolist() == other.tolist())


@pytest.mark.parametrize(
    ("problem", "model"),
    [
        (SyntheticLeastSquares(dim=5, rows=9, l2=0.2), LeastSquares(l2=0.2)),
        (SyntheticLogistic(dim=5, rows=9, l2=0.2), Logistic(l2=0.2)),
    ],
)
def test_everything_else_is_the_linear_models(problem, model):
    """Loss, gradient and constants are those of the model over the same rows."""
    own = oracles(problem)
    plain = [model.oracle(problem.data(i, DRAW), i, 4, DRAW) for i in range(4)]
    x = np.arange(5.0) - 2
    for a, b in zip(own, plain, strict=True):
        assert b.loss(x) == a.loss(x)
        assert b.gradient(x).tolist() == a.gradient(x).tolist()
        assert dict(b.constants) == dict(a.constants)
    assert model.joint(plain) == problem.joint(own)
    assert model.minimum(plain) == problem.minimum(own)


def test_least_squares_constants_are_those_of_the_hessians():
    """L_i, mu_i and L by dense eigenvalues of A_iᵀA_i/M: means over rows, not the paper's sums."""
    own = oracles(SyntheticLeastSquares(dim=5, rows=9))
    hessians = [o.design.features.T @ o.design.features / 9 for o in own]
    for oracle, hessian in zip(own, hessians, strict=True):
        spectrum = np.linalg.eigvalsh(hessian)
        known = values(oracle.constants)
        assert (spectrum[-1], spectrum[0]) == pytest.approx((known["L"], known["mu"]), rel=1e-11)
    joint = values(SyntheticLeastSquares(dim=5, rows=9).joint(own))
    assert np.linalg.norm(np.mean(hessians, axis=0), 2) == pytest.approx(joint["L"], rel=1e-12)


@kinds
def test_a_worker_is_the_same_among_any_number(kind):
    """Rows depend on the key and the worker's number only; another seed has others."""
    problem = kind(dim=3, rows=4)
    x = np.ones(3)
    alone = problem.oracle(None, 1, 2, DRAW).gradient(x).tolist()
    assert alone == problem.oracle(None, 1, 50, DRAW).gradient(x).tolist()
    assert alone != problem.oracle(None, 1, 2, Draw(4)).gradient(x).tolist()
