"""Compressors with one thing wrong each, and the law that names it.

All are an honest compressor (`text`) but for what their own lines change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from netcomp.compressors import Chain, Compressor, FloatFormat, PermK, parse_compressor
from netcomp.compressors.permutation import Permutation
from netcomp.draw import Purpose
from netcomp.errors import NotFinite, RemoteProtocolError

CULPRITS = {}
"""The law that each class of this module breaks, by its name."""


def breaks(law):
    def enter(kind):
        CULPRITS[kind.__name__] = law
        return kind

    return enter


@lru_cache(maxsize=64)
def honest(text, d, n):
    return parse_compressor(text).resolve(d, n)


@dataclass(frozen=True)
class Honest(Compressor):
    """rand-k of a quarter as somebody else would write it: passes."""

    d: int = 0
    n: int = 0
    text: ClassVar[str] = "rand-k:25%"

    @property
    def it(self):
        return honest(self.text, self.d, self.n)

    @property
    def unbiased(self):
        return parse_compressor(self.text).unbiased

    @property
    def correlated(self):
        return parse_compressor(self.text).correlated

    @property
    def parts(self):
        return self.it.parts

    def resolve(self, d, n):
        return replace(self, d=d, n=n)

    def compress(self, v, draw):
        return self.it.compress(v, draw)

    def decode(self, parts, d, draw):
        return self.it.decode(parts, d, draw)

    def max_bytes(self, d):
        return self.it.max_bytes(d)

    def paper_bits(self, d):
        return self.it.paper_bits(d)

    def density(self, d):
        return self.it.density(d)

    def omega(self, d):
        return self.it.omega(d)

    def delta(self, d):
        return self.it.delta(d)

    def theta(self, d, n, collection):
        return self.it.theta(d, n, collection)


@dataclass(frozen=True)
class Changed(Honest):
    """Decodes to something else than the honest one: a subclass says to what."""

    def change(self, payload, draw):
        raise NotImplementedError

    def compress(self, v, draw):
        return self.change(super().compress(v, draw), draw)

    def decode(self, parts, d, draw):
        return self.change(super().decode(parts, d, draw), draw)


# Forms


@breaks("resolve")
class NeverResolved(Honest):
    """Resolving it again doubles n."""

    def resolve(self, d, n):
        return replace(self, d=d, n=n + self.n)


@breaks("round-trip")
class DecodesTheOtherWay(Honest):
    """The sender's values are not what the bytes say: float64 before rounding."""

    def compress(self, v, draw):
        payload = super().compress(v, draw)
        return replace(payload, values=v[payload.indices] * (v.size / payload.values.size))


@breaks("round-trip")
class Remembers(Honest):
    """Sends nothing and decodes from memory."""

    memory: ClassVar[dict] = {}

    def compress(self, v, draw):
        payload = replace(super().compress(v, draw), parts=())
        self.memory[id(self), draw] = payload
        return payload

    def decode(self, parts, d, draw):
        return self.memory[id(self), draw]


@breaks("shape-and-dtype")
class HalfPrecision(Changed):
    """Decodes to float16."""

    def change(self, payload, draw):
        return replace(payload, values=payload.values.astype(np.float16))


@breaks("shape-and-dtype")
class ShortVector(Changed):
    """Says it is one coordinate longer than it is."""

    def change(self, payload, draw):
        return replace(payload, dim=payload.dim + 1)


@breaks("input-untouched")
class WritesIntoItsInput(Honest):
    """Scales in place."""

    def compress(self, v, draw):
        v *= 2.0
        return super().compress(v / 2.0, draw)


@breaks("input-untouched")
class BorrowsItsInput(Honest):
    """Writes in place and undoes it: a read-only vector cannot be had."""

    def compress(self, v, draw):
        v += 0.0
        return super().compress(v, draw)


@breaks("key-decides")
class RandomBesidesTheKey(Honest):
    """Draws from numpy's global generator."""

    def compress(self, v, draw):
        return super().compress(v, replace(draw, round=np.random.randint(99)))  # noqa: NPY002


@breaks("key-matters")
class SameEveryRound(Honest):
    """Forgets the round."""

    def compress(self, v, draw):
        return super().compress(v, draw.at(round_=0))

    def decode(self, parts, d, draw):
        return super().decode(parts, d, draw.at(round_=0))


