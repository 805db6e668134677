"""The class constants ω, δ, θ: exactly where randomness is finite, else by Monte Carlo.

A Monte Carlo mean may miss its law by 5 standard errors, never by a fudge: a correct
implementation would fail one such comparison in about two million choices of seeds.
"""

import re
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from math import frexp

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from netcomp.coding.floats import natural_decode, natural_encode
from netcomp.draw import ALL, Purpose
from support.notations import ALL_TEXTS, HEAVY, key, resolved
from support.recipe import PlainStream

CONFIDENCE = 1 - 1e-6
DRAWS = 500
ERRORS = 5.0


# Of the pairs not in the list those whose classes are composed of two biased halves, or one.
BIASED = [
    f"{sparsifier}+{quantizer}"
    for sparsifier in ("rand-k:25%", "bernoulli:p=0.3", "top-k:25%", "adaptive")
    for quantizer in ("sign", "round:b=2,biased=yes", "qsgd:s=4")
]


def cases(texts):
    """Return (text, d, n) at d = 12; some at d = 3 too.

    There perm-k has q = 2 owners a coordinate, and what keeps a quarter keeps one value, for which
    rounding attains its bounds.
    """
    telling = {text for text in BIASED if "round" in text}
    small = [text for text in texts if HEAVY or "perm-k" in text or text in telling]
    return [(text, 12, 4) for text in texts] + [(text, 3, 8) for text in small]


UNBIASED = [text for text in ALL_TEXTS if resolved(text, 12, 4).omega(12) is not None]

seeded = settings(derandomize=True, deadline=None, max_examples=100, database=None)


def is_scale_free(text):
    """Whether doubling the vector doubles the result: all but magnitudes on a grid of their own."""
    return not re.search(r"round:b=(?!2)", text)


def vectors(d, text):
    """Adversarial vectors; huge and tiny ones too where those are others."""
    found = ordinary(d)
    if (HEAVY and "f16" not in text) or not is_scale_free(text):
        found |= {"huge": found["spread"] * 2.0**110, "tiny": found["spread"] * 2.0**-110}
    return found


