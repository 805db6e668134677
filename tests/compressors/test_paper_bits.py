"""`paper_bits`: what the papers count of a message, from formulas of their own."""

from math import log2

import numpy as np
import pytest

from support.notations import ATOMS, key, names, resolved

D, N = 1000, 4
PAPER_BITS = {
    # Floats at the width of their format; identity is f32.
    "identity": 32 * D,
    "f64": 64 * D,
    "f32": 32 * D,
    "f16": 16 * D,
    "bf16": 16 * D,
    # Sign and exponent.
    "natural": 9 * D,
    # Sign and the number of one of 254 powers of two (of 1.5: 433), or of zero.
    "round:b=2": (1 + 8) * D,
    "round:b=1.5": (1 + 9) * D,
    "round:b=2,biased=yes": (1 + 8) * D,
    # A norm; sign and one of s + 1 levels each.
    "dither:s=8": 32 + (1 + log2(9)) * D,
    "dither:s=3,b=1.5,p=inf": 32 + (1 + log2(4)) * D,
    "qsgd:s=1": 32 + (1 + log2(2)) * D,
    "qsgd:s=4": 32 + (1 + log2(5)) * D,
    "ternary": 32 + log2(3) * D,
    "sign": 32 + D,
    # Values only where both ends know the coordinates, else log₂ d bits for each as well.
    "rand-k:25%": 32 * 250,
    "rand-k:25%,scaled=no": 32 * 250,
    "perm-k": 32 * D / N,
    "perm-k:order=cyclic": 32 * D / N,
    "bernoulli:p=0.3": 32 * 0.3 * D,
    "top-k:25%": (32 + log2(D)) * 250,
    "adaptive": 32 + log2(D),
    "sketch:m=10%": 32 * 100,
    # Pairs: as many values of the quantizer as the sparsifier keeps.
    "top-k:25%+natural": (9 + log2(D)) * 250,
    "rand-k:25%+qsgd:s=4": 32 + (1 + log2(5)) * 250,
    "perm-k+ternary": 32 + log2(3) * 250,
    "adaptive+sign": 32 + 1 + log2(D),
    # All messages of what they are made of.
    "fcc:r=3(natural)": 3 * 9 * D,
    "scale:0.5(rand-k:50%)": 32 * 500,
    "layers:sizes=300/...(perm-k+natural)": 9 * (75 + 175),
    "layers:sizes=1/400/...(qsgd:s=4)": 4 * 32 + (1 + log2(5)) * D,
}


def test_every_name_is_here():
    assert set.union(*map(names, PAPER_BITS)) == set.union(*map(names, ATOMS))


@pytest.mark.parametrize("text", PAPER_BITS)
def test_paper_bits(text):
    """Announced; and of a message, which for bernoulli keeps another number each time."""
    compressor = resolved(text, D, N)
    assert compressor.paper_bits(D) == pytest.approx(PAPER_BITS[text], rel=1e-12)
    payload = compressor.compress(np.random.default_rng(1).standard_normal(D), key())
    kept = payload.indices.size * 32 if "bernoulli" in text else PAPER_BITS[text]
    assert payload.paper_bits == pytest.approx(kept, rel=1e-12)
