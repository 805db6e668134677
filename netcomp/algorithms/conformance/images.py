"""States and messages looked at from outside: what they hold, copied, compared, never to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["copied", "frozen", "image"]


def image(thing: Any) -> Any:
    """Return all bits a state or a message holds, comparable with ==; NaN equals itself."""
    if isinstance(thing, np.ndarray):
        return "array", thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, bytes | bytearray | memoryview):
        return "bytes", bytes(thing)
    held = _held(thing)
    if held is None:
        return type(thing).__name__, repr(thing)
    return type(thing).__name__, tuple((name, image(value)) for name, value in held)


def frozen(thing: Any) -> Any:
    """Make every array a state or a message holds read-only, with what it is a view of."""
    for array in _arrays(thing, set()):
        at: Any = array
        while isinstance(at, np.ndarray):
            at.flags.writeable = False
            at = at.base
    return thing


def copied(thing: Any) -> Any:
    """Return a state as another process would have it that was given all its bits."""
    if isinstance(thing, np.ndarray):
        return thing.copy()
    if isinstance(thing, memoryview):
        return memoryview(bytes(thing))
    if isinstance(thing, Mapping):
        return {key: copied(value) for key, value in thing.items()}
    if type(thing) in (list, tuple):
        return type(thing)(copied(value) for value in thing)
    if isinstance(thing, tuple) and hasattr(thing, "_make"):
        return thing._make(copied(value) for value in thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        made = copy(thing)
        for field in fields(thing):
            object.__setattr__(made, field.name, copied(getattr(thing, field.name)))
        return made
    return deepcopy(thing)


def _held(thing: Any) -> list[tuple[str, Any]] | None:
    """Return what a thing is made of, by name; None where it is no container."""
    if isinstance(thing, Mapping):
        return [(repr(key), value) for key, value in thing.items()]
    if isinstance(thing, list | tuple):
        return [(str(index), value) for index, value in enumerate(thing)]
    if is_dataclass(thing) and not isinstance(thing, type):
        return [(field.name, getattr(thing, field.name)) for field in fields(thing)]
    if isinstance(thing, type) or callable(thing) or not hasattr(thing, "__dict__"):
        return None
    return list(vars(thing).items())


def _arrays(thing: Any, seen: set[int]) -> Iterator[np.ndarray[Any, Any]]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, memoryview):
        yield from _arrays(thing.obj, seen)
    else:
        for _, value in _held(thing) or ():
            yield from _arrays(value, seen)
