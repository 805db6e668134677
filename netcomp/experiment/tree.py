"""Specs as trees of tables, before they are checked: read from TOML, changed by assignments."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netcomp.errors import SpecError

__all__ = ["load_spec", "merged", "override"]


def load_spec(path: str | Path) -> dict[str, Any]:
    """Read a TOML file as the tree `Spec.parse` takes; raises `SpecError` naming the file."""
    try:
        with Path(path).open("rb") as file:
            tree = tomllib.load(file)
    except OSError as error:
        raise SpecError(str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(str(path), f"is not TOML: {error}") from None
    # A run folder's spec.toml says what was resolved; a new run resolves for itself.
    tree.pop("resolved", None)
    return tree


def override(tree: dict[str, Any], assignment: str) -> None:
    """Carry out "a.b=c" on a tree; c is read as TOML where it is TOML, else as text."""
    path, equals, text = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise SpecError("--set", f"{assignment!r} is not of the form a.b=c")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    branch: dict[str, Any] = {}
    leaf = branch
    *tables, key = path.split(".")
    for table in tables:
        leaf = leaf.setdefault(table, {})
    leaf[key] = value
    tree.update(merged(tree, branch))


def merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `tree` with `changes` on top, table by table."""
    result = dict(tree)
    for key, value in changes.items():
        old = result.get(key)
        if key in ("up", "down") and isinstance(old, str) and isinstance(value, Mapping):
            old = {"compressor": old}  # the short form of the same table
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result