@breaks("key-matters")
class SameForEveryWorker(Honest):
    """One draw for all workers without saying so."""

    def compress(self, v, draw):
        return super().compress(v, draw.at(worker=0))

    def decode(self, parts, d, draw):
        return super().decode(parts, d, draw.at(worker=0))


@breaks("notation")
class SpelledAsAnother(Honest):
    """Its text is another compressor's."""

    def __str__(self):
        return "rand-k:k=25%+f32"


@breaks("zero")
class CrashesOnZeros(Honest):
    """Divides by the largest magnitude."""

    def compress(self, v, draw):
        1.0 / float(np.abs(v).max())
        return super().compress(v, draw)


@breaks("zero")
class ZeroBecomesSomething(Changed):
    """Never zero."""

    def change(self, payload, draw):
        return replace(payload, values=np.where(payload.values == 0, 1e-9, payload.values))


@breaks("not-finite")
class AcceptsNan(Honest):
    """Lets NaN through where it is not kept, and makes it zero where it is."""

    def compress(self, v, draw):
        return super().compress(np.nan_to_num(v), draw)


@breaks("not-finite")
class LooksAtWhatIsKept(Honest):
    """Tells of NaN only where it would be sent."""

    def compress(self, v, draw):
        payload = super().compress(np.zeros_like(v), draw)
        bad = payload.indices[~np.isfinite(v[payload.indices])]
        if bad.size:
            raise NotFinite(int(bad[0]), draw.worker, draw.round)
        return super().compress(np.nan_to_num(v), draw)


@breaks("not-finite")
class CountsKeptValues(Honest):
    """Names the place among the values sent, not the coordinate."""

    def compress(self, v, draw):
        try:
            return super().compress(v, draw)
        except NotFinite as error:
            raise NotFinite(0, error.worker, error.round) from None


# What is announced


@breaks("bytes")
class SaysTooFewBytes(Honest):
    def max_bytes(self, d):
        return super().max_bytes(d) - 1


@breaks("bytes")
class SaysTooManyBytes(Honest):
    def max_bytes(self, d):
        return super().max_bytes(d) + 1


@breaks("bytes")
class SaysTooFewParts(Honest):
    parts = 0


@breaks("paper-bits")
class NoPaperBits(Honest):
    def paper_bits(self, d):
        return float("nan")


@breaks("paper-bits")
class OtherPaperBits(Honest):
    def paper_bits(self, d):
        return super().paper_bits(d) / 2


@breaks("density")
class DenserThanSaid(Honest):
    def density(self, d):
        return 0.9 * super().density(d)


# Constants


@breaks("constants")
class UnbiasedWithoutOmega(Honest):
    def omega(self, d):
        return None


@breaks("constants")
class MoreThanPerfect(Honest):
    text = "top-k:25%"

    def delta(self, d):
        return 1.5


@breaks("unbiased")
class MissingScale(Changed):
    """rand-k without d/k."""

    def change(self, payload, draw):
        share = payload.values.size / payload.dim
        return replace(payload, values=payload.values * np.float32(share))


@breaks("unbiased")
class RoundsDown(Changed):
    """Natural compression that always takes the lower power of two."""

    text = "identity"

    def change(self, payload, draw):
        mantissas, exponents = np.frexp(payload.values)
        powers = np.ldexp(np.copysign(np.float32(0.5), mantissas), exponents)
        return replace(payload, values=np.where(mantissas == 0, np.float32(0), powers))

    def omega(self, d):
        return 1 / 8

    def theta(self, d, n, collection):
        return 1 / 8

    def delta(self, d):
        return None


@breaks("unbiased")
class NeverTheLast(Changed):
    """Never sends the last coordinate, and another twice as large."""

    def change(self, payload, draw):
        values = payload.values.copy()
        values[payload.indices == payload.dim - 1] = 0
        return replace(payload, values=values)


@breaks("unbiased")
class OneStreamForTwo(Changed):
    """Rounds up by the very words that chose the coordinates."""

    def change(self, payload, draw):
        words = draw.stream(Purpose.SPARSIFIER).uniforms(payload.dim)
        up = words[payload.indices] < 0.5
        values = payload.values * np.where(up, np.float32(1.5), np.float32(0.5))
        return replace(payload, values=values.astype(np.float32))

    def omega(self, d):
        return (1 + super().omega(d)) * 1.25 - 1

    def delta(self, d):
        return None

    def theta(self, d, n, collection):
        return self.omega(d)


