"""The scalar losses: slopes, curvature bounds, stability."""

from math import exp, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.problems.losses import Interval, LogisticLoss, NonconvexLogisticLoss, SquaredLoss

LOSSES = [NonconvexLogisticLoss, LogisticLoss, SquaredLoss]
GRID = np.linspace(-8, 8, 200_001)


@pytest.mark.parametrize("loss", LOSSES)
@given(z=st.floats(-20, 20), positive=st.booleans())
def test_slope_is_the_derivative_of_value(loss, z, positive):
    """Central differences of the value agree with the slope."""
    y = np.array([1.0 if positive else -1.0])
    h = 1e-5
    ahead, behind = (loss.value(np.array([z + s]), y) for s in (h, -h))
    np.testing.assert_allclose(loss.slope(np.array([z]), y), (ahead - behind) / (2 * h), atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_curvatures_are_the_range_of_the_second_derivative(loss, y):
    """On a fine grid the second derivative reaches both ends and never leaves them."""
    slopes = loss.slope(GRID, np.full(GRID.size, y))
    second = np.diff(slopes) / (GRID[1] - GRID[0])
    expected = [loss.curvatures.low, loss.curvatures.high]
    np.testing.assert_allclose([second.min(), second.max()], expected, rtol=1e-7, atol=4e-4)
    np.testing.assert_allclose(np.abs(second).max(), loss.curvatures.modulus, rtol=1e-7)


@pytest.mark.parametrize("loss", [NonconvexLogisticLoss, LogisticLoss])
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_slopes_are_the_range_of_the_first_derivative(loss, y):
    """On a fine grid -y ∂ℓ/∂z comes close to both ends and never leaves them."""
    seen = -y * loss.slope(GRID, np.full(GRID.size, y))
    np.testing.assert_allclose([seen.min(), seen.max()], [0.0, loss.slopes.high], atol=4e-4)
    assert loss.slopes.low <= seen.min()
    assert seen.max() <= loss.slopes.high * (1 + 1e-15)


def test_curvature_of_the_logistic_loss():
    """σ(1 - σ), from the slopes' differences."""
    step = GRID[1] - GRID[0]
    second = np.diff(LogisticLoss.slope(GRID, np.ones(GRID.size))) / step
    np.testing.assert_allclose(LogisticLoss.curvature(GRID[:-1] + step / 2), second, atol=1e-9)


def test_curvature_of_the_nonconvex_loss():
    """The closed form is the number the experiments of MARINA round to 0.15405."""
    np.testing.assert_allclose(NonconvexLogisticLoss.curvatures.modulus, 0.1540586, atol=5e-8)


@given(
    ends=st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(sorted),
    seed=st.integers(0, 1000),
)
def test_an_interval_bounds_every_combination(ends, seed):
    """|Σ s_j v_j| ≤ the bound from |Σ v_j| and Σ |v_j|, with equality for a point."""
    interval, rng = Interval(*ends), np.random.default_rng(seed)
    v = rng.normal(size=5)
    s = rng.choice([interval.low, interval.high, rng.uniform(*ends)], size=5)
    together, apart = abs(v.sum()), np.abs(v).sum()
    assert abs(s @ v) <= interval.bound(together, apart) * (1 + 1e-12) + 1e-12
    assert Interval(-2.0, -2.0).bound(together, np.inf) == 2 * together


def test_textbook_values():
    """Values computed by the formulas as they are printed."""
    z, y = np.array([0.0, 1.5, -0.5]), np.array([1.0, -1.0, -1.0])
    t = (y * z).tolist()
    printed = [(1 - 1 / (1 + exp(-v))) ** 2 for v in t]
    np.testing.assert_allclose(NonconvexLogisticLoss.value(z, y), printed, rtol=1e-14)
    np.testing.assert_allclose(LogisticLoss.value(z, y), [log1p(exp(-v)) for v in t], rtol=1e-14)
    assert SquaredLoss.value(z, y).tolist() == [0.5, 3.125, 0.125]


@pytest.mark.parametrize("loss", [NonconvexLogisticLoss, LogisticLoss])
def test_huge_predictions_neither_overflow_nor_warn(loss):
    """Far out the losses take their limits; warnings are errors in this suite."""
    z, y = np.array([1e4, -1e4]), np.ones(2)
    limits = {NonconvexLogisticLoss: [0.0, 1.0], LogisticLoss: [0.0, 1e4]}
    slopes = {NonconvexLogisticLoss: [0.0, 0.0], LogisticLoss: [0.0, -1.0]}
    assert loss.value(z, y).tolist() == limits[loss]
    assert loss.slope(z, y).tolist() == slopes[loss]
