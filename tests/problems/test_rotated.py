"""Rotated quadratics: orthogonal to rounding, the spectrum as drawn, the solution exact."""

from math import sqrt

import numpy as np
import pytest

from netcomp.draw import Draw, Purpose
from netcomp.problems import QuadraticRotated
from netcomp.problems.rotations import Rotation
from support.cases import values

WORKERS = 4
PROBLEMS = [
    QuadraticRotated(dim=12, kappa=1000.0),
    QuadraticRotated(dim=12, kappa=100.0, spectra="own", linear="own"),
    QuadraticRotated(dim=12, kappa=10.0, spectra="own", reflections=3),
    QuadraticRotated(dim=5, kappa=1.0),
    QuadraticRotated(dim=2, linear="own"),
    QuadraticRotated(dim=1, spectra="own"),
]
problems = pytest.mark.parametrize("problem", PROBLEMS, ids=repr)


def oracles(problem, workers=WORKERS):
    return [problem.oracle(None, i, workers, Draw(2)) for i in range(workers)]


def dense(rotation, dim):
    return np.column_stack([rotation.times(axis) for axis in np.eye(dim)])


def matrix(oracle):
    U = dense(oracle.rotation, oracle.dim)
    return U @ np.diag(oracle.spectrum) @ U.T


@pytest.mark.parametrize(("dim", "count"), [(1, 0), (2, 1), (7, 0), (7, 3), (7, 6), (100, 99)])
def test_a_rotation_is_the_product_of_its_reflections(dim, count):
    """I - VTVᵀ = H_1 ⋯ H_r, orthogonal to rounding, and `transposed_times` is its inverse."""
    rotation = Rotation.draw(Draw(4), dim, count)
    product = np.eye(dim)
    for v in rotation.V.T:
        product = product @ (np.eye(dim) - 2 * np.outer(v, v))
    U = dense(rotation, dim)
    np.testing.assert_allclose(U, product, atol=1e-14)
    np.testing.assert_allclose(U.T @ U, np.eye(dim), atol=1e-14)
    x = np.random.default_rng(0).normal(size=dim)
    np.testing.assert_allclose(rotation.transposed_times(rotation.times(x)), x, atol=1e-14)


def test_the_first_column_is_a_normal_vector_made_unit():
    """So its direction is uniform; the others follow in the space that is left."""
    normal = Draw(4).stream(Purpose.INIT).normals(9)
    column = Rotation.draw(Draw(4), 9, 8).times(np.eye(9)[0])
    expected = -np.sign(normal[0]) * normal / np.linalg.norm(normal)
    np.testing.assert_allclose(column, expected, atol=1e-15)


def test_rotations_are_uniform_in_their_second_moments():
    """Over many keys E[U_jk²] = 1/d and E[U_jk⁴] = 3/(d(d + 2)), as Haar measure has them."""
    dim, count = 3, 4000
    squares = np.array(
        [dense(Rotation.draw(Draw(s), dim, dim - 1), dim) ** 2 for s in range(count)]
    )
    for power, expected in ((1, 1 / dim), (2, 3 / (dim * (dim + 2)))):
        sample = squares**power
        error = 5 * sample.std(axis=0) / sqrt(count)
        assert (np.abs(sample.mean(axis=0) - expected) < error).all()


@problems
def test_loss_and_gradient_are_those_of_the_dense_matrix(problem):
    """f_i = xᵀA_i x - y_iᵀx, with A_i written out."""
    for oracle in oracles(problem):
        A, y = matrix(oracle), oracle.vector
        x = np.random.default_rng(1).normal(size=oracle.dim)
        np.testing.assert_allclose(oracle.loss(x), x @ A @ x - y @ x, rtol=1e-12)
        np.testing.assert_allclose(oracle.gradient(x), 2 * A @ x - y, rtol=1e-11, atol=1e-12)


@problems
def test_constants_are_those_of_the_dense_matrices(problem):
    """L_i, mu_i, L, mu, L_A and L_B by eigenvalues (MARINA-P, Theorems 4.5 and 4.9)."""
    own = oracles(problem)
    hessians = [2 * matrix(oracle) for oracle in own]
    mean = np.mean(hessians, axis=0)
    for oracle, hessian in zip(own, hessians, strict=True):
        spectrum = np.linalg.eigvalsh(hessian)
        expected = {"L": spectrum[-1], "mu": spectrum[0]}
        assert values(oracle.constants) == pytest.approx(expected, rel=1e-12)
    spectrum = np.linalg.eigvalsh(mean)
    apart = max(np.linalg.norm(hessian - mean, 2) for hessian in hessians)
    size = np.mean([np.linalg.norm(hessian, 2) for hessian in hessians])
    expected = {"L": spectrum[-1], "mu": spectrum[0], "L_A": sqrt(2) * apart}
    expected["L_B"] = sqrt(2) * size if problem.spectra == "own" else expected["L"]
    assert values(problem.joint(own)) == pytest.approx(expected, rel=1e-11, abs=1e-12)


@problems
def test_the_solution_is_where_the_mean_gradient_vanishes(problem):
    """∇f(x*) = 0 and f(x*) = f*."""
    own = oracles(problem)
    found = problem.optimum(own)
    x = found.x
    np.testing.assert_allclose(np.mean([o.gradient(x) for o in own], axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.mean([o.loss(x) for o in own]), found.value.value, rtol=1e-11)


@pytest.mark.parametrize("kappa", [10.0, 100.0, 1000.0])
def test_the_setting_of_figure_7(kappa):
    """One worker, d = 100, D in (1, κ), y in (0, 1), not far from their expected means."""
    (oracle,) = oracles(QuadraticRotated(kappa=kappa), workers=1)
    assert 100 == oracle.dim == oracle.vector.size
    for drawn, least, most in ((oracle.spectrum, 1, kappa), (oracle.vector, 0, 1)):
        assert least <= drawn.min() < drawn.max() <= most
        deviation = (most - least) / sqrt(12 * 100)
        assert abs(drawn.mean() - (least + most) / 2) < 5 * deviation


def test_the_spectrum_is_exact():
    """D comes from the words of the stream by one product and one sum: L and mu are no estimate."""
    (oracle,) = oracles(QuadraticRotated(dim=7, kappa=10.0), workers=1)
    drawn = 1 + 9.0 * Draw(2).stream(Purpose.INIT).uniforms(7)
    assert drawn.tolist() == oracle.spectrum.tolist()
    assert {"L": 2 * drawn.max(), "mu": 2 * drawn.min()} == values(oracle.constants)


def test_workers_share_what_the_options_say():
    """One rotation for all; spectra and vectors as asked."""
    for spectra in ("shared", "own"):
        for linear in ("shared", "own"):
            one, other = oracles(QuadraticRotated(dim=6, spectra=spectra, linear=linear), 2)
            assert one.rotation is other.rotation
            assert (spectra == "shared") == (one.spectrum.tolist() == other.spectrum.tolist())
            assert (linear == "shared") == (one.vector.tolist() == other.vector.tolist())


def test_a_large_dimension_with_few_reflections():
    """In 200,000 dimensions nothing of d × d is kept, and x* is as exact."""
    problem = QuadraticRotated(dim=200_000, reflections=5)
    own = oracles(problem, 1)
    gradient = own[0].gradient(problem.optimum(own).x)
    np.testing.assert_allclose(gradient, 0, atol=1e-11)
