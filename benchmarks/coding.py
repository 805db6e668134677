"""Coders beside an array copy: size over its limit, speed as a share of the copy's.

    python -m benchmarks.coding [--count N] [--repeat R]

Speeds are GB/s of the float32 values the symbols stand for (4 bytes a symbol) on one core,
the best of R, and their ratio to `np.copyto` of as many float32 values in the same run.
Limits are log2 C(d, k) for sets of indices, the empirical entropy for symbols.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from netcomp.coding.ans import decode_symbols, encode_symbols
from netcomp.coding.bits import pack_bits, unpack_bits
from netcomp.coding.gaps import decode_indices, encode_indices
from netcomp.coding.trits import pack_trits, unpack_trits

Case = tuple[str, float, Callable[[], Any], Callable[[Any], Any]]


def seconds(work: Callable[[], Any], repeat: int) -> float:
    """Return the shortest time of one call."""
    best = math.inf
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def entropy(symbols: Any) -> float:
    """Return the empirical entropy of all symbols in bytes."""
    counts = np.bincount(symbols)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.log2(symbols.size / counts))) / 8


def symbol_cases(n: int, rng: np.random.Generator) -> Iterator[Case]:
    """Yield natural exponents, dithering levels and qsgd levels."""
    normal = rng.normal(size=n).astype(np.float32)
    noise = rng.random(n, dtype=np.float32)
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
            partial(decode_symbols, count=n, alphabet=alphabet),
        )


def other_cases(n: int, rng: np.random.Generator) -> Iterator[Case]:
    """Yield sets of indices, digits and fields."""
    for share in (0.001, 0.01, 0.1, 0.38):
        k = max(1, int(share * n))
        indices = np.sort(rng.choice(n, k, replace=False, shuffle=False))
        nats = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        yield (
            f"gaps {share:.1%}",
            nats / math.log(2) / 8,
            partial(encode_indices, indices, n),
            partial(decode_indices, count=k, d=n),
        )
    digits = rng.integers(0, 3, n, dtype=np.uint8)
    yield (
        "trits",
        n * math.log2(3) / 8,
        partial(pack_trits, digits),
        partial(unpack_trits, count=n),
    )
    for width in (1, 4, 9):
        fields = rng.integers(0, 1 << width, n, dtype=np.uint16)
        yield (
            f"bits {width}",
            n * width / 8,
            partial(pack_bits, fields, width),
            partial(unpack_bits, count=n, width=width),
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10**7)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    n, rng = asked.count, np.random.default_rng(1)
    source, target = np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    copy = seconds(lambda: np.copyto(target, source), 2 * asked.repeat)
    print(f"{n} values; copy {4e-9 * n / copy:.1f} GB/s")
    heads = ("bits/value", "of limit", "encode", "ratio", "decode", "ratio")
    print(" " * 24 + "".join(f"{h:>{w}}" for h, w in zip(heads, (11, 9, 9, 7, 9, 7), strict=True)))
    for cases in (symbol_cases(n, rng), other_cases(n, rng)):
        for name, limit, encode, decode in cases:
            data = encode()
            size = len(data)
            works = (encode, partial(decode, data))
            times = [seconds(work, asked.repeat) for work in works]
            speeds = "".join(f"{4e-9 * n / t:9.2f}{copy / t:7.3f}" for t in times)
            print(f"{name:24}{8 * size / n:11.4f}{size / limit:9.4f}{speeds}")


if __name__ == "__main__":
    main()
