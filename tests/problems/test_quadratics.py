"""Quadratics without data: matrices never made, constants exact."""

import tracemalloc
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from netcomp.draw import Draw, Purpose
from netcomp.problems import (
    PROBLEMS,
    ModuleProblem,
    QuadraticHeterogeneous,
    QuadraticHomogeneous,
    QuadraticScaledIdentity,
)
from netcomp.problems.normals import BLOCK, dot, normal_vector
from support.cases import values

WORKERS = 4
PROBLEM_LIST = [
    QuadraticHomogeneous(dim=9, scale=2.5),
    QuadraticHomogeneous(dim=1),
    QuadraticHeterogeneous(dim=8, v=2.0, sigma=1.5),
    QuadraticHeterogeneous(dim=1, v=0.5, sigma=20.0),
    QuadraticHeterogeneous(dim=7, sigma=0.0),
    QuadraticScaledIdentity(dim=6, variance=4.0),
    QuadraticScaledIdentity(dim=6, linear="zero"),
    QuadraticScaledIdentity(dim=1, linear="own"),
    QuadraticScaledIdentity(dim=5, linear="own", noise=2.0),
]
problems = pytest.mark.parametrize("problem", PROBLEM_LIST, ids=repr)


def oracles(problem, seed=0, workers=WORKERS):
    return [problem.oracle(None, i, workers, Draw(seed)) for i in range(workers)]


def matrix(oracle):
    """A_i as a dense matrix, from its definition."""
    d = oracle.dim
    base = 0.25 * (2 * np.eye(d) - np.eye(d, k=1) - np.eye(d, k=-1))
    return oracle.factor * (base if oracle.tridiagonal else np.eye(d))


def linear_part(oracle):
    b = oracle.vector(np.dtype(np.float64))
    return np.zeros(oracle.dim) if b is None else b


@problems
def test_loss_and_gradient_are_those_of_the_dense_matrix(problem):
    """f_i = ½ xᵀA_i x - b_iᵀx and its gradient, against the matrix written out."""
    for oracle in oracles(problem):
        A, b = matrix(oracle), linear_part(oracle)
        x = np.random.default_rng(1).normal(size=oracle.dim)
        np.testing.assert_allclose(oracle.loss(x), 0.5 * x @ A @ x - b @ x, rtol=1e-12)
        np.testing.assert_allclose(oracle.gradient(x), A @ x - b, rtol=1e-12, atol=1e-14)


@problems
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_is_fresh_and_keeps_the_dtype(problem, dtype):
    """float32 in gives float32 out, and neither x nor b is handed out."""
    oracle = oracles(problem)[0]
    x = np.random.default_rng(1).normal(size=oracle.dim).astype(dtype)
    before, gradient = x.copy(), oracle.gradient(x)
    assert gradient.dtype == dtype
    assert x.tolist() == before.tolist()
    assert type(oracle.loss(x)) is float
    gradient += 1
    np.testing.assert_allclose(oracle.gradient(x), gradient - 1, rtol=1e-5, atol=1e-5)


@problems
def test_constants_are_those_of_the_dense_matrix(problem):
    """L = ‖A_i‖; mu = λ_min(A_i) exactly when that is positive."""
    for oracle in oracles(problem):
        spectrum = np.linalg.eigvalsh(matrix(oracle))
        largest = np.abs(spectrum).max()
        expected = {"L": largest, "L_sample": largest, "calL": 0.0, "sigma_sq": problem.noise**2}
        if spectrum[0] > 0:
            expected["mu"] = spectrum[0]
        assert values(oracle.constants) == pytest.approx(expected, rel=1e-12)


@problems
def test_joint_constants_are_those_of_the_dense_matrices(problem):
    """Theorem 4.9, or 4.5 where all functions are the same."""
    own = oracles(problem)
    matrices = [matrix(oracle) for oracle in own]
    mean = np.mean(matrices, axis=0)
    variance = np.mean([(A - mean) @ (A - mean) for A in matrices], axis=0)
    expected = {
        "L": np.linalg.norm(mean, 2),
        "L_A": sqrt(2) * max(np.linalg.norm(A - mean, 2) for A in matrices),
        "L_B": sqrt(2) * np.mean([np.linalg.norm(A, 2) for A in matrices]),
        "L_pm": sqrt(np.linalg.norm(variance, 2)),
    }
    if mean[0, 0] > 0:
        expected["mu"] = np.linalg.eigvalsh(mean)[0]
    if len({oracle.factor for oracle in own}) == 1:
        vectors = np.array([linear_part(oracle) for oracle in own])
        expected["b_sq"] = np.mean(np.sum((vectors - vectors.mean(axis=0)) ** 2, axis=1))
    if isinstance(problem, QuadraticHomogeneous):
        expected.update(L_A=0.0, L_B=expected["L"])
    assert values(problem.joint(own)) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert values(problem.joint(own))["L"] <= np.mean([o.constants["L"].value for o in own]) * (
        1 + 1e-12
    )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROBLEM_LIST), st.integers(0, 2**32), st.floats(0, 1), st.floats(0.01, 10))
