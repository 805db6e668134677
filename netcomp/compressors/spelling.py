"""How a class of another package is written in the notation: `module:Class:name=value,…`."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

__all__ = ["spelled"]


def spelled(thing: object) -> str:
    """Return the notation of a frozen dataclass of hyper-parameters; defaults are left out."""
    kind = type(thing)
    text = f"{kind.__module__}:{kind.__qualname__}"
    if not is_dataclass(thing):
        return text
    given = [
        f"{field.name}={_value(getattr(thing, field.name))}"
        for field in fields(thing)
        if field.init and getattr(thing, field.name) != _default(field)
    ]
    return f"{text}:{','.join(given)}" if given else text


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return MISSING if field.default_factory is MISSING else field.default_factory()


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    # "1e+30" would be two parts.
    return repr(value).replace("e+", "e") if isinstance(value, float) else str(value)
