"""Wrong in the constants, or in what they promise."""

from dataclasses import replace

import numpy as np

from netcomp.compressors import Chain, FloatFormat, PermK
from netcomp.compressors.permutation import Permutation
from netcomp.draw import Purpose
from support.bad_compressors.forms import SameForEveryWorker
from support.bad_compressors.honest import Changed, Honest, breaks


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
        return replace(payload, held=payload.values * np.float32(share))


@breaks("unbiased")
class RoundsDown(Changed):
    """Natural compression that always takes the lower power of two."""

    text = "identity"

    def change(self, payload, draw):
        mantissas, exponents = np.frexp(payload.values)
        powers = np.ldexp(np.copysign(np.float32(0.5), mantissas), exponents)
        return replace(payload, held=np.where(mantissas == 0, np.float32(0), powers))

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
        return replace(payload, held=values)


@breaks("unbiased")
class OneStreamForTwo(Changed):
    """Rounds up by the very words that chose the coordinates."""

    def change(self, payload, draw):
        words = draw.stream(Purpose.SPARSIFIER).uniforms(payload.dim)
        up = words[payload.indices] < 0.5
        values = payload.values * np.where(up, np.float32(1.5), np.float32(0.5))
        return replace(payload, held=values.astype(np.float32))

    def omega(self, d):
        return (1 + super().omega(d)) * 1.25 - 1

    def delta(self, d):
        return None

    def theta(self, d, n, collection):
        return self.omega(d)


class DealtOnce(PermK):
    """perm-k in cyclic order whose blocks are dealt once and for all rounds."""

    def derive(self, parts, d, draw):
        return super().derive(parts, d, draw.at(round_=0))


@breaks("unbiased")
def dealt_once():
    """So few outcomes that keys of 32 rounds need not differ in any."""
    return Chain(DealtOnce(order="cyclic"), FloatFormat())


@breaks("unbiased")
class NothingAtAll(Changed):
    text = "identity"

    def change(self, payload, draw):
        return replace(payload, held=payload.values * 0)


@breaks("omega")
class BeyondCounting(Changed):
    """So large that sums of squares are infinite, and evidence is not a number."""

    text = "identity"

    def change(self, payload, draw):
        return replace(payload, held=np.copysign(1.7e308, payload.values.astype(np.float64)))


@breaks("unbiased")
class TwoPercentTooMuch(Changed):
    """d/k and a little more: less than hundreds of draws tell."""

    def change(self, payload, draw):
        return replace(payload, held=payload.values * np.float32(1.02))


@breaks("unbiased")
class OneStreamForTwoIntegers(Changed):
    """Doubles or drops by the very integer that chose the coordinate: never the second half."""

    text = "identity"

    def change(self, payload, draw):
        d = payload.dim
        (kept,) = draw.stream(Purpose.SPARSIFIER).below(d, 1)
        (other,) = draw.stream(Purpose.SPARSIFIER).below(d, 1)
        values = np.zeros(d, np.float32)
        values[kept] = payload.values[kept] * np.float32(d if 2 * other < d else 0) * 2
        return replace(payload, held=values)

    def omega(self, d):
        return 2.0 * d - 1

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
