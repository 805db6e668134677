"""Compressors: vectors to payloads and back, with their class constants."""

from netcomp.compressors.base import MAX_PARTS, Collection, Compressor, Payload, add_scaled
from netcomp.compressors.bernoulli import Bernoulli, Chances
from netcomp.compressors.chain import Chain
from netcomp.compressors.count import Count
from netcomp.compressors.fcc import FastCompressed
from netcomp.compressors.layers import MAX_LAYERS, Layers, Sizes, with_layers
from netcomp.compressors.notation import COMPRESSORS, Part, parse_compressor
from netcomp.compressors.perm_k import PermK
from netcomp.compressors.quantizers import FloatFormat, Natural, Quantizer
from netcomp.compressors.rand_k import Adaptive, RandK
from netcomp.compressors.registered import register_all
from netcomp.compressors.sketch import Sketch
from netcomp.compressors.sparsifiers import All, Sparsifier
from netcomp.compressors.top_k import TopK
from netcomp.compressors.wrappers import Scaled

__all__ = [
    "COMPRESSORS",
    "MAX_LAYERS",
    "MAX_PARTS",
    "Adaptive",
    "All",
    "Bernoulli",
    "Chain",
    "Chances",
    "Collection",
    "Compressor",
    "Count",
    "FastCompressed",
    "FloatFormat",
    "Layers",
    "Natural",
    "Part",
    "Payload",
    "PermK",
    "Quantizer",
    "RandK",
    "Scaled",
    "Sizes",
    "Sketch",
    "Sparsifier",
    "TopK",
    "add_scaled",
    "parse_compressor",
    "with_layers",
]

register_all()