def ordinary(d):
    """Adversarial vectors, exact in half precision."""
    rng = np.random.default_rng(3)
    spread = rng.integers(-256, 257, d) / 64
    one = np.zeros(d)
    one[d // 2] = -85 / 64  # mantissa near 1/3: natural's variance is largest there
    found = {"spread": spread, "one-hot": one, "constant": np.full(d, 85 / 64)}
    found["heavy-tailed"] = 2.0 ** rng.integers(-6, 7, d) * rng.choice([-1.0, 1.5], d)
    return found


def interval(samples):
    """Mean and half width of the confidence interval along the first axis."""
    return samples.mean(axis=0), ERRORS * samples.std(axis=0, ddof=1) / np.sqrt(len(samples))


def rounding(text, samples, v):
    """Return how far an unbiased mean may be off besides: the last bit, and events never seen.

    A level of the norm that comes out with probability p is missed in all draws with (1−p)^DRAWS;
    30/DRAWS of it (Bernstein) covers that at the same confidence. Levels are 32-bit floats.
    """
    if any(name in text for name in ("dither", "qsgd", "ternary")):
        return 30 / len(samples) * np.abs(samples).max() + 1e-6 * np.abs(v).max()
    return 1e-12 * np.abs(v) + (1e-6 * np.abs(v) if "round" in text else 0.0)


@cache
def drawn(compressor, raw, count):
    """Return worker 1's C(v) of rounds 0 … count − 1, for v as bytes; two tests look at them."""
    v = np.frombuffer(raw)
    return np.array([compressor.compress(v, key(1, t)).dense() for t in range(count)])


def squared_errors(samples, v):
    return ((samples - v) ** 2).sum(axis=1) / (v @ v)


@pytest.mark.parametrize("text", [text for text in ALL_TEXTS if is_scale_free(text)])
def test_magnitude_does_not_matter(text):
    """C(2^k v) = 2^k C(v), bit for bit with the same key: what follows holds for huge and tiny."""
    compressor = resolved(text, 12, 4)
    powers = (-3, 2) if "f16" in text else (-110, -3, 2, 110)
    for v in ordinary(12).values():
        for power, t in product(powers, range(4)):
            expected = compressor.compress(v, key(1, t)).dense() * 2.0**power
            actual = compressor.compress(v * 2.0**power, key(1, t)).dense()
            assert expected.tolist() == actual.tolist()


@pytest.mark.parametrize(("text", "d", "n"), cases(ALL_TEXTS))
def test_declared_constants_bound_the_error(text, d, n):
    """E C(v) = v and E‖C(v)−v‖² ≤ ω‖v‖² where ω is declared, ≤ (1−δ)‖v‖² where δ is."""
    compressor = resolved(text, d, n)
    omega, delta = compressor.omega(d), compressor.delta(d)
    assert compressor.unbiased is (omega is not None)
    assert omega is not None or delta is not None
    for v in vectors(d, text).values():
        samples = drawn(compressor, v.tobytes(), 2 if omega == 0 else DRAWS)
        error, width = interval(squared_errors(samples, v))
        if delta is not None:
            assert 0 < delta <= 1
            assert error - width <= 1 - delta + 1e-12
        if omega is not None:
            assert error - width <= omega + 1e-12
            mean, widths = interval(samples)
            assert (np.abs(mean - v) <= widths + rounding(text, samples, v)).all()


@pytest.mark.parametrize(("text", "d", "n"), cases(ALL_TEXTS + BIASED))
def test_declared_classes_hold(text, d, n):
    """B¹: α‖v‖² ≤ E‖C(v)‖² ≤ β⟨E C(v), v⟩. B²: γ‖v‖² ≤ ⟨E C(v), v⟩ as well. ζ = ω+1, B³: 1/δ."""
    compressor = resolved(text, d, n)
    omega, delta = compressor.omega(d), compressor.delta(d)
    assert compressor.zeta(d) == (None if omega is None else omega + 1)
    assert compressor.b3(d) == (None if delta is None else 1 / delta)
    (alpha, beta), (gamma, beta2) = compressor.b1(d), compressor.b2(d)
    assert 0 < alpha <= beta**2 * (1 + 1e-12)
    assert 0 < gamma <= beta2 * (1 + 1e-12)
    for v in vectors(d, text).values():
        samples = drawn(compressor, v.tobytes(), 2 if omega == 0 else DRAWS)
        unit = v / np.sqrt(v @ v)
        squares = (samples**2).sum(axis=1) / (v @ v)
        along = samples @ unit / np.sqrt(v @ v)
        for bound in (
            squares - alpha,
            beta * along - squares,
            along - gamma,
            beta2 * along - squares,
        ):
            mean, width = interval(bound)
            assert mean + width >= -1e-6


@pytest.mark.parametrize(("text", "d", "n"), cases(UNBIASED))
@pytest.mark.parametrize("collection", ["same", "independent"])
def test_theta_bounds_the_error_of_the_mean(text, collection, d, n):
    """E‖(1/n) Σ C_i(v) − v‖² ≤ θ‖v‖², one draw for all or one a worker."""
    compressor = resolved(text, d, n)
    if compressor.correlated and collection == "same":
        return
    theta = compressor.theta(d, n, collection)
    speakers = range(n) if collection == "independent" else [ALL]
    for v in (vectors(d, text)["constant"], vectors(d, text)["spread"]):
        samples = np.array(
            [
                np.mean([compressor.compress(v, key(i, t)).dense() for i in speakers], axis=0)
                for t in range(DRAWS // 4)
            ]
        )
        error, width = interval(squared_errors(samples, v))
        assert error - width <= theta + 1e-12
        if theta == 0:
            np.testing.assert_allclose(samples, np.broadcast_to(v, samples.shape), rtol=1e-12)


@pytest.mark.parametrize(("d", "n", "theta"), [(8, 4, 1 / 8), (3, 8, 1 / 16), (2, 8, 1 / 32)])
def test_theta_of_perm_k_with_natural_is_attained(d, n, theta):
    """1/8, divided by the q owners of a coordinate when d < n: equality for 4/3 · 2^e."""
    compressor = resolved("perm-k+natural", d, n)
    assert theta == compressor.theta(d, n, "independent")
    v = np.full(d, 4 / 3)
    samples = np.array(
        [
            np.mean([compressor.compress(v, key(i, t)).dense() for i in range(n)], axis=0)
            for t in range(DRAWS)
        ]
    )
    error, width = interval(squared_errors(samples, v))
    assert abs(error - theta) <= width


@pytest.mark.parametrize(("d", "k"), [(1, 1), (5, 1), (6, 2), (7, 4), (5, 5)])
def test_rand_k_formula_over_all_subsets(d, k):
    """Over all k-subsets, (d/k) v_S has mean v and mean squared error (d/k − 1)‖v‖², exactly.

    The real code is the formula on the subset its key gives, and its ω is d/k − 1.
    """
    compressor = resolved(f"rand-k:{k}+f64", d, 1)
    v = np.arange(1.0, d + 1)
    exact = [Fraction(int(x)) for x in v]
    results = [
        [Fraction(d, k) * x if i in kept else 0 for i, x in enumerate(exact)]
        for kept in combinations(range(d), k)
    ]
    count, norm = len(results), sum(x * x for x in exact)
    assert exact == [sum(column) / count for column in zip(*results, strict=True)]
    errors = [sum((a - b) ** 2 for a, b in zip(result, exact, strict=True)) for result in results]
    assert Fraction(d - k, k) * norm == sum(errors) / count
    assert d / k - 1 == compressor.omega(d)
    for t in range(20):
        payload = compressor.compress(v, key(round_=t))
        kept = set(payload.indices.tolist())
        expected = [d / k * x if i in kept else 0.0 for i, x in enumerate(v)]
        assert (expected, k) == (payload.dense().tolist(), len(kept))


def test_rand_k_error_is_attained():
    """By Monte Carlo too, the error of rand-k is d/k − 1 and not less: the bound is tight."""
    compressor, v = resolved("rand-k:3+f64", 12, 1), vectors(12, "f64")["spread"]
    samples = np.array([compressor.compress(v, key(0, t)).dense() for t in range(4 * DRAWS)])
    error, width = interval(squared_errors(samples, v))
    assert abs(error - compressor.omega(12)) <= width


class AllBytes:
    """A stream whose 256 bytes are 0 … 255, and whose uniforms are given."""

    def __init__(self, uniform):
        self.uniform = uniform

    def words64(self, count):
        assert count == 32
        return np.arange(256, dtype=np.uint8).view("<u8")

    def uniforms(self, count):
        return np.full(count, self.uniform)


def _natural(x, uniform):
    """Return what x becomes with each random byte, and the uniform if that is asked for."""
    coded = natural_encode(np.full(256, x, np.float32), AllBytes(uniform))
    return [Fraction(float(value)) for value in natural_decode(*coded)]


@seeded
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_natural_is_unbiased_exactly(x):
    """Two neighbouring powers of two; their exact probabilities give mean x, error ≤ x²/8.

    With U the uniform, up goes x for k random bytes where U is f or more and for k + 1 where it
    is less, so P(up) = (k + f)/256. Below 2⁻¹²⁶ (subnormal) the neighbours are 0 and 2⁻¹²⁶: no
    bias, but no bound of 1/8 either.
    """
    assume(abs(x) < 2.0**127)
    f = (int(np.float32(x).view(np.uint32)) & 0x7FFF) / 2**15
    outcomes = _natural(x, f)
    down, up = outcomes[255], outcomes[0]
    if abs(down) == abs(Fraction(x)):
        assert [Fraction(x)] * 256 == outcomes == _natural(x, 0.0)
        return
    k = 256 - outcomes.count(down)
    assert [up] * k + [down] * (256 - k) == outcomes
    if f:
        more = _natural(x, f - 2.0**-53)
        assert (k + 1, 255 - k) == (len(more) - more.count(down), more.count(down))
        up = more[255]
    share = (k + Fraction(f)) / 256
    assert Fraction(x) == (1 - share) * down + share * up
    error = (1 - share) * (down - Fraction(x)) ** 2 + share * (up - Fraction(x)) ** 2
    if abs(x) >= 2.0**-126:
        assert abs(up) == 2 * abs(down)
        assert error <= Fraction(x) ** 2 / 8


def test_natural_rounds_by_the_quantizers_words():
    """Value j of those kept goes up where byte j of the words is below 8 bits of its mantissa.

    Where the byte is 255, a uniform below the other 15 bits decides. The words are those of the
    quantizer's stream, not of the sparsifier's: one stream for both would bias the chain.
    """
    d, draw = 4001, key(3, 6)
    v = np.random.default_rng(1).normal(size=d).astype(np.float32)
    payload = resolved("top-k:25%+natural", d, 5).compress(v, draw)
    parts = (draw.seed, draw.round, draw.sub, draw.direction, draw.worker, Purpose.QUANTIZER)
    plain, kept = PlainStream(*parts), v[payload.indices].tolist()
    random = b"".join(word.to_bytes(8, "little") for word in plain.words64(-(-len(kept) // 8)))
    excess = [int(np.ldexp(abs(x), 24 - frexp(x)[1])) - 2**23 for x in kept]
    ties = [j for j in range(len(kept)) if random[j] == 255]
    assert ties
    uniforms = dict(zip(ties, plain.uniforms(len(ties)), strict=True))
    for j, (x, actual) in enumerate(zip(kept, payload.values, strict=True)):
        up = random[j] < excess[j] >> 15 or uniforms.get(j, 1.0) * 2**15 < excess[j] % 2**15
        expected = Fraction(2) ** (frexp(x)[1] - 1 + up)
        assert expected * (-1 if x < 0 else 1) == Fraction(float(actual))


PERM_SIZES = [(d, n) for d in (1, 2, 3, 7, 8, 13) for n in (1, 2, 3, 4, 8, 13)] + [(4099, 6)]


@pytest.mark.parametrize(("d", "n"), PERM_SIZES)
def test_perm_k_averages_to_the_vector(d, n):
    """(1/n) Σ C_i(v) = v exactly, every round; n | d or not, d < n included.

    Integers, so that n v_j and its quotient have no rounding. For d < n each coordinate has
    exactly q = ⌊n/d⌋ owners and n − qd workers own nothing (MARINA-P Lemma A.6).
    """
    compressor = resolved("perm-k+f64", d, n)
    v = np.arange(1.0, d + 1)
    copies = max(1, n // d)
    factor = n - 1 if d >= n else n / copies - 1
    assert (factor, 0) == (compressor.omega(d), compressor.theta(d, n, "independent"))
    for t in range(3):
        payloads = [compressor.compress(v, key(i, t)) for i in range(n)]
        # The factor n/q may have a rounding; copies · (n/q) · v / n has none once rounded.
        total = np.sum([payload.dense() for payload in payloads], axis=0)
        np.testing.assert_allclose(total / n, v, rtol=1e-15)
        if n % copies == 0:
            assert v.tolist() == (total / n).tolist()
        kept = np.concatenate([payload.indices for payload in payloads])
        assert [copies] * d == np.bincount(kept, minlength=d).tolist()
        sizes = {payload.indices.size for payload in payloads}
        assert sizes <= ({d // n, -(-d // n)} if d >= n else {0, 1})


@pytest.mark.parametrize(("d", "n"), [(8, 4), (7, 3), (5, 4), (4, 4), (3, 7), (1, 3), (3, 8)])
def test_perm_k_owns_equally_often(d, n):
    """Each coordinate belongs to each worker equally often: chi-square, per coordinate.

    q of n workers own a coordinate in a round, so the counts' covariance is
    q(n−q)/(n(n−1)) times the centring matrix, and the statistic has n − 1 degrees.
    """
    compressor, rounds = resolved("perm-k", d, n), 2500
    copies = max(1, n // d)
    owned = np.zeros((n, d))
    for t in range(rounds):
        for i in range(n):
            owned[i, compressor.compress(np.ones(d), key(i, t)).indices] += 1
    if copies == n:
        assert (owned == rounds).all()
        return
    spread = rounds * copies * (n - copies) / (n * (n - 1))
    statistics = ((owned - rounds * copies / n) ** 2).sum(axis=0) / spread
    assert (statistics < chi2.ppf(CONFIDENCE, n - 1)).all()
