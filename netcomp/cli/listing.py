"""`netcomp list`: the names a spec may use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from netcomp.algorithms import ALGORITHMS
from netcomp.cli.options import Json, print_json
from netcomp.compressors import COMPRESSORS
from netcomp.data import BUILTIN
from netcomp.problems import PROBLEMS

__all__ = ["list_command"]


class _What(StrEnum):
    ALGORITHMS = "algorithms"
    COMPRESSORS = "compressors"
    PROBLEMS = "problems"


def list_command(
    what: Annotated[_What, typer.Argument(help="What to list.")], json: Json = False
) -> None:
    """List the algorithms, compressors or problems that can be named."""
    rows = {
        _What.ALGORITHMS: _algorithms,
        _What.COMPRESSORS: _compressors,
        _What.PROBLEMS: _problems,
    }[what]()
    if json:
        print_json({what.value: rows})
        return
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console().print(table)


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _algorithms() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": entry.summary,
            "down": f"{entry.down.channel} ({entry.down.default or 'identity'})",
            "up": f"{entry.up.channel} ({entry.up.default or 'identity'})",
            "theory": entry.theorem,
            "needs": list(entry.needs),
            "source": entry.source,
        }
        for name, entry in ALGORITHMS.items()
    ]


def _compressors() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "parameters": [key for key, _ in part.params],
            "summary": part.summary,
        }
        for name, part in COMPRESSORS.items()
    ]


def _problems() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": problem.summary,
            "options": list(problem.model_fields),
            "data": sorted(BUILTIN) if problem.needs_data else [],
        }
        for name, problem in PROBLEMS.items()
    ]
