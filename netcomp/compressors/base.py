"""What a compressor is: a vector and a key in, a payload out, and its class constants.

Constants are those of the papers: U(ω) is the class of unbiased C with
E‖C(x)−x‖² ≤ ω‖x‖² (MARINA Def. 1.1, MARINA-P Def. 1.4); B(δ) the class with
E‖C(x)−x‖² ≤ (1−δ)‖x‖² (MARINA-P Def. B.1, which writes α); θ belongs to a
collection C_1…C_n with E‖(1/n) Σ C_i(x) − x‖² ≤ θ‖x‖² (MARINA-P Def. A.3). ζ, (α, β), (γ, β)
and 1/δ are those of Beznosikov et al. §2.1; `netcomp.compressors.classes` has them in words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.classes import (
    b3_to_b1,
    b3_to_b2,
    unbiased_to_b1,
    unbiased_to_b2,
)
from netcomp.compressors.spelling import spelled
from netcomp.draw import ALL, Draw
from netcomp.errors import NotFinite
from netcomp.roles import Message

__all__ = [
    "MAX_PARTS",
    "Collection",
    "Compressor",
    "Held",
    "Payload",
    "add_scaled",
    "all_finite",
    "first_not_finite",
    "not_finite",
    "require_finite",
    "require_vector",
]

Collection = Literal["same", "independent"]
"""How n workers' compressors depend on each other: one draw for all, or one each."""

MAX_PARTS: Final = 64
"""The most parts a payload may have: as many as a vector message carries."""

_CHUNK = 1 << 16
_ROW = 1 << 13


Held = NDArray[np.floating[Any]] | Callable[[], NDArray[np.floating[Any]]]


# Not frozen: that would double the time it takes to make one, and a round makes two a worker.
@dataclass(slots=True, eq=False)
class Payload:
    """A compressed vector: the bytes for the wire and what the receiver decodes from them.

    Not to be changed once it is made.

    `values` (float32 or float64) belong to the coordinates `indices` (int64, distinct),
    or to all `dim` coordinates in order where `indices` is None. `parts` are the bytes.
    Both ends must use `dense` or `add_to`, never the vector that was compressed. `held` are
    the values, or what makes them when they are first asked for: a sender without a memory
    never asks.
    """

    dim: int
    indices: NDArray[np.int64] | None
    held: Held
    parts: tuple[memoryview, ...]
    paper_bits: float

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """The decoded values, shape (kept,)."""
        if callable(self.held):
            self.held = self.held()
        return self.held

    @property
    def nbytes(self) -> int:
        """Payload bytes."""
        return sum(part.nbytes for part in self.parts)

    def dense(self, dtype: np.dtype[Any] | type = np.float64) -> NDArray[Any]:
        """Return the decoded vector, shape (dim,), in a fresh array of `dtype`."""
        if self.indices is None:
            return self.values.astype(dtype)
        out = np.zeros(self.dim, dtype=dtype)
        out[self.indices] = self.values
        return out

    def add_to(self, out: NDArray[Any], weight: float = 1.0) -> None:
        """Add `weight` times the decoded vector to `out` in place, in O(kept).

        The product is formed in the dtype of `out`, so a float32 payload loses nothing
        when it is added to a float64 sum.
        """
        if self.indices is not None:
            out[self.indices] += np.multiply(self.values, weight, dtype=out.dtype)
            return
        add_scaled(out, self.values, weight)


