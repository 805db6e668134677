"""Theorems 6 and 7 of Beznosikov et al.: on numbers, and on compressors of two outcomes."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.compressors import classes

seeded = settings(derandomize=True, deadline=None, max_examples=300, database=None)
positive = st.floats(0.01, 10.0)
SLACK = 1e-9


def moments(outcomes, x):
    """Return E‖C(x)‖², ⟨E C(x), x⟩ and E‖C(x)−x‖² of equally likely outcomes, over ‖x‖²."""
    norm = x @ x
    square = np.mean([c @ c for c in outcomes]) / norm
    along = np.mean([c @ x for c in outcomes]) / norm
    return square, along, square - 2 * along + 1


@st.composite
def compressors(draw):
    """Draw the two equally likely diagonals D of a random C(x) = Dx."""
    entries = st.lists(st.floats(0.01, 3.0), min_size=3, max_size=3)
    return np.array([draw(entries), draw(entries)])


def membership(D):
    """Return the tightest α, γ, β and 1/δ of C(x) = Dx: worst over the unit vectors.

    All three are inequalities between quadratic forms that are diagonal, so the unit vectors
    decide.
    """
    mean, square = D.mean(axis=0), (D**2).mean(axis=0)
    beta = (square / mean).max()
    return square.min(), mean.min(), beta, (2 * mean - square).min()


@seeded
@given(compressors(), positive)
def test_theorem_6_on_diagonal_compressors(D, scale):
    """What the theorem says of C, C/β and λC is implied by what C is, tightest constants."""
    alpha, gamma, beta, kept = membership(D)
    assert alpha <= beta**2 * (1 + SLACK)
    assert gamma <= beta * (1 + SLACK)

    scaled = membership(scale * D)
    np.testing.assert_allclose(classes.b1_scaled(alpha, beta, scale), (scaled[0], scaled[2]))
    np.testing.assert_allclose(classes.b2_scaled(gamma, beta, scale), (scaled[1], scaled[2]))

    assert classes.b1_to_b2(alpha, beta)[0] <= gamma * (1 + SLACK)
    assert classes.b2_to_b1(gamma, beta)[0] <= alpha * (1 + SLACK)
    of_scaled = membership(D / beta)[3]
    assert of_scaled * classes.b1_to_b3(alpha, beta) >= 1 - SLACK
    assert of_scaled * classes.b2_to_b3(gamma, beta) >= 1 - SLACK

    general = classes.b2_scaled_to_b3(gamma, beta, scale)
    assert (general is None) == (scale * beta >= 2)
    if general is not None:
        assert scaled[3] * general >= 1 - SLACK
    if kept > 1e-6:
        delta = 1 / kept
        assert classes.b3_to_b2(delta)[0] <= gamma * (1 + SLACK)
        assert beta <= classes.b3_to_b2(delta)[1] * (1 + SLACK)
        assert classes.b3_to_b1(delta)[0] <= alpha * (1 + SLACK)
        assert classes.b3_to_b1(delta)[1] == 2


@seeded
@given(st.floats(0.01, 1.0), positive)
def test_theorem_7_is_attained(p, scale):
    """x/p with probability p is in U(1/p): λC has exactly the constants of the theorem."""
    zeta = 1 / p
    x = np.array([3.0, -4.0])
    # E‖C‖² = ζ‖x‖² and E C = x, whatever the outcomes.
    square, along, error = scale**2 * zeta, scale, scale**2 * zeta - 2 * scale + 1
    alpha, beta = classes.unbiased_to_b1(zeta, scale)
    gamma, beta2 = classes.unbiased_to_b2(zeta, scale)
    assert alpha <= square * (1 + SLACK)
    assert gamma == along
    np.testing.assert_allclose([beta, beta2], square / along)
    b3 = classes.unbiased_to_b3(zeta, scale)
    if b3 is None:
        assert error >= 1
    else:
        np.testing.assert_allclose(1 - 1 / b3, error, atol=1e-9)
    np.testing.assert_allclose(moments([x / p], x)[0], zeta**2)


@pytest.mark.parametrize(
    ("function", "numbers", "expected"),
    [
        (classes.b1_scaled, (0.25, 1.0, 3.0), (2.25, 3.0)),
        (classes.b1_to_b2, (0.5, 2.0), (0.25, 2.0)),
        (classes.b1_to_b3, (0.5, 2.0), 8.0),
        (classes.b2_scaled, (0.25, 1.0, 3.0), (0.75, 3.0)),
        (classes.b2_to_b1, (0.5, 2.0), (0.25, 2.0)),
        (classes.b2_to_b3, (0.5, 2.0), 4.0),
        (classes.b2_scaled_to_b3, (0.5, 2.0, 0.5), 4.0),
        (classes.b3_to_b2, (4.0,), (0.125, 2.0)),
        (classes.b3_to_b1, (4.0,), (1 / 64, 2.0)),
        (classes.unbiased_to_b1, (4.0, 0.5), (0.25, 2.0)),
        (classes.unbiased_to_b2, (4.0, 0.5), (0.5, 2.0)),
        (classes.unbiased_to_b3, (4.0, 0.25), 4.0),
        (classes.unbiased_to_b3, (4.0, 0.5), None),
    ],
)
def test_the_formulas(function, numbers, expected):
    """Each conversion on numbers that were worked out by hand."""
    assert expected == function(*numbers)


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (classes.b1_to_b2, (2.0, 1.0)),
        (classes.b1_to_b3, (0.0, 1.0)),
        (classes.b1_scaled, (nan, 1.0, 1.0)),
        (classes.b2_to_b1, (2.0, 1.0)),
        (classes.b2_to_b3, (-1.0, 1.0)),
        (classes.b3_to_b2, (0.5,)),
        (classes.b3_to_b1, (nan,)),
        (classes.unbiased_to_b1, (0.5,)),
        (classes.unbiased_to_b3, (inf,)),
    ],
)
def test_constants_that_no_compressor_has_are_refused(function, numbers):
    """α > β², γ > β, δ < 1, ζ < 1 and what is not a number name their class."""
    with pytest.raises(ValueError, match="is empty"):
        function(*numbers)
