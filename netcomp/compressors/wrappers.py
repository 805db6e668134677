"""Compressors made of another one: λC, and R of them on what is left over (FCC)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.varint import read_varint, write_varint
from netcomp.compressors.base import (
    MAX_PARTS,
    Collection,
    Compressor,
    Payload,
    all_finite,
    not_finite,
)
from netcomp.compressors.classes import b1_scaled, b2_scaled, b2_scaled_to_b3
from netcomp.compressors.spelling import decimal, in_full
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["Around", "FastCompressed", "Scaled", "message_key"]

_JOINED: Final = 1 << 16
"""From as many bytes on the parts of `FastCompressed` travel one by one, uncopied."""


class Around(Compressor):
    """What a compressor made of another one takes over from it."""

    inner: Compressor

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.inner.unbiased

    @property
    def shared(self) -> bool:  # type: ignore[override]
        return self.inner.shared

    @property
    def correlated(self) -> bool:
        return self.inner.correlated

    @property
    def workers(self) -> int:
        return self.inner.workers


@dataclass(frozen=True)
class Scaled(Around):
    """λC: what C sends, and λ times what it decodes. No byte more travels.

    Classes by Theorems 6 and 7 of Beznosikov et al.: λC ∈ B¹(λ²α, λβ) ∩ B²(λγ, λβ), and
    δ = λ(2 − λβ)γ, which for an unbiased C is λ(2 − λζ).
    """

    factor: float
    inner: Compressor

    def __post_init__(self) -> None:
        if not (self.factor > 0.0 and math.isfinite(self.factor)):
            raise SpecError("scale.factor", f"{decimal(self.factor)} is not a positive number")

    def __str__(self) -> str:
        return f"scale:{in_full(self.factor)}({self.inner})"

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        return self.inner.unbiased and self.factor == 1.0

    @property
    def parts(self) -> int:
        return self.inner.parts

    def resolve(self, d: int, n: int) -> Self:
        return replace(self, inner=self.inner.resolve(d, n))

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        payload = self._times(self.inner.compress(v, draw), v)
        if not all_finite(payload.values):
            first = int(np.argmin(np.isfinite(payload.values)))
            index = first if payload.indices is None else int(payload.indices[first])
            raise not_finite(index, draw)
        return payload

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        payload = self._times(self.inner.decode(parts, d, draw))
        if not all_finite(payload.values):
            raise RemoteProtocolError(f"a payload of {self} with a value that is not finite")
        return payload

    def _times(self, payload: Payload, *sources: NDArray[Any]) -> Payload:
        """Return λ times the payload, in its own memory unless that may be somebody else's."""
        values = payload.values
        mine = values.flags.owndata and values.flags.writeable and not _views(payload, values)
        mine = mine and not any(np.may_share_memory(values, source) for source in sources)
        out = values if mine else np.empty_like(values)
        with np.errstate(over="ignore"):
            np.multiply(values, np.asarray(self.factor, dtype=values.dtype), out=out)
        return replace(payload, held=out)

    def max_bytes(self, d: int) -> int:
        return self.inner.max_bytes(d)

    def paper_bits(self, d: int) -> float:
        return self.inner.paper_bits(d)

    def density(self, d: int) -> float:
        return self.inner.density(d)

    def omega(self, d: int) -> float | None:
        return self.inner.omega(d) if self.factor == 1.0 else None

    def b1(self, d: int) -> tuple[float, float] | None:
        b1 = self.inner.b1(d)
        return None if b1 is None else b1_scaled(*b1, self.factor)

    def b2(self, d: int) -> tuple[float, float] | None:
        b2 = self.inner.b2(d)
        return None if b2 is None else b2_scaled(*b2, self.factor)

    def delta(self, d: int) -> float | None:
        found = []
        b2, delta = self.inner.b2(d), self.inner.delta(d)
        if b2 is not None and (b3 := b2_scaled_to_b3(*b2, self.factor)) is not None:
            found.append(1.0 / b3)
        if delta is not None and self.factor <= 1.0:
            # λC(x) − x = λ(C(x) − x) − (1 − λ)x, and ‖·‖² is convex: at most λ(1 − δ) + 1 − λ.
            found.append(self.factor * delta)
        return max(found, default=None)

    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        return self.inner.theta(d, n, collection) if self.factor == 1.0 else None


