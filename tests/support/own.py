"""What somebody else's package might have: named as `support.own:Class` in a notation."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from netcomp.compressors import Count, FloatFormat, Quantizer, Sparsifier
from netcomp.compressors.spelling import spelled
from support.bad_compressors import Honest


@dataclass(frozen=True)
class Head(Sparsifier):
    """The first k coordinates: biased."""

    k: Count
    unbiased = False

    def resolve(self, d, n):
        return replace(self, k=self.k.resolve(d, n, "head.k"))

    def select(self, v, draw):
        return self.derive((), v.size, draw)

    def derive(self, parts, d, draw):
        return np.arange(self.k.value)

    def scale(self, d):
        return 1.0

    def most(self, d):
        return self.k.value

    def density(self, d):
        return float(self.k.value)

    def omega(self, d):
        return None


@dataclass(frozen=True)
class Half(Quantizer):
    """16-bit floats under another name."""

    it: ClassVar[Quantizer] = FloatFormat("f16")

    __str__ = spelled

    def omega(self, m):
        return self.it.omega(m)

    def max_bytes(self, m):
        return self.it.max_bytes(m)

    def bits(self, m):
        return self.it.bits(m)

    def encode(self, values, draw):
        return self.it.encode(values, draw)

    def decode(self, parts, m):
        return self.it.decode(parts, m)


@dataclass(frozen=True)
class Forgetful(Honest):
    """Its text does not say what `times` is."""

    times: int = 1

    def __str__(self):
        return f"{__name__}:Forgetful"


class Nameless(Half):
    """Its text is no notation."""

    __str__ = object.__str__


class Key:
    """A parameter that no text stands for, told by an error of its own."""

    parse = staticmethod({}.__getitem__)


@dataclass(frozen=True)
class Fussy(Honest):
    """Cannot be made with what it is given."""

    level: int = 0
    other: Key = field(default_factory=Key)

    def __post_init__(self):
        if self.level:
            raise KeyError(self.level)
