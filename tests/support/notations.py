"""Every registered compressor and every sensible pair, as notations valid for any d and n."""

from netcomp.compressors import COMPRESSORS, All, Chain, Compressor, parse_compressor
from netcomp.draw import Direction, Draw

# What a test writes for a parameter. A new parameter without an example stops the tests.
EXAMPLES = {"k": ("25%", "d/n")}


def _atoms():
    for name, entry in COMPRESSORS.items():
        yield from ([f"{name}:{value}" for key, _ in entry.params for value in EXAMPLES[key]]) or [
            name
        ]


def _is_sparsifier(text):
    chain = parse_compressor(text)
    return isinstance(chain, Chain) and (
        text == "identity" or not isinstance(chain.sparsifier, All)
    )


ATOMS = list(_atoms())
SPARSIFIERS = [text for text in ATOMS if _is_sparsifier(text)]
QUANTIZERS = [text for text in ATOMS if text not in SPARSIFIERS]
PAIRS = [f"{sparsifier}+{quantizer}" for sparsifier in SPARSIFIERS for quantizer in QUANTIZERS]
ALL_TEXTS = ATOMS + PAIRS


def resolved(text: str, d: int, n: int) -> Compressor:
    return parse_compressor(text).resolve(d, n)


def key(worker: int = 0, round_: int = 2, seed: int = 5) -> Draw:
    return Draw(seed, round_, direction=Direction.UP, worker=worker)