@breaks("omega")
class UnderstatedOmega(Honest):
    """A tenth less than d/k − 1."""

    def omega(self, d):
        return 0.9 * super().omega(d)


@breaks("omega")
class NaturalUnderstated(Honest):
    text = "natural"

    def omega(self, d):
        return 0.9 / 8


class Fixed(PermK):
    """perm-k whose last worker always has the longest block."""

    def derive(self, parts, d, draw):
        start, stop = draw.worker * d // self.n, (draw.worker + 1) * d // self.n
        return Permutation(d, draw.shared().stream(Purpose.SPARSIFIER)).block(start, stop)


@breaks("omega")
def fixed_blocks():
    """Unfair where n does not divide d."""
    return Chain(Fixed(), FloatFormat())


@breaks("delta")
class OverstatedDelta(Honest):
    """A tenth more than k/d."""

    text = "top-k:25%"

    def delta(self, d):
        return min(1.0, 1.1 * super().delta(d))


@breaks("delta")
class RandomOverstatedDelta(OverstatedDelta):
    text = "rand-k:25%,scaled=no"


@breaks("b1")
class OverstatedAlpha(Honest):
    text = "top-k:25%"

    def b1(self, d):
        return min(1.0, 1.1 * super().delta(d)), 1.0


@breaks("b1")
class UnderstatedBeta(Honest):
    text = "rand-k:25%"

    def b1(self, d):
        return 1.0, max(1.0, 0.8 * (1.0 + self.omega(d)))


@breaks("b2")
class OverstatedGamma(Honest):
    text = "rand-k:25%,scaled=no"

    def b2(self, d):
        return min(1.0, 1.2 * super().delta(d)), 1.0


@breaks("theta")
class IndependentWithoutBeing(SameForEveryWorker):
    """ω/n claimed although all workers draw the same."""


@breaks("theta")
class UnderstatedTheta(Honest):
    text = "perm-k+natural"

    def theta(self, d, n, collection):
        return 0.0


# Bytes nobody wrote


@breaks("wrong-lengths")
class TakesAnyLength(Honest):
    def decode(self, parts, d, draw):
        size = self.max_bytes(d)
        whole = b"".join(map(bytes, parts))[:size].ljust(size, b"\0")
        return super().decode([memoryview(whole)], d, draw)


@breaks("wrong-lengths")
class IndexErrorOnTruncated(Honest):
    def decode(self, parts, d, draw):
        parts[0][self.max_bytes(d) - 1]
        return super().decode(parts, d, draw)


@breaks("hostile-bytes")
class DecodesNan(Honest):
    """Values as they come, NaN too."""

    def decode(self, parts, d, draw):
        try:
            return super().decode(parts, d, draw)
        except RemoteProtocolError:
            payload = super().compress(np.zeros(d), draw)
            if [part.nbytes for part in parts] != [payload.nbytes]:
                raise
            return replace(payload, values=np.frombuffer(parts[0], "<f4"), parts=tuple(parts))


@dataclass(frozen=True)
class Counted(Honest):
    """A first part of 4 bytes with the number of values, believed: a subclass says how."""

    text: ClassVar[str] = "identity"

    @property
    def parts(self):
        return 2

    def compress(self, v, draw):
        payload = super().compress(v, draw)
        count = memoryview(v.size.to_bytes(4, "little"))
        return replace(payload, parts=(count, *payload.parts))

    def decode(self, parts, d, draw):
        if len(parts) != 2 or parts[0].nbytes != 4:
            raise RemoteProtocolError("a count and values belong here")
        self.believe(int.from_bytes(parts[0], "little"))
        payload = super().decode(parts[1:], d, draw)
        return replace(payload, parts=tuple(parts))

    def believe(self, count):
        raise NotImplementedError

    def max_bytes(self, d):
        return super().max_bytes(d) + 4


@breaks("hostile-bytes")
class AllocatesWhatItIsTold(Counted):
    def believe(self, count):
        np.empty(min(count, 2**28), dtype=np.uint8)


@breaks("hostile-bytes")
class CrashesOnNumbers(Counted):
    def believe(self, count):
        bytearray(1)[count >> 20]


class HangsOnNumbers(Counted):
    """For a test of its own, which releases it when the kit has given up."""

    released: ClassVar[bool] = False

    def believe(self, count):
        while count > 2**30 and not self.released:
            pass
