"""What a payload's bytes are held against: sets, entropies, widths, part by part."""

import math

import numpy as np
import pytest

from benchmarks.compressors.cases import CASES
from benchmarks.compressors.limits import Share, Sizes, coded, entropy, log2_binomial, sizes
from netcomp.compressors import parse_compressor
from netcomp.draw import Draw
from support.measured import D, gaussian


@pytest.mark.parametrize(("d", "k"), [(1, 1), (10, 3), (1000, 10), (300, 150)])
def test_the_limit_of_a_set_is_the_logarithm_of_the_number_of_sets(d, k):
    assert math.log2(math.comb(d, k)) == pytest.approx(log2_binomial(d, k), abs=1e-9)


def test_entropy_is_of_the_shares_of_equal_values_wherever_they_stand():
    values = np.zeros(1 << 17)
    values[::4] = -2.0
    values[1::8] = -0.0
    exact = values.size * (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert exact == pytest.approx(entropy(values))
    assert 0.0 == entropy(np.ones(70000)) == entropy(np.empty(0))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_parts_add_up_to_the_payload(case):
    compressor = parse_compressor(case.notation).resolve(D, case.workers)
    draw = Draw(1, worker=0)
    payload = compressor.compress(gaussian(), draw)
    found = sizes(compressor, payload, draw)
    assert 8 * payload.nbytes == found.whole.bits
    assert found.heads.bits == found.heads.limit
    assert ("top-k" in case.notation or case.notation == "adaptive") == (found.indices.bits > 0)


@pytest.mark.parametrize(
    ("notation", "bits"),
    [
        ("identity", 32 * D),
        ("rand-k:10%+f16", 16 * D // 10),
        ("natural", 9 * D),
        ("scale:0.5(natural)", 9 * D),
        ("sign", 32 + D),
        ("sketch:m=5", 160),
    ],
)
def test_values_of_a_fixed_width_have_that_width_as_their_limit(notation, bits):
    compressor = parse_compressor(notation).resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    assert bits == sizes(compressor, payload, Draw(1)).whole.limit
    assert not coded(compressor)


def test_the_limit_of_coded_levels_is_their_entropy_and_the_norm_stands_apart():
    compressor = parse_compressor("top-k:k=500+qsgd:s=4").resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    found = sizes(compressor, payload, Draw(1))
    assert coded(compressor)
    assert Share(32.0, 32.0) == found.heads
    assert entropy(payload.values) == found.values.limit
    assert log2_binomial(D, 500) == found.indices.limit


def test_several_messages_have_the_sum_of_their_limits():
    compressor = parse_compressor("fcc:r=3(top-k:k=20)").resolve(D, 1)
    found = sizes(compressor, compressor.compress(gaussian(), Draw(1)), Draw(1))
    assert 3 * log2_binomial(D, 20) == pytest.approx(found.indices.limit)
    # A byte a message, and a byte for the size of each of its two parts.
    assert Sizes(found.indices, Share(1920.0, 1920.0), Share(72.0, 72.0)) == found
