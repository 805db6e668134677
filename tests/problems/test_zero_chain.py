"""The zero-chain function: the lemmas it is known for, whole and dealt out."""

from itertools import pairwise
from math import e, erf, exp, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.draw import Draw
from netcomp.problems import ZeroChain
from netcomp.problems.zero_chain import GRADIENT_BOUND, LINK_SMOOTHNESS, SMOOTHNESS
from netcomp.roles import Batch
from support.cases import values

SPLITS = [
    (ZeroChain(dim=13), 1),
    (ZeroChain(dim=13), 2),
    (ZeroChain(dim=13), 5),
    (ZeroChain(dim=3), 7),
    (ZeroChain(dim=13, division="halves"), 2),
    (ZeroChain(dim=12, division="halves"), 6),
    (ZeroChain(dim=13, division="whole"), 3),
    (ZeroChain(dim=1), 1),
    (ZeroChain(dim=2, division="halves"), 2),
]
splits = pytest.mark.parametrize(("problem", "workers"), SPLITS, ids=repr)

# Coordinates around the points where Ψ begins and where it bends, with many exact zeros.
coordinates = st.one_of(st.just(0.0), st.floats(-3, 3), st.sampled_from([0.5, -0.5, 1.0, -1.0]))


def oracles(problem, workers):
    return [problem.oracle(None, i, workers, Draw(0)) for i in range(workers)]


def prog(x):
    """Return the last coordinate that is not zero, counted from 1; 0 if there is none."""
    return int(max(np.flatnonzero(x), default=-1)) + 1


def psi(z):
    return exp(1 - 1 / (2 * z - 1) ** 2) if z > 0.5 else 0.0


def phi(z):
    return sqrt(2 * pi * e) * 0.5 * (1 + erf(z / sqrt(2)))


def chain(x):
    """F_T as printed, eq. (36) of MARINA-P."""
    first = -psi(1) * phi(x[0])
    return first + sum(psi(-a) * phi(-b) - psi(a) * phi(b) for a, b in pairwise(x))


def mean_gradient(own, x):
    return np.mean([oracle.gradient(x) for oracle in own], axis=0)


@splits
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_mean_of_the_workers_is_the_chain(problem, workers, data):
    """(1/n) Σ f_i = F_T: Lemma 4.1 of NEOLITHIC, and f of the proof of Theorem G.4."""
    x = np.array(data.draw(st.lists(coordinates, min_size=problem.dim, max_size=problem.dim)))
    own = oracles(problem, workers)
    np.testing.assert_allclose(
        np.mean([oracle.loss(x) for oracle in own]), chain(x.tolist()), rtol=1e-12, atol=1e-12
    )


