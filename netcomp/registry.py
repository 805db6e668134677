"""Names to things: one registry a kind, open to other packages.

A registry is filled explicitly (no import side effects decide what exists):
each package's `__init__` registers its own entries, third parties do so through
the entry-point group `netcomp.<kind>s`, and a spec may name `module:Name`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from netcomp.errors import SpecError, UnknownName

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps the names of one `kind` ("compressor", "algorithm", …) to entries."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._plugins_loaded = False

    def register(self, name: str, entry: T) -> T:
        """Add an entry; a name taken already is a `SpecError`, never replaced."""
        if name in self._entries:
            raise SpecError(self.kind, f"the name {name!r} is registered already")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """Return the entry of `name`, or of `module:Name`; else `UnknownName`."""
        if ":" in name:
            return self._import(name)
        if name not in self._entries:
            self._load_plugins()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def names(self) -> list[str]:
        """All names, plugins included, sorted."""
        self._load_plugins()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, T]]:
        """All (name, entry) pairs in the order of `names`."""
        return ((name, self._entries[name]) for name in self.names())

    def _import(self, target: str) -> T:
        module_name, _, attribute = target.partition(":")
        try:
            entry: T = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise SpecError(self.kind, f"cannot import {target!r}: {error}") from error
        return entry

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for point in entry_points(group=f"netcomp.{self.kind}s"):
            self.register(point.name, point.load())
