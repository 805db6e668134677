"""The rounds' table, as Markdown and CSV, and their picture."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rounds.goals import ratio, slope

__all__ = ["page", "write"]

_GROWTH = ("with n, d = 1000", "with d, n = 10", "with d, n = 1")
_COLUMNS = ("who", "n", "d", "rounds", "rounds_per_second", "bytes_per_second", "error")


def page(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown: goals, the table, the fitted slopes."""
    rows = results["rows"]
    lines = ["# Rounds a second", "", _machine(results), "", "## Goals", ""]
    lines += [
        "| n | d | who | against | goal | figure | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_goal(one) for one in results["verdicts"]]
    lines += ["", "## Figures", ""]
    lines += ["| n | d | who | rounds/s | MB/s | netcomp / it |", "|---|---|---|---|---|---|"]
    lines += [_row(rows, row) for row in rows]
    lines += ["", "## How time grows", "", _line(("who", *_GROWTH)), "|---|---|---|---|"]
    lines += _slopes(rows)
    if results["stalls"]:
        lines += ["", "## The longest stall of the server's event loop", ""]
        lines += ["| n | d | ms | goal |", "|---|---|---|---|"]
        lines += [
            _line((one["n"], one["d"], f"{1e3 * one['seconds']:.0f}", f"{1e3 * one['goal']:.0f}"))
            for one in results["stalls"]
        ]
    return "\n".join(lines) + "\n"


def write(results: Mapping[str, Any], out: Path) -> list[Path]:
    """Write results.json, results.csv, table.md and rounds.png; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in ("results.json", "results.csv", "table.md", "rounds.png")]
    paths[0].write_text(json.dumps(results, indent=1) + "\n")
    with paths[1].open("w", newline="") as file:
        table = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(results["rows"])
    paths[2].write_text(page(results))
    _draw(results["rows"], paths[3])
    return paths


def _machine(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    turns = max((len(row["turns"]) for row in results["rows"]), default=0)
    load = " and ".join(f"{one:.1f}" for one in results.get("load", ())) or "unknown"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['python']}; server in one process,"
        f" all workers in another. Medians over {turns} turns taken in one run, with a load"
        f" of {load} before and after: other people's work on the machine is in them."
    )


def _goal(one: Mapping[str, Any]) -> str:
    figure = "–" if one["figure"] is None else f"{one['figure']:.2f}"
    ours = (one["n"], one["d"], one["who"])
    return _line((*ours, one["peer"], f"≥ {one['factor']:g}", figure, one["verdict"]))


def _row(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> str:
    if row["error"]:
        return _line((row["n"], row["d"], row["who"], row["error"], "–", "–"))
    over = ratio(rows, row["who"], row["n"], row["d"])
    return _line(
        (
            row["n"],
            row["d"],
            row["who"],
            f"{row['rounds_per_second']:.4g}",
            f"{row['bytes_per_second'] / 1e6:.4g}",
            "–" if over is None else f"{over:.2f}",
        )
    )


def _slopes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for who in dict.fromkeys(row["who"] for row in rows):
        own = [row for row in rows if row["who"] == who and not row["error"]]
        of_n = [(row["n"], 1 / row["rounds_per_second"]) for row in own if row["d"] == 1000]
        of_d = [
            [(row["d"], 1 / row["rounds_per_second"]) for row in own if row["n"] == n]
            for n in (10, 1)
        ]
        fits = ["–" if fit is None else f"{fit:.2f}" for fit in map(slope, (of_n, *of_d))]
        yield _line((who, *fits))


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 — slow to import, needed here only

    figure = Figure(figsize=(12, 4), layout="constrained")
    sweeps = (("n", "d", 1000), ("d", "n", 10), ("d", "n", 1))
    for axes, (key, other, fixed) in zip(figure.subplots(1, 3), sweeps, strict=True):
        for who in dict.fromkeys(row["who"] for row in rows):
            points = sorted(
                (row[key], row["rounds_per_second"])
                for row in rows
                if row["who"] == who and row[other] == fixed and not row["error"]
            )
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=who)
        axes.set(xscale="log", yscale="log", xlabel=key, ylabel="rounds/s")
        axes.set_title(f"{other} = {fixed}")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
