"""An honest compressor, what changes one, and the list of those with something wrong."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

from netcomp.compressors import Compressor, parse_compressor

CULPRITS = {}
"""What breaks a law, and the law, by the name of what does."""


def breaks(law):
    def enter(kind):
        CULPRITS[kind.__name__] = kind, law
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
