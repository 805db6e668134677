"""Wrong in form: bits, dtypes, the input, the key, the notation, zero, NaN."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from netcomp.errors import NotFinite
from support.bad_compressors.honest import Changed, Honest, breaks


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
        return replace(payload, held=v[payload.indices] * (v.size / payload.values.size))


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
        return replace(payload, held=payload.values.astype(np.float16))


@breaks("shape-and-dtype")
class ShortVector(Changed):
    """Says it is one coordinate longer than it is."""

    def change(self, payload, draw):
        return replace(payload, dim=payload.dim + 1)


@breaks("together")
class AddsInAnotherOrder(Honest):
    """Sums floats from the last message to the first."""

    def add_all(self, out, messages, key, weight=1.0):
        for place in reversed(range(len(messages))):
            self.decode(messages[place].parts, out.size, key(place)).add_to(out, weight)


@breaks("together")
class KeysOfTheFirst(Honest):
    """Takes all messages for the first worker's."""

    def add_all(self, out, messages, key, weight=1.0):
        super().add_all(out, messages, lambda _: key(0), weight)


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
        return super().compress(v, draw.at(round_=np.random.randint(99)))  # noqa: NPY002


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
        return replace(payload, held=np.where(payload.values == 0, 1e-9, payload.values))


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