class Compressor(ABC):
    """A compression operator; subclasses are frozen dataclasses of hyper-parameters.

    Counts may be given relative to d and n ("1%", "d/n"); `resolve` fixes them, and only
    a resolved compressor compresses. `str()` gives the notation back.
    """

    unbiased: bool
    """Whether E C(x) = x."""
    shared: bool = False
    """Whether workers with keys of their own make the same random choices all the same."""

    def __init_subclass__(cls) -> None:
        if "decode" in vars(cls) and "add_all" not in vars(cls):
            # An inherited one knows how the parent decodes.
            cls.add_all = Compressor.add_all  # type: ignore[method-assign]

    def __str__(self) -> str:
        return spelled(self)

    @abstractmethod
    def resolve(self, d: int, n: int) -> Compressor:
        """Return the same compressor with every count fixed for dimension d and n workers.

        Raises `SpecError` naming the parameter where it cannot be, as k > d.
        """

    @abstractmethod
    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        """Compress v, shape (d,), float32 or float64, with the randomness of `draw`.

        The payload may refer to the memory of v: leave it as it is until the payload is sent and
        its values have been used. Raises `NotFinite` where v holds NaN or infinity or overflows the
        wire format, and ValueError where it is no vector of floats.
        """

    @abstractmethod
    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        """Return the payload that `compress` made on the other end, from its bytes.

        Raises `RemoteProtocolError` where the bytes cannot be such a payload.
        """

    def add_all(
        self,
        out: NDArray[Any],
        messages: Sequence[Message],
        key: Callable[[int], Draw],
        weight: float = 1.0,
    ) -> None:
        """Decode what messages carry and add `weight` times each to `out`, in their order.

        `key` gives the key a message's sender drew from, by its place. The bits are those of
        `decode` and `Payload.add_to`, one after the other. Raises as `decode`; `out` then holds
        some of them.
        """
        for place, message in enumerate(messages):
            self.decode(message.parts, out.size, key(place)).add_to(out, weight)

    @abstractmethod
    def max_bytes(self, d: int) -> int:
        """Return the largest payload in bytes."""

    @abstractmethod
    def paper_bits(self, d: int) -> float:
        """Return the bits a message of dimension d has as the papers count them."""

    @abstractmethod
    def density(self, d: int) -> float:
        """Return ζ_Q = sup E‖C(x)‖₀, the expected density (MARINA after Def. 1.1)."""

    @abstractmethod
    def omega(self, d: int) -> float | None:
        """Return ω where C ∈ U(ω), else None."""

    @abstractmethod
    def delta(self, d: int) -> float | None:
        """Return δ where C ∈ B(δ), else None."""

    @abstractmethod
    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        """Return θ of n such compressors used as a collection, None for a biased one."""

    @property
    @abstractmethod
    def correlated(self) -> bool:
        """Whether the n workers' compressors only make sense together (perm-k)."""

    @property
    def parts(self) -> int:
        """The most parts a payload has, at most `MAX_PARTS`."""
        return 1

    @property
    def exact_bytes(self) -> bool:
        """Whether `max_bytes` is reached where neither vector nor key changes a payload's size."""
        return True

    @property
    def workers(self) -> int:
        """The number of workers a resolved compressor was made for; 0 where it does not care."""
        return 0

    def zeta(self, d: int) -> float | None:
        """Return ζ = ω + 1 where C ∈ U(ζ) (Beznosikov et al. Def. 1), else None."""
        omega = self.omega(d)
        return None if omega is None else omega + 1.0

    def b1(self, d: int) -> tuple[float, float] | None:
        """Return (α, β) where C ∈ B¹(α, β) (Beznosikov et al. Def. 2), else None.

        For an unbiased one Theorem 7 with λ = 1, else Theorem 6.3 from δ.
        """
        zeta = self.zeta(d)
        if zeta is not None:
            return unbiased_to_b1(zeta)
        b3 = self.b3(d)
        return None if b3 is None else b3_to_b1(b3)

    def b2(self, d: int) -> tuple[float, float] | None:
        """Return (γ, β) where C ∈ B²(γ, β) (Beznosikov et al. Def. 4), else None.

        For an unbiased one Theorem 7 with λ = 1, else Theorem 6.3 from δ.
        """
        zeta = self.zeta(d)
        if zeta is not None:
            return unbiased_to_b2(zeta)
        b3 = self.b3(d)
        return None if b3 is None else b3_to_b2(b3)

    def b3(self, d: int) -> float | None:
        """Return 1/δ, the constant of B³ (Beznosikov et al. Def. 5), where C ∈ B(δ)."""
        delta = self.delta(d)
        return None if delta is None else 1.0 / delta


def add_scaled(out: NDArray[Any], values: NDArray[Any], weight: float) -> None:
    """Add `weight` times `values` to `out` in place, the product in the dtype of `out`.

    By chunks: a temporary as long as the vector would cost its memory once more.
    """
    if abs(weight) == 1.0 and values.dtype == out.dtype:
        (np.add if weight > 0.0 else np.subtract)(out, values, out=out)
        return
    if out.size <= _CHUNK:
        out += np.multiply(values, weight, dtype=out.dtype)
        return
    for start in range(0, out.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] += np.multiply(values[part], weight, dtype=out.dtype)


def require_vector(v: NDArray[Any]) -> None:
    """Raise ValueError unless v is a vector of floats: of integers a factor would be cut off."""
    if v.ndim != 1 or v.dtype.kind != "f":
        raise ValueError(f"a vector of floats belongs here, not {v.dtype} of shape {v.shape}")


def all_finite(values: NDArray[Any]) -> bool:
    """Whether no value is NaN or infinite.

    One number tells, at memory speed. Only when it is not finite is the vector looked at in
    detail: a sum of finite values may overflow.
    """
    # Sums in half precision overflow soon; of few values the detail is cheaper than a sum.
    if values.itemsize < 4 or values.size <= _ROW:  # noqa: PLR2004 — of half precision
        # `all` goes a long way round through Python; a search for a byte does not.
        return bool(np.isfinite(values).tobytes().find(0) < 0)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(_telltale(values)) or np.isfinite(values).all())


def _telltale(values: NDArray[Any]) -> np.floating[Any]:
    """Return a number that is finite only if all 1-D `values` are.

    Of a long vector the inner products of its rows with themselves, which take half the time
    of a sum; rows so short that no BLAS divides one among threads, where a few microseconds of
    work would wait for another core.
    """
    whole = values.size - values.size % _ROW if values.size >= _CHUNK else 0
    rows = values[:whole].reshape(-1, _ROW)
    total: np.floating[Any] = values[whole:].sum()
    return total + np.matmul(rows[:, None, :], rows[:, :, None]).sum() if whole else total


def not_finite(index: int, draw: Draw) -> NotFinite:
    """Return the error for a bad coordinate of the vector that `draw`'s worker compresses."""
    return NotFinite(index, None if draw.worker == ALL else draw.worker, draw.round)


def require_finite(values: NDArray[Any], draw: Draw) -> None:
    """Raise `NotFinite` with the first bad index unless all values are finite."""
    if not all_finite(values):
        raise first_not_finite(values, draw)


def first_not_finite(values: NDArray[Any], draw: Draw) -> NotFinite:
    """Return the error for the first of the values that is not finite; one of them is not."""
    return not_finite(int(np.argmin(np.isfinite(values))), draw)
