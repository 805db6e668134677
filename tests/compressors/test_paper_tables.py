"""Tables and examples of Beznosikov et al.: their numbers, from the formulas and from the code.

Where randomness remains the mean of a bounded, seeded number of vectors may miss by 5 standard
errors, as in test_constants.
"""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import integrate, special, stats

from netcomp.compressors import classes
from support.notations import key, resolved

ERRORS = 5.0

# Table 3: notation, and α, β, γ, δ (theirs: 1/δ of netcomp), ζ for d = 12, k = 3.
TABLE_3 = {
    "unbiased random": ("rand-k:3", None, None, None, None, 4),
    "biased random": ("rand-k:k=3,scaled=no", 1 / 4, 1, 1 / 4, 4, None),
    "biased random, independent": ("bernoulli:p=0.2", 0.2, 1, 0.2, 5, None),
    "adaptive random": ("adaptive", 1 / 12, 1, 1 / 12, 12, None),
    "top-k": ("top-k:3", 1 / 4, 1, 1 / 4, 4, None),
    "unbiased exponential rounding": ("round:b=4", None, None, None, None, 25 / 16),
    "biased exponential rounding": ("round:b=4,biased=yes", 4 / 25, 8 / 5, 2 / 5, 25 / 16, None),
    "natural": ("natural", None, None, None, None, 9 / 8),
    "exponential dithering": ("dither:s=5,b=4", None, None, None, None, 25 / 16 + 12 / 256**2),
    "natural dithering": ("dither:s=8", None, None, None, None, 9 / 8 + 12 / 128**2),
}
"""Its other rows have sequences and sums in them: test_lemmas has those of Lemmas 12 to 16."""


@pytest.mark.parametrize("row", TABLE_3)
def test_table_3(row):
    """Each row's constants are the compressor's own."""
    text, alpha, beta, gamma, delta, zeta = TABLE_3[row]
    compressor = resolved(text, 12, 4)
    if zeta is None:
        assert compressor.zeta(12) is None
        assert (alpha, beta) == pytest.approx(compressor.b1(12), rel=1e-12)
        assert (gamma, beta) == pytest.approx(compressor.b2(12), rel=1e-12)
        assert delta == pytest.approx(compressor.b3(12), rel=1e-12)
    else:
        assert zeta == pytest.approx(compressor.zeta(12), rel=1e-12)
        zeta = compressor.zeta(12)
        assert classes.unbiased_to_b1(zeta) == compressor.b1(12)
        assert classes.unbiased_to_b2(zeta) == compressor.b2(12)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_lemma_16(k):
    """top-k + an unbiased Q: B¹(k/d, ζ), B²(k/d, ζ), and B³(ζd/k) of C/ζ, not of C.

    The lemma prints B³(ζd/k) of C itself. Unscaled, Theorem 6's proof gives (1 − ω)k/d, which
    is smaller than the k/(dζ) of the lemma by a factor 1 − ω².
    """
    d, zeta = 12, 9 / 8
    compressor = resolved(f"top-k:{k}+natural", d, 1)
    assert (k / d, zeta) == compressor.b1(d) == compressor.b2(d)
    np.testing.assert_allclose(compressor.delta(d), (2 - zeta) * k / d)
    assert compressor.b3(d) > zeta * d / k
    scaled = resolved(f"scale:{1 / zeta!r}(top-k:{k}+natural)", d, 1)
    np.testing.assert_allclose(scaled.b3(d), zeta * d / k)
    np.testing.assert_allclose(scaled.b3(d), classes.b2_to_b3(*compressor.b2(d)))


def test_lemma_16_does_not_hold_unscaled():
    """For a vector of 4/3 the unscaled error is more than 1 − k/(dζ): scaling is needed."""
    d = k = 3
    v = np.full(d, 4 / 3)
    compressor = resolved("top-k:3+natural", d, 1)
    errors = np.array(
        [((compressor.compress(v, key(0, t)).dense() - v) ** 2).sum() for t in range(4000)]
    ) / (v @ v)
    width = ERRORS * errors.std() / np.sqrt(errors.size)
    # Here the lemma's bound is 1 − 8/9 = 1/9 and the truth ω = 1/8.
    assert errors.mean() - width > 1 - k / (d * 9 / 8)
    assert abs(errors.mean() - 1 / 8) <= width


# Lemma 20


def uniform_square(i, d):
    """E U²₍ᵢ₎ of d uniform numbers in increasing order: i(i + 1)/((d + 1)(d + 2))."""
    return Fraction(i * (i + 1), (d + 1) * (d + 2))


@pytest.mark.parametrize(("d", "k"), [(1, 1), (5, 2), (10, 9), (100, 1), (100, 30)])
def test_lemma_20_a(d, k):
    """Uniform entries: E ω_top/E ω_rnd and E s_top/E s_rnd (k = 1) as printed, in fractions."""
    left = sum((uniform_square(i, d) for i in range(1, d - k + 1)), Fraction(0))
    random = (1 - Fraction(k, d)) * Fraction(d, 3)
    printed = (1 - Fraction(k, d + 1)) * (1 - Fraction(k, d + 2))
    assert left == printed * random
    assert Fraction(3 * d, d + 2) == uniform_square(d, d) / Fraction(1, 3)


def savings(k, vectors):
    """Return E‖C(x)‖² of our top-k over vectors, and the half width of its interval."""
    compressor = resolved(f"top-k:{k}+f64", vectors.shape[1], 1)
    saved = np.array([(compressor.compress(v, key()).dense() ** 2).sum() for v in vectors])
    return saved.mean(), ERRORS * saved.std(ddof=1) / np.sqrt(saved.size)


