"""How numbers and classes of other packages are written in the notation.

A class is `module:Class:name=value,…`; of a number no exponent has a plus sign, because "1e+30"
would be two parts.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

__all__ = ["decimal", "in_full", "spelled"]


def decimal(x: float) -> str:
    """Return a number in six digits where these read back to it, else in full: "2", "1e30"."""
    short = f"{x:g}"
    return short.replace("e+", "e") if float(short) == x else in_full(x)


def in_full(x: float) -> str:
    """Return a number in as many digits as it takes to read back to it: "2.0", "1e30"."""
    return repr(x).replace("e+", "e")


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
    return in_full(value) if isinstance(value, float) else str(value)
