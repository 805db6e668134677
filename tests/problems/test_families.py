"""What every family of the papers' experiments keeps, whatever its functions are."""

import numpy as np
import pytest
from pydantic import ValidationError

from netcomp.data import Dataset, equal
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.problems import (
    PROBLEMS,
    Autoencoder,
    QuadraticHomogeneous,
    QuadraticRotated,
    SyntheticLeastSquares,
    SyntheticLogistic,
    Top1Diverges,
    TopKDiverges,
    ZeroChain,
)
from netcomp.roles import Batch
from support.cases import values

FAMILIES = [
    (QuadraticRotated(dim=9, kappa=100.0), 1),
    (QuadraticRotated(dim=9, kappa=10.0, spectra="own", linear="own"), 4),
    (QuadraticRotated(dim=9, reflections=2, spectra="own"), 3),
    (QuadraticRotated(dim=1, spectra="own", linear="own"), 3),
    (Top1Diverges(t=0.3), 3),
    (TopKDiverges(dim=5, d1=2), 20),
    (TopKDiverges(dim=4, d1=1, b=9.5), 4),
    (ZeroChain(dim=11), 3),
    (ZeroChain(dim=11, division="halves", L=2.0, scale=0.4), 4),
    (ZeroChain(dim=10, division="whole", scale=3.0), 2),
    (ZeroChain(dim=2), 4),
    (ZeroChain(dim=1), 2),
    (SyntheticLeastSquares(dim=6, rows=20, l2=0.1), 3),
    (SyntheticLogistic(dim=6, rows=20, heterogeneity=0.5, l2=0.1), 3),
    (SyntheticLogistic(dim=1, rows=3), 2),
    (Autoencoder(encoding=2, penalty=0.3), 3),
    (Autoencoder(encoding=8, penalty=0.0), 2),
    (Autoencoder(encoding=1), 1),
]
families = pytest.mark.parametrize(("problem", "workers"), FAMILIES, ids=repr)

WIDTH = 5  # features of the rows made up below


def oracles(problem, workers, seed=0):
    if not problem.needs_data:
        return [problem.oracle(None, i, workers, Draw(seed)) for i in range(workers)]
    features = np.random.default_rng(seed).normal(size=(8 * workers, WIDTH))
    data = Dataset("toy", features, np.zeros(8 * workers), "0")
    parts = equal(data.rows, workers).parts
    return [problem.oracle(data.take(part), i, workers, Draw(seed)) for i, part in enumerate(parts)]


def points(dim, count, scale=1.0):
    return np.random.default_rng(dim).normal(scale=scale, size=(count, dim))


@families
def test_gradient_is_the_derivative_of_loss(problem, workers):
    """Central differences of every worker's loss along every coordinate agree with its gradient."""
    for oracle in oracles(problem, workers):
        x, h = points(oracle.dim, 1)[0], 1e-6
        steps = h * np.eye(oracle.dim)
        differences = [(oracle.loss(x + e) - oracle.loss(x - e)) / (2 * h) for e in steps]
        np.testing.assert_allclose(oracle.gradient(x), differences, rtol=1e-6, atol=1e-6)


@families
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_is_fresh_and_keeps_the_dtype(problem, workers, dtype):
    """float32 in gives float32 out, near the float64 result; no call sees another's array."""
    for oracle in oracles(problem, workers):
        x = points(oracle.dim, 1)[0].astype(dtype)
        before, first = x.copy(), oracle.gradient(x)
        second = oracle.gradient(x)
        assert (oracle.dim,) == first.shape
        assert dtype == first.dtype
        assert not np.shares_memory(first, second)
        assert not np.shares_memory(first, x)
        assert before.tolist() == x.tolist()
        assert type(oracle.loss(x)) is float
        size = np.abs(first).max()
        wide = oracle.gradient(x.astype(np.float64))
        np.testing.assert_allclose(first, wide, rtol=1e-6, atol=1e-6 * size)
        first += 1
        np.testing.assert_array_equal(second, oracle.gradient(x))


@families
def test_both_ends_hold_the_same_problem(problem, workers):
    """From one key the same functions and the same start, from another key not by accident."""
    one, again = oracles(problem, workers), oracles(problem, workers)
    for a, b in zip(one, again, strict=True):
        x = points(a.dim, 1)[0]
        assert a.gradient(x).tolist() == b.gradient(x).tolist()
        assert dict(a.constants) == dict(b.constants)
    start = problem.x0(one[0].dim, Draw(1))
    assert (one[0].dim,) == start.shape
    assert np.float64 == start.dtype
    assert start.tolist() == problem.x0(one[0].dim, Draw(1)).tolist()
    assert start.flags.writeable


@families
@pytest.mark.parametrize("scale", [0.2, 3.0])
def test_no_pair_of_points_violates_a_constant(problem, workers, scale):
    """L and mu hold for every f_i and the joint ones for f, between random points."""
    own = oracles(problem, workers)
    joint = values(problem.joint(own))
    drawn = points(own[0].dim, 100, scale)
    for x, y in zip(drawn[::2], drawn[1::2], strict=True):
        changes = [oracle.gradient(x) - oracle.gradient(y) for oracle in own]
        known = [values(oracle.constants) for oracle in own]
        for change, constants in zip(
            [*changes, np.mean(changes, axis=0)], [*known, joint], strict=True
        ):
            distance = np.linalg.norm(x - y)
            most, least = constants.get("L", np.inf), constants.get("mu", -np.inf)
            assert np.linalg.norm(change) <= most * distance * (1 + 1e-12)
            assert change @ (x - y) >= least * distance**2 * (1 - 1e-12)


