"""What is checked: a compressor resolved for each size, with vectors, keys and samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import Compressor, Payload
from netcomp.draw import Direction, Draw, Purpose, Stream
from netcomp.errors import NotFinite, SpecError
from netcomp.laws import Broken

__all__ = ["Case", "Sample", "Subject", "fresh", "vectors"]

Vector = NDArray[np.float64]

COORDINATES: Final = 64
"""Up to this dimension every coordinate is tested for a bias of its own."""

_DRAWS: Final = ((1, 200), (16, 800), (256, 400), (4096, 120))
_FEWEST: Final = 40
_TELLING: Final = {"gaussian", "constant", "one-hot", "peak"}
"""The vectors at which the bounds of the papers' compressors are attained: drawn most."""


@dataclass(frozen=True)
class Case:
    """The compressor resolved for dimension d and n workers."""

    d: int
    n: int
    compressor: Compressor
    other: Compressor
    """A copy made before anything was compressed: the other end of the connection."""
    seed: int

    def __str__(self) -> str:
        return f"d = {self.d}, n = {self.n}"

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


@dataclass(frozen=True)
class Sample:
    """Independent draws of C(v) for one vector and worker; ‖v‖ is the unit of all."""

    case: Case
    name: str
    worker: int
    square: NDArray[np.float64]
    """‖C(v)‖² of each draw."""
    along: NDArray[np.float64]
    """⟨C(v), v⟩ of each draw."""
    kept: NDArray[np.float64]
    """‖C(v)‖₀ of each draw."""
    shifts: NDArray[np.float64]
    """C(v) − v of each draw along v and, up to `COORDINATES`, along each coordinate."""

    def __str__(self) -> str:
        worker = f", worker {self.worker}" if self.case.compressor.correlated else ""
        return f"{self.case}, {self.name}{worker}"

    def distance(self, scale: float = 1.0) -> NDArray[np.float64]:
        """Return ‖C(v) − scale · v‖² of each draw."""
        found: NDArray[np.float64] = self.square - 2.0 * scale * self.along + scale**2
        return np.maximum(found, 0.0)


class Subject:
    """A compressor to be checked, and everything the laws look at more than once."""

    def __init__(
        self,
        compressor: Compressor,
        dims: Sequence[int],
        workers: Sequence[int],
        seed: int,
        alarm: float,
    ) -> None:
        self.compressor = compressor
        self.dims = dims
        self.workers = workers
        self.seed = seed
        self.alarm = alarm
        """The probability with which a correct compressor may fail a law."""

    @cached_property
    def resolved(self) -> tuple[list[Case], list[str]]:
        """Return the cases, and why there is none at the other sizes."""
        cases: list[Case] = []
        refused: list[str] = []
        for d in self.dims:
            for n in self.workers:
                try:
                    compressor = self.compressor.resolve(d, n)
                except SpecError as error:
                    refused.append(f"d = {d}, n = {n}: {error}")
                    continue
                cases.append(Case(d, n, compressor, deepcopy(compressor), self.seed))
        if not cases:
            raise SpecError("", f"no size can be resolved; {refused[0]}")
        return cases, refused

    @property
    def cases(self) -> list[Case]:
        """All sizes that can be resolved."""
        return self.resolved[0]

    @cached_property
    def distinct(self) -> list[Case]:
        """The sizes whose compressors differ: those the same for fewer workers are left out."""
        same = [b for a, b in pairwise(self.cases) if a.d == b.d and a.compressor == b.compressor]
        return [case for case in self.cases if not any(case is other for other in same)]

    @cached_property
    def samples(self) -> list[Sample]:
        """Draws for every distinct size, vector and speaker."""
        return [
            sample
            for case in self.distinct
            for name in case.vectors
            for worker in case.speakers
            if (sample := _sample(case, name, [worker], draws(case.d, name))) is not None
        ]

    @cached_property
    def means(self) -> list[Sample]:
        """Draws of the mean over n > 1 workers, each with a key of its own."""
        return [
            sample
            for case in self.cases
            if case.n > 1
            for name in ("gaussian", "constant", "one-hot")
            if (sample := _sample(case, name, range(case.n), _rounds(case, name))) is not None
        ]


def draws(d: int, name: str) -> int:
    """Return how often a vector of dimension d is compressed."""
    many = next((count for limit, count in _DRAWS if d <= limit), _FEWEST)
    return many if name in _TELLING else many // 5


def _rounds(case: Case, name: str) -> int:
    """Return how often all workers compress a vector: fewer times the more there are."""
    return max(draws(case.d, name) // max(case.n, 3), 20)


def _sample(case: Case, name: str, workers: Sequence[int], count: int) -> Sample | None:
    """Return draws of the mean of the workers' C(v); None where the wire format is left.

    Refused it may be by magnitude, and a tiny vector may become zero in a short format.
    """
    v = case.vectors[name]
    largest = float(np.abs(v).max())
    size = largest * float(np.linalg.norm(v / largest))
    unit = v / largest / (size / largest)
    columns = case.d if case.d <= COORDINATES else 0
    square, along, kept = np.empty((3, count))
    shifts = np.empty((count, 1 + columns))
    for t in range(count):
        payloads = [case.sent(name, v, case.key(i, t)) for i in workers]
        images = [_image(case, payload) for payload in payloads if payload is not None]
        if len(images) < len(workers):
            return None
        image = np.mean(images, axis=0) / size
        square[t], along[t], kept[t] = image @ image, image @ unit, np.count_nonzero(image)
        shifts[t] = along[t] - 1.0, *(image - unit)[:columns]
    if name == "tiny" and not square.any():
        return None
    return Sample(case, name, workers[0], square, along, kept, shifts)


def _image(case: Case, payload: Payload) -> Vector:
    image = payload.dense()
    if image.shape != (case.d,) or not np.isfinite(image).all():
        raise Broken(f"{case}: C(v) of shape {image.shape} or not finite")
    return image


def fresh(parts: Sequence[bytes | memoryview]) -> list[memoryview]:
    """Return the parts as another process has them: bytes of its own, read-only."""
    return [memoryview(bytes(part)) for part in parts]
