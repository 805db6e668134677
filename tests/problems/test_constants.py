"""Constants by name: computed when asked for, and what the workers' imply of f."""

from math import sqrt

import pytest

from netcomp.constants import CONSTANTS, JOINT, Constant, Constants, Lazy, bound, exact


def test_a_lazy_constant_is_computed_once_and_alone():
    asked = []

    def rule(name, found):
        return lambda: asked.append(name) or found

    known = Lazy(
        {"L": rule("L", exact(2.0)), "mu": rule("mu", None), "calL": rule("calL", exact(1))}
    )
    assert exact(2.0) == known["L"] == known["L"]
    assert ["L"] == asked
    assert "mu" not in known
    assert {"L": exact(2.0), "calL": exact(1.0)} == dict(known)
    assert 2 == len(known)
    assert ["L", "mu", "calL"] == asked
    for name in ("mu", "sigma_sq"):
        with pytest.raises(KeyError):
            known[name]


def test_the_hessian_variance_is_at_most_the_mean_square():
    """L_± ≤ √(mean L_i²) where nobody has all the data; a joint one is preferred."""
    local = [{"L": exact(3.0)}, {"L": exact(4.0)}]
    assert bound(sqrt(12.5)) == Constants.gather(local, None, {}).known["L_pm"]
    joint = Lazy({"L_pm": lambda: exact(0.5), "mu": lambda: None})
    known = Constants.gather(local, joint, {}).known
    assert exact(0.5) == known["L_pm"]
    assert "mu" not in known


def test_joint_constants_have_names():
    assert set(CONSTANTS) >= JOINT
    assert Constant(1.0, "exact") == exact(1)
