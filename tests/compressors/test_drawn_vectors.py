"""The class constants on vectors that hypothesis draws, at a stated confidence.

Evidence is that of `netcomp.laws.evidence`: true claims about all vectors of all notations together
are refused with probability 10⁻⁶ at most, over the choice of seeds. These are fixed, and so are the
vectors and the number of draws: what passes once passes always.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.laws import evidence
from support.notations import ALL_TEXTS, key, resolved

VECTORS, DRAWS, CLAIMS = 6, 200, 4
NEEDED = math.log(1e6 * len(ALL_TEXTS) * VECTORS * CLAIMS)
"""Each e-value reaches this with probability 10⁻⁶ over the number of all claims."""
FLOATS = 1.0 + 1e-5
"""Norms and magnitudes travel as 32-bit floats; formats are exact for these vectors."""

seeded = settings(derandomize=True, deadline=None, max_examples=VECTORS, database=None)
# Exact in bfloat16, of which eight bits are significant, and in half precision.
numbers = st.one_of(
    st.integers(-255, 255).map(lambda i: i / 16),
    st.integers(-13, 13).map(lambda e: math.copysign(2.0**e, e)),
)
vectors = st.lists(numbers, min_size=1, max_size=40).map(np.array).filter(np.any)


def drawn(compressor, v):
    """Return C(v)/‖v‖ of many rounds, a row each, and v/‖v‖."""
    size = np.linalg.norm(v)
    rows = [compressor.compress(v, key(1, t)).dense() for t in range(DRAWS)]
    return np.array(rows) / size, v / size


@pytest.mark.parametrize("text", ALL_TEXTS)
@seeded
@given(v=vectors)
def test_declared_constants_bound_the_error_of_any_vector(text, v):
    """E‖C(v) − v‖² ≤ ω‖v‖² and (1 − δ)‖v‖²; of B²(γ, β) E‖C(v) − βv‖² ≤ (β² − βγ)‖v‖².

    That follows from E‖C(v)‖² ≤ β⟨E C(v), v⟩ and ⟨E C(v), v⟩ ≥ γ‖v‖².
    """
    compressor = resolved(text, v.size, 4)
    samples, unit = drawn(compressor, v)
    claims = [(1.0, bound) for bound in (compressor.omega(v.size),) if bound is not None]
    delta = compressor.delta(v.size)
    claims += [] if delta is None else [(1.0, 1.0 - delta)]
    gamma, beta = compressor.b2(v.size)
    claims.append((beta, beta**2 - beta * gamma))
    assert len(claims) <= CLAIMS
    for scale, bound in claims:
        errors = ((samples - scale * unit) ** 2).sum(axis=1)
        allowed = (math.sqrt(max(bound, 0.0)) + (FLOATS - 1.0) * (1.0 + scale)) ** 2
        assert evidence.above(errors, allowed) < NEEDED


@pytest.mark.parametrize(
    "text", [text for text in ALL_TEXTS if resolved(text, 40, 4).omega(40) is not None]
)
@seeded
@given(v=vectors)
def test_no_unbiased_compressor_drifts_along_any_vector(text, v):
    """|E⟨C(v) − v, v⟩| ≤ 10⁻⁵‖v‖², given the ω that the test above looks at."""
    compressor = resolved(text, v.size, 4)
    samples, unit = drawn(compressor, v)
    omega = compressor.omega(v.size)
    shifts = ((samples - unit) @ unit)[:, None]
    assert evidence.nonzero(shifts, omega + 1e-9, FLOATS - 1.0).max() < NEEDED


# Long enough that what is rare is drawn without asking every coordinate (`thinning`).
LONG = ["qsgd:s=1", "qsgd:s=4", "dither:s=1", "dither:s=1,b=1,p=inf", "dither:s=8", "ternary"]


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("d", [300, 5000])
@pytest.mark.parametrize("shape", ["normal", "equal"])
def test_levels_of_long_vectors_have_mean_and_error_of_their_law(text, d, shape):
    """E⟨C(v), v⟩ = ‖v‖² and E‖C(v)‖² as the levels beside each value have it: within 5 errors.

    Pooled over the coordinates: 200 rounds of 5000 are a million draws, of which a bias of a few
    per cent shows.
    """
    compressor = resolved(text, d, 1)
    v = np.random.default_rng(d).standard_normal(d) if shape == "normal" else np.full(d, 0.75)
    samples = np.array([compressor.compress(v, key(1, t)).dense() for t in range(200)])
    along = samples @ v / (v @ v)
    close(along, 1.0)
    norm = np.abs(v).max() if "inf" in text or text == "ternary" else np.linalg.norm(v)
    levels = np.array([0.0, 1.0]) if text == "ternary" else compressor_levels(compressor)
    t = np.abs(v) / norm
    above = np.clip(np.searchsorted(levels, t, side="right"), 1, levels.size - 1)
    low, high = levels[above - 1], levels[above]
    # The mean of ξ² is t(low + high) − low · high where that of ξ is t.
    close((samples**2).sum(axis=1) / norm**2, (t * (low + high) - low * high).sum())


def compressor_levels(compressor):
    return np.concatenate([[0.0], compressor.quantizer.levels])


def close(samples, mean):
    """Five standard errors, or what 32-bit floats lose."""
    width = 5 * samples.std(ddof=1) / np.sqrt(samples.size)
    assert abs(samples.mean() - mean) <= width + 1e-5 * abs(mean)
