"""Step sizes of a run, and the averages of its models: what they compute."""

import numpy as np
import pytest

from netcomp.algorithms.schedule import (
    Constant,
    Equal,
    Geometric,
    Inverse,
    Linear,
    Stairs,
    read_average,
)


def test_factors_by_hand():
    """Small numbers of each schedule; every one begins with 1."""
    assert [1.0] * 5 == [Constant().factor(t) for t in range(5)]
    assert [1, 1, 0.5, 0.5, 0.25] == [Stairs(0.5, 2).factor(t) for t in range(5)]
    assert [1, 0.8, 4 / 6, 4 / 7, 0.5] == [Inverse(4).factor(t) for t in range(5)]


WEIGHTS = {
    "none": lambda t, last: float(t == last),
    "equal": lambda t, last: 1.0,
    "linear:kappa=2.5": lambda t, last: 2.5 + t,
    "linear:kappa=1e6": lambda t, last: 1e6 + t,
    "geometric:q=0.9": lambda t, last: 0.9 ** -(t + 1),
    "geometric:q=0.01": lambda t, last: 0.01 ** -(t + 1 - last),
    "geometric:q=0.999999": lambda t, last: 0.999999 ** -(t + 1),
}


@pytest.mark.parametrize("text", WEIGHTS)
def test_the_running_average_is_the_weighted_sum(text):
    """x̄ ← x̄ + share (x − x̄) is Σ w_t x^t / Σ w_t, after each of many rounds."""
    average, points = read_average(text), np.random.default_rng(1).normal(size=(120, 3))
    running = points[0]
    assert 1.0 == average.share(0)
    for last in range(1, len(points)):
        running = running + average.share(last) * (points[last] - running)
        weights = np.array([WEIGHTS[text](t, last) for t in range(last + 1)])
        expected = weights @ points[: last + 1] / weights.sum()
        np.testing.assert_allclose(running, expected, rtol=1e-9, atol=1e-12)


def test_shares_stay_shares_for_ever():
    """In (0, 1] however long the run: no overflow of q^−t, no division by zero."""
    for average in (Equal(), Linear(3.0), Geometric(0.5), Geometric(1e-9), Geometric(1 - 1e-12)):
        for t in (0, 1, 10, 10**4, 10**9):
            assert 0 < average.share(t) <= 1
