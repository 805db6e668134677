"""Compressors: vectors to payloads and back, with their class constants."""

from netcomp.compressors.base import Collection, Compressor, Payload, add_scaled
from netcomp.compressors.chain import Chain
from netcomp.compressors.count import Count
from netcomp.compressors.notation import COMPRESSORS, Part, parse_compressor
from netcomp.compressors.quantizers import FloatFormat, Natural, Quantizer
from netcomp.compressors.sparsifiers import All, PermK, RandK, Sparsifier, TopK

__all__ = [
    "COMPRESSORS",
    "All",
    "Chain",
    "Collection",
    "Compressor",
    "Count",
    "FloatFormat",
    "Natural",
    "Part",
    "Payload",
    "PermK",
    "Quantizer",
    "RandK",
    "Sparsifier",
    "TopK",
    "add_scaled",
    "parse_compressor",
]
