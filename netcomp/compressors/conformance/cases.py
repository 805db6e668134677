"""A compressor resolved for a size, with the vectors and keys of that size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import Compressor, Payload
from netcomp.draw import Direction, Draw, Purpose, Stream
from netcomp.errors import NotFinite

__all__ = ["Case", "Vector", "fresh", "vectors"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """The compressor resolved for dimension d and n workers."""

    d: int
    n: int
    compressor: Compressor
    other: Compressor
    """A copy made before anything was compressed: the other end of the connection."""
    origin: Compressor
    """A copy of the compressor before it was resolved; nobody compresses with it."""
    seed: int

    def __str__(self) -> str:
        return f"d = {self.d}, n = {self.n}"

    def anew(self) -> Compressor:
        """Return the resolved compressor as it was before anything was compressed or decoded."""
        return deepcopy(self.origin).resolve(self.d, self.n)

    def key(self, worker: int = 0, round_: int = 2) -> Draw:
        """Return the key of an uplink message."""
        return Draw(self.seed, round_, direction=Direction.UP, worker=worker)

    def stream(self, purpose: int) -> Stream:
        """Return a stream of the kit's own, apart from all that a compressor draws from."""
        return Draw(self.seed, self.d, self.n * 1000 + purpose).stream(Purpose.INIT)

    @property
    def speakers(self) -> list[int]:
        """Workers whose messages differ in more than their randomness: three at most."""
        return sorted({0, self.n // 2, self.n - 1}) if self.compressor.correlated else [0]

    @cached_property
    def vectors(self) -> dict[str, Vector]:
        """The vectors of `vectors` at this dimension."""
        return vectors(self.d, self.stream(0))

    def sent(self, name: str, v: NDArray[Any], key: Draw) -> Payload | None:
        """Return the payload of v, some multiple of the vector of that name.

        None where it is refused, as it may be by magnitude: a short format cannot hold all. The
        Gaussian vector may not be; then this raises `NotFinite`.
        """
        try:
            return self.compressor.compress(v, key)
        except NotFinite:
            if name == "gaussian":
                raise
            return None

    def payloads(self, dtype: Any = np.float64) -> Iterator[tuple[str, int, Vector, Payload]]:
        """Yield a name, a worker, a vector and its payload, for vectors it does not refuse.

        Besides `vectors` two that no constant is asked of: at the ends of float64 and float32.
        """
        gaussian = self.vectors["gaussian"]
        ends = {"enormous": gaussian * 1e300, "subnormal": gaussian * 2.0**-140}
        for name, v in {**self.vectors, **ends}.items():
            typed = v.astype(dtype)
            if not np.isfinite(typed).all():
                continue
            for worker in range(self.n):
                if (payload := self.sent(name, typed, self.key(worker))) is not None:
                    yield name, worker, typed, payload


def vectors(d: int, stream: Stream) -> dict[str, Vector]:
    """Return vectors that bounds are attained at, or bugs appear at, by name; none is zero.

    4/3 lies where rounding to powers of two errs most; "peak" (one coordinate at 1, the others
    at 1/(1 + √d)) is the worst of quantizers that scale by the maximum.
    """
    gaussian = stream.normals(d)
    sparse = np.where(stream.uniforms(d) < 0.1, gaussian, 0.0)  # noqa: PLR2004 — a tenth
    sparse[int(stream.below(d, 1)[0])] = 1.5
    signs = np.where(stream.words32(d) % 2 == 0, 1.0, -1.0)
    peak = np.full(d, 1.0 / (1.0 + np.sqrt(d)))
    peak[d // 2] = -1.0
    one, last = np.zeros(d), np.zeros(d)
    one[d // 2], last[-1] = -4 / 3, 1.0
    return {
        "gaussian": gaussian,
        "constant": np.full(d, 4 / 3),
        "one-hot": one,
        "peak": peak,
        "last": last,
        "sparse": sparse,
        "heavy-tailed": signs * 2.0 ** (-4.0 * np.log2(1.0 - stream.uniforms(d)) - 6.0),
        "alternating": np.where(np.arange(d) % 2 == 0, 1.0, -1.0),
        "huge": gaussian * 2.0**100,
        "tiny": gaussian * 2.0**-100,
    }


def fresh(parts: Sequence[bytes | memoryview]) -> list[memoryview]:
    """Return the parts as another process has them: bytes of its own, read-only."""
    return [memoryview(bytes(part)) for part in parts]
