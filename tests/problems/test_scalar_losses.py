"""The scalar losses: slopes, curvature bounds, stability."""

from math import exp, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.problems.losses import LogisticLoss, NonconvexLogisticLoss, SquaredLoss

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
def test_curvature_is_the_supremum_of_the_second_derivative(loss, y):
    """On a fine grid the second derivative reaches the constant and never exceeds it."""
    slopes = loss.slope(GRID, np.full(GRID.size, y))
    steepest = np.abs(np.diff(slopes)).max() / (GRID[1] - GRID[0])
    np.testing.assert_allclose(steepest, loss.curvature, rtol=1e-7)


def test_curvature_of_the_nonconvex_loss():
    """The closed form is the number the experiments of MARINA round to 0.15405."""
    np.testing.assert_allclose(NonconvexLogisticLoss.curvature, 0.1540586, atol=5e-8)


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
