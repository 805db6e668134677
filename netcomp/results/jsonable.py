"""From Python and numpy values to strict JSON: no NaN token ever leaves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Final

import numpy as np

__all__ = ["dumps", "dumps_plain", "jsonable", "loads"]


def jsonable(value: Any) -> Any:
    """Return `value` in JSON's own types; a float that is not finite is None.

    Numpy scalars and arrays, paths, mappings and sequences are converted;
    anything else is a `TypeError`.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, PathLike):
        return fspath(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Encode as JSON that any strict reader takes."""
    return json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False, indent=indent)


_PLAIN: Final = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def dumps_plain(value: Any) -> str:
    """Do the same for what is in JSON's own types already, but perhaps for a float: faster."""
    try:
        return _PLAIN.encode(value)
    except (TypeError, ValueError):
        return dumps(value)


def loads(text: str | bytes) -> Any:
    """Decode strict JSON; NaN and Infinity, and anything malformed, are a `ValueError`."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")