@families
def test_nothing_lies_below_the_minimum(problem, workers):
    """f* is at most f at random points and at the start, where the problem knows it."""
    own = oracles(problem, workers)
    least = problem.minimum(own)
    for x in [*points(own[0].dim, 30, 2.0), problem.x0(own[0].dim, Draw(0))]:
        value = np.mean([oracle.loss(x) for oracle in own])
        assert least is None or least <= value * (1 + 1e-12)
    assert isinstance(problem, SyntheticLeastSquares | SyntheticLogistic) or least is not None


@families
def test_the_mean_over_all_batches_is_the_gradient(problem, workers):
    """Of functions without rows every batch is exact; else rows are the samples.

    All rows without replacement give the gradient itself, to the last bit, and the mean
    gradient of a batch drawn with replacement is that of the rows it names.
    """
    oracle = oracles(problem, workers)[0]
    x = points(oracle.dim, 1)[0]
    exact = oracle.gradient(x)
    if oracle.rows == 0:
        assert exact.tolist() == oracle.gradient(x, Batch(3, Draw(5))).tolist()
        return
    assert exact.tolist() == oracle.gradient(x, Batch(oracle.rows, Draw(5))).tolist()
    each = {}
    for round_ in range(40 * oracle.rows):
        batch = Batch(1, Draw(5, round=round_))
        each.setdefault(int(batch.rows(oracle.rows)[0]), oracle.gradient(x, batch))
    assert oracle.rows == len(each)
    np.testing.assert_allclose(np.mean(list(each.values()), axis=0), exact, rtol=1e-11, atol=1e-12)
    batch = Batch(2 * oracle.rows, Draw(6), replace=True)
    expected = np.mean([each[row] for row in batch.rows(oracle.rows).tolist()], axis=0)
    np.testing.assert_allclose(oracle.gradient(x, batch), expected, rtol=1e-11, atol=1e-12)
    with pytest.raises(ValueError, match="a batch of"):
        oracle.gradient(x, Batch(oracle.rows + 1, Draw(0)))


@families
@pytest.mark.parametrize("size", [0.0, 1e-200, 1e80])
def test_points_of_any_size_are_legal(problem, workers, size):
    """Zero, tiny and huge points give finite gradients, without a warning."""
    for oracle in oracles(problem, workers):
        x = size * points(oracle.dim, 1)[0]
        assert np.isfinite(oracle.gradient(x)).all()


@families
def test_joint_constants_need_oracles_of_this_problem(problem, workers):
    """Nothing, or somebody else's oracles, is a mistake of the caller."""
    foreign = QuadraticHomogeneous(dim=3).oracle(None, 0, 1, Draw(0))
    for wrong in ([], [foreign]):
        with pytest.raises(TypeError):
            problem.joint(wrong)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quadratic-rotated", {"dim": 0}),
        ("quadratic-rotated", {"kappa": 0.5}),
        ("quadratic-rotated", {"kappa": float("inf")}),
        ("quadratic-rotated", {"dim": 5, "reflections": 5}),
        ("quadratic-rotated", {"dim": 20_000}),
        ("quadratic-rotated", {"spectra": "some"}),
        ("top-1-diverges", {"t": 0}),
        ("top-1-diverges", {"dim": 3}),
        ("top-k-diverges", {"dim": 2, "d1": 1}),
        ("top-k-diverges", {"dim": 6, "d1": 3}),
        ("top-k-diverges", {"dim": 30, "d1": 10}),
        ("top-k-diverges", {"dim": 5, "d1": 2, "b": 4.0}),
        ("zero-chain", {"dim": 0}),
        ("zero-chain", {"chance": 0}),
        ("zero-chain", {"scale": 0}),
        ("zero-chain", {"division": "thirds"}),
        ("synthetic-least-squares", {"rows": 0}),
        ("synthetic-least-squares", {"noise": -1}),
        ("synthetic-logistic", {"noise": 1}),
        ("synthetic-logistic", {"heterogeneity": 1.5}),
        ("autoencoder", {"encoding": 0}),
        ("autoencoder", {"penalty": -1}),
    ],
)
def test_impossible_options_are_refused(name, options):
    """Hyper-parameters are checked before anything is drawn."""
    with pytest.raises(ValidationError):
        PROBLEMS.get(name)(**options)


@pytest.mark.parametrize(
    ("problem", "workers"),
    [(Top1Diverges(), 4), (TopKDiverges(), 9), (ZeroChain(division="halves"), 5)],
)
def test_a_number_of_workers_that_cannot_be_is_refused(problem, workers):
    """The error names the key of the spec."""
    with pytest.raises(SpecError, match=r"^cluster\.workers: must be"):
        problem.oracle(None, 0, workers, Draw(0))


@pytest.mark.parametrize("name", PROBLEMS.names())
def test_data_is_asked_for_where_it_is_needed(name):
    """Without a shard a problem that needs data refuses, any other does not.

    Thirty workers are even, and a multiple of three and of C(5, 2).
    """
    problem = PROBLEMS.get(name)()
    if problem.needs_data:
        with pytest.raises(DataError, match="worker 4"):
            problem.oracle(None, 4, 30, Draw(0))
    else:
        assert problem.oracle(None, 4, 30, Draw(0)).dim > 0
