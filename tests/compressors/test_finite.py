"""The check for NaN and infinity that every compressor begins with, at every length and dtype."""

import numpy as np
import pytest

from netcomp.coding.ans import encode_symbols
from netcomp.compressors import Chain, Count, FloatFormat, TopK, parse_compressor
from netcomp.compressors.base import all_finite, require_finite
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError

# Short ones are summed, long ones multiplied by rows of 8192; the last has a row begun.
LENGTHS = [1, 7, 8192, 65_535, 65_536, 70_001]
DTYPES = [np.float16, np.float32, np.float64]


def places(length):
    return sorted({0, length // 2, length - 1, min(8191, length - 1), min(65_536, length - 1)})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_one_bad_value_anywhere_is_found(length, dtype):
    """NaN and both infinities, at both ends, in the middle and where rows begin and end."""
    values = np.linspace(-1, 1, length).astype(dtype)
    assert all_finite(values)
    for place in places(length):
        for bad in (np.nan, np.inf, -np.inf):
            values[place] = bad
            assert not all_finite(values)
            with pytest.raises(NotFinite) as caught:
                require_finite(values, Draw(1, 4, worker=3))
            assert (place, 3, 4) == (caught.value.index, caught.value.worker, caught.value.round)
            values[place] = 0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_the_largest_values_are_finite(length, dtype):
    """Where sums and squares overflow the vector is still accepted, and without a warning."""
    for value in (np.finfo(dtype).max, np.finfo(dtype).min, np.finfo(dtype).smallest_subnormal):
        require_finite(np.full(length, value, dtype=dtype), Draw(1))
    mixed = np.full(length, np.finfo(dtype).max, dtype=dtype)
    mixed[::2] *= -1
    assert all_finite(mixed)


def test_the_first_of_several_is_named():
    """Infinities that would cancel in a sum, in different rows."""
    values = np.zeros(100_000, dtype=np.float32)
    values[[70_000, 9000, 99_999]] = np.inf, -np.inf, np.nan
    with pytest.raises(NotFinite) as caught:
        require_finite(values, Draw(1))
    assert 9000 == caught.value.index


def test_a_vector_may_have_strides():
    """Every other value of another vector: only those count."""
    values = np.ones(200_000, dtype=np.float32)
    values[1::2] = np.nan
    assert all_finite(values[::2])
    assert not all_finite(values[1::2])


@pytest.mark.parametrize("text", ["rand-k:k=1", "bernoulli:p=0.001", "perm-k", "top-k:k=1"])
def test_what_is_not_kept_is_looked_at_too(text):
    """A sparsifier that keeps next to nothing refuses a NaN it would not have sent."""
    d = 100_000
    compressor = parse_compressor(text).resolve(d, 1000)
    v = np.ones(d, dtype=np.float32)
    kept = compressor.compress(v, Draw(1, worker=5)).indices
    left_out = int(np.setdiff1d(np.arange(d), kept)[50_000])
    v[left_out] = np.nan
    with pytest.raises(NotFinite) as caught:
        compressor.compress(v, Draw(1, worker=5))
    assert left_out == caught.value.index


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("many", [1, 500, 20_000, 99_990])
@pytest.mark.parametrize("k", [1, 1000, 20_000, 60_000, 100_000])
def test_top_k_finds_what_is_not_finite_by_itself(k, many, bad):
    """However many there are, and whether a guess is made or all are partitioned."""
    d = 100_000
    v = np.random.default_rng(k).standard_normal(d).astype(np.float32)
    places = np.random.default_rng(many).choice(d, many, replace=False)
    v[places] = bad
    with pytest.raises(NotFinite) as caught:
        parse_compressor(f"top-k:k={k}").resolve(d, 1).compress(v, Draw(1, worker=5))
    assert places.min() == caught.value.index


def test_a_derived_sparsifier_does_not_inherit_the_check():
    """One that chooses in its own way says itself whether it looks for what is not finite."""

    class First(TopK):
        def select(self, v, draw):
            return np.arange(self.k.value)

    assert not First.selects_finite
    with pytest.raises(NotFinite):
        Chain(First(Count("2")), FloatFormat()).compress(np.array([1.0, 2.0, np.nan]), Draw(1))


@pytest.mark.parametrize("coding", ["raw", "entropy"])
def test_an_exponent_of_infinity_is_refused(coding):
    """Natural looks at its exponents alone: 255 is nobody's, 254 is the largest power of two."""
    d = 9
    compressor = parse_compressor(f"natural:coding={coding}").resolve(d, 1)
    for exponent, allowed in ((254, True), (255, False)):
        exponents = np.full(d, 127, dtype=np.uint8)
        exponents[5] = exponent
        parts = [exponents.data, memoryview(bytes(2))]
        if coding == "entropy":
            parts = [memoryview(encode_symbols(2 * exponents.astype(np.uint16), 512))]
        if allowed:
            assert 2.0**127 == compressor.decode(parts, d, Draw(1)).values[5]
            continue
        with pytest.raises(RemoteProtocolError, match="not finite"):
            compressor.decode(parts, d, Draw(1))


@pytest.mark.parametrize("text", ["sign", "ternary", "dither:s=8", "qsgd:s=4"])
@pytest.mark.parametrize("norm", [np.inf, np.nan, -1.0])
def test_a_norm_that_is_not_finite_is_refused(text, norm):
    """What is decoded is never larger than the norm, so the norm alone is looked at."""
    v = np.linspace(-1, 1, 50, dtype=np.float32)
    compressor = parse_compressor(text).resolve(v.size, 1)
    _, *rest = compressor.compress(v, Draw(1)).parts
    with pytest.raises(RemoteProtocolError, match="norm"):
        compressor.decode([memoryview(np.float32(norm).tobytes()), *rest], v.size, Draw(1))
    largest = np.finfo(np.float32).max
    decoded = compressor.decode([memoryview(largest.tobytes()), *rest], v.size, Draw(1)).values
    assert np.isfinite(decoded).all()