@pytest.mark.parametrize(("d", "k"), [(10, 1), (30, 7)])
def test_lemma_20_a_of_the_code(d, k):
    """Our top-k leaves as much of uniform vectors as the lemma says."""
    vectors = np.random.default_rng(1).random((2000, d))
    mean, width = savings(k, vectors)
    kept = d / 3 - (1 - k / (d + 1)) * (1 - k / (d + 2)) * (1 - k / d) * d / 3
    assert abs(mean - kept) <= width


@pytest.mark.parametrize("d", [1, 10, 1000])
def test_lemma_20_b(d):
    """Exponential entries: E s_top¹/E s_rnd¹ = ½Σ1/i² + ½(Σ1/i)², by quadrature and by code."""
    i = np.arange(1, d + 1)
    printed = ((1 / i**2).sum() + (1 / i).sum() ** 2) / 2
    # The maximum is below x with probability (1 − e⁻ˣ)ᵈ: E max² = ∫ 2x(1 − (1 − e⁻ˣ)ᵈ) dx.
    square, _ = integrate.quad(lambda x: -2 * x * np.expm1(d * np.log1p(-np.exp(-x))), 1e-12, 80)
    np.testing.assert_allclose(square / 2, printed, rtol=1e-7)
    mean, width = savings(1, np.random.default_rng(2).exponential(size=(1500, d)))
    assert abs(mean / 2 - printed) <= width / 2


# Table 4

TABLE_4 = {
    (0, 3): {10**2: 18.65, 10**3: 31.10, 10**4: 43.98, 10**5: 57.08},
    (0, 5): {10**2: 27.14, 10**3: 47.70, 10**4: 69.07, 10**5: 90.85},
    (2, 3): {10**2: 53.45, 10**3: 75.27, 10**4: 95.81, 10**5: 115.53},
    (2, 5): {10**2: 81.60, 10**3: 118.56, 10**4: 153.13, 10**5: 186.22},
}


def expected_savings(mu, k, d):
    """E of the k largest of d squares of N(μ, 1): ∫₀^∞ E min(k, #{x_i² > t}) dt.

    The number of x_i² > t is Binomial(d, P(x² > t)), and E min(k, B) = Σ_{j<k} P(B > j).
    """

    def counted(t):
        root = np.sqrt(t)
        p = special.ndtr(mu - root) + special.ndtr(-mu - root)
        return stats.binom.sf(np.arange(k), d, p).sum()

    total, _ = integrate.quad(counted, 0, 120, limit=400, points=[5, 20, 40])
    return total


@pytest.mark.parametrize(("mu", "k"), TABLE_4)
@pytest.mark.parametrize("d", [10**2, 10**3, 10**4, 10**5])
def test_table_4(mu, k, d):
    """The printed savings of top-3 and top-5 for normal vectors, to their two decimals."""
    assert abs(expected_savings(mu, k, d) - TABLE_4[mu, k][d]) <= 0.0051


@pytest.mark.parametrize(("mu", "k"), TABLE_4)
@pytest.mark.parametrize("d", [10**2, 10**4])
def test_table_4_of_the_code(mu, k, d):
    """Our top-k saves as much on average; our rand-k, unscaled, k(σ² + μ²)."""
    vectors = np.random.default_rng(3).normal(mu, 1, size=(300, d))
    mean, width = savings(k, vectors)
    assert abs(mean - TABLE_4[mu, k][d]) <= width
    random = resolved(f"rand-k:k={k},scaled=no+f64", d, 1)
    saved = np.array(
        [(random.compress(v, key(0, t)).dense() ** 2).sum() for t, v in enumerate(vectors)]
    )
    width = ERRORS * saved.std(ddof=1) / np.sqrt(saved.size)
    assert abs(saved.mean() - k * (1 + mu**2)) <= width


# Examples 1 and 2: distributed compressed gradient descent with top-k diverges


def next_iterate(x, rows, quarter, eta, k):
    """Return x − η/n Σ C(∇f_j(x)) for f_j(x) = ⟨a_j, x⟩² + (quarter/2)‖x‖² with our top-k."""
    compressor = resolved(f"top-k:{k}+f64", x.size, 1)
    gradients = [2 * (a @ x) * a + quarter * x for a in rows]
    return x - eta * np.mean([compressor.compress(g, key()).dense() for g in gradients], axis=0)


def test_example_1():
    """Top-1 on three quadratics of three variables: x grows by 1 + 11η/6 in every step."""
    rows = np.array([[-3.0, 2, 2], [2, -3, 2], [2, 2, -3]])
    x, eta = np.full(3, 0.5), 0.1
    for step in range(1, 6):
        x = next_iterate(x, rows, 0.5, eta, 1)
        np.testing.assert_allclose(x, 0.5 * (1 + 11 * eta / 6) ** step)


@pytest.mark.parametrize(("d", "d1"), [(3, 1), (5, 1), (5, 2), (6, 2)])
def test_example_2(d, d1):
    """Top-d₁: x grows by 1 + η(2b − 1)d₁/d, which is the printed factor only for d₁ = 1."""
    d2, eta = d - d1, 0.1
    b, c = d2 + d2 / d1, d1 + 1 / d2 + 1
    np.testing.assert_allclose(-b * d1 + c * d2, 1)
    assert b > c + 1
    rows = np.full((comb(d, d1), d), c)
    for row, chosen in zip(rows, combinations(range(d), d1), strict=True):
        row[list(chosen)] = -b
    x = next_iterate(np.ones(d), rows, 1.0, eta, d1)
    np.testing.assert_allclose(x, 1 + eta * (2 * b - 1) * d1 / d)
    printed = 1 + eta * (2 * b - 1) * d1 / (d2 + 1)
    assert np.allclose(x, printed) is (d1 == 1)
