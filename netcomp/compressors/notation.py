"""The one notation of compressors: CLI, TOML, repr and legends.

    compressor = part { "+" part }                    rand-k:k=250+natural
    part       = name [ ":" params ] [ "(" compressor ")" ]
                                                      top-k:1%   fcc:r=4(top-k:1%)
    name       = a registered name | module ":" Class mypackage.mymodule:MyCompressor:a=1
    params     = param { "," param }
    param      = [ key "=" ] value                    without a key: the part's first
                                                      parameter, or a yes/no one named: yes

At most one sparsifier and then at most one quantizer; without a quantizer values travel
in the default float format, without a sparsifier all coordinates do. A compressor in
parentheses is what the part before them is made of.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from netcomp.compressors.base import Compressor
from netcomp.compressors.chain import Chain
from netcomp.compressors.quantizers import FloatFormat, Quantizer
from netcomp.compressors.readers import number, whole, yes_no
from netcomp.compressors.sparsifiers import All, Sparsifier
from netcomp.errors import ImportRefused, SpecError, told
from netcomp.registry import Registry

__all__ = ["COMPRESSORS", "Part", "parse_compressor"]

_MAX_DEPTH: Final = 4
"""How deep parentheses may be nested."""

_CLASS = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)(?=[:(]|$)")

Piece = Sparsifier | Quantizer | Compressor


@dataclass(frozen=True)
class Part:
    """A name of the notation: what it builds from its parameters and how they are read.

    `params` are the names with their readers, which raise ValueError; those in `optional`
    may be left out. A part that `wraps` is built with a compressor as `inner` besides.
    """

    build: Callable[..., object]
    summary: str
    params: tuple[tuple[str, Callable[[str], object]], ...] = ()
    optional: tuple[str, ...] = ()
    wraps: bool = False


def parse_compressor(
    text: str, *, values: str = "f32", field: str = "compressor", imports: bool = False
) -> Compressor:
    """Read the notation, e.g. ``rand-k:k=250+natural``; `values` is the default float format.

    `imports` allows ``module:Class``: a `Part`, or a dataclass derived from `Compressor`,
    `Sparsifier` or `Quantizer` whose fields are numbers, words, booleans or have a `parse`.
    Never for text of a peer that is not trusted: without it a class is only found where a
    registered name stands for it. Raises `SpecError` naming `field`, the part that is wrong and
    its column, `ImportRefused` for a class without `imports`.
    """
    return _Parser(text, values, field, imports).compressor(0, len(text))


class _Parser:
    """A text and what was asked of it; positions count from 0, columns from 1."""

    def __init__(self, text: str, values: str, field: str, imports: bool) -> None:  # noqa: FBT001
        self.text = text
        self.values = values
        self.field = field
        self.imports = imports
        self._check_parentheses()

    def compressor(self, start: int, stop: int) -> Compressor:
        """Read text[start:stop]."""
        sparsifier: Sparsifier | None = None
        quantizer: Quantizer | None = None
        for low, high in self._split("+", start, stop):
            piece = self._part(low, high)
            if isinstance(piece, Compressor):
                if (low, high) != (start, stop):
                    raise self._error(low, high, "cannot be combined with other parts")
                return piece
            if isinstance(piece, Sparsifier):
                if sparsifier is not None or quantizer is not None:
                    raise self._error(low, high, "a sparsifier comes first, and once")
                sparsifier = piece
            else:
                if quantizer is not None:
                    raise self._error(low, high, "values are written once")
                quantizer = piece
        return Chain(sparsifier or All(), quantizer or FloatFormat(self.values))

    def _part(self, start: int, stop: int) -> Piece:
        opening = self.text.find("(", start, stop)
        end = stop if opening < 0 else opening
        entry, after = self._entry(start, end)
        given: dict[str, object] = {}
        if after < end:
            given = self._params(entry, self.text[start:after], after + 1, end)
        name = self.text[start:after]
        for key, _ in entry.params:
            if key not in given and key not in entry.optional:
                raise self._error(start, stop, f"{name} needs {key}=…")
        if opening >= 0:
            if not entry.wraps:
                raise self._error(opening, stop, f"{name} is not made of another compressor")
            closing = self._closing(opening)
            if closing != stop - 1:
                raise self._error(closing + 1, stop, "nothing may follow the parentheses")
            given["inner"] = self.compressor(opening + 1, stop - 1)
        elif entry.wraps:
            raise self._error(start, stop, f"{name} needs a compressor in parentheses")
        return self._built(entry, given, start, stop)

    def _built(self, entry: Part, given: dict[str, object], start: int, stop: int) -> Piece:
        try:
            piece = entry.build(**given)
        except SpecError as error:
            reason = f"{error.field}: {error.reason}" if error.field else error.reason
            raise self._error(start, stop, reason) from None
        except Exception as error:
            # Somebody else's constructor: anything may go wrong in it.
            reason = f"cannot be made: {told(error)}"
            raise self._error(start, stop, reason) from error
        if not isinstance(piece, Sparsifier | Quantizer | Compressor):
            raise self._error(start, stop, f"makes a {type(piece).__name__}, not a compressor")
        return piece

    def _entry(self, start: int, stop: int) -> tuple[Part, int]:
        """Return the entry that text[start:stop] names, and where the name ends."""
        colon = self.text.find(":", start, stop)
        end = stop if colon < 0 else colon
        found = _CLASS.match(self.text, start, stop)
        try:
            # First the class: a package may register a name that is its module's too.
            if found and (part := _registered(found[0])):
                return part, found.end()
            if not found or found[1] in COMPRESSORS.names():
                return COMPRESSORS.get(self.text[start:end]), end
            end = found.end()
            if self.imports:
                return COMPRESSORS.get(found[0]), end
        except SpecError as error:
            raise self._error(start, end, error.reason) from error.__cause__
        raise ImportRefused(self.field, self._where(start, end), self.text[start:end])

    def _params(self, entry: Part, name: str, start: int, stop: int) -> dict[str, object]:
        readers = dict(entry.params)
        given: dict[str, object] = {}
        for low, high in self._split(",", start, stop):
            param = self.text[low:high]
            key, equals, value = param.partition("=")
            if not equals and readers.get(param) is yes_no:
                value = "yes"
            elif not equals:
                key, value = (entry.params[0][0] if entry.params else ""), param
            if key not in readers:
                known = ", ".join(readers) or "none"
                raise self._error(low, high, f"{name} has no such parameter; known: {known}")
            if key in given:
                raise self._error(low, high, f"{key} is given twice")
            try:
                given[key] = readers[key](value)
            except ValueError as error:
                raise self._error(low, high, str(error)) from None
            except Exception as error:
                # Somebody else's reader, which should have raised ValueError.
                reason = f"cannot be read: {told(error)}"
                raise self._error(low, high, reason) from error
        return given

    def _split(self, mark: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the ends of the pieces of text[start:stop] between marks outside parentheses."""
        depth = 0
        low = start
        for at in range(start, stop):
            char = self.text[at]
            depth += (char == "(") - (char == ")")
            if char == mark and depth == 0:
                yield low, at
                low = at + 1
        yield low, stop

    def _closing(self, opening: int) -> int:
        """Return where the parenthesis that opens there is closed."""
        depth = 0
        for at in range(opening, len(self.text)):
            depth += (self.text[at] == "(") - (self.text[at] == ")")
            if depth == 0:
                return at
        raise self._error(opening, opening + 1, "is never closed")

    def _check_parentheses(self) -> None:
        open_at: list[int] = []
        for at, char in enumerate(self.text):
            if char == "(":
                open_at.append(at)
                if len(open_at) > _MAX_DEPTH:
                    raise self._error(at, at + 1, f"nested deeper than {_MAX_DEPTH}")
            elif char == ")":
                if not open_at:
                    raise self._error(at, at + 1, "closes nothing")
                open_at.pop()
        if open_at:
            raise self._error(open_at[-1], open_at[-1] + 1, "is never closed")

    def _error(self, start: int, stop: int, reason: str) -> SpecError:
        return SpecError(self.field, f"{self._where(start, stop)}: {reason}")

    def _where(self, start: int, stop: int) -> str:
        return f"in {self.text!r} at column {start + 1}, {self.text[start:stop]!r}"


