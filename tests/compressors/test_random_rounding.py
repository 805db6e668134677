"""Random rounding at 8 or 16 bits a value: exact decisions, the right neighbours, norms."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from netcomp.compressors import grids, parse_compressor, ternary
from netcomp.compressors.cells import Cells
from netcomp.compressors.chance import BELOW_255, BELOW_ONE, Coins
from netcomp.compressors.grids import nearest_symbols
from netcomp.compressors.levels import Dithering, Qsgd
from netcomp.compressors.norms import CHUNK, Norm, max_norm
from netcomp.compressors.rounding import Rounding, Steps
from netcomp.compressors.ternary import _rounded
from netcomp.compressors.thinning import _binomial, thinned
from netcomp.draw import Draw, Purpose
from netcomp.errors import NotFinite

DRAW = Draw(1, 2, worker=3)
LEVELS = [
    *(Qsgd(s) for s in (1, 4, 32, 33, 1000)),
    *(Dithering(s) for s in (1, 2, 8, 40, 64, 65)),
    *(Dithering(s, b) for s, b in ((3, 1.5), (30, 1.1), (8, 4.0), (1, 1.0))),
]
ROUNDINGS = [Rounding(), Rounding(1.5), Rounding(4.0, Steps((1.0, 1.5, 2.0, 3.0))), Rounding(1.01)]
NORMS = [1.0, 3.7, 1e-10, 3e25, 3e38, 1e-40, 1e-44]


seeded = settings(derandomize=True, deadline=None, database=None)


class Given:
    """A stream whose words of 8 or 16 bits and whose uniforms are given."""

    def __init__(self, words, uniform):
        self.words, self.uniform = words, uniform

    def words64(self, count):
        raw = np.zeros(8 * count // self.words.itemsize, dtype=self.words.dtype)
        raw[: self.words.size] = self.words
        return raw.view("<u8")

    def uniforms(self, count):
        return np.full(count, self.uniform)


def decided(coins, thresholds, p, uniform):
    """Return who goes up of values with these T and p, and who was left open."""
    up = coins.toss(thresholds.copy()).copy()
    at = np.concatenate([*coins.left_open(), np.empty(0, np.int64)])
    coins._stream.uniform = uniform
    up[at] = coins.settle(thresholds[at], np.full(at.size, p))
    return up, at


def around(share):
    """Return uniform numbers just below and at least a probability, with what they decide."""
    below = [(float(share) - 2.0**-40, True)] if share > 2.0**-39 else []
    return [*below, (float(share) + 2.0**-40, False)]


@pytest.mark.parametrize("p", [0.0, 1e-9, 1 / 65536, 1 / 256, 0.3, 0.5, 1 - 1e-9, 1.0])
@pytest.mark.parametrize(("word", "lower"), [("<u1", 0), ("<u2", 1)])
def test_a_few_bits_and_a_uniform_give_the_exact_probability(word, lower, p):
    """Over all u of w bits and every T that is near enough: up in 2^w·p cases, exactly."""
    words = np.arange(256 ** np.dtype(word).itemsize).astype(word)
    many, left = words.size, 2 + lower
    near = range(int(p * many) - 2, int(p * many) + 2)
    allowed = [T for T in near if T - lower <= p * many <= T + 2 and 0 <= T < many - 1 + lower]
    assert allowed
    for T in allowed:
        thresholds = np.full(many, T, word)
        up, at = decided(Coins(Given(words, 0.0), many), thresholds, p, 1.0)
        assert left == at.size
        certain = Fraction(p) * many - int(up.sum())
        assert 0 <= certain <= left
        for uniform, goes_up in around(certain / left):
            up, at = decided(Coins(Given(words, 0.0), many), thresholds, p, uniform)
            assert [goes_up] * left == up[at].tolist()


def test_pieces_do_not_matter():
    """Words and uniforms are the same however a vector is cut, and so is what is left open."""
    rng = np.random.default_rng(3)
    for word, top in (("<u1", 255), ("<u2", 65536)):
        T = rng.integers(0, top, 300_000).astype(word)
        whole, cut = (Coins(DRAW.stream(Purpose.QUANTIZER), size) for size in (T.size, 8 * 999))
        expected = whole.toss(T.copy())
        for start in range(0, T.size, 8 * 999):
            part = T[start : start + 8 * 999]
            assert np.array_equal(expected[start:][: part.size], cut.toss(part.copy()))
        pieces = list(cut.left_open())
        assert max(piece.size for piece in pieces) <= 8 * 999
        assert np.array_equal(np.concatenate(list(whole.left_open())), np.concatenate(pieces))


@pytest.mark.parametrize(("below", "many", "lower"), [(BELOW_255, 256, 0), (BELOW_ONE, 65536, 1)])
def test_a_chance_up_to_one_gives_a_threshold(below, many, lower):
    """Whatever float32 makes of p: T is near enough to 2^w·p, and not too large."""
    p = np.concatenate([np.linspace(0, 1, 100_003), np.arange(many + 1) / many, [1e-9, 1 - 1e-9]])
    T = np.floor(p.astype(np.float32) * np.float32(below)).astype(float)
    assert T.max() == many - 2 + lower
    assert (T - lower <= many * p.astype(np.float32)).all()
    assert (many * p.astype(np.float32) <= T + 2).all()


@pytest.mark.parametrize("scale", [1.0, 3.7, 1e-30, 1e-38, 3e38])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 1e-9, 1 / 256, 0.3, 0.5, 0.998, 1 - 2.0**-20, 1.0])
def test_a_ternary_value_is_kept_with_its_own_probability(scale, dtype, share):
    """Over all 256 bytes it is kept in 256|x|/‖x‖_∞ cases, exactly."""
    top = float(np.float32(scale))
    v = np.full(256, share * top).astype(dtype)
    v[::3] *= -1
    exact = Fraction(float(abs(v[0]))) / Fraction(top)

    def codes(uniform):
        found = _rounded(v, top, Given(np.arange(256).astype("<u1"), uniform))
        assert ((found == 2) == (found > 0) & (v < 0)).all()
        return found > 0

    certain = int(codes(1.0).sum())
    missing = 256 * exact - certain
    assert 0 <= missing <= 2
    for uniform, kept in around(missing / 2):
        assert codes(uniform).sum() == certain + 2 * kept


@pytest.mark.parametrize(("module", "text"), [(ternary, "ternary"), (grids, "qsgd:s=4,p=inf")])
def test_the_size_of_pieces_changes_no_byte(module, text, monkeypatch):
    """Also where more values are left open than fit into a piece."""
    d = 200_003
    v = np.random.default_rng(1).standard_normal(d).astype(np.float32)
    compressor = parse_compressor(text).resolve(d, 1)
    expected = [bytes(part) for part in compressor.compress(v, DRAW).parts]
    monkeypatch.setattr(module, "quarter", lambda _: 800)
    assert expected == [bytes(part) for part in compressor.compress(v, DRAW).parts]


def spread(largest, points):
    """Return float32 up to `largest`, with the points and their neighbours among them."""
    rng = np.random.default_rng(points.size)
    v = (rng.random(3000) ** rng.integers(1, 12, 3000) * largest).astype(np.float32)
    inner = [np.nextafter(points, np.float32(0)), points, np.nextafter(points, np.float32(np.inf))]
    v = np.concatenate([v, *inner, [0.0, -0.0, largest, -largest]]).astype(np.float32)
    v = v[np.abs(v) <= np.float32(largest)]
    v[rng.random(v.size) < 0.5] *= -1
    return v


def check(grid, v):
    """T − 1 ≤ 2¹⁶p ≤ T + 2; the numbers are the neighbours, so p is in [0, 1] up to rounding."""
    for part in (v[:CHUNK], v[:0], v[:1]):
        k, thresholds = (array.copy() for array in grid.split(part))
        p = grid.chances(part, k)
        assert k.max(initial=0) <= grid.size
        assert (-1e-6 < p).all()
        assert (p < 1 + 1e-6).all()
        scaled = np.clip(p, 0, 1) * 65536
        assert (thresholds.astype(float) - 1 <= scaled).all()
        assert (scaled <= thresholds.astype(float) + 2).all()
        assert not p[k == grid.size].any()
        low, high = (
            grid.table[0::2].astype(float)[k],
            np.append(grid.table[0::2], 0.0)[k + np.intp(1)],
        )
        inner = k < grid.size
        mean = (1 - p) * low + p * high
        np.testing.assert_allclose(mean[inner], np.abs(part.astype(float))[inner], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_levels_lie_around_each_value(levels, norm, dtype):
    """For norms of any size: those that are decoded, and the mean of the two is the value."""
    norm = np.float32(norm)
    magnitudes = levels._magnitudes(norm)
    v = spread(norm, magnitudes).astype(dtype)
    check(levels._grid(magnitudes, float(norm), v.dtype), v)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rounding", ROUNDINGS, ids=str)
def test_magnitudes_lie_around_each_value(rounding, dtype):
    """From subnormals to 2¹²⁷."""
    magnitudes = rounding._magnitudes
    tiny = np.float32(2.0) ** -np.arange(120, 150, dtype=np.float32)
    v = np.concatenate([spread(magnitudes[-1], magnitudes), tiny]).astype(dtype)
    check(rounding._grid(v.dtype), v)


@pytest.mark.parametrize("rounding", ROUNDINGS, ids=str)
def test_the_nearest_magnitude_is_taken(rounding):
    """No other is nearer, in the middle the smaller; float32 and float64 agree."""
    points = np.append(np.float32(0), rounding._magnitudes).astype(float)
    middles = ((points[1:] + points[:-1]) / 2).astype(np.float32)
    v = spread(rounding._magnitudes[-1], middles)
    symbols = nearest_symbols(rounding._magnitudes, v)
    assert symbols.tolist() == nearest_symbols(rounding._magnitudes, v.astype(float)).tolist()
    k = (symbols.astype(int) + 1) // 2
    t = np.abs(v.astype(float))
    error = np.abs(t - points[k])
    assert (error <= np.abs(t - points[np.maximum(k - 1, 0)])).all()
    assert (error <= np.abs(t - points[np.minimum(k + 1, points.size - 1)])).all()
    assert (points[k[error == t - points[k - 1]]] == 0).all()
    np.testing.assert_array_equal(symbols % 2 == 1, (v < 0) & (k > 0))


@settings(deadline=None)
@given(
    st.lists(st.floats(2.0**-140, 2.0**127, width=32), min_size=1, max_size=40, unique=True),
    st.lists(st.floats(0, 2.0**127, width=32), max_size=40),
)
def test_cells_count_the_points_below(points, values):
    """Where there are cells, they give what a search gives."""
    points = np.sort(np.array(points, np.float32))
    cells = Cells.of(points)
    if cells is not None:
        t = np.array([*values, *points], np.float32)
        assert np.searchsorted(points, t, side="right").tolist() == cells.below(t).tolist()


def test_points_too_near_to_each_other_have_no_cells():
    near = np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert Cells.of(near) is None


@pytest.mark.parametrize("size", [1, 7, CHUNK + 3])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *((np.float32, scale) for scale in (1.0, 2.0**-149, 2.0**120)),
        *((np.float64, scale) for scale in (1.0, 2.0**-1074, 2.0**-600, 2.0**600, 2.0**1000)),
    ],
)
def test_norms_of_any_size(dtype, size, scale):
    """‖x‖₁, ‖x‖₂, ‖x‖_∞ and the largest, also where squares overflow or vanish in float64."""
    whole = np.random.default_rng(size).integers(-7, 8, size).astype(float)
    x = (whole * scale).astype(dtype)
    large, units = np.abs(whole).max(), {1.0: np.abs(whole).sum(), 2.0: np.sqrt(whole @ whole)}
    for p, unit in (*units.items(), (np.inf, large)):
        norm, largest = Norm(p).measure(x, DRAW)
        assert large * scale == largest == max_norm(x, DRAW)
        np.testing.assert_allclose(norm, unit * scale, rtol=1e-14, atol=2.0**-1074)
    for p in (1.5, 3.0, 1e3):
        norm, largest = Norm(p).measure(x, DRAW)
        # At least the largest magnitude, whatever is rounded: no level is above 1.
        assert large * scale == largest <= norm
        unit = large * float((np.abs(whole / max(large, 1)) ** p).sum()) ** (1 / p)
        np.testing.assert_allclose(norm, unit * scale, rtol=1e-13, atol=2.0**-1074)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e18, 1e30])
@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, 3 * CHUNK + 1025])
def test_norms_of_many_float32_are_those_of_float64(size, scale):
    """Squares formed in float32 cost less than a rounding, and none is lost or overflows."""
    v = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    v *= np.float32(scale)
    norm, largest = Norm(2.0).measure(v, Draw(0))
    np.testing.assert_allclose(norm, np.linalg.norm(v.astype(np.float64)), rtol=2.0**-24)
    assert float(np.abs(v).max()) == largest <= norm


def test_one_large_value_among_many_is_its_norm():
    """No rounding lets the norm be less than the largest value: levels would exceed s."""
    v = np.zeros(2 * CHUNK, np.float32)
    v[7] = -3.3333333
    norm, largest = Norm(2.0).measure(v, Draw(0))
    assert float(-v[7]) == largest <= norm <= largest * (1.0 + 2.0**-23)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_norms_tell_the_first_value_that_is_not_finite(p, bad):
    x = np.ones(CHUNK + 9, np.float32)
    x[[CHUNK + 2, CHUNK + 5]] = bad, np.nan
    with pytest.raises(NotFinite) as caught:
        Norm(p).measure(x, DRAW)
    assert CHUNK + 2 == caught.value.index


def test_thinning_takes_each_coordinate_with_its_own_probability():
    """Means over 4000 keys are within six standard deviations of |v_i|/one, of all together too.

    Choices are independent: the number of them varies as a sum of independent ones does.
    """
    v = np.array([0.0, 1e-3, -1.0, 0.5, 1.0] * 40)
    counts, sizes = np.zeros(v.size), []
    for t in range(4000):
        chosen = thinned(v, 1.0, 16.0, Draw(9, t).stream(Purpose.QUANTIZER))
        assert (np.diff(chosen) > 0).all()
        counts[chosen] += 1
        sizes.append(chosen.size)
    p = np.abs(v) / 16.0
    assert (np.abs(counts / 4000 - p) <= 6 * np.sqrt(p * (1 - p) / 4000)).all()
    variance = (p * (1 - p)).sum()
    assert abs(np.mean(sizes) - p.sum()) <= 6 * np.sqrt(variance / 4000)
    # Of a sample of nearly normal numbers the variance has a relative error of √(2/4000).
    assert abs(np.var(sizes) / variance - 1) <= 6 * np.sqrt(2 / 4000)


class OneUniform:
    """A stream whose one uniform is given."""

    def __init__(self, uniform):
        self.uniform = uniform

    def uniforms(self, count):
        assert count == 1
        return np.array([self.uniform])


@seeded
@given(m=st.integers(1, 100_000), q=st.floats(1e-9, 1 / 16), uniform=st.floats(1e-6, 1 - 1e-6))
def test_the_number_of_marks_inverts_the_binomial_distribution(m, q, uniform):
    """Scipy's quantile; where the uniform is at a step of the distribution, that or the next."""
    near = {int(stats.binom.ppf(uniform * (1 + side), m, q)) for side in (-1e-8, 0.0, 1e-8)}
    assert _binomial(m, q, OneUniform(uniform)) in near
