"""Example 1 of Beznosikov et al. over real sockets: what diverges, how fast, what repairs it."""

from fractions import Fraction
from pathlib import Path

import numpy as np

import benchmarks
from netcomp.experiment.compare import contestants
from netcomp.experiment.tree import load_spec, merged
from support.cluster import on_sockets

SPEC = load_spec(Path(benchmarks.__file__).with_name("example1.toml"))
EXACT = 10
"""So many rounds 3·(27/16)^r has no more than 53 bits."""


def spec(name, **changes):
    """Return the run of an algorithm in the spec users are given."""
    common, tables = contestants(SPEC)
    (table,) = [table for table in tables if table["name"] == name]
    own = {key: value for key, value in table.items() if key != "label"}
    return merged(merged(common, {"algorithm": own}), changes)


def test_dcgd_with_top_1_grows_by_its_factor_exactly():
    """γ = 3/8: every round multiplies x by 27/16, to the last bit; f by its square."""
    table = {"step_size": 0.375}
    tree = spec("dcgd", algorithm=table, stop={"rounds": EXACT}, record={"every": 1})
    played = on_sockets(tree, processes=3)
    growth = 1 + Fraction(11, 6) * Fraction(3, 8)
    assert Fraction(27, 16) == growth
    assert [float(3 * growth**EXACT)] * 3 == played.model.tolist()
    first = Fraction(1) + Fraction(3, 4)  # f(1, 1, 1)
    expected = [float(9 * first * growth ** (2 * r)) for r in range(EXACT)]
    found = [record.loss for record in played.records if record.probed][:EXACT]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_dcgd_grows_by_its_factor_at_the_step_of_the_spec():
    """γ = 0.02 is no binary fraction: 1 + 11γ/6 a round, to 1e-12."""
    played = on_sockets(spec("dcgd", stop={"rounds": 200}))
    expected = 3 * (1 + Fraction(11, 6) * Fraction(0.02)) ** 200
    np.testing.assert_allclose(played.model, [float(expected)] * 3, rtol=1e-12)


def test_error_feedback_converges_on_it():
    """ec-sgd with the same compressor and step goes to the solution 0."""
    played = on_sockets(spec("ec-sgd"))
    losses = [record.loss for record in played.records if record.probed]
    assert losses[-1] <= 1e-9 * losses[0]
    assert np.abs(played.model).max() <= 1e-4
