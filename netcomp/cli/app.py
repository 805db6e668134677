"""The commands of `netcomp`, put together."""

from __future__ import annotations

import typer

from netcomp.cli.check import check_command
from netcomp.cli.data import app as data_app
from netcomp.cli.experiments import compare_command, run_command
from netcomp.cli.listing import list_command
from netcomp.cli.probe import probe_command
from netcomp.cli.roles import server_command, worker_command

__all__ = ["app"]

app = typer.Typer(
    name="netcomp",
    help="Distributed optimization with compressed communication over real sockets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run_command)
app.command("compare")(compare_command)
app.command("server")(server_command)
app.command("worker")(worker_command)
app.command("probe")(probe_command)
app.command("list")(list_command)
app.command("check")(check_command)
app.add_typer(data_app, name="data")
