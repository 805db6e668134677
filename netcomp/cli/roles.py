"""`netcomp server` and `netcomp worker`: the two roles on machines of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netcomp.cli.options import (
    Assignments,
    Json,
    SpecPath,
    Strict,
    address,
    check_reach,
    find_modules_here,
    note,
    tell,
    tree_of,
)
from netcomp.experiment.run import serve, work
from netcomp.experiment.spec import Spec

__all__ = ["server_command", "worker_command"]


def server_command(
    spec: SpecPath = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = (
        "127.0.0.1:7117"
    ),
    assignments: Assignments = None,
    strict: Strict = False,
    out: Annotated[Path | None, typer.Option("--out", help="Where the run folder goes.")] = None,
    insecure: Annotated[
        bool, typer.Option(help="Listen beyond this machine although nothing is encrypted.")
    ] = False,
    json: Json = False,
) -> None:
    """Be the server of an experiment; workers dial in with `netcomp worker --connect`."""
    host, port = address(listen, "--listen")
    check_reach(host, insecure=insecure)
    find_modules_here()
    given = {"record.dir": None if out is None else str(out), "algorithm.strict": strict or None}
    parsed = Spec.parse(tree_of(spec, given, assignments))
    result = serve(parsed, host, port, show=not json, note=note)
    tell(result, json=json)


def worker_command(
    connect: Annotated[str, typer.Option(help="The server's HOST:PORT.")],
    slots: Annotated[int, typer.Option(min=1, help="Logical workers in this process.")] = 1,
    number: Annotated[
        int | None, typer.Option("--id", min=0, help="Be worker N (and N+1, … with slots).")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Use this data set instead of the one the spec names.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0.0, help="How long to try when no server answers, in seconds.")
    ] = 60.0,
    trust_server: Annotated[
        bool, typer.Option(help="Let the server name modules to import and paths to read here.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="Say nothing unless something goes wrong.")] = False,
) -> None:
    """Be one or more workers of a server's experiment; the data is loaded here."""
    host, port = address(connect, "--connect")
    if trust_server:
        find_modules_here()
    reason = work(
        host,
        port,
        slots=slots,
        first=number,
        data=data,
        patience=wait,
        trusted=trust_server,
    )
    if not quiet:
        note(f"done: {reason}")
