"""Golden codes: what is in tests/golden/coded.json, and inputs made of whole numbers alone.

`python tests/support/coded.py` adds entries for cases that have none, and touches no other: an
entry that changed means that the bytes did, hence a new version of the format.
"""

import json
from base64 import b64encode
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np

from netcomp.coding.ans import encode_symbols
from netcomp.coding.few import encode_few
from netcomp.coding.gaps import MAX_DIMENSION, encode_indices

PATH = Path(__file__).parent.parent / "golden" / "coded.json"


def numbers(count, seed):
    """Return numbers below 2^32: the upper halves of D. E. Knuth's generator for MMIX."""
    out, x = [], seed
    for _ in range(count):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(x >> 32)
    return out


def below(top, count, seed, power=1):
    """Return numbers below `top`, the likelier the smaller where the power is above 1."""
    return [top * u**power >> 32 * power for u in numbers(count, seed)]


def spread(k, d, seed):
    """Return k different numbers below d in increasing order: the first k that come."""
    count = 2 * k
    while len(found := dict.fromkeys(below(d, count, seed))) < k:
        count *= 2
    return sorted(list(found)[:k])


def amid(common, others, count, seed):
    """Return `count` symbols, all the common one but for `others`."""
    out = [common] * count
    for at, other in zip(spread(len(others), count, seed), others, strict=True):
        out[at] = other
    return out


def arrayed(symbols, alphabet):
    """Return symbols in the dtype of their alphabet."""
    return np.array(symbols, dtype=np.uint8 if alphabet <= 256 else np.uint16)


# Symbols: name → (the symbols, the alphabet)

PLAIN = {
    "raw: 1 symbol": ([0] * 9, 1),
    "raw: 2 symbols": (below(2, 100, 1), 2),
    "raw: 7 bits": (below(100, 60, 2), 100),
    "raw: 8 bits": (below(256, 70, 3), 256),
    "raw: 9 bits": (below(300, 70, 4), 300),
    "raw: 16 bits": (below(1 << 16, 40, 5), 1 << 16),
    "one symbol": ([7] * 40, 9),
    "one symbol of two bytes": ([60_000] * 5000, 1 << 16),
    "singles, few lanes": (below(80, 500, 6, 5), 256),
    "singles, many lanes": (below(200, 1200, 7, 4), 256),
    "singles of two bytes": (below(300, 1500, 8, 4), 1 << 16),
    "singles, a fine table": ([*range(520), *(x + 300 for x in below(9, 1500, 9))], 4096),
    "pairs, few lanes": (below(20, 500, 10, 3), 20),
    "pairs, many lanes": (below(20, 1401, 11, 2), 20),
    "pairs of two bytes": ([x + 250 for x in below(20, 1001, 12, 2)], 300),
    "pairs of sixty symbols": (below(60, 400, 17), 256),
    "pairs, as fours would lose 0.73 %": (below(8, 900, 21, 7), 8),
    "fours that lose 0.56 %": (below(8, 900, 21, 6), 8),
    "fours, most of them the same": (amid(0, [1 + x for x in below(2, 700, 18)], 5000, 18), 3),
    "fours, one in eight another": (amid(0, [1 + x for x in below(2, 126, 19)], 1000, 19), 3),
    "fours, few lanes": (below(4, 500, 13, 3), 4),
    "fours, many lanes": (below(5, 3003, 15, 2), 6),
    "fours of two bytes": ([x + 290 for x in below(5, 1002, 16, 2)], 300),
}
FEW = {
    f"few: {k}": (amid(0, [1 + x for x in below(1 + k % 3, k, k)], 9 * k, k), 2 + k % 3)
    for k in [*range(1, 129), 192, 193, 255, 256, 512]
}
FEW["few: one in eight"] = amid(0, [1 + x for x in below(2, 125, 20)], 1000, 20), 3
MOSTLY = {
    f"mostly {c}: {what}": (amid(c, [(c + x) % 100 for x in more], 50, c), 100)
    for c, (what, more) in product(range(59), {"bare": (1, 2, 5), "one": (3, 3, 3)}.items())
}
MOSTLY |= {
    "mostly 59: bare": (amid(59, [9, 200], 300, 1), 256),
    "mostly 59: one": (amid(59, [9] * 4, 300, 1), 256),
    "mostly 299: bare": (amid(299, [9, 280], 300, 2), 300),
    "mostly 299: a field": (amid(299, [9], 1000, 0), 300),
    "mostly 60000: one": (amid(60_000, [9] * 9, 2000, 3), 1 << 16),
    "mostly 7: singles": (amid(7, below(90, 600, 4, 5), 5000, 4), 100),
    "mostly 7: pairs": (amid(7, [8 + x for x in below(20, 200, 5, 3)], 3000, 5), 33),
    "mostly 7: fours": (amid(7, [8 + x for x in below(3, 200, 6, 4)], 3000, 6), 33),
    "mostly 0: more than few": (amid(0, [1 + x for x in below(2, 513, 7)], 4200, 7), 3),
    "mostly 0: a flock": ([1, 2] * 60 + [0] * 3000 + [1], 3),
}
SYMBOLS = PLAIN | FEW | MOSTLY

