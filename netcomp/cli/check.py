"""`netcomp check`: whether a compressor, algorithm or problem of anybody keeps the laws of one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from netcomp.algorithms import ALGORITHMS, conformance
from netcomp.cli.options import Json, find_modules_here, print_json
from netcomp.compressors import parse_compressor
from netcomp.compressors.conformance import DIMS, WORKERS, check_compressor
from netcomp.data import data_folders, load
from netcomp.errors import SpecError
from netcomp.laws import Finding
from netcomp.problems import PROBLEMS, make_problem
from netcomp.problems.conformance import check_problem
from netcomp.wire.loopback import carried

__all__ = ["check_command"]


class _What(StrEnum):
    COMPRESSOR = "compressor"
    ALGORITHM = "algorithm"
    PROBLEM = "problem"


def check_command(
    what: Annotated[_What, typer.Argument(help="What kind of thing it is.")],
    name: Annotated[str, typer.Argument(help="Its notation or name, or module:Name of your own.")],
    dim: Annotated[
        list[int] | None,
        typer.Option(min=1, help="A dimension to check a compressor at; may be repeated."),
    ] = None,
    workers: Annotated[
        list[int] | None, typer.Option(min=1, help="A number of workers; may be repeated.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The data set to pose a problem on, instead of the kit's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of vectors, keys and bytes.")] = 1,
    json: Json = False,
) -> None:
    """Check that a compressor, algorithm or problem keeps the laws of one."""
    find_modules_here()
    if what is not _What.PROBLEM:
        _refuse("--data", "is of problems", given=data)
    if what is _What.PROBLEM:
        _refuse("--dim", "is of compressors and algorithms; a problem has its own", given=dim)
        told, findings = name, _check_problem(name, data, workers, seed)
    elif what is _What.ALGORITHM:
        told, findings = _check_algorithm(name, dim, workers, seed)
    else:
        compressor = parse_compressor(name, field=what.value, imports=True)
        told, findings = (
            str(compressor),
            check_compressor(compressor, dims=dim or DIMS, workers=workers or WORKERS, seed=seed),
        )
    passed = all(finding.passed for finding in findings)
    if json:
        rows = [
            {"law": finding.law, "passed": finding.passed, "detail": finding.detail}
            for finding in findings
        ]
        print_json({what.value: told, "passed": passed, "findings": rows})
    else:
        _show(name, findings)
    if not passed:
        raise typer.Exit(1)


def _refuse(option: str, why: str, *, given: object) -> None:
    if given is not None:
        raise SpecError(option, why)


def _check_problem(
    name: str, data: str | None, workers: list[int] | None, seed: int
) -> list[Finding]:
    try:
        problem = make_problem(PROBLEMS.get(name), name, {})
    except ValidationError as error:
        raise SpecError("problem", f"{name!r} cannot be made without options") from error
    if data is not None and not problem.needs_data:
        raise SpecError("--data", f"{name} makes its own data")
    loaded = None if data is None else load(data, data_folders())
    return check_problem(problem, data=loaded, workers=workers or WORKERS, seed=seed)


def _check_algorithm(
    name: str, dims: list[int] | None, workers: list[int] | None, seed: int
) -> tuple[str, list[Finding]]:
    """Return the entry's own name, and what was found of it."""
    entry = ALGORITHMS.get(name)
    findings = conformance.check_algorithm(
        entry,
        carry=carried,
        dims=dims or conformance.DIMS,
        workers=workers or conformance.WORKERS,
        seed=seed,
    )
    return entry.name, findings


def _show(name: str, findings: list[Finding]) -> None:
    table = Table("law", "", "detail", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.law, "pass" if finding.passed else "FAIL", finding.detail)
    console = Console(markup=False, highlight=False)
    console.print(table)
    kept = sum(finding.passed for finding in findings)
    console.print(f"{name}: {kept} of {len(findings)} laws kept", soft_wrap=True)
