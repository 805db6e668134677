"""Every registered compressor, and pairs of them, as notations valid for any d and n."""

import os
import re

from netcomp.compressors import COMPRESSORS, All, Chain, Compressor, parse_compressor
from netcomp.draw import Direction, Draw

HEAVY = "NETCOMP_HEAVY" in os.environ
"""Whether every pair, size and law is checked on everything: `make heavy`."""

# What a test writes for a name; without an entry the name alone, as long as that parses.
EXAMPLES = {
    "rand-k": ["rand-k:25%", "rand-k:d/n", "rand-k:25%,scaled=no"],
    "bernoulli": [
        "bernoulli:p=0.3",
        "bernoulli:p=0.3,scaled=yes",
        "bernoulli:p=1.0/0.2/0.5/...",
        "bernoulli:p=1.0/0.2/0.5/...,scaled=yes",
    ],
    "perm-k": ["perm-k", "perm-k:order=cyclic"],
    "top-k": ["top-k:25%", "top-k:d/n"],
    "natural": ["natural", "natural:coding=entropy"],
    "round": ["round:b=2", "round:b=1.5", "round:b=4,steps=1/1.5/2/3", "round:b=2,biased=yes"],
    "dither": [
        *("dither:s=8", "dither:s=4,p=1", "dither:s=4,p=1.5"),
        *("dither:s=3,b=1.5,p=inf", "dither:s=1,b=1,p=inf"),
    ],
    "qsgd": ["qsgd:s=1", "qsgd:s=4", "qsgd:s=16,p=inf", "qsgd:s=4,p=3"],
    "sketch": ["sketch:m=10%"],
    "fcc": ["fcc:r=2(top-k:25%)", "fcc:r=3(natural)", "fcc:r=2(perm-k+natural)"],
    "layers": [
        "layers:sizes=3/400/...(top-k:25%)",
        "layers:sizes=300/...(perm-k+natural)",
        "layers:sizes=1/400/...(qsgd:s=4)",
    ],
    "scale": [
        "scale:0.5(rand-k:50%)",
        "scale:0.25(bernoulli:p=0.5+natural)",
        "scale:0.1(sketch:m=10%)",
    ],
}

# One of each kind: two of a kind write their values alike.
PAIRED = [
    "identity",
    "rand-k:25%",
    "rand-k:25%,scaled=no",
    "bernoulli:p=0.3",
    "perm-k",
    "top-k:25%",
    "adaptive",
]

BY_NAME = {name: EXAMPLES.get(name, [name]) for name in COMPRESSORS.names()}
ATOMS = [text for texts in BY_NAME.values() for text in texts]


def is_sparsifier(text):
    chain = parse_compressor(text)
    return isinstance(chain, Chain) and (
        text == "identity" or not isinstance(chain.sparsifier, All)
    )


def is_quantizer(text):
    return isinstance(parse_compressor(text), Chain) and not is_sparsifier(text)


SPARSIFIERS = [text for text in ATOMS if is_sparsifier(text)]
QUANTIZERS = [text for text in ATOMS if is_quantizer(text)]
WRITTEN = ["natural", "natural:coding=entropy", "f64", "f32", "f16", "dither:s=8"]
EVERY_PAIR = [f"{sparsifier}+{quantizer}" for sparsifier in PAIRED for quantizer in WRITTEN]
# A chain treats all alike, so every day each of them has just one partner.
PAIRS = (
    EVERY_PAIR
    if HEAVY
    else [
        "identity+f32",
        "rand-k:25%+natural",
        "rand-k:25%,scaled=no+f16",
        "bernoulli:p=0.3+natural:coding=entropy",
        "perm-k+dither:s=8",
        "top-k:25%+natural",
        "adaptive+f64",
    ]
)
ALL_TEXTS = ATOMS + PAIRS

DETERMINISTIC = {"identity", "top-k", "f64", "f32", "f16", "bf16", "sign"}
FIXED_SIZE = {"identity", "rand-k", "perm-k", "adaptive", "sketch", "scale", "natural"} | {
    "f64",
    "f32",
    "f16",
    "bf16",
    "sign",
    "ternary",
}


def names(text):
    """Return the registered names that a notation is made of."""
    return set(re.findall(r"(?:^|[(+])([a-z0-9-]+)", text))


def resolved(text: str, d: int, n: int) -> Compressor:
    return parse_compressor(text).resolve(d, n)


def key(worker: int = 0, round_: int = 2, seed: int = 5) -> Draw:
    return Draw(seed, round_, direction=Direction.UP, worker=worker)
