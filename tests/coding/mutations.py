"""Seeded damage to valid encodings, and what a decoder may do with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from netcomp.errors import RemoteProtocolError

DAMAGED = 20_000 if "NETCOMP_HEAVY" in os.environ else 5_000
"""How many damaged encodings a decoder is given."""


def mutations(valid: list[bytes], count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Yield `count` pairs (which encoding, its bytes damaged in one to three ways)."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        which = int(rng.integers(len(valid)))
        data = bytearray(valid[which])
        for _ in range(int(rng.integers(1, 4))):
            _damage(data, rng)
        yield which, bytes(data)


def _damage(data: bytearray, rng: np.random.Generator) -> None:
    # Headers are short: half of the damage is done to the first bytes.
    size = len(data)
    at = int(rng.integers(min(size, 12) if rng.random() < 0.5 else size)) if size else 0
    match int(rng.integers(7)):
        case 0 if size:
            data[at] ^= 1 << int(rng.integers(8))
        case 1 if size:
            data[at] = int(rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))]))
        case 2:
            del data[at:]
        case 3:
            del data[at : at + 1]
        case 4:
            data.insert(at, int(rng.integers(256)))
        case 5:
            data += rng.bytes(int(rng.integers(1, 9)))
        case _:
            data[at : at + 4] = rng.bytes(4)


def refused(decode: Callable[[], object]) -> bool:
    """Return whether decoding ends with the one error allowed; any other is raised."""
    try:
        decode()
    except RemoteProtocolError:
        return True
    return False
