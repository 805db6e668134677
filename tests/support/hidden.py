"""A compressor that draws in ways of its own, not from the streams of its key."""

import pickle
from dataclasses import dataclass
from itertools import count

import numpy as np

from netcomp.compressors import Sparsifier

CALLS = count()


def whatever(read):
    """Return what can be read, or something else: as somebody who catches everything does."""
    try:
        return read()
    except Exception:  # noqa: BLE001
        return 7


@dataclass(frozen=True)
class Hidden(Sparsifier):
    """One coordinate, by a generator of somebody's that starts from the key in some way."""

    way: str

    def derive(self, parts, d, draw):
        start = {
            "seed": lambda: [draw.seed, draw.round],
            "round": lambda: draw.round,
            "unpacked": lambda: [int(part) for part in draw],
            "star": lambda: [*draw],
            "index": lambda: draw[1],
            "tuple": lambda: [int(part) for part in tuple(draw)],
            "hash": lambda: abs(hash(draw)),
            "text": lambda: list(str(draw).encode()),
            "formatted": lambda: list(f"{draw}".encode()),
            "replaced": lambda: draw._replace(worker=0).round,
            "array": lambda: [int(part) for part in np.array(draw)],
            "added": lambda: [int(part) for part in draw.__add__((3,))],
            "percent": lambda: list("%d/%d/%d/%d/%d".__mod__(draw).encode()),
            "calls": lambda: next(CALLS),
            "pointers": lambda: list(np.array(draw).tobytes()),
            "arithmetic": lambda: whatever(lambda: draw.seed * 1000 + draw.round),
            "method": lambda: whatever(lambda: list(draw.round.to_bytes(8, "little"))),
            "pickled": lambda: list(pickle.dumps(tuple(draw))),
        }[self.way]()
        return np.random.default_rng(start).integers(d, size=1)

    def select(self, v, draw):
        return self.derive((), v.size, draw)

    def scale(self, d):
        return float(d)

    def most(self, d):
        return 1

    def density(self, d):
        return 1.0

    def omega(self, d):
        return d - 1.0
