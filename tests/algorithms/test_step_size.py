"""How a step size is written down."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.algorithms import StepSize
from netcomp.errors import SpecError

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theory", StepSize(1.0, of_theory=True)),
        (" theory ", StepSize(1.0, of_theory=True)),
        ("4*theory", StepSize(4.0, of_theory=True)),
        ("0.5 * theory", StepSize(0.5, of_theory=True)),
        ("1e-3*theory", StepSize(0.001, of_theory=True)),
        ("0.1", StepSize(0.1, of_theory=False)),
        (0.1, StepSize(0.1, of_theory=False)),
        (2, StepSize(2.0, of_theory=False)),
    ],
)
def test_step_size_notation(text, expected):
    """A number, or a multiple of the theorem's."""
    assert expected == StepSize.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "nan", "inf", "1e999", "a", "theory*4", "4theory*", "*theory"),
        *("0*theory", "1.2.3*theory", "1e999*theory", "-1*theory"),
        *(0, -1.0, float("nan"), float("inf"), 10**400),
    ],
)
def test_step_sizes_that_are_none_are_refused(text):
    """What is no positive finite number is a SpecError of algorithm.step_size."""
    with pytest.raises(SpecError) as caught:
        StepSize.parse(text)
    assert "algorithm.step_size" == caught.value.field


@seeded
@given(st.text(max_size=12) | st.floats() | st.integers(-5, 5))
def test_any_step_size_parses_or_is_a_spec_error(text):
    """Nothing but SpecError, and what parses is positive and finite."""
    try:
        parsed = StepSize.parse(text)
    except SpecError:
        return
    assert 0 < parsed.value < float("inf")