@dataclass(frozen=True)
class FastCompressed(Around):
    """FCC(v, C, R): R messages of C, each of what the ones before left over, sent as one.

    NEOLITHIC Algorithm 1: v⁰ = 0; c^r = C(v − v^r), v^(r+1) = v^r + c^r for r < R; the receiver
    has v^R = Σ c^r. C ∈ B(δ) gives B(1 − (1−δ)^R) (Lemma 2); by the same recursion an
    unbiased C ∈ U(ω) gives U(ω^R). Both need fresh randomness in every message: message
    r draws from the sub-round (s·128 + 64 + r) of a key of sub-round s, which no other
    r, s or depth shares. First part: one byte a message, its number of parts. Where all parts
    together are below 64 KiB they follow in that part, after a varint each: its bytes. So a short
    payload is one part, and a frame has the header of one.
    """

    r: int
    inner: Compressor

    def __post_init__(self) -> None:
        if not 1 <= self.r < MAX_PARTS:
            raise SpecError("fcc.r", f"{self.r} is outside 1..{MAX_PARTS - 1}")

    def __str__(self) -> str:
        return f"fcc:r={self.r}({self.inner})"

    @property
    def parts(self) -> int:
        return 1 + self.r * self.inner.parts

    def resolve(self, d: int, n: int) -> Self:
        resolved = replace(self, inner=self.inner.resolve(d, n))
        _require_few(resolved.parts, self.r)
        return resolved

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        counts, parts = bytearray(), list[memoryview]()

        left = [v.copy()]

        def message(r: int) -> Payload:
            payload = self.inner.compress(left[0], message_key(draw, r))  # c^r = C(v − v^r)
            if _views(payload, left[0]):
                # The identity's bytes are the vector's own, and are still to be sent.
                left[0] = left[0].copy()
            with np.errstate(over="ignore"):
                payload.add_to(left[0], -1.0)  # v − v^(r+1) = (v − v^r) − c^r
            counts.append(len(payload.parts))
            parts.extend(payload.parts)
            return payload

        def messages() -> Iterator[Payload]:
            # No name here may hold a payload while the next is made: `_sum` lets go of each.
            for r in range(self.r):
                yield message(r)
            left.clear()

        total = _sum(messages(), v.size)
        # A quantizer that does not announce its parts may write more than were expected.
        _require_few(1 + len(parts), self.r)
        if sum(part.nbytes for part in parts) >= _JOINED:
            return replace(total, parts=(memoryview(bytes(counts)), *parts))
        sizes = b"".join(write_varint(part.nbytes) for part in parts)
        return replace(total, parts=(memoryview(b"".join((counts, sizes, *parts))),))

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        messages = (
            self.inner.decode(some, d, message_key(draw, r))
            for r, some in enumerate(self.messages(parts))
        )
        return replace(_sum(messages, d), parts=tuple(parts))

    def messages(self, parts: Sequence[memoryview]) -> list[Sequence[memoryview]]:
        """Return the parts of each of the r messages that a payload's parts hold.

        Raises `RemoteProtocolError` where they do not add up to r messages.
        """
        split = _taken_apart(parts[0], self.r) if len(parts) == 1 else parts
        counts = bytes(split[0]) if split and split[0].nbytes == self.r else b""
        if not counts or sum(counts) != len(split) - 1:
            raise RemoteProtocolError(f"{len(parts)} parts that do not add up to {self.r} messages")
        starts = accumulate(counts, initial=1)
        pairs = zip(starts, counts, strict=False)
        return [split[start : start + count] for start, count in pairs]

    def max_bytes(self, d: int) -> int:
        sizes = len(write_varint(_JOINED - 1)) * self.inner.parts
        return self.r * (1 + sizes + self.inner.max_bytes(d))

    def paper_bits(self, d: int) -> float:
        return self.r * self.inner.paper_bits(d)

    def density(self, d: int) -> float:
        return min(float(d), self.r * self.inner.density(d))

    def omega(self, d: int) -> float | None:
        # C(u) = u + noise, so v − v^(r+1) is minus the noise of message r: its mean is zero and
        # E‖v − v^(r+1)‖² ≤ ωE‖v − v^r‖².
        omega = self.inner.omega(d)
        return None if omega is None else omega**self.r

    def delta(self, d: int) -> float | None:
        delta = self.inner.delta(d)
        return None if delta is None else 1.0 - (1.0 - delta) ** self.r

    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        # What is left over differs from worker to worker, so a correlated C says nothing about
        # the second message: then, and for one draw for all, only Lemma A.5 (1) of MARINA-P.
        omega = self.omega(d)
        if omega is None or collection == "same" or self.correlated or self.shared:
            return omega
        return omega / n


