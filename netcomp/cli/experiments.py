"""`netcomp run` and `netcomp compare`: whole experiments on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from netcomp.cli.options import (
    Assignments,
    Json,
    SpecPath,
    Strict,
    find_modules_here,
    note,
    print_json,
    tell,
    tree_of,
)
from netcomp.errors import SpecError
from netcomp.experiment.compare import compare, contestant, contestants
from netcomp.experiment.run import execute
from netcomp.experiment.spec import Spec
from netcomp.results.report import comparison_table, winners

__all__ = ["compare_command", "run_command"]

Problem = Annotated[str | None, typer.Option(help="A problem; see `netcomp list problems`.")]
Data = Annotated[
    str | None, typer.Option(help="A data set: built in, a path, or a name in NETCOMP_DATA.")
]
Workers = Annotated[int | None, typer.Option(help="Logical workers.")]
Processes = Annotated[int | None, typer.Option(help="Worker processes; 2 unless told.")]
Uplink = Annotated[str | None, typer.Option(help='Each uplink: "10 Mbit/s", "unlimited".')]
Downlink = Annotated[str | None, typer.Option(help='Each downlink: "100 Mbit/s".')]
Latency = Annotated[str | None, typer.Option(help='One way: "20 ms".')]
Rounds = Annotated[int | None, typer.Option(help="Stop after so many rounds.")]
Target = Annotated[float | None, typer.Option(help="Stop when ‖∇f‖² is at most this.")]
Seconds = Annotated[float | None, typer.Option(help="Stop after so many seconds.")]
Seed = Annotated[int | None, typer.Option(help="The seed of everything random.")]
Clock = Annotated[str | None, typer.Option(help="real (sockets) or virtual (in memory).")]
Out = Annotated[Path | None, typer.Option("--out", help="Where run folders go; runs/ unless told.")]


def run_command(
    spec: SpecPath = None,
    problem: Problem = None,
    data: Data = None,
    algorithm: Annotated[
        str | None, typer.Option(help="A method; see `netcomp list algorithms`.")
    ] = None,
    up: Annotated[str | None, typer.Option(help="Uplink compressor: rand-k:k=5.")] = None,
    down: Annotated[str | None, typer.Option(help="Downlink compressor: perm-k+natural.")] = None,
    step_size: Annotated[str | None, typer.Option(help='"theory", "4*theory" or a number.')] = None,
    strict: Strict = False,
    workers: Workers = None,
    processes: Processes = None,
    uplink: Uplink = None,
    downlink: Downlink = None,
    latency: Latency = None,
    rounds: Rounds = None,
    target: Target = None,
    seconds: Seconds = None,
    seed: Seed = None,
    clock: Clock = None,
    assignments: Assignments = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Run one experiment: server here, workers in processes, over loopback TCP."""
    find_modules_here()
    given = _common(problem, data, workers, processes, uplink, downlink, latency)
    given |= _limits(rounds, target, seconds, seed, clock, out)
    given |= {"algorithm.name": algorithm, "algorithm.up": up, "algorithm.down": down}
    given |= {"algorithm.step_size": step_size, "algorithm.strict": strict or None}
    tree = tree_of(spec, given, assignments)
    if "compare" in tree:
        raise SpecError("compare", "several algorithms are for `netcomp compare`")
    result = execute(Spec.parse(tree), show=not json, note=note)
    tell(result, json=json)


def compare_command(
    spec: SpecPath = None,
    problem: Problem = None,
    data: Data = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(help="NAME or NAME,key=value,…; once for each. [[compare]] in the spec else."),
    ] = None,
    strict: Strict = False,
    workers: Workers = None,
    processes: Processes = None,
    uplink: Uplink = None,
    downlink: Downlink = None,
    latency: Latency = None,
    rounds: Rounds = None,
    target: Target = None,
    seconds: Seconds = None,
    seed: Seed = None,
    clock: Clock = None,
    assignments: Assignments = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Run several algorithms on one problem and network; rank them by seconds to the target."""
    find_modules_here()
    given = _common(problem, data, workers, processes, uplink, downlink, latency)
    given |= _limits(rounds, target, seconds, seed, clock, out)
    given["algorithm.strict"] = strict or None
    common, tables = contestants(tree_of(spec, given, assignments))
    tables = [contestant(text) for text in algorithm or []] or tables
    outcome = compare(common, tables, show=not json, note=note)
    if not json:
        console = Console()
        console.print(comparison_table(outcome.summaries))
        console.print(winners(outcome.summaries), soft_wrap=True)
        console.print(f"plot: {outcome.plot}", soft_wrap=True)
        console.print(f"results: {outcome.folder}", soft_wrap=True)
    if outcome.errors:
        raise outcome.errors[0]
    if json:
        print_json({"runs": list(outcome.summaries), "plot": outcome.plot, "dir": outcome.folder})


def _common(
    problem: str | None,
    data: str | None,
    workers: int | None,
    processes: int | None,
    uplink: str | None,
    downlink: str | None,
    latency: str | None,
) -> dict[str, Any]:
    return {
        "problem.name": problem,
        "problem.data": data,
        "cluster.workers": workers,
        "cluster.processes": processes,
        "network.uplink": uplink,
        "network.downlink": downlink,
        "network.latency": latency,
    }


def _limits(
    rounds: int | None,
    target: float | None,
    seconds: float | None,
    seed: int | None,
    clock: str | None,
    out: Path | None,
) -> dict[str, Any]:
    return {
        "stop.rounds": rounds,
        "stop.grad_norm_sq": target,
        "stop.seconds": seconds,
        "seed": seed,
        "network.clock": clock,
        "record.dir": None if out is None else str(out),
    }