def test_functional_inequality_holds(problem, seed, together, spread):
    """‖(1/n) Σ (∇f_i(x + u_i) - ∇f_i(x))‖² ≤ L_A² (1/n) Σ ‖u_i‖² + L_B² ‖(1/n) Σ u_i‖² (9).

    The u_i range from cancelling each other to being the same.
    """
    own = oracles(problem, seed % 7)
    generator = np.random.default_rng(seed)
    x, common = generator.normal(size=(2, problem.dim))
    u = spread * generator.normal(size=(WORKERS, problem.dim))
    u = together * common + (1 - together) * (u - u.mean(axis=0))
    change = np.mean(
        [o.gradient(x + s) - o.gradient(x) for o, s in zip(own, u, strict=True)], axis=0
    )
    joint = values(problem.joint(own))
    apart = joint["L_A"] ** 2 * np.mean(np.sum(u**2, axis=1))
    right = apart + joint["L_B"] ** 2 * np.sum(np.mean(u, axis=0) ** 2)
    scale = max(o.constants["L"].value for o in own) ** 2 * (1 + np.sum(u**2))
    assert np.sum(change**2) <= right + 1e-12 * scale


@problems
def test_smoothness_is_attained(problem):
    """Along the top eigenvector the gradient changes by exactly L_i times the step."""
    for oracle in oracles(problem):
        top = np.linalg.eigh(matrix(oracle) * np.sign(oracle.factor))[1][:, -1]
        change = oracle.gradient(top) - oracle.gradient(0 * top)
        np.testing.assert_allclose(np.linalg.norm(change), oracle.constants["L"].value, rtol=1e-12)


@problems
def test_the_minimum_is_where_the_mean_gradient_vanishes(problem):
    """f* = f(A⁻¹b) where A is positive definite."""
    own = oracles(problem)
    A = np.mean([matrix(o) for o in own], axis=0)
    best = np.linalg.solve(A, np.mean([linear_part(o) for o in own], axis=0))
    expected = np.mean([o.loss(best) for o in own]) if A[0, 0] > 0 else None
    assert problem.minimum(own) == pytest.approx(expected, rel=1e-11, abs=1e-14)


def test_an_indefinite_mean_has_no_minimum():
    """With a wide spread a factor may be negative: no mu, no minimum."""
    problem = QuadraticScaledIdentity(dim=2, variance=100.0)
    own = next(o for seed in range(50) if (o := problem.oracle(None, 0, 1, Draw(seed))).factor < 0)
    assert problem.minimum([own]) is None
    assert "mu" not in own.constants
    assert "mu" not in problem.joint([own])


@problems
def test_both_ends_derive_the_same_problem(problem):
    """The key decides: whose key is at hand does not matter, the seed does."""
    here, there = oracles(problem), [problem.oracle(None, 2, WORKERS, Draw(0, worker=2))]
    assert here[2].factor == there[0].factor
    assert linear_part(here[2]).tolist() == linear_part(there[0]).tolist()
    other = oracles(problem, seed=1)[2]
    assert problem.x0(3, Draw(0, worker=1)).tolist() == problem.x0(3, Draw(0)).tolist()
    fixed = isinstance(problem, QuadraticHomogeneous) or getattr(problem, "sigma", 1) == 0
    assert (other.factor == here[2].factor) == fixed


def test_factors_stay_within_the_interval():
    """Algorithm 3: v + ξ_i lies in [0, 2v], also when σ is far larger than v."""
    problem = QuadraticHeterogeneous(dim=1, v=0.01, sigma=100.0)
    factors = np.array([o.factor for o in oracles(problem, workers=50)])
    assert factors.min() >= 0
    assert factors.max() <= 0.02
    assert np.unique(factors).size == 50


def test_factors_have_the_variance_asked_for():
    """Section F.1: 1 + ξ_i with ξ_i ~ N(0, 0.01), over 4000 workers (five deviations)."""
    factors = np.array([o.factor for o in oracles(QuadraticScaledIdentity(dim=1), workers=4000)])
    np.testing.assert_allclose(factors.mean(), 1, atol=5 * 0.1 / sqrt(4000))
    np.testing.assert_allclose(factors.var(), 0.01, atol=5 * 0.01 * sqrt(2 / 4000))