_READERS: Final[dict[object, Callable[[str], object]]] = {
    int: whole,
    float: number,
    bool: yes_no,
    str: str,
}


def _part_of(thing: Any, name: str) -> Part:
    """Return a `Part` as it is, or the one that a dataclass of hyper-parameters amounts to."""
    if isinstance(thing, Part):
        return thing
    if not (isinstance(thing, type) and issubclass(thing, Compressor | Sparsifier | Quantizer)):
        raise SpecError("compressor", f"{name} is neither a compressor's class nor a Part")
    if missing := ", ".join(sorted(getattr(thing, "__abstractmethods__", ()))):
        raise SpecError("compressor", f"{name} does not define {missing}")
    if not hasattr(thing, "__dataclass_fields__"):
        return Part(thing, name)
    try:
        kinds = typing.get_type_hints(thing)
    except (NameError, TypeError) as error:
        raise SpecError("compressor", f"{name}: its fields' types: {error}") from error
    dataclass_: Any = thing
    params, optional = [], []
    wraps = False
    for field in fields(dataclass_):
        kind = kinds[field.name]
        reader = _READERS.get(kind, getattr(kind, "parse", None))
        if field.name == "inner":
            wraps = True
        elif field.init and reader is not None:
            params.append((field.name, reader))
            if field.default is not MISSING or field.default_factory is not MISSING:
                optional.append(field.name)
        elif field.init and field.default is MISSING and field.default_factory is MISSING:
            raise SpecError("compressor", f"{name}: no text can be read as {field.name}")
    return Part(thing, name, tuple(params), tuple(optional), wraps)


COMPRESSORS: Registry[Part] = Registry("compressor", _part_of)
"""What can be named; `netcomp.compressors.registered` fills it, entry points add to it."""


def _registered(target: str) -> Part | None:
    """Return the part of the class `module:Class` if a registered name stands for it, else None.

    What an installed package registers may be named by its class too, as its `str` does.
    """
    for name in COMPRESSORS.names():
        with suppress(SpecError):  # a plugin that cannot be loaded
            build = COMPRESSORS.get(name).build
            if isinstance(build, type) and f"{build.__module__}:{build.__qualname__}" == target:
                return _part_of(build, target)
    return None
