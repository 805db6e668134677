"""Options that several commands share, and what they mean for the spec."""

from __future__ import annotations

import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from netcomp.errors import SpecError
from netcomp.experiment.recorder import Result
from netcomp.experiment.tree import load_spec, merged, override
from netcomp.results.jsonable import dumps
from netcomp.results.report import run_table

__all__ = [
    "Assignments",
    "Json",
    "SpecPath",
    "Strict",
    "address",
    "check_reach",
    "find_modules_here",
    "note",
    "print_json",
    "stderr",
    "tell",
    "tree_of",
]

SpecPath = Annotated[Path | None, typer.Argument(help="A TOML spec; options change it.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="Any key of the spec: --set record.every=1")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]

Strict = Annotated[
    bool, typer.Option("--strict", help="What no theorem covers is an error, not a warning.")
]

stderr = Console(stderr=True, soft_wrap=True)


def note(text: str) -> None:
    """Print a message for the user on stderr, as one line, if anybody still reads there."""
    with suppress(OSError):
        print(f"netcomp: {' '.join(text.split())}", file=sys.stderr, flush=True)


def print_json(content: dict[str, Any]) -> None:
    """Print a JSON object as the last line of stdout."""
    print(dumps(content), flush=True)


def tell(result: Result, *, json: bool) -> None:
    """Print what became of a run: a table, or one JSON object; raise the error that ended it."""
    if result.run_dir is not None and not json:
        console = Console()
        console.print(run_table(result.summary))
        console.print(f"results and plots: {result.run_dir}", soft_wrap=True)
    if result.error is not None:
        raise result.error
    if json:
        print_json(result.summary)


def find_modules_here() -> None:
    """Let what is named as `module:Name` lie in the folder where one is, as with `python -m`.

    Installed modules are found first.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def tree_of(
    path: Path | None, given: dict[str, Any], assignments: list[str] | None
) -> dict[str, Any]:
    """Return the tree of a spec: the file, the options given on top, then every --set.

    `given` maps dotted paths to values, None for what was not given.
    """
    tree = {} if path is None else load_spec(path)
    for key, value in given.items():
        if value is not None:
            table, _, leaf = key.partition(".")
            tree = merged(tree, {table: {leaf: value}} if leaf else {table: value})
    for assignment in assignments or []:
        override(tree, assignment)
    return tree


def address(text: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT, [IPv6]:PORT or :PORT; raises `SpecError` naming the option."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 — of a port
        raise SpecError(option, f"{text!r} is not of the form HOST:PORT")
    return host or "127.0.0.1", int(port)


def check_reach(host: str, *, insecure: bool) -> None:
    """Raise `SpecError` for --listen HOST where others can reach it, unless told to."""
    if not _is_loopback(host) and not insecure:
        raise SpecError(
            "--listen", f"{host} can be reached from elsewhere and nothing is encrypted yet;"
            " add --insecure where the network is trusted",
        )  # fmt: skip


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
