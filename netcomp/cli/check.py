"""`netcomp check`: whether somebody's own compressor keeps the laws of one."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from netcomp.cli.options import Json, print_json
from netcomp.compressors import parse_compressor
from netcomp.compressors.conformance import DIMS, WORKERS, check_compressor
from netcomp.errors import SpecError
from netcomp.laws import Finding

__all__ = ["check_command"]


class _What(StrEnum):
    COMPRESSOR = "compressor"


def check_command(
    what: Annotated[_What, typer.Argument(help="What kind of thing it is.")],
    name: Annotated[str, typer.Argument(help="Its notation, or module:Class of your own.")],
    dim: Annotated[
        list[int] | None, typer.Option(min=1, help="A dimension to check; may be repeated.")
    ] = None,
    workers: Annotated[
        list[int] | None, typer.Option(min=1, help="A number of workers; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of vectors, keys and bytes.")] = 1,
    json: Json = False,
) -> None:
    """Check that a compressor keeps the laws of one: its bytes, errors and class constants."""
    # As with `python -m`, a module in the folder where one is can be named.
    sys.path.append(str(Path.cwd()))
    try:
        compressor = parse_compressor(name, field=what.value, imports=True)
    except TypeError as error:  # an abstract class, or one that wants arguments
        raise SpecError(what.value, f"{name!r} cannot be made: {error}") from error
    findings = check_compressor(compressor, dims=dim or DIMS, workers=workers or WORKERS, seed=seed)
    passed = all(finding.passed for finding in findings)
    if json:
        rows = [
            {"law": finding.law, "passed": finding.passed, "detail": finding.detail}
            for finding in findings
        ]
        print_json({"compressor": str(compressor), "passed": passed, "findings": rows})
    else:
        _show(name, findings)
    if not passed:
        raise typer.Exit(1)


def _show(name: str, findings: list[Finding]) -> None:
    table = Table("law", "", "detail", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.law, "pass" if finding.passed else "FAIL", finding.detail)
    console = Console(markup=False, highlight=False)
    console.print(table)
    kept = sum(finding.passed for finding in findings)
    console.print(f"{name}: {kept} of {len(findings)} laws kept", soft_wrap=True)
