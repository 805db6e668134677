"""Names to things: one registry a kind, open to other packages.

A registry is filled explicitly (no import side effects decide what exists):
each package's `__init__` registers its own entries, third parties do so through
the entry-point group `netcomp.<kind>s`, and a spec may name `module:Name`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from netcomp.errors import SpecError, UnknownName

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps the names of one `kind` ("compressor", "algorithm", …) to entries.

    Entry points are listed without being loaded: one that is broken is told where it is named.
    """

    def __init__(self, kind: str, read: Callable[[Any, str], T] | None = None) -> None:
        """Make an empty registry.

        `read` makes an entry of what is found elsewhere, which it gets with its name; it raises
        `SpecError` for what is none. Without it everything is taken as it is.
        """
        self.kind = kind
        self._read = read
        self._entries: dict[str, T] = {}
        self._plugins: dict[str, EntryPoint] | None = None

    def register(self, name: str, entry: T) -> T:
        """Add an entry; a name taken already is a `SpecError`, never replaced."""
        if name in self._entries:
            raise SpecError(self.kind, f"the name {name!r} is registered already")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """Return the entry of `name`, or of `module:Name`.

        Raises `UnknownName`, or `SpecError` where what is named cannot be loaded.
        """
        if ":" in name:
            return self._load(name, partial(_imported, name), "cannot import")
        if name not in self._entries:
            point = self._points().get(name)
            if point is None:
                raise UnknownName(self.kind, name, self.names())
            self._entries[name] = self._load(name, point.load, "cannot load the plugin")
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, plugins included, sorted."""
        return sorted({*self._entries, *self._points()})

    def items(self) -> Iterator[tuple[str, T]]:
        """All (name, entry) pairs in the order of `names`; loads the plugins."""
        return ((name, self.get(name)) for name in self.names())

    def _load(self, name: str, load: Callable[[], Any], failure: str) -> T:
        try:
            found = load()
        except Exception as error:
            # A module is somebody else's program: anything may go wrong in it.
            kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
            raise SpecError(self.kind, f"{failure} {name!r}: {kind}{error}") from error
        entry: T = found if self._read is None else self._read(found, name)
        return entry

    def _points(self) -> dict[str, EntryPoint]:
        if self._plugins is None:
            points: dict[str, EntryPoint] = {}
            for point in entry_points(group=f"netcomp.{self.kind}s"):
                other = points.setdefault(point.name, point)
                if point.name in self._entries or other.value != point.value:
                    raise SpecError(
                        self.kind, f"the name {point.name!r} of the plugin {point.value!r} is taken"
                    )
            self._plugins = points
        return self._plugins


def _imported(target: str) -> Any:
    """Return what `module:Name` is."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
