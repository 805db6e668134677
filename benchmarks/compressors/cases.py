"""What is measured: notations that cover every registered compressor, with their workers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CASES", "SEEN", "Case"]

SEEN = 10**6
"""The largest dimension at which every case meets every vector."""


@dataclass(frozen=True)
class Case:
    """A notation, and the number of workers it is resolved for.

    One that is `blind` takes the same time and bytes whatever the vector is, and so long that
    above d = 10⁶ it is measured on the first vector only.
    """

    notation: str
    workers: int = 10
    blind: bool = False

    def __str__(self) -> str:
        """Return the notation, with the workers where they matter."""
        return f"{self.notation}, n={self.workers}" if "perm-k" in self.notation else self.notation


CASES = (
    *map(Case, ("identity", "f64", "f32", "f16", "bf16")),
    *map(Case, ("rand-k:1%", "rand-k:1%+natural", "bernoulli:p=0.01")),
    *(Case("perm-k", n) for n in (10, 100, 1000)),
    *(Case("perm-k:order=cyclic", n) for n in (10, 100)),
    Case("perm-k+natural"),
    *map(Case, ("top-k:1%", "top-k:10%", "top-k:1%+natural", "top-k:1%+dither:s=8", "adaptive")),
    *map(Case, ("natural", "natural:coding=entropy", "round:b=2", "round:b=2,biased=yes")),
    *map(Case, ("dither:s=8", "dither:s=8,p=inf", "dither:s=1,b=1,p=inf")),
    *map(Case, ("qsgd:s=1", "qsgd:s=4", "qsgd:s=16", "qsgd:s=1,p=inf")),
    *map(Case, ("ternary", "sign", "fcc:r=4(top-k:1%)", "scale:0.5(natural)")),
    Case("layers:sizes=65536/...(natural)"),
    Case("sketch:m=10", blind=True),
)
