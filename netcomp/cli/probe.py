"""`netcomp probe`: what a real link carries, as the spec writes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from netcomp.cli.options import Json, address, check_reach, note, print_json
from netcomp.errors import NetcompError, SpecError
from netcomp.net import loops
from netcomp.net.linkprobe import listen as answer
from netcomp.net.linkprobe import probe

__all__ = ["probe_command"]

_MOST_SECONDS = 60.0


def probe_command(
    listener: Annotated[
        str | None, typer.Argument(metavar="[HOST:PORT]", help="Where a probe listens.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="Be the other end: answer probes at HOST:PORT.")
    ] = None,
    once: Annotated[bool, typer.Option(help="With --listen: end after the first probe.")] = False,
    insecure: Annotated[bool, typer.Option(help="Listen beyond this machine.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=_MOST_SECONDS, help="About how long, each way.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Measure a real link's rate and delay each way; print the [network] table to paste."""
    if (listener is None) == (listen is None):
        raise SpecError("probe", "give HOST:PORT to measure the way there, or --listen HOST:PORT")
    if listen is not None:
        host, port = address(listen, "--listen")
        check_reach(host, insecure=insecure)
        _listen(host, port, once=once)
        return
    host, port = address(listener or "", "HOST:PORT")
    try:
        figures = loops.run(probe(host, port, seconds))
    except OSError as error:
        raise NetcompError(f"nobody at {host}:{port}: {error.strerror or error}") from None
    if json:
        print_json(asdict(figures))
    else:
        print(figures.toml(), end="")


def _listen(host: str, port: int, *, once: bool) -> None:
    def listening(host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        note(
            f"listening on {shown}:{port}; measure the way here with: netcomp probe {shown}:{port}"
        )

    try:
        loops.run(answer(host, port, listening, once=once))
    except OSError as error:
        raise NetcompError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
