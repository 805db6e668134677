"""Compressors with one thing wrong each, and the law that names it.

All are an honest compressor (`text`) but for what their own lines change.
"""

from support.bad_compressors import announced, constants, forms, hostile
from support.bad_compressors.constants import MissingScale
from support.bad_compressors.honest import CULPRITS, Honest
from support.bad_compressors.hostile import AmongOthers, HangsOnNumbers

__all__ = [
    "CULPRITS",
    "AmongOthers",
    "HangsOnNumbers",
    "Honest",
    "MissingScale",
    "announced",
    "constants",
    "forms",
    "hostile",
]
