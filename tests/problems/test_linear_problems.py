"""Linear models: gradients, bias, sparsity, labels and the constants of the theorems."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from netcomp.constants import exact
from netcomp.data import Dataset, Shard, equal, load
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.problems import (
    PROBLEMS,
    LeastSquares,
    LinearProblem,
    Logistic,
    NonconvexLogistic,
    linear_constants,
    rows,
)
from support.cases import values

NAMES = [name for name, entry in PROBLEMS.items() if issubclass(entry, LinearProblem)]
OPTIONS = [{}, {"bias": True}, {"l2": 0.3}, {"bias": True, "l2": 0.01, "smoothness": "row-norm"}]
WORKERS = 3


def dataset(seed=0, rows=30, width=6):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, width)) * (generator.random((rows, width)) < 0.6)
    return Dataset("toy", features, np.where(generator.random(rows) < 0.4, -1.0, 1.0), "0")


def oracles(problem, data, workers=WORKERS):
    data = problem.prepare(data)
    problem = problem.settled(data)
    parts = equal(data.rows, workers).parts
    return [problem.oracle(data.take(p), i, workers, Draw(0)) for i, p in enumerate(parts)]


def points(dim, count=1, scale=1.0):
    return np.random.default_rng(5).normal(scale=scale, size=(count, 2, dim))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS)
def test_gradient_is_the_derivative_of_loss(name, options):
    """Central differences of the loss along every coordinate agree with the gradient."""
    oracle = oracles(PROBLEMS.get(name)(**options), dataset())[0]
    x, h = points(oracle.dim)[0, 0], 1e-5
    steps = h * np.eye(oracle.dim)
    differences = [(oracle.loss(x + e) - oracle.loss(x - e)) / (2 * h) for e in steps]
    np.testing.assert_allclose(oracle.gradient(x), differences, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_is_fresh_and_keeps_the_dtype(name, dtype):
    """float32 in gives float32 out, near the float64 result; no call sees another's array."""
    oracle = oracles(PROBLEMS.get(name)(bias=True, l2=0.1), dataset())[0]
    x = points(oracle.dim)[0, 0].astype(dtype)
    before, first = x.copy(), oracle.gradient(x)
    second = oracle.gradient(x)
    assert first.dtype == dtype
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, x)
    assert x.tolist() == before.tolist()
    assert type(oracle.loss(x)) is float
    np.testing.assert_allclose(first, oracle.gradient(x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS)
def test_sparse_equals_dense(name, options):
    """The storage of the features changes no value, gradient or constant."""
    data = dataset()
    thin = Dataset(data.name, csr_matrix(data.features), data.targets, data.digest)
    problem = PROBLEMS.get(name)(**options)
    full, sparse = oracles(problem, data), oracles(problem, thin)
    x = points(full[0].dim)[0, 0]
    for a, b in zip(full, sparse, strict=True):
        np.testing.assert_allclose(b.loss(x), a.loss(x), rtol=1e-13)
        np.testing.assert_allclose(b.gradient(x), a.gradient(x), rtol=1e-12, atol=1e-15)
        assert values(b.constants) == pytest.approx(values(a.constants), rel=1e-12)
    assert values(problem.joint(sparse)) == pytest.approx(values(problem.joint(full)), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("smoothness", ["spectral", "row-norm"])
def test_bias_is_a_column_of_ones_in_front(name, smoothness):
    """The implied column and a real one give the same problem."""
    data = dataset()
    ones = np.hstack([np.ones((data.rows, 1)), data.features])
    wide = Dataset(data.name, ones, data.targets, data.digest)
    entry = PROBLEMS.get(name)
    implied = oracles(entry(bias=True, l2=0.1, smoothness=smoothness), data)[0]
    real = oracles(entry(bias=False, l2=0.1, smoothness=smoothness), wide)[0]
    x = points(7)[0, 0]
    assert implied.dim == real.dim == 7
    np.testing.assert_allclose(implied.loss(x), real.loss(x), rtol=1e-13)
    np.testing.assert_allclose(implied.gradient(x), real.gradient(x), rtol=1e-12)
    assert values(implied.constants) == pytest.approx(values(real.constants), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_no_pair_of_points_violates_a_constant(name, options, scale):
    """L and mu hold for every f_i, the joint L for f, between random points."""
    problem = PROBLEMS.get(name)(**options)
    own = oracles(problem, dataset())
    joint = values(problem.joint(own))["L"]
    for x, y in points(own[0].dim, count=200, scale=scale):
        distance = np.linalg.norm(x - y)
        changes = [o.gradient(x) - o.gradient(y) for o in own]
        for oracle, change in zip(own, changes, strict=True):
            assert np.linalg.norm(change) <= oracle.constants["L"].value * distance * (1 + 1e-12)
            mu = values(oracle.constants).get("mu", -np.inf)
            assert change @ (x - y) >= mu * distance**2 * (1 - 1e-12)
        assert np.linalg.norm(np.mean(changes, axis=0)) <= joint * distance * (1 + 1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS)
def test_joint_smoothness_is_at_most_the_mean(name, options):
    """L ≤ (1/n) Σ L_i, and spectral bounds are at most those by row norms."""
    entry = PROBLEMS.get(name)
    own = oracles(entry(**options), dataset())
    mean = np.mean([o.constants["L"].value for o in own])
    assert values(entry(**options).joint(own))["L"] <= mean * (1 + 1e-12)
    rough = oracles(entry(**{**options, "smoothness": "row-norm"}), dataset())
    for a, b in zip(own, rough, strict=True):
        assert a.constants["L"].value <= b.constants["L"].value * (1 + 1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_least_squares_constants_are_those_of_the_hessians(bias):
    """All by dense eigenvalues of A_i = X_iᵀX_i/m + l2·I; L_A and L_B of MARINA-P Theorem 4.9."""
    problem, data = LeastSquares(bias=bias, l2=0.2), dataset()
    own = oracles(problem, data)
    full = np.hstack([np.ones((data.rows, 1)), data.features])[:, not bias :]
    eye = np.eye(full.shape[1])
    samples = [[np.outer(a, a) + 0.2 * eye for a in s] for s in np.split(full, WORKERS)]
    hessians = [np.mean(each, axis=0) for each in samples]
    mean = np.mean(hessians, axis=0)
    norms = [np.linalg.norm(A, 2) for A in hessians]
    for oracle, A, each in zip(own, hessians, samples, strict=True):
        spectrum = np.linalg.eigvalsh(A)
        expected_own = {
            "L": spectrum[-1],
            "mu": spectrum[0],
            "calL": sqrt(top(np.mean([(A_j - A) @ (A_j - A) for A_j in each], axis=0))),
            "L_sample": max(np.linalg.norm(A_j, 2) for A_j in each),
        }
        assert values(oracle.constants) == pytest.approx(expected_own, rel=1e-12)
        assert {"exact"} == {constant.origin for constant in oracle.constants.values()}
    expected = {
        "L": np.linalg.norm(mean, 2),
        "L_A": sqrt(2) * max(np.linalg.norm(A - mean, 2) for A in hessians),
        "L_B": sqrt(2) * np.mean(norms),
        "L_pm": sqrt(top(np.mean([(A - mean) @ (A - mean) for A in hessians], axis=0))),
        "mu": np.linalg.eigvalsh(mean)[0],
    }
    assert values(problem.joint(own)) == pytest.approx(expected, rel=1e-12)


def top(symmetric):
    return np.linalg.eigvalsh(symmetric)[-1]


def test_least_squares_smoothness_is_attained():
    """Along the top eigenvector the gradient changes by exactly L times the step."""
    oracle = oracles(LeastSquares(), dataset())[0]
    along = np.linalg.eigh(oracle.design.moment())[1][:, -1]
    change = oracle.gradient(along) - oracle.gradient(0 * along)
    np.testing.assert_allclose(np.linalg.norm(change), oracle.constants["L"].value, rtol=1e-12)


def test_wide_least_squares_leave_the_matrices_out():
    """Beyond d = 2000 there are no L_A and L_B, and mu is the regulariser alone."""
    problem = LeastSquares(l2=0.5)
    own = oracles(problem, load("digits-pairs"), workers=10)
    joint = problem.joint(own)
    assert set(joint) == {"L", "L_pm", "mu"}
    assert own[0].dim == 2144
    assert own[0].constants["mu"] == joint["mu"] == exact(0.5)
    assert joint["L"].value <= np.mean([o.constants["L"].value for o in own])


def test_a_linear_oracle_counts_its_rows():
    """`rows` is the number of rows of the shard, `constants` cannot be changed."""
    oracle = oracles(Logistic(), dataset())[1]
    assert oracle.rows == 10
    with pytest.raises(TypeError):
        oracle.constants["L"] = 0.0


@pytest.mark.parametrize("entry", [Logistic, NonconvexLogistic])
def test_labels_are_decided_over_all_rows(entry):
    """Sorted by label, each shard holds one class, and it is the right one."""
    raw = Dataset("sorted", np.ones((4, 1)), np.array([1.0, 1.0, 2.0, 2.0]), "0")
    own = oracles(entry(), raw, workers=2)
    assert [o.targets.tolist() for o in own] == [[-1.0, -1.0], [1.0, 1.0]]
    x = np.array([1.0])
    assert own[0].gradient(x)[0] > 0 > own[1].gradient(x)[0]


@pytest.mark.parametrize("entry", [Logistic, NonconvexLogistic])
def test_labels_that_are_not_two_are_refused(entry):
    """Three classes cannot be prepared, and a shard not prepared is refused."""
    raw = Dataset("three", np.ones((3, 1)), np.array([0.0, 1.0, 2.0]), "0")
    with pytest.raises(DataError, match="exactly two distinct labels"):
        entry().prepare(raw)
    with pytest.raises(DataError, match="prepare"):
        entry().oracle(raw.take(np.arange(2)), 0, 1, Draw(0))


def test_least_squares_take_targets_as_they_are():
    """Regression targets are not touched."""
    data = load("diabetes")
    assert LeastSquares().prepare(data) is data


@pytest.mark.parametrize("name", NAMES)
def test_no_oracle_without_rows(name):
    """No shard, or an empty one, is a data error that names the worker."""
    for shard in (None, Shard(np.ones((0, 2)), np.ones(0))):
        with pytest.raises(DataError, match="worker 4"):
            PROBLEMS.get(name)().oracle(shard, 4, 5, Draw(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options", [{"l2": "L"}, {"l2": "-1*L"}, {"l2": "1e999*L"}, {"l2": "0.1"}, {"l2": "nan*L"}]
)
def test_an_l2_as_text_is_a_multiple_of_smoothness(name, options):
    """Nothing else is understood as text."""
    with pytest.raises(ValidationError, match="multiple of L"):
        PROBLEMS.get(name)(**options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["0.5*L", "5e-1 * L", "0.5*l"])
def test_a_relative_l2_is_settled_over_all_rows(name, text):
    """The same number whatever the split: sup|ℓ''| max ‖a‖² of all rows, the bias too."""
    data, problem = dataset(), PROBLEMS.get(name)(l2=text, bias=True)
    longest = 1 + np.sum(data.features**2, axis=1).max()
    expected = 0.5 * problem.scalar.curvatures.modulus * longest
    for workers in (1, 3):
        own = oracles(problem, data, workers)
        assert [expected] * workers == pytest.approx([o.l2 for o in own], rel=1e-14)
        zero = np.zeros(own[0].dim)
        slope = own[0].gradient(zero + 1) - oracles(
            PROBLEMS.get(name)(bias=True, l2=0), data, workers
        )[0].gradient(zero + 1)
        np.testing.assert_allclose(slope, expected, rtol=1e-12)
    with pytest.raises(SpecError, match="settle"):
        problem.oracle(data.signed().take(np.arange(3)), 0, 1, Draw(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options", [{"l2": -1}, {"l2": float("inf")}, {"smoothness": "best"}, {"biass": True}]
)
def test_impossible_options_are_refused(name, options):
    """Hyper-parameters are checked, unknown ones refused."""
    with pytest.raises(ValidationError):
        PROBLEMS.get(name)(**options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("smoothness", ["spectral", "row-norm"])
def test_average_smoothness_is_at_most_the_papers(name, smoothness):
    """ℒ_i ≤ max_j L_ij (MARINA, after Assumption 3.1), by row norms √(mean (sup|ℓ''| ‖a_j‖²)²)."""
    problem = PROBLEMS.get(name)(l2=0.1, smoothness=smoothness)
    for own in oracles(problem, dataset()):
        squares = problem.scalar.curvatures.modulus * own.design.squared_norms()
        rough = sqrt(np.mean(squares**2))
        assert own.constants["calL"].value <= rough * (1 + 1e-12)
        assert rough <= own.constants["L_sample"].value
        if smoothness == "row-norm":
            assert own.constants["calL"].value == pytest.approx(rough, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_lanczos_gives_the_same_constants(monkeypatch, name):
    """Dense matrices and matrix-vector products agree, local and joint."""
    problem = PROBLEMS.get(name)(l2=0.1, bias=True, smoothness="spectral")
    data = dataset(rows=60, width=9)
    dense = oracles(problem, data)
    expected = [values(o.constants) for o in dense] + [values(problem.joint(dense))]
    monkeypatch.setattr(rows, "DENSE", 0)
    own = oracles(problem, data)
    found = [values(o.constants) for o in own] + [values(problem.joint(own))]
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_equal_shards_have_no_hessian_variance(monkeypatch, name):
    """The same rows everywhere: what all share vanishes, also for Lanczos."""
    data = dataset(rows=10)
    twice = Dataset("twice", np.vstack([data.features] * 2), np.tile(data.targets, 2), "0")
    problem = PROBLEMS.get(name)(smoothness="spectral")
    own = oracles(problem, twice, workers=2)
    half = problem.scalar.curvatures.high - problem.scalar.curvatures.low
    expected = half / 2 * own[0].design.top_eigenvalue
    for limit in (rows.DENSE, 0):
        monkeypatch.setattr(rows, "DENSE", limit)
        assert values(problem.joint(own))["L_pm"] == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("smoothness", ["spectral", "row-norm"])
@pytest.mark.parametrize("name", NAMES)
def test_one_row_has_no_variance(name, smoothness):
    """Its gradient is ∇f_i: calL = 0 and, where the slopes are bounded, sigma_sq = 0, exactly."""
    problem = PROBLEMS.get(name)(smoothness=smoothness)
    data = replace(dataset(rows=WORKERS), targets=np.array([-1.0, 1.0, 1.0]))
    constants = oracles(problem, data)[0].constants
    assert exact(0.0) == constants["calL"]
    assert constants.get("sigma_sq") == (None if name == "least-squares" else exact(0.0))


def test_joint_constants_are_computed_when_asked_for(monkeypatch):
    """Looking one up costs nothing of the others."""
    problem = LeastSquares()
    own = oracles(problem, dataset())
    joint = problem.joint(own)
    monkeypatch.setattr(linear_constants, "top_of_variance", None)
    assert joint["L"].value > 0
    with pytest.raises(TypeError):
        joint["L_pm"]
    with pytest.raises(KeyError):
        joint["sigma_sq"]


def test_joint_constants_need_oracles_of_this_problem():
    """Nothing, or somebody else's oracles, is a mistake of the caller."""
    foreign = PROBLEMS.get("quadratic-homogeneous")(dim=3).oracle(None, 0, 1, Draw(0))
    for wrong in ([], [foreign]):
        with pytest.raises(TypeError):
            Logistic().joint(wrong)
