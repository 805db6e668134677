"""The gradients written by hand are those automatic differentiation finds."""

import numpy as np
import pytest

from netcomp.data import Shard
from netcomp.draw import Draw
from netcomp.problems import (
    Autoencoder,
    LeastSquares,
    Logistic,
    NonconvexLogistic,
    QuadraticHeterogeneous,
    QuadraticHomogeneous,
    QuadraticScaledIdentity,
)
from netcomp.roles import Batch

torch = pytest.importorskip("torch")

ROWS, WIDTH = 17, 5
RNG = np.random.default_rng(3)
SHARD = Shard(RNG.normal(size=(ROWS, WIDTH)), np.where(RNG.random(ROWS) < 0.4, 1.0, -1.0))
BATCH = Batch(6, Draw(3))


def linear(scalar, problem):
    def f(x, features, targets):
        weights, bias = (x[1:], x[0]) if problem.bias else (x, 0.0)
        return scalar(features @ weights + bias, targets).mean() + problem.l2 / 2 * x @ x

    return f


def autoencoder(problem):
    def f(x, features, _):
        decoder, encoder = x.split(x.numel() // 2)
        product = decoder.view(WIDTH, -1) @ encoder.view(-1, WIDTH)
        apart = features @ product.T - features
        far = product - torch.eye(WIDTH, dtype=x.dtype)
        return apart.square().sum(1).mean() + problem.penalty / 2 * far.square().sum()

    return f


def nonconvex(z, y):
    return (1 - torch.sigmoid(y * z)) ** 2


OVER_ROWS = []
for bias, l2 in ((False, 0.0), (True, 0.3)):
    options = {"bias": bias, "l2": l2}
    OVER_ROWS += [
        (one := Logistic(**options), linear(lambda z, y: torch.log1p(torch.exp(-y * z)), one)),
        (one := LeastSquares(**options), linear(lambda z, y: (z - y) ** 2 / 2, one)),
        (one := NonconvexLogistic(**options), linear(nonconvex, one)),
    ]
OVER_ROWS.append((one := Autoencoder(encoding=2, penalty=0.2), autoencoder(one)))


def by_autograd(f, x, rows=slice(None)):
    point = torch.tensor(x, requires_grad=True)
    value = f(point, torch.tensor(SHARD.features[rows]), torch.tensor(SHARD.targets[rows]))
    value.backward()
    return value.item(), point.grad.numpy()


@pytest.mark.parametrize(("problem", "f"), OVER_ROWS, ids=lambda one: repr(one)[:40])
def test_problems_over_rows(problem, f):
    """Value, gradient and the gradient of a batch, to rounding."""
    oracle = problem.oracle(SHARD, 0, 1, Draw(1))
    x = np.random.default_rng(5).normal(size=oracle.dim)
    value, gradient = by_autograd(f, x)
    assert value == pytest.approx(oracle.loss(x), rel=1e-13)
    np.testing.assert_allclose(oracle.gradient(x), gradient, rtol=1e-11, atol=1e-13)
    _, gradient = by_autograd(f, x, BATCH.rows(ROWS))
    np.testing.assert_allclose(oracle.gradient(x, BATCH), gradient, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "problem",
    [
        QuadraticHomogeneous(dim=9, scale=2.5),
        QuadraticHeterogeneous(dim=9, v=2.0, sigma=1.5),
        QuadraticScaledIdentity(dim=9, linear="own"),
    ],
)
def test_quadratics(problem):
    """(c/2) xᵀMx - bᵀx with the matrix written out."""
    oracle = problem.oracle(None, 1, 3, Draw(1))
    x = np.random.default_rng(5).normal(size=9)
    ones = torch.ones(8, dtype=torch.float64)
    chain = 2 * torch.eye(9, dtype=torch.float64) - torch.diag(ones, 1) - torch.diag(ones, -1)
    matrix = chain / 4 if oracle.tridiagonal else torch.eye(9, dtype=torch.float64)
    b = torch.tensor(np.array(oracle.vector(x.dtype)))

    def f(point, *_):
        return oracle.factor / 2 * point @ matrix @ point - b @ point

    value, gradient = by_autograd(f, x)
    assert value == pytest.approx(oracle.loss(x), rel=1e-12)
    np.testing.assert_allclose(oracle.gradient(x), gradient, rtol=1e-12, atol=1e-13)
