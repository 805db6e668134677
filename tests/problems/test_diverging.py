"""Counter-examples: distributed gradient descent with top-k runs away at the rate computed."""

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest

from netcomp.draw import Draw
from netcomp.problems import Top1Diverges, TopKDiverges
from support.cases import values

EXAMPLES = [
    (Top1Diverges(), 1),
    (TopKDiverges(dim=3, d1=1), 1),
    (TopKDiverges(dim=4, d1=1, b=2.5), 1),
    (TopKDiverges(dim=5, d1=2), 2),
    (TopKDiverges(dim=6, d1=2), 2),
    (TopKDiverges(dim=7, d1=3), 3),
]
examples = pytest.mark.parametrize(("problem", "k"), EXAMPLES, ids=repr)


def oracles(problem, times=1):
    d, d1, _, _ = problem.shape()
    workers = times * comb(d, d1)
    return [problem.oracle(None, i, workers, Draw(0)) for i in range(workers)]


def top(k, v):
    """Return v where its k largest magnitudes stand, ties to the lower index, else 0."""
    kept = np.zeros_like(v)
    chosen = np.argsort(-np.abs(v), kind="stable")[:k]
    kept[chosen] = v[chosen]
    return kept


def descend(own, x, step_size, k, rounds):
    for _ in range(rounds):
        x = x - step_size * np.mean([top(k, oracle.gradient(x)) for oracle in own], axis=0)
    return x


@examples
@pytest.mark.parametrize("step_size", [0.001, 0.3])
def test_dcgd_with_top_k_grows_by_the_factor(problem, k, step_size):
    """x^(r+1) = (1 + η(2b - w) d_1/d) x^r for ten rounds, each from where the last should end.

    Where it does end is off by the last digit, and off the line t·(1, …, 1) that grows eightfold a
    round at d = 7: how far off a machine is after ten depends on how it adds.
    """
    own, factor = oracles(problem), problem.growth(step_size)
    start = problem.x0(own[0].dim, Draw(0))
    for x in (factor**r * start for r in range(10)):
        np.testing.assert_allclose(descend(own, x, step_size, k, 1), factor * x, rtol=1e-13)


def test_the_factor_of_example_1():
    """1 + 11η/6 from (t, t, t), whose gradients are t/2 · (-11, 9, 9) and so on."""
    problem = Top1Diverges(t=0.5)
    gradients = [oracle.gradient(problem.x0(3, Draw(0))).tolist() for oracle in oracles(problem)]
    assert [[-2.75, 2.25, 2.25], [2.25, -2.75, 2.25], [2.25, 2.25, -2.75]] == gradients
    assert 1 + 11 * 0.1 / 6 == pytest.approx(problem.growth(0.1), rel=1e-15)


@pytest.mark.parametrize(("d", "d1"), [(3, 1), (5, 1), (5, 2), (7, 3)])
def test_the_factor_of_example_2(d, d1):
    """The printed 1 + η(2b - 1) d_1/(d_2 + 1) is the true one for d_1 = 1 only."""
    problem = TopKDiverges(dim=d, d1=d1)
    b = (d - d1) + (d - d1) / d1
    printed = 1 + 0.1 * (2 * b - 1) * d1 / (d - d1 + 1)
    assert (d1 == 1) == (printed == pytest.approx(problem.growth(0.1), rel=1e-12))


@pytest.mark.parametrize(("d", "d1"), [(3, 1), (5, 2), (7, 3)])
def test_the_workers_hold_all_subsets(d, d1):
    """a_j is -b on the j-th d_1-subset in lexicographic order, else c, and ⟨a_j, 1⟩ = 1."""
    problem = TopKDiverges(dim=d, d1=d1)
    d2 = d - d1
    b, c = d2 + d2 / d1, d1 + 1 / d2 + 1
    for oracle, chosen in zip(oracles(problem), combinations(range(d), d1), strict=True):
        expected = np.where(np.isin(np.arange(d), chosen), -b, c)
        np.testing.assert_allclose(oracle.a, expected, rtol=1e-15)
        np.testing.assert_allclose(oracle.a.sum(), 1, rtol=1e-12)


@examples
def test_the_full_gradient_converges(problem, k):
    """It is the compressor that diverges: with all coordinates the same workers reach 0."""
    own = oracles(problem)
    step_size = 1 / values(problem.joint(own))["L"]
    end = descend(own, problem.x0(own[0].dim, Draw(0)), step_size, own[0].dim, 500)
    np.testing.assert_allclose(end, 0, atol=1e-3)


@examples
@pytest.mark.parametrize("times", [1, 2])
def test_constants_are_those_of_the_dense_matrices(problem, k, times):
    """L_i, mu_i, L, mu, L_A and L_B (MARINA-P, Theorem 4.9), for a multiple of workers too."""
    own = oracles(problem, times)
    d, _, _, w = problem.shape()
    hessians = [2 * np.outer(oracle.a, oracle.a) + w * np.eye(d) for oracle in own]
    mean = np.mean(hessians, axis=0)
    for oracle, hessian in zip(own, hessians, strict=True):
        spectrum = np.linalg.eigvalsh(hessian)
        expected = {"L": spectrum[-1], "mu": spectrum[0]}
        assert values(oracle.constants) == pytest.approx(expected, rel=1e-12)
    spectrum = np.linalg.eigvalsh(mean)
    expected = {
        "L": spectrum[-1],
        "mu": spectrum[0],
        "L_A": sqrt(2) * max(np.linalg.norm(hessian - mean, 2) for hessian in hessians),
        "L_B": sqrt(2) * np.mean([np.linalg.norm(hessian, 2) for hessian in hessians]),
    }
    assert values(problem.joint(own)) == pytest.approx(expected, rel=1e-12)


@examples
def test_the_minimum_is_at_zero(problem, k):
    """f(0) = 0 = f*, and every worker's gradient vanishes there."""
    own = oracles(problem)
    zero = np.zeros(own[0].dim)
    assert [0.0] * len(own) == [oracle.loss(zero) for oracle in own]
    assert {0.0} == {float(np.abs(oracle.gradient(zero)).max()) for oracle in own}
    assert zero.tolist() == problem.optimum(own).x.tolist()
    assert 0.0 == problem.minimum(own)
