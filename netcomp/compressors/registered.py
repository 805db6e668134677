"""Every name of the notation that comes with netcomp."""

from __future__ import annotations

from typing import Final

from netcomp.compressors.bernoulli import Bernoulli, Chances
from netcomp.compressors.count import Count
from netcomp.compressors.fcc import FastCompressed
from netcomp.compressors.layers import Layers, Sizes
from netcomp.compressors.levels import Dithering, Norm, Qsgd
from netcomp.compressors.notation import COMPRESSORS, Part
from netcomp.compressors.perm_k import PermK
from netcomp.compressors.quantizers import BFloat16, FloatFormat, Natural
from netcomp.compressors.rand_k import Adaptive, RandK
from netcomp.compressors.readers import number, one_of, whole, yes_no
from netcomp.compressors.rounding import Rounding, Steps
from netcomp.compressors.sign import Sign
from netcomp.compressors.sketch import Sketch
from netcomp.compressors.sparsifiers import All
from netcomp.compressors.ternary import Ternary
from netcomp.compressors.top_k import TopK
from netcomp.compressors.wrappers import Scaled

__all__ = ["register_all"]

_SPARSIFIERS: Final = {
    "identity": Part(All, "every coordinate"),
    "rand-k": Part(
        RandK,
        "k random coordinates times d/k; no indices sent",
        (("k", Count.parse), ("scaled", yes_no)),
        optional=("scaled",),
    ),
    "bernoulli": Part(
        Bernoulli,
        "every coordinate with a probability; no indices sent",
        (("p", Chances.parse), ("scaled", yes_no)),
        optional=("scaled",),
    ),
    "perm-k": Part(
        PermK,
        "each worker its own block of a shared permutation; no indices sent",
        (("order", one_of("random", "cyclic")),),
        optional=("order",),
    ),
    "top-k": Part(TopK, "the k largest coordinates, with their indices", (("k", Count.parse),)),
    "adaptive": Part(Adaptive, "one coordinate, likelier the larger it is, with its index"),
}

_QUANTIZERS: Final = {
    "natural": Part(
        Natural,
        "random powers of two, 9 bits a value or their entropy",
        (("coding", one_of("raw", "entropy")),),
        optional=("coding",),
    ),
    "round": Part(
        Rounding,
        "a grid of magnitudes b^k, at random without bias or to the nearest",
        (("b", number), ("steps", Steps.parse), ("biased", yes_no)),
        optional=("steps", "biased"),
    ),
    "dither": Part(
        Dithering,
        "s levels b^(1-s) … 1 of the p-norm, at their entropy",
        (("s", whole), ("b", number), ("p", Norm.parse)),
        optional=("b", "p"),
    ),
    "qsgd": Part(
        Qsgd,
        "s uniform levels of the norm, at their entropy",
        (("s", whole), ("p", Norm.parse)),
        optional=("p",),
    ),
    "ternary": Part(Ternary, "zero or plus or minus the largest, five values a byte"),
    "sign": Part(Sign, "signs times the mean magnitude, 1 bit a value; biased"),
    "bf16": Part(BFloat16, "values as the upper halves of 32-bit floats"),
    "f64": Part(lambda: FloatFormat("f64"), "values as 64-bit floats"),
    "f32": Part(lambda: FloatFormat("f32"), "values as 32-bit floats"),
    "f16": Part(lambda: FloatFormat("f16"), "values as 16-bit floats"),
}

_WHOLE: Final = {
    "sketch": Part(
        Sketch, "m inner products with Gaussians all workers share", (("m", Count.parse),)
    ),
    "fcc": Part(
        FastCompressed,
        "r messages of a compressor, each of what the last left over",
        (("r", whole),),
        wraps=True,
    ),
    "layers": Part(
        Layers,
        "a compressor for each layer, or each bucket, on its own",
        (("sizes", Sizes.parse),),
        optional=("sizes",),
        wraps=True,
    ),
    "scale": Part(
        Scaled, "a compressor's result times a factor", (("factor", number),), wraps=True
    ),
}


def register_all() -> None:
    """Fill the registry; called once, when the package is imported."""
    for name, part in {**_SPARSIFIERS, **_QUANTIZERS, **_WHOLE}.items():
        COMPRESSORS.register(name, part)