def test_workers_without_heterogeneity_have_l_a_zero():
    """σ = 0 means the same A_i everywhere, to the last bit."""
    problem = QuadraticHeterogeneous(dim=5, v=0.1, sigma=0)
    assert values(problem.joint(oracles(problem, workers=10)))["L_A"] == 0.0


def test_vectors_are_shared_or_own():
    """One array for all workers, or one each, never from the stream of the factor."""
    shared = oracles(QuadraticScaledIdentity(dim=4))
    assert shared[0].vector(np.dtype(float)) is shared[3].vector(np.dtype(float))
    own = oracles(QuadraticScaledIdentity(dim=4, linear="own"))
    values = np.concatenate([linear_part(o) for o in own])
    xi = Draw(0, worker=0).stream(Purpose.INIT).normals(1)
    assert np.unique(np.concatenate([values, xi])).size == 17


def test_the_start_is_not_the_optimum():
    """Zeros, except where b = 0 makes zero the minimum."""
    assert QuadraticScaledIdentity(dim=5).x0(5, Draw(0)).tolist() == [0.0] * 5
    problem = QuadraticScaledIdentity(dim=5, linear="zero")
    start = problem.x0(5, Draw(0))
    assert np.linalg.norm(problem.oracle(None, 0, 1, Draw(0)).gradient(start)) > 0.1
    assert start.flags.writeable


def test_ten_million_coordinates_in_float32():
    """Constants need no vector; a gradient needs itself, b and one temporary at most."""
    problem = QuadraticScaledIdentity(dim=10_000_000)
    x = np.ones(problem.dim, dtype=np.float32)
    tracemalloc.start()
    own = oracles(problem, workers=20)
    problem.joint(own)
    constants_peak = tracemalloc.get_traced_memory()[1]
    gradient = own[0].gradient(x)
    loss = own[0].loss(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert constants_peak < 1_000_000
    assert peak < 2 * x.nbytes + 10_000_000
    assert gradient.dtype == np.float32
    b = own[0].vector(x.dtype)
    assert gradient[-1] == np.float32(own[0].factor) * x[-1] - b[-1]
    np.testing.assert_allclose(loss, 0.5 * own[0].factor * 1e7 - b.sum(dtype=np.float64), rtol=1e-9)


@pytest.mark.parametrize("dim", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_vectors_are_made_and_multiplied_in_blocks(dim):
    """A shorter vector is no prefix beyond the last block, but every block is the stream's."""
    vector = normal_vector(Draw(3), dim, np.float64)
    stream = Draw(3).stream(Purpose.INIT)
    sizes = [min(BLOCK, dim - start) for start in range(0, dim, BLOCK)]
    assert vector.tolist() == np.concatenate([stream.normals(size) for size in sizes]).tolist()
    np.testing.assert_allclose(dot(vector, vector), vector @ vector, rtol=1e-12)
    assert not vector.flags.writeable


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quadratic-homogeneous", {"dim": 0}),
        ("quadratic-homogeneous", {"scale": 0}),
        ("quadratic-heterogeneous", {"v": 0}),
        ("quadratic-heterogeneous", {"sigma": -1}),
        ("quadratic-heterogeneous", {"v": 1, "sigma": 1e5}),
        ("quadratic-scaled-identity", {"variance": -1}),
        ("quadratic-scaled-identity", {"linear": "some"}),
        ("quadratic-scaled-identity", {"dim": 2**31}),
    ],
)
def test_impossible_options_are_refused(name, options):
    """Hyper-parameters are checked before anything is drawn."""
    with pytest.raises(ValidationError):
        PROBLEMS.get(name)(**options)


def test_joint_constants_need_oracles():
    """No oracle is a mistake of the caller."""
    with pytest.raises(TypeError):
        QuadraticHomogeneous().joint([])


@pytest.mark.parametrize(("name", "entry"), list(PROBLEMS.items()))
def test_every_problem_introduces_itself(name, entry):
    """Each has a one-line summary and says whether it needs data; defaults are valid."""
    assert entry.summary
    assert "\n" not in entry.summary
    assert isinstance(entry.needs_data, bool)
    problem = entry()
    if not isinstance(problem, ModuleProblem):  # whose d is the module's
        assert problem.x0(4, Draw(0)).shape == (4,)
    assert entry(**problem.model_dump()) == problem