@splits
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_only_the_worker_of_the_next_link_gets_ahead(problem, workers, data):
    """prog(∇f_i(x)) ≤ prog(x) + 1 where link prog(x) + 1 is worker i's, else ≤ prog(x).

    MARINA-P, proof of Theorem G.4: worker (prog(x) mod n) + 1; NEOLITHIC, Lemma 4.2: with
    halves not the first if prog(x) is odd, not the second if it is even.
    """
    reached = data.draw(st.integers(0, problem.dim))
    x = np.zeros(problem.dim)
    x[:reached] = data.draw(st.lists(coordinates, min_size=reached, max_size=reached))
    reached = prog(x)
    for worker, oracle in enumerate(oracles(problem, workers)):
        ahead = {
            "workers": reached % workers == worker,
            "halves": reached % 2 == (worker >= workers // 2),
            "whole": True,
        }[problem.division]
        assert prog(oracle.gradient(x)) <= reached + ahead


def test_a_link_that_is_ready_shows_the_next_coordinate():
    """With j coordinates at 1 and the others 0, prog(∇F_T(x)) is j + 1, no more and no less."""
    (oracle,) = oracles(ZeroChain(dim=6), 1)
    reached = [prog(oracle.gradient(np.array([1.0] * j + [0.0] * (6 - j)))) for j in range(6)]
    assert [1, 2, 3, 4, 5, 6] == reached


@splits
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_gradient_is_large_until_the_end(problem, workers, data):
    """‖∇F_T(x)‖_∞ ≥ 1 while prog(x) < T, and never above 23 (Lemmas G.1.3, G.1.5)."""
    reached = data.draw(st.integers(0, problem.dim))
    x = np.zeros(problem.dim)
    x[:reached] = data.draw(st.lists(coordinates, min_size=reached, max_size=reached))
    largest = np.abs(mean_gradient(oracles(problem, workers), x)).max()
    assert largest <= GRADIENT_BOUND
    if prog(x) < problem.dim:
        assert largest >= 1


def test_the_scaled_gradient_is_large_until_the_end():
    """‖∇f(x)‖ > Lλ/152: eq. (40) of MARINA-P."""
    problem = ZeroChain(dim=9, L=3.0, scale=0.2)
    x = np.zeros(9)
    x[:8] = np.random.default_rng(0).normal(scale=0.2, size=8)
    norm = np.linalg.norm(mean_gradient(oracles(problem, 3), x))
    assert norm > 3.0 * 0.2 / 152


@pytest.mark.parametrize("dim", [1, 2, 10, 1000])
def test_the_gap_at_the_start(dim):
    """F_T(0) - inf F_T = √(2πe)(½ + e(T - 1)) ≤ 12T (Lemma G.1.1); far out f comes near it."""
    problem = ZeroChain(dim=dim)
    (oracle,) = oracles(problem, 1)
    least = problem.minimum([oracle])
    gap = oracle.loss(np.zeros(dim)) - least
    assert sqrt(2 * pi * e) * (0.5 + e * (dim - 1)) == pytest.approx(gap, rel=1e-12)
    assert gap <= 12 * dim
    assert least <= oracle.loss(np.full(dim, 1e6)) <= least * (1 - 1e-9)


def hessian(oracle, x, h=1e-5):
    steps = h * np.eye(oracle.dim)
    return np.array([(oracle.gradient(x + s) - oracle.gradient(x - s)) / (2 * h) for s in steps])


@splits
def test_no_hessian_exceeds_the_constants(problem, workers):
    """‖∇²f_i‖ ≤ L_i and ‖∇²f‖ ≤ 152, on points near where Ψ bends most."""
    own = oracles(problem, workers)
    generator = np.random.default_rng(3)
    for _ in range(40):
        x = generator.choice([-1.0, 1.0], problem.dim) * generator.normal(0.77, 0.15, problem.dim)
        x[::2] *= generator.choice([1.0, 4.0])
        each = [hessian(oracle, x) for oracle in own]
        for oracle, one in zip(own, each, strict=True):
            assert np.linalg.norm(one, 2) <= oracle.constants["L"].value * (1 + 1e-6)
        assert np.linalg.norm(np.mean(each, axis=0), 2) <= SMOOTHNESS


def test_the_constants_follow_from_those_of_the_two_factors():
    """sup|Ψ''|√(2πe) + e + 2√54 ≤ 152 for the chain, without e and one √54 for a link."""
    z = np.linspace(0.5001, 6, 400_001)
    values_of_psi = np.exp(1 - (2 * z - 1) ** -2.0)
    bend = np.abs(np.diff(values_of_psi, 2)).max() / (z[1] - z[0]) ** 2
    assert LINK_SMOOTHNESS == pytest.approx(bend * sqrt(2 * pi * e) + sqrt(54), rel=1e-6)
    assert LINK_SMOOTHNESS + e + sqrt(54) <= SMOOTHNESS


def test_half_a_chain_is_not_as_smooth_as_the_whole():
    """Lemma 4.3 of NEOLITHIC says 152; a curvature of 267 is there, within our bound of 2S."""
    oracle = oracles(ZeroChain(dim=2, division="halves"), 2)[1]
    steep = 0.5 + 0.5 / sqrt((9 + sqrt(33)) / 4)  # where |Ψ''| is largest
    curvature = np.linalg.norm(hessian(oracle, np.array([steep, 6.0])), 2)
    assert 267 < curvature <= oracle.constants["L"].value == 2 * LINK_SMOOTHNESS
    assert curvature > SMOOTHNESS


@splits
def test_the_joint_constant_is_the_option(problem, workers):
    """L of f is what was asked for; a part without links has L = 0."""
    own = oracles(problem, workers)
    assert {"L": 152.0} == values(problem.joint(own))
    for oracle in own:
        silent = not any(oracle.gradient(np.full(problem.dim, s)).any() for s in (0.0, 0.8))
        assert silent == (oracle.constants["L"].value == 0.0)


def test_scaling():
    """f(x) = (Lλ²/152) F_T(x/λ)."""
    x = np.random.default_rng(1).normal(size=7)
    plain = oracles(ZeroChain(dim=7), 2)
    scaled = oracles(ZeroChain(dim=7, L=38.0, scale=2.0), 2)
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(b.loss(2 * x), a.loss(x), rtol=1e-14)
        np.testing.assert_allclose(b.gradient(2 * x), a.gradient(x) / 2, rtol=1e-14)
        assert b.constants["L"].value == pytest.approx(a.constants["L"].value / 4, rel=1e-14)
    assert ZeroChain(dim=7, L=38.0, scale=2.0).minimum(scaled) == pytest.approx(
        ZeroChain(dim=7).minimum(plain)
    )


@pytest.mark.parametrize("size", [1, 3])
def test_the_online_oracle_seldom_gets_ahead(size):
    """A batch's gradient is exact up to prog(x); beyond, 0 or more with the mean ∇f_i(x).

    Its variance is at most σ²/size (NEOLITHIC, Example 1, step 2).
    """
    problem = ZeroChain(dim=8, division="whole", chance=0.2, scale=0.5)
    oracle = oracles(problem, 3)[1]
    x = np.zeros(8)
    x[:3] = 0.4, -0.45, 0.5
    exact = oracle.gradient(x)
    drawn = np.array([oracle.gradient(x, Batch(size, Draw(0, round=r))) for r in range(3000)])
    assert [exact[:3].tolist()] * 3000 == drawn[:, :3].tolist()
    assert not drawn[:, 4:].any()
    shares = {round(value / exact[3] * 0.2 * size) for value in drawn[:, 3]}
    assert set(range(size + 1)) == shares
    error = 5 * drawn[:, 3].std() / sqrt(3000)
    assert abs(drawn[:, 3].mean() - exact[3]) < error
    variance = np.mean(np.sum((drawn - exact) ** 2, axis=1))
    assert variance <= oracle.constants["sigma_sq"].value / size
    assert drawn[0].tolist() == oracle.gradient(x, Batch(size, Draw(0))).tolist()


def test_an_online_batch_has_a_sample():
    """No sample is no gradient."""
    with pytest.raises(ValueError, match="a batch of 0"):
        oracles(ZeroChain(chance=0.5), 2)[0].gradient(np.zeros(100), Batch(0, Draw(0)))


def test_the_start_of_the_online_oracle():
    """At x = 0 nothing is known, so a refused sample gives the zero gradient."""
    (oracle,) = oracles(ZeroChain(dim=4, chance=0.1), 1)
    zero = np.zeros(4)
    drawn = [oracle.gradient(zero, Batch(1, Draw(0, round=r))) for r in range(50)]
    exact = float(oracle.gradient(zero)[0])
    assert [exact / 0.1, 0.0] == pytest.approx(sorted({float(g[0]) for g in drawn}), rel=1e-15)
    assert not any(g[1:].any() for g in drawn)
