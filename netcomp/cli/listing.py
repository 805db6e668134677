"""`netcomp list`: the names a spec may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from netcomp.algorithms import ALGORITHMS, Algorithm, Side
from netcomp.algorithms.entry import USUAL
from netcomp.algorithms.parts import channel_kind
from netcomp.algorithms.rules import words
from netcomp.cli.options import Json, find_modules_here, print_json
from netcomp.compressors import COMPRESSORS
from netcomp.data import BUILTIN
from netcomp.problems import PROBLEMS, options_of
from netcomp.registry import Registry

__all__ = ["details", "list_command"]

T = TypeVar("T")


class _What(StrEnum):
    ALGORITHMS = "algorithms"
    COMPRESSORS = "compressors"
    PROBLEMS = "problems"


def list_command(
    what: Annotated[_What, typer.Argument(help="What to list.")],
    name: Annotated[str | None, typer.Argument(help="One of them, in full.")] = None,
    json: Json = False,
) -> None:
    """List the algorithms, compressors or problems that can be named, or say all of one."""
    find_modules_here()
    rows = _ROWS[what](name)
    if json:
        print_json({what.value: rows})
    elif name is not None:
        Console().print(_in_full(rows[0]))
    else:
        shown = [_short(row) for row in rows] if what is _What.ALGORITHMS else rows
        table = Table(box=None, pad_edge=False)
        for key in shown[0]:
            table.add_column(key, no_wrap=key == "name", overflow="fold")
        for row in shown:
            table.add_row(*(_text(value) for value in row.values()))
        Console().print(table)


def _in_full(row: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in row.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                table.add_row(inner, _text(text))
        else:
            table.add_row(key, _text(value) or "-")
    return table


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an algorithm fits beside the others on a line."""
    travels = {way: row[way].replace(": direct (identity)", "") for way in ("up", "down")}
    needs = row["needs"] or ["-"]
    return {"name": row["name"], **travels, "theory needs": needs, "paper": row["source"] or "-"}


def _chosen(registry: Registry[T], name: str | None) -> Iterable[tuple[str, T]]:
    return registry.items() if name is None else [(name, registry.get(name))]


def _side(side: Side, carries: str) -> str:
    different = "" if side.collection == "same" else f", {side.collection}"
    default = side.default or "identity"
    return f"{side.carries or carries}: {side.channel} ({default}{different})"


def details(name: str, entry: Algorithm) -> dict[str, Any]:
    """Return all that can be said of an algorithm: parts, parameters in words, theory, source."""
    return {
        "name": name,
        "summary": entry.summary,
        "down": _side(entry.down, "model"),
        "up": _side(entry.up, "gradient"),
        "oracle": entry.oracle,
        "participation": entry.participation,
        "parameters": _parameters(entry),
        "presets": list(entry.presets),
        "schedules": list(entry.regimes),
        "theory": entry.theorem,
        "needs": list(entry.needs),
        "source": entry.source,
    }


def _parameters(entry: Algorithm) -> dict[str, str]:
    """Return the keys of `[algorithm]` that belong to an entry's own parts, with their defaults."""
    found = {"step_size": "the theorem's" if entry.gamma else "given, else a first guess"}
    for way, side in (("up", entry.up), ("down", entry.down)):
        if side.default is not None or entry.free:
            found[f"{way}.compressor"] = side.default or "identity"
        if way == "down" and (side.default is not None or entry.free):
            found["down.collection"] = side.collection
        kind = channel_kind(side.channel, f"algorithm.{way}.channel", imports=True)
        for key in kind.params:
            own = getattr(side, key)
            rule = USUAL[way].get(side.channel, {}).get(key) if own is None else own
            found[f"{way}.{key}"] = words(rule)
    if entry.beta is not None or entry.free:
        found["momentum"] = words(entry.beta)
    return found | {"server_momentum": words(entry.heavy)}


def _algorithms(name: str | None) -> list[dict[str, Any]]:
    return [details(one, entry) for one, entry in _chosen(ALGORITHMS, name)]


def _compressors(name: str | None) -> list[dict[str, Any]]:
    return [
        {
            "name": one,
            "parameters": [key for key, _ in part.params],
            "summary": part.summary,
        }
        for one, part in _chosen(COMPRESSORS, name)
    ]


def _problems(name: str | None) -> list[dict[str, Any]]:
    return [
        {
            "name": one,
            "summary": getattr(problem, "summary", (problem.__doc__ or "").partition("\n")[0]),
            "options": options_of(problem),
            # Of a function only the problem it makes would tell.
            "data": sorted(BUILTIN) if getattr(problem, "needs_data", False) else [],
        }
        for one, problem in _chosen(PROBLEMS, name)
    ]


_ROWS: Final = {
    _What.ALGORITHMS: _algorithms,
    _What.COMPRESSORS: _compressors,
    _What.PROBLEMS: _problems,
}
