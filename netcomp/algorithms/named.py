"""The notation of an algorithm's smaller parts: ``name:key=value,key=value``.

Estimators, participation and schedules are written so; a value without a key is the first
parameter's, and a yes/no one may be given by its name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Generic, TypeVar

from netcomp.compressors.readers import yes_no
from netcomp.errors import SpecError

__all__ = ["Entry", "read_named", "spelled"]

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """What a name builds, and the readers of its parameters (they raise ValueError)."""

    build: Callable[..., T]
    params: tuple[tuple[str, Callable[[str], object]], ...] = ()


def read_named(text: str, entries: Mapping[str, Entry[T]], field: str) -> T:
    """Return what `text` names; raises `SpecError` naming `field`."""
    name, _, rest = text.strip().partition(":")
    if name not in entries:
        raise SpecError(field, f"unknown name {name!r}; known: {', '.join(entries)}")
    entry = entries[name]
    readers = dict(entry.params)
    given: dict[str, object] = {}
    for param in rest.split(",") if rest else ():
        key, equals, value = param.partition("=")
        if not equals and readers.get(param) is yes_no:
            value = "yes"
        elif not equals:
            key, value = next(iter(readers), ""), param
        if key not in readers or key in given:
            known = ", ".join(readers) or "none"
            raise SpecError(field, f"in {text!r}, {param!r}: the parameters are {known}, once each")
        try:
            given[key] = readers[key](value)
        except ValueError as error:
            raise SpecError(field, f"in {text!r}, {param!r}: {error}") from None
    for one in fields(entry.build):  # type: ignore[arg-type]
        if one.init and one.default is MISSING and one.name not in given:
            raise SpecError(field, f"{name} needs {one.name}=…")
    return entry.build(**given)


def spelled(name: str, thing: Any) -> str:
    """Return the notation that gives `thing`, a frozen dataclass, back; defaults left out."""
    given = [
        f"{field.name}={_value(getattr(thing, field.name))}"
        for field in fields(thing)
        if getattr(thing, field.name) != field.default
    ]
    return f"{name}:{','.join(given)}" if given else name


def _value(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