def _taken_apart(joined: memoryview, r: int) -> list[memoryview]:
    """Return the counts of r messages and their parts, from the one part they are all in.

    Raises `RemoteProtocolError` where the bytes do not add up.
    """
    counts, at, sizes = joined[:r], r, []
    for _ in range(min(sum(counts), MAX_PARTS)):
        size, at = read_varint(joined, at)
        sizes.append(size)
    if sum(sizes) != joined.nbytes - at:
        raise RemoteProtocolError(f"parts of {sum(sizes)} bytes in {joined.nbytes - at}")
    ends = accumulate(sizes, initial=at)
    return [counts, *(joined[end : end + size] for end, size in zip(ends, sizes, strict=False))]


def _require_few(parts: int, r: int) -> None:
    if parts > MAX_PARTS:
        raise SpecError("fcc.r", f"r = {r} makes {parts} parts, more than {MAX_PARTS}")


def _views(payload: Payload, vector: NDArray[Any]) -> bool:
    """Whether a payload's bytes are the vector's own memory."""
    parts = (np.frombuffer(part, dtype=np.uint8) for part in payload.parts if part.nbytes)
    return any(np.may_share_memory(part, vector) for part in parts)


def message_key(draw: Draw, r: int) -> Draw:
    """Return the key of message r of `FastCompressed`, r from 0, whose own key is `draw`."""
    return draw.at(sub=draw.sub * 128 + 64 + r)


def _sum(messages: Iterable[Payload], d: int) -> Payload:
    """Return the sum of payloads, without parts, in float64: sparse as long as that is smaller.

    Each is let go before the next is asked for: two at once would cost a vector's memory more.
    """
    places: list[NDArray[np.int64]] = []
    values: list[NDArray[np.floating[Any]]] = []
    dense: NDArray[np.float64] | None = None
    bits, kept = 0.0, 0
    for payload in messages:
        bits += payload.paper_bits
        kept += payload.values.size
        if dense is None and payload.indices is not None and 4 * kept <= d:
            places.append(payload.indices)
            values.append(payload.values)
        else:
            if dense is None:
                dense = np.zeros(d)
                while places:
                    dense[places.pop(0)] += values.pop(0)
            payload.add_to(dense)
        del payload
    if dense is not None:
        return Payload(d, None, dense, (), bits)
    indices = _union(places)
    rank = np.empty(d, dtype=np.int32)
    rank[indices] = np.arange(indices.size, dtype=np.int32)
    total = np.zeros(indices.size)
    for where, what in zip(places, values, strict=True):
        total[rank[where]] += what
    return Payload(d, indices, total, (), bits)


def _union(places: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the indices that occur, increasing."""
    joined = np.concatenate(places)
    # Most sparsifiers give increasing ones, and this kind of sorting only merges those.
    joined.sort(kind="stable")
    new = np.ones(joined.size, dtype=bool)
    np.not_equal(joined[1:], joined[:-1], out=new[1:])
    return joined[new]
