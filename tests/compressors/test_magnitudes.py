"""Σ |x_i| piece by piece: near the exact sum, and the same bits wherever a vector lies."""

import math

import numpy as np
import pytest

from netcomp.coding.aligned import LINE, aligned
from netcomp.compressors import magnitudes, parse_compressor
from netcomp.compressors.magnitudes import sums_of_magnitudes
from netcomp.compressors.norms import CHUNK, pieces
from netcomp.draw import Draw
from netcomp.errors import NotFinite

DTYPES = [np.float32, np.float64]
# Around what float64 adds, a run, and a piece, and where both end.
LENGTHS = [
    *(*range(20), 1023, 1024, 1025, 1036, 8191, 8192, 8204, 8205, 50_000),
    *(CHUNK, CHUNK + 5, CHUNK + 12, 3 * CHUNK + 13),
]


def drawn(length, dtype):
    return np.random.default_rng(length).standard_normal(length).astype(dtype)


def lying(values, offset):
    """Return a copy that begins `offset` bytes after a boundary of a cache line."""
    memory = np.frombuffer(aligned(values.nbytes + LINE), dtype=np.uint8)
    copied = memory[offset : offset + values.nbytes].view(values.dtype)
    copied[:] = values
    return copied


def signs(values):
    """Return what the receiver of signs of these values decodes."""
    compressor = parse_compressor("sign").resolve(values.size, 1)
    parts = compressor.compress(values, Draw(1)).parts
    return compressor.decode(parts, values.size, Draw(1)).dense()


@pytest.mark.parametrize("nbytes", [0, 1, 64, 1000])
def test_aligned_memory_begins_at_a_line(nbytes):
    memory = np.frombuffer(aligned(nbytes), dtype=np.uint8)
    assert nbytes == memory.size
    assert nbytes == 0 or memory.ctypes.data % LINE == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_the_sums_of_all_pieces_are_the_norm(length, dtype):
    """One number a piece, together the exact sum to what runs of 8192 lose."""
    values = drawn(length, dtype)
    sums = list(sums_of_magnitudes(values))
    assert len(list(pieces(length))) == len(sums)
    exact = math.fsum(np.abs(values).tolist())
    assert sum(sums) == pytest.approx(exact, rel=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("length", [5, 300, 1025, 8204, 50_000, CHUNK + 1000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_do_not_depend_on_where_a_vector_lies(length, dtype):
    """At every offset from a cache line, those included at which values are not aligned at all."""
    values = drawn(length, dtype)
    expected = list(sums_of_magnitudes(values))
    for offset in range(LINE):
        assert expected == list(sums_of_magnitudes(lying(values, offset)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [2, 3, -1])
def test_the_bits_do_not_depend_on_strides(step, dtype):
    values = drawn(50_000, dtype)
    expected = list(sums_of_magnitudes(values))
    spread = np.zeros(abs(step) * values.size, dtype=dtype)
    spread[::step] = values
    for offset in range(0, LINE, spread.itemsize):
        assert expected == list(sums_of_magnitudes(lying(spread, offset)[::step]))


def test_other_dtypes_are_added_as_float64():
    """Such as another byte order, or half precision."""
    values = drawn(50_000, np.float16)
    expected = list(sums_of_magnitudes(values.astype(np.float64)))
    assert expected == list(sums_of_magnitudes(values))
    single = values.astype(np.float32)
    assert expected == list(sums_of_magnitudes(single.astype(single.dtype.newbyteorder())))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, 3])
def test_blas_is_given_short_runs_that_begin_at_a_line(step, dtype, monkeypatch):
    """Whatever the BLAS here makes of other ones; the vector's own memory is read where it can be.

    That is at 16 bytes after a line, where numpy's long arrays begin.
    """
    spread = np.ones(step * (CHUNK + 9000), dtype=dtype)
    seen = []

    def spy(x, n, at):
        assert dtype == x.dtype
        assert x.flags.c_contiguous
        assert (x.ctypes.data + at * x.itemsize) % LINE == 0
        seen.append((n, np.shares_memory(x, values)))
        return float(x[at : at + n].sum())

    monkeypatch.setattr(magnitudes, "asum", lambda dtype: spy)
    for offset in range(0, LINE, 4):
        values = lying(spread, offset)[::step]
        seen.clear()
        assert values.size == sum(sums_of_magnitudes(values))
        assert all(0 < n <= 8192 for n, _ in seen)  # OpenBLAS starts threads above 10,000
        assert {step == 1 and offset == 16} == {in_place for _, in_place in seen}


@pytest.mark.parametrize("size", [1.0, 1 / 3, 1.9999999, 0.1])
def test_equal_magnitudes_keep_their_size(size):
    """All additions of a run may round the same way; 8192 lose at most 8192 · 2⁻²⁴ in any order."""
    values = np.full(100_000, size, dtype=np.float32)
    values[::3] *= -1
    assert sum(sums_of_magnitudes(values)) == pytest.approx(
        values.size * abs(values[0]), rel=2.0**-11
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 11, 12, 8203, CHUNK, CHUNK + 99])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows(place, bad, dtype):
    """Before the first run, in a run, and in the last piece."""
    values = np.zeros(CHUNK + 100, dtype=dtype)
    values[place] = bad
    assert not math.isfinite(sum(sums_of_magnitudes(values)))


def test_a_read_only_vector_is_read_and_left_as_it_is():
    values = np.frombuffer(drawn(20_000, np.float32).tobytes(), dtype=np.float32)
    before = values.tobytes()
    assert sum(sums_of_magnitudes(values)) == pytest.approx(float(np.abs(values).sum()), rel=1e-4)
    assert before == values.tobytes()


@pytest.mark.parametrize("length", [1, 2, 100, 1000, 1024])
def test_few_equal_magnitudes_keep_their_size_exactly(length):
    """So signs of signs are the same signs."""
    values = np.full(length, 0.1, dtype=np.float32)
    values[::3] *= -1
    assert values.tolist() == signs(values).tolist()


def test_signs_and_scale_are_those_of_all_pieces():
    """Each piece with magnitudes of its own size."""
    values = drawn(2 * CHUNK + 77, np.float32)
    values[:CHUNK] *= 5
    values[2 * CHUNK :] *= 1000
    found = signs(values)
    assert (values < 0).tolist() == (found < 0).tolist()
    mean = np.abs(values).mean(dtype=np.float64)
    np.testing.assert_allclose(np.abs(found), mean, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_run_that_overflows_is_added_again():
    """Signs of the largest values, of several pieces: float32 sums overflow, the scale does not."""
    largest = np.finfo(np.float32).max
    values = np.full(2 * CHUNK + 77, largest)
    assert (values == signs(values)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("length", [5, 9000])
def test_a_sum_beyond_float64_is_refused_at_the_largest_magnitude(length):
    values = np.full(length, -1.6e308)
    values[3] = -1.7e308
    with pytest.raises(NotFinite) as caught:
        signs(values)
    assert 3 == caught.value.index
