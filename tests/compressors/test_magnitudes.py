"""Σ |x_i| piece by piece: near the exact sum, and the same bits wherever a vector lies."""

import math

import numpy as np
import pytest

from netcomp.coding.aligned import LINE, aligned
from netcomp.compressors import parse_compressor
from netcomp.compressors.magnitudes import sums_of_magnitudes
from netcomp.compressors.norms import CHUNK, pieces
from netcomp.draw import Draw

DTYPES = [np.float32, np.float64]
# Around the values before the first run, a run, and a piece, and where both end.
LENGTHS = [*range(30), 8191, 8192, 8204, 8205, 50_000, CHUNK, CHUNK + 5, CHUNK + 12, 3 * CHUNK + 13]


def drawn(length, dtype):
    return np.random.default_rng(length).standard_normal(length).astype(dtype)


def lying(values, offset):
    """Return a copy that begins `offset` bytes after a boundary of a cache line."""
    memory = np.frombuffer(aligned(values.nbytes + LINE), dtype=np.uint8)
    copied = memory[offset : offset + values.nbytes].view(values.dtype)
    copied[:] = values
    return copied


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


@pytest.mark.parametrize("length", [5, 20, 300, 8204, 50_000, CHUNK + 1000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_do_not_depend_on_where_a_vector_lies(length, dtype):
    """At every offset from a cache line, those included at which values are not aligned at all."""
    values = drawn(length, dtype)
    expected = list(sums_of_magnitudes(values))
    for offset in range(LINE):
        assert expected == list(sums_of_magnitudes(lying(values, offset)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_do_not_depend_on_strides_or_byte_order(dtype):
    values = drawn(50_000, dtype)
    expected = list(sums_of_magnitudes(values))
    spread = np.zeros(3 * values.size, dtype=dtype)
    spread[::3] = values
    assert expected == list(sums_of_magnitudes(spread[::3]))
    backwards = values[::-1].copy()
    assert expected == list(sums_of_magnitudes(backwards[::-1]))
    swapped = values.astype(values.dtype.newbyteorder())
    wide = values.astype(np.float64)
    assert list(sums_of_magnitudes(wide)) == list(sums_of_magnitudes(swapped))


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


def test_a_run_that_overflows_is_added_again():
    """The scale of signs of the largest values is that value, though float32 sums overflow."""
    largest = np.finfo(np.float32).max
    values = np.full(20_000, largest, dtype=np.float32)
    payload = parse_compressor("sign").resolve(values.size, 1).compress(values, Draw(1))
    assert largest == np.frombuffer(payload.parts[0], dtype="<f4")[0]
