"""Tables for the terminal: one run, several ranked, and who won."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from netcomp.results.format import (
    NOTHING,
    format_bits,
    format_bytes,
    format_number,
    format_seconds,
    format_share,
)
from netcomp.results.ledger import SHARE_NAMES
from netcomp.results.progress import Progress

__all__ = ["Progress", "comparison_table", "ranked", "run_table", "winners"]

Summary = Mapping[str, Any]


def run_table(summary: Summary) -> Table:
    """Return what one run did, sent and spent, from its summary."""
    table = Table(
        box=box.SIMPLE_HEAD,
        show_header=False,
        title=Text(_heading(summary)),
        title_justify="left",
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    size = f"{summary['workers']} workers, d = {summary['dim']}"
    table.add_row("run", f"{size}, {summary['rounds']} rounds, stopped by {summary['stopped_by']}")
    table.add_row("seconds", format_seconds(summary["seconds"]))
    table.add_row("f", format_number(summary["loss"]))
    table.add_row("‖∇f‖²", format_number(summary["grad_norm_sq"]))
    for name, value in summary["metrics"].items():
        table.add_row(name, format_number(value))
    table.add_row("target", _target_line(summary))
    table.add_row("sent", _traffic_table(summary))
    table.add_row("time", _shares_line(summary["time_shares"]))
    table.add_row("bottleneck", _bottleneck(summary))
    if not summary["consistent"]:
        table.add_row("warning", Text("the two ends counted different bytes", style="bold red"))
    if summary["emulation"]["transfers"]:
        table.add_row("links", _lag_line(summary["emulation"]))
    if summary["run_dir"]:
        table.add_row("files", Text(str(summary["run_dir"]), overflow="fold"))
    return table


def ranked(summaries: Sequence[Summary]) -> list[Summary]:
    """Order by seconds to the target; those that missed it last, by ‖∇f‖²."""
    return sorted(summaries, key=_rank)


def comparison_table(summaries: Sequence[Summary]) -> Table:
    """Return the runs ranked by seconds to the target, one row each.

    A summary may carry "label", printed for its algorithm. Rounds and wire
    bytes are those to the target, over all workers; rounds of a run that
    missed it are all it made. A star stands at a run whose links were late.
    """
    # Nine columns in eighty characters: only the algorithm's name may fold.
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
        caption=_caption(summaries),
        caption_justify="left",
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("algorithm", overflow="fold", min_width=8)
    table.add_column("reached", no_wrap=True)
    for name in ("rounds", "seconds\nto target", "wire\nup", "wire\ndown", "final\n‖∇f‖²"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bottleneck", no_wrap=True)
    for place, summary in enumerate(ranked(summaries), start=1):
        reached, value = summary["reached_target"], summary["grad_norm_sq"]
        table.add_row(
            f"{place}{'' if _believed(summary) else '*'}",
            Text(_label(summary)),
            Text("yes", style="green") if reached else Text("no", style="red"),
            str(summary["target"]["round"] if reached else summary["rounds"]),
            *_cost_cells(summary),
            NOTHING if value is None else f"{value:.2e}",
            summary["bottleneck"] if any(summary["time_shares"].values()) else NOTHING,
        )
    return table


def winners(summaries: Sequence[Summary]) -> str:
    """Say in plain words who was first in seconds and who in bytes, if anyone."""
    order = ranked(summaries)
    reached = [summary for summary in order if summary["reached_target"]]
    if not order:
        return "nothing to compare."
    if not reached:
        best = order[0]
        value = format_number(best["grad_norm_sq"])
        return f"no run reached a target; closest: {_label(best)} (‖∇f‖² = {value})."
    cheapest = min(reached, key=_bytes_to_target)
    seconds = format_seconds(reached[0]["target"]["seconds"])
    text = (
        f"first in seconds: {_label(reached[0])} ({seconds}); "
        f"first in bytes (up + down): {_label(cheapest)} "
        f"({format_bytes(_bytes_to_target(cheapest))})."
    )
    if not (_believed(reached[0]) and _believed(cheapest)):
        text += (
            " Not to be relied on: links of a run named here were late; the virtual clock is exact."
        )
    if len(_targets(summaries)) > 1:
        text += " The runs had different targets, so this ranks unlike things."
    return text


def _heading(summary: Summary) -> str:
    parts = (_label(summary), summary.get("problem"), summary.get("network"))
    return " · ".join(str(part) for part in parts if part)


def _label(summary: Summary) -> str:
    return str(summary.get("label") or summary["algorithm"])


def _target_line(summary: Summary) -> str:
    target = summary["target"]
    if target is None:
        return "none set"
    sign = "≥" if target["name"] == "accuracy" else "≤"
    goal = f"{target['name']} {sign} {format_number(target['value'])}"
    if not summary["reached_target"]:
        return f"{goal}: not reached"
    return (
        f"{goal}: reached in round {target['round']} after {format_seconds(target['seconds'])},"
        f" {format_bytes(target['uplink']['wire_bytes'])} up"
        f" and {format_bytes(target['downlink']['wire_bytes'])} down on the wire"
    )


def _traffic_table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("all workers")
    for way in ("uplink", "downlink"):
        table.add_column(way, justify="right", no_wrap=True)
    up, down = summary["uplink"], summary["downlink"]
    rounds = max(1, summary["rounds"])
    for name, count, unit in (
        ("paper's bits", "paper_bits", format_bits),
        ("payload", "payload_bytes", format_bytes),
        ("wire", "wire_bytes", format_bytes),
    ):
        table.add_row(name, unit(up[count]), unit(down[count]))
    each = (format_bytes(way["wire_bytes"] / rounds) for way in (up, down))
    table.add_row("wire, a round", *each)
    for name, ways in summary["overhead"].items():
        cells = (format_bytes(ways["up"]), format_bytes(ways["down"]))
        table.add_row(f"apart: {name}", *cells, style="dim")
    return table


def _shares_line(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{SHARE_NAMES[name]} {format_share(share)}" for name, share in shares.items())


def _bottleneck(summary: Summary) -> str:
    """Name it with its share; nothing is claimed of a run without any time."""
    largest = max(summary["time_shares"].values())
    return f"{summary['bottleneck']} ({100 * largest:.0f} %)" if largest > 0 else NOTHING


def _lag_line(emulation: Mapping[str, Any]) -> Text:
    """Say how late the emulated links were; in red that the run is not to be believed."""
    figures = (
        f"at most {format_seconds(emulation['worst_lag'])} late,"
        f" {format_seconds(emulation['mean_lag'])} in the mean"
    )
    if emulation["valid"]:
        return Text(figures)
    share = f"{emulation['late']} of {emulation['transfers']} transfers were late"
    return Text(
        f"this machine could not keep up: {share}, {figures}; the run is invalid", style="bold red"
    )


def _believed(summary: Summary) -> bool:
    """Whether the links were what they were said to be."""
    return bool(summary["emulation"]["valid"])


def _rank(summary: Summary) -> tuple[bool, float]:
    reached = bool(summary["reached_target"])
    value = summary["target"]["seconds"] if reached else summary["grad_norm_sq"]
    # None is a model never probed, or one that diverged.
    return (not reached, math.inf if value is None else value)


def _cost_cells(summary: Summary) -> tuple[str, str, str]:
    if not summary["reached_target"]:
        return (NOTHING, NOTHING, NOTHING)
    target = summary["target"]
    return (
        format_seconds(target["seconds"]),
        format_bytes(target["uplink"]["wire_bytes"]),
        format_bytes(target["downlink"]["wire_bytes"]),
    )


def _bytes_to_target(summary: Summary) -> int:
    target = summary["target"]
    return int(target["uplink"]["wire_bytes"] + target["downlink"]["wire_bytes"])


def _targets(summaries: Sequence[Summary]) -> set[tuple[str, float]]:
    targets = (summary["target"] for summary in summaries)
    return {(target["name"], target["value"]) for target in targets if target}


def _caption(summaries: Sequence[Summary]) -> str:
    goals = [f"{name} {format_number(value)}" for name, value in sorted(_targets(summaries))]
    caption = (
        f"target: {' or '.join(goals)}; wire bytes to it, over all workers"
        if goals
        else "no target set"
    )
    if all(map(_believed, summaries)):
        return caption
    return f"{caption}\n* invalid: this machine could not keep up with the links"
