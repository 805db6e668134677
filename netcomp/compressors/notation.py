"""The one notation of compressors: CLI, TOML, repr and legends.

    compressor = part { "+" part }          rand-k:k=250+natural
    part       = name [ ":" params ]        top-k:1%
    params     = param { "," param }
    param      = [ key "=" ] value          without a key: the part's first parameter

At most one sparsifier and then at most one quantizer; without a quantizer values travel
in the default float format, without a sparsifier all coordinates do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netcomp.compressors.base import Compressor
from netcomp.compressors.chain import Chain
from netcomp.compressors.count import Count
from netcomp.compressors.perm_k import PermK
from netcomp.compressors.quantizers import FloatFormat, Natural, Quantizer
from netcomp.compressors.rand_k import RandK
from netcomp.compressors.sparsifiers import All, Sparsifier
from netcomp.compressors.top_k import TopK
from netcomp.errors import SpecError, UnknownName
from netcomp.registry import Registry

__all__ = ["COMPRESSORS", "Part", "parse_compressor"]


@dataclass(frozen=True)
class Part:
    """A name of the notation: what it builds from its parameters and how they are read."""

    build: Callable[..., Sparsifier | Quantizer | Compressor]
    summary: str
    params: tuple[tuple[str, Callable[[str], object]], ...] = ()


COMPRESSORS: Registry[Part] = Registry("compressor")
for _name, _part in {
    "identity": Part(All, "every coordinate"),
    "rand-k": Part(RandK, "k random coordinates times d/k; no indices sent", (("k", Count.parse),)),
    "perm-k": Part(PermK, "each worker its own block of a shared permutation; no indices sent"),
    "top-k": Part(TopK, "the k largest coordinates, with their indices", (("k", Count.parse),)),
    "natural": Part(Natural, "random powers of two, 9 bits a value"),
    "f64": Part(lambda: FloatFormat("f64"), "values as 64-bit floats"),
    "f32": Part(lambda: FloatFormat("f32"), "values as 32-bit floats"),
    "f16": Part(lambda: FloatFormat("f16"), "values as 16-bit floats"),
}.items():
    COMPRESSORS.register(_name, _part)


def parse_compressor(text: str, *, values: str = "f32", field: str = "compressor") -> Compressor:
    """Read the notation, e.g. ``rand-k:k=250+natural``; `values` is the default float format.

    Raises `SpecError` naming `field`, the part that is wrong and its column.
    """
    sparsifier: Sparsifier | None = None
    quantizer: Quantizer | None = None
    column = 1
    for piece in text.split("+"):
        part = _parse_part(piece, text, column, field)
        if isinstance(part, Compressor):
            if piece != text:
                raise _error(field, text, piece, column, "cannot be combined with other parts")
            return part
        if isinstance(part, Sparsifier):
            if sparsifier is not None or quantizer is not None:
                raise _error(field, text, piece, column, "a sparsifier comes first, and once")
            sparsifier = part
        else:
            if quantizer is not None:
                raise _error(field, text, piece, column, "values are written once")
            quantizer = part
        column += len(piece) + 1
    return Chain(sparsifier or All(), quantizer or FloatFormat(values))


def _parse_part(
    piece: str, text: str, column: int, field: str
) -> Sparsifier | Quantizer | Compressor:
    name, colon, params = piece.partition(":")
    try:
        entry = COMPRESSORS.get(name)
    except UnknownName as error:
        raise _error(field, text, name, column, error.reason) from None
    allowed = dict(entry.params)
    given: dict[str, object] = {}
    start = column
    column += len(name) + 1
    for param in params.split(",") if colon else []:
        key, equals, value = param.partition("=")
        if not equals:
            key, value = (entry.params[0][0] if entry.params else ""), param
        if key not in allowed:
            known = ", ".join(allowed) or "none"
            raise _error(
                field, text, param, column, f"{name} has no such parameter; known: {known}"
            )
        if key in given:
            raise _error(field, text, param, column, f"{key} is given twice")
        try:
            given[key] = allowed[key](value)
        except ValueError as error:
            raise _error(field, text, param, column, str(error)) from None
        column += len(param) + 1
    missing = [key for key in allowed if key not in given]
    if missing:
        raise _error(field, text, piece, start, f"{name} needs {missing[0]}=…")
    return entry.build(**given)


def _error(field: str, text: str, bad: str, column: int, reason: str) -> SpecError:
    return SpecError(field, f"in {text!r} at column {column}, {bad!r}: {reason}")
