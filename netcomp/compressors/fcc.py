"""FCC: a compressor R times, on what is left over (NEOLITHIC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.coding.varint import read_varint, write_varint
from netcomp.compressors.base import MAX_PARTS, Collection, Compressor, Payload
from netcomp.compressors.wrappers import Around, views
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError, SpecError

__all__ = ["FastCompressed", "message_key"]

_JOINED: Final = 1 << 16
"""From as many bytes on the parts travel one by one, uncopied."""
_SPARSE: Final = 8
"""A sum is kept sparse while it has at most one coordinate in this many: beyond, to add a dense
vector takes no longer."""


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

    @property
    def exact_bytes(self) -> bool:
        return False  # There is room for the longest lengths of as many parts as there may be.

    def resolve(self, d: int, n: int) -> Self:
        resolved = replace(self, inner=self.inner.resolve(d, n))
        _require_few(resolved.parts, self.r)
        return resolved

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        left, bits = v, 0.0
        counts, parts = bytearray(), list[memoryview]()
        few: _Few | None = _Few(v.size)
        for r in range(self.r):
            payload = self.inner.compress(left, message_key(draw, r))  # c^r = C(v − v^r)
            counts.append(len(payload.parts))
            parts.extend(payload.parts)
            bits += payload.paper_bits
            if few is not None and not few.take(payload):
                few = None
            if r + 1 < self.r:
                # v is the caller's; and the identity's bytes, still to be sent, are `left` itself.
                if left is v or views(payload, left):
                    left = left.copy()
                with np.errstate(over="ignore"):
                    payload.add_to(left, -1.0)  # v − v^(r+1) = (v − v^r) − c^r
            # No name here may hold a payload while the next is made.
            del payload
        del left
        # A quantizer that does not announce its parts may write more than were expected.
        _require_few(1 + len(parts), self.r)
        sent = _sent(bytes(counts), parts)
        if few is not None:
            return few.total(sent, bits)
        # A dense sum is read from the bytes when it is asked for: without a memory never.
        return Payload(v.size, None, partial(self._values, sent, v.size, draw), sent, bits)

    def _values(self, sent: Sequence[memoryview], d: int, draw: Draw) -> NDArray[Any]:
        return self.decode(sent, d, draw).values

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        few: _Few | None = _Few(d)
        dense, bits = np.zeros(0), 0.0
        for r, some in enumerate(self.messages(parts)):
            payload = self.inner.decode(some, d, message_key(draw, r))
            bits += payload.paper_bits
            if few is not None and not few.take(payload):
                dense = few.dense()
                few = None
            if few is None:
                payload.add_to(dense)
            del payload
        if few is not None:
            return few.total(tuple(parts), bits)
        return Payload(d, None, dense, tuple(parts), bits)

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


def message_key(draw: Draw, r: int) -> Draw:
    """Return the key of message r of `FastCompressed`, r from 0, whose own key is `draw`."""
    return draw.at(sub=draw.sub * 128 + 64 + r)


class _Few:
    """The sum of payloads, in float64, as long as it is sparse enough."""

    def __init__(self, d: int) -> None:
        self._d = d
        self._kept = 0
        self._places: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.floating[Any]]] = []

    def take(self, payload: Payload) -> bool:
        """Add a payload; false, and it is not added, where the sum had better be dense."""
        if payload.indices is None:
            return False
        self._kept += payload.values.size
        if _SPARSE * self._kept > self._d:
            return False
        self._places.append(payload.indices)
        self._values.append(payload.values)
        return True

    def dense(self) -> NDArray[np.float64]:
        """Return the sum so far, shape (d,); it is empty then."""
        out = np.zeros(self._d)
        while self._places:
            out[self._places.pop(0)] += self._values.pop(0)
        return out

    def total(self, parts: tuple[memoryview, ...], bits: float) -> Payload:
        """Return the sum as a payload of these bytes."""
        indices = _union(self._places)
        rank = np.empty(self._d, dtype=np.int32)
        rank[indices] = np.arange(indices.size, dtype=np.int32)
        total = np.zeros(indices.size)
        for where, what in zip(self._places, self._values, strict=True):
            total[rank[where]] += what
        return Payload(self._d, indices, total, parts, bits)


def _sent(counts: bytes, parts: Sequence[memoryview]) -> tuple[memoryview, ...]:
    """Return the parts of a payload: those of its messages after their numbers, or all in one."""
    if sum(part.nbytes for part in parts) >= _JOINED:
        return memoryview(counts), *parts
    sizes = b"".join(write_varint(part.nbytes) for part in parts)
    return (memoryview(b"".join((counts, sizes, *parts))),)


def _union(places: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the indices that occur, increasing."""
    joined = np.concatenate(places)
    # Most sparsifiers give increasing ones, and this kind of sorting only merges those.
    joined.sort(kind="stable")
    new = np.ones(joined.size, dtype=bool)
    np.not_equal(joined[1:], joined[:-1], out=new[1:])
    return joined[new]
