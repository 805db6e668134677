"""Coders alone: symbols, sets of indices, digits and fields, beside their limits.

Limits are log2 C(d, k) for sets of indices, the empirical entropy for symbols, the width for
fields. Ratios are to a copy of as many float32 values as there are symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.compressors.limits import entropy, log2_binomial
from benchmarks.compressors.peers.timing import measure
from netcomp.coding.ans import decode_symbols, encode_symbols
from netcomp.coding.bits import pack_bits, unpack_bits
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.coding.trits import pack_trits, unpack_trits

__all__ = ["rows"]

Coder = tuple[str, float, Callable[[], Any], Callable[[Any], Any]]
"""A name, the limit in bits, encode() → bytes-like, decode(bytes-like)."""


def rows(d: int, repeat: int) -> list[dict[str, Any]]:
    """Return a row a coder for `d` symbols; bits are a symbol's."""
    rng = np.random.default_rng(1)
    vector = np.ones(d, dtype=np.float32)
    return [
        {"coder": name, "d": d, "bits": 8 * len(encode()) / d, "limit_bits": limit / d}
        | measure(vector, encode, decode, repeat)
        for coders in (_of_symbols(d, rng), _others(d, rng))
        for name, limit, encode, decode in coders
    ]


def _of_symbols(d: int, rng: np.random.Generator) -> Iterator[Coder]:
    """Yield natural exponents, dithering levels and qsgd levels."""
    normal = rng.normal(size=d).astype(np.float32)
    noise = rng.random(d, dtype=np.float32)
    exponents = (normal.view(np.uint32) >> 23 & 255).astype(np.uint8)
    sources = [("ans natural exponents", exponents, 256)]
    for s in (1, 4, 16, 64):
        rounded = np.clip(np.floor(normal * (s / 4) + noise) + s, 0, 2 * s).astype(np.uint8)
        sources.append((f"ans levels s={s}", rounded, 2 * s + 1))
    for p in (0.008, 0.05, 0.1):
        sparse = np.where(noise < p, np.where(normal > 0, 2, 0), 1).astype(np.uint8)
        sources.append((f"ans qsgd {p:.1%} not 0", sparse, 3))
    for name, symbols, alphabet in sources:
        yield (
            name,
            entropy(symbols),
            partial(encode_symbols, symbols, alphabet),
            partial(decode_symbols, count=d, alphabet=alphabet),
        )


def _others(d: int, rng: np.random.Generator) -> Iterator[Coder]:
    """Yield sets of indices, digits and fields."""
    for share in (0.001, 0.01, 0.1, 0.38):
        k = max(1, int(share * d))
        indices = np.sort(rng.choice(d, k, replace=False, shuffle=False))
        yield (
            f"gaps {share:.1%}",
            log2_binomial(d, k),
            partial(encode_indices, indices, d),
            partial(decode_indices, count=k, d=d),
        )
    digits = rng.integers(0, 3, d, dtype=np.uint8)
    yield (
        "trits",
        d * np.log2(3.0),
        partial(pack_trits, digits),
        partial(unpack_trits, count=d),
    )
    for width in (1, 4, 9):
        fields = rng.integers(0, 1 << width, d, dtype=np.uint16)
        yield (
            f"bits {width}",
            float(d * width),
            partial(pack_bits, fields, width),
            partial(unpack_bits, count=d, width=width),
        )