LONG = {
    # A sample of them shows nothing but ones, so they are coded though nearly all are zeros.
    "as many lanes as the steps want": lambda: (np.arange(1_000_000) % 245 == 0, 2),
    "as many lanes as there may be": lambda: (np.arange(1_300_000) ** 2 % 65_521, 1 << 16),
}
"""Of these the file has digests."""

# Positions with symbols: name → (k, n, m)

POSITIONS = {
    f"{k} of {n}, {m}": (k, n, m)
    for k, n, m in [
        (1, 1, 1),
        (1, MAX_DIMENSION, 64),
        (8, 10_000, 2),
        (60, 70, 3),
        (192, 10_000, 2),
        (192, 200, 64),
        (193, 200, 64),
        (193, 10_000, 2),
        (200, 1860, 1),
        (200, 1866, 1),
        (300, 400, 1),
        (512, 60_000, 5),
        (193, MAX_DIMENSION, 1),
    ]
}

# Sets: in the file by form, each with the k, d and seed it was found by

BITMAP = 127
UNUSUAL = {0: (0, 10, 0), 126: (1, 1000, 0), BITMAP: (8200, 17_768, 0)}
LAST_WRITTEN, LAST_DIVISOR = 112, 120
"""Of k ≥ 4 the best divisor is below 2^29; of fewer a larger one takes more than fields, or an
extra bit that the one of 2^29 does not: the writer has no use for those from 113 on."""


def divisor(form):
    return form if form < 4 else (4 + form % 4) << (form // 4 - 1)


def of_set(k, d, seed):
    return np.array(spread(k, d, seed), dtype=np.int64)


def misleading(k):
    """Return a set whose gaps but for every second one, which is all a sample sees, are 0.

    A divisor of 1 takes no more bits than there are coordinates, so there are no bitmaps but
    where it is not looked at: of more than 8192 gaps.
    """
    gaps = [(3, 0, 2, 0, 2, 0)[i % 6] for i in range(k)]
    return np.cumsum(np.array(gaps, dtype=np.int64) + 1) - 1


def indices_of(form, k, d, seed):
    return misleading(k) if form == BITMAP else of_set(k, d, seed)


def found(form):
    """Return the first (k, d, seed) of a set that is written with this divisor."""
    for k, part, seed in product((12, 8, 5, 3, 2), (69, 80, 100, 50, 30), range(60)):
        d = min(MAX_DIMENSION, divisor(form) * k * 100 // part + k)
        if encode_indices(of_set(k, d, seed), d)[0] == form:
            return k, d, seed
    raise ValueError(form)


def text(data):
    return b64encode(data).decode()


def set_entry(form):
    k, d, seed = UNUSUAL.get(form) or found(form)
    indices = indices_of(form, k, d, seed)
    return {"k": k, "d": d, "seed": seed, "bytes": text(encode_indices(indices, d))}


def symbols_entry(symbols, alphabet):
    return text(encode_symbols(arrayed(symbols, alphabet), alphabet))


def digest(symbols, alphabet):
    return sha256(encode_symbols(arrayed(symbols, alphabet), alphabet)).hexdigest()


def positions_and_symbols(k, n, m):
    return of_set(k, n, k), np.array(below(m, k, k), dtype=np.int64)


def few_entry(k, n, m):
    return text(encode_few(*positions_and_symbols(k, n, m), m, n))


def main():
    """Add what the file does not have."""
    golden = json.loads(PATH.read_text()) if PATH.exists() else {}
    forms = [*UNUSUAL, *range(1, LAST_WRITTEN + 1)]
    makers = {
        "symbols": {name: partial(symbols_entry, *case) for name, case in SYMBOLS.items()},
        "long": {name: lambda made=made: digest(*made()) for name, made in LONG.items()},
        "few": {name: partial(few_entry, *case) for name, case in POSITIONS.items()},
        "sets": {str(form): partial(set_entry, form) for form in forms},
    }
    for section, cases in makers.items():
        entries = golden.setdefault(section, {})
        for name, make in cases.items():
            if name not in entries:
                entries[name] = make()
    PATH.write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
