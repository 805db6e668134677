"""Figures of a run and of several, drawn from what the run folders hold.

matplotlib is loaded only when a figure is drawn, and only its Agg backend:
no window, no global pyplot state. Colours are those of M. Okabe and K. Ito,
"Color Universal Design" (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from netcomp.errors import DataError
from netcomp.results.events import Traffic
from netcomp.results.format import format_bytes, format_seconds, format_share
from netcomp.results.ledger import SHARE_NAMES, time_shares
from netcomp.results.readers import read_summary
from netcomp.results.series import Series, Vector, read_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["new_figure", "plot_comparison", "plot_heat_map", "plot_run", "save_figure"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
LINE_STYLES = ("-", "--", "-.", ":")
UP_COLOUR, DOWN_COLOUR = PALETTE[0], PALETTE[1]
SHARE_COLOURS = {
    "compute": PALETTE[2],
    "compress": PALETTE[4],
    "up": UP_COLOUR,
    "down": DOWN_COLOUR,
    "wait": "#999999",
}
UNREACHED = "#d9d9d9"
GRAD_LABEL = "‖∇f(x)‖²"
LOSS_LABEL = "f(x)"
DPI = 130
# Runs whose ends lie further apart than this do not fit on one linear axis.
LINEAR_SPREAD = 12
# A narrower part of the bar has no room for its name.
NARROW_SHARE = 0.06
# What a cell of the heat map holds in a line of 9 points.
CELL_LETTERS = 18
# Of 0 … 255: lighter colours carry black letters.
MIDDLE = 120


def plot_run(run_dir: str | os.PathLike[str]) -> list[Path]:
    """Draw convergence.png, time_shares.png and bytes.png into the run's folder.

    And metrics.png where the problem measures more than f and ∇f, as the accuracy. Uses
    rounds.jsonl, and summary.json for the title if the run got that far.
    Raises `DataError` for a damaged folder.
    """
    folder = Path(run_dir)
    series, title = read_series(folder), _title(folder)
    figures = {
        "convergence.png": _convergence(series, title),
        "time_shares.png": _time_shares(series, title),
        "bytes.png": _bytes(series, title),
    }
    if series.metrics:
        figures["metrics.png"] = _metrics(series, title)
    return [save_figure(figure, folder / name) for name, figure in figures.items()]


def plot_comparison(
    runs: Sequence[tuple[str, str | os.PathLike[str]]],
    target: float | None,
    path: str | os.PathLike[str],
) -> Path:
    """Draw ‖∇f‖² of several (label, run folder) against each cost, into `path`.

    `target` (of ‖∇f‖²) is a dashed line, and a dot marks where a run first
    meets it. Raises `DataError` for a damaged folder.
    """
    series = [read_series(run_dir) for _, run_dir in runs]
    figure = new_figure(11, 8)
    panels = (
        ("seconds", "seconds", [s.seconds for s in series]),
        ("rounds", "rounds", [s.rounds for s in series]),
        ("uplink, wire bytes (all workers)", "B", [s.up_wire for s in series]),
        ("downlink, wire bytes (all workers)", "B", [s.down_wire for s in series]),
    )
    for axes, (label, unit, costs) in zip(figure.subplots(2, 2).flat, panels, strict=True):
        for index, (cost, one) in enumerate(zip(costs, series, strict=True)):
            _line(axes, (cost, one.grad_norm_sq), index, runs[index][0], target)
        _dress(axes, label, GRAD_LABEL, unit)
        if target is not None:
            axes.axhline(target, color="black", linestyle="--", linewidth=1, label="target")
        _spread(axes, costs)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    columns = min(5, max(1, len(labels)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return save_figure(figure, Path(path))


def plot_heat_map(
    winners: Sequence[Sequence[str | None]],
    seconds: Sequence[Sequence[float | None]],
    *,
    uplinks: Sequence[str],
    downlinks: Sequence[str],
    path: str | os.PathLike[str],
    title: str = "First to the target",
) -> Path:
    """Draw who was first at each pair of rates, and its seconds, into `path`.

    `winners[i][j]` and `seconds[i][j]` belong to `uplinks[i]`, `downlinks[j]`,
    rates as they are to be printed; None is where nobody reached the target.
    Raises `ValueError` unless both are tables of that shape.
    """
    shape = [len(downlinks)] * len(uplinks)
    if [len(row) for row in winners] != shape or [len(row) for row in seconds] != shape:
        raise ValueError(f"winners and seconds must be {len(uplinks)} × {len(downlinks)} tables")
    names = sorted({name for row in winners for name in row if name is not None})
    colours = {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}
    figure = new_figure(3 + 1.5 * len(downlinks), 2.2 + 0.85 * len(uplinks))
    axes = figure.subplots()
    for i, row in enumerate(winners):
        for j, name in enumerate(row):
            _cell(axes, (j, i), name, seconds[i][j], colours)
    axes.set_xlim(-0.5, len(downlinks) - 0.5)
    axes.set_ylim(-0.5, len(uplinks) - 0.5)
    axes.set_xticks(range(len(downlinks)), downlinks)
    axes.set_yticks(range(len(uplinks)), uplinks)
    axes.tick_params(length=0)
    axes.set_xlabel("downlink rate")
    axes.set_ylabel("uplink rate")
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    _name_colours(figure, colours)
    return save_figure(figure, Path(path))


def _cell(
    axes: Axes,
    place: tuple[int, int],
    name: str | None,
    seconds: float | None,
    colours: dict[str, str],
) -> None:
    """Fill one cell of the map: colour and name of the winner, its seconds."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - loaded on use

    x, y = place
    colour = UNREACHED if name is None else colours[name]
    box = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=colour, linewidth=0)
    axes.add_patch(box)
    text = (
        "not reached" if name is None else f"{fill(name, CELL_LETTERS)}\n{format_seconds(seconds)}"
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color=_ink(colour))


def _name_colours(figure: Figure, colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - loaded on use

    patches = [Patch(color=colour, label=name) for name, colour in colours.items()]
    if patches:
        columns = min(4, len(patches))
        figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) bound to the Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded on use
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, making its folder where there is none; return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path


def _title(folder: Path) -> str:
    try:
        summary = read_summary(folder)
    except DataError:
        # A killed run has rows but no summary; its folder's name must do.
        return folder.name
    parts = (summary.get(key) for key in ("algorithm", "problem", "network"))
    return " · ".join(str(part) for part in parts if part)


def _convergence(series: Series, title: str) -> Figure:
    figure = new_figure(13, 7.5)
    figure.suptitle(title)
    measured = np.isfinite(series.grad_norm_sq).any() or not np.isfinite(series.loss).any()
    values = series.grad_norm_sq if measured else series.loss
    label = GRAD_LABEL if measured else LOSS_LABEL
    panels = (
        ("rounds", "rounds", series.rounds, PALETTE[2]),
        ("uplink, paper's bits (all workers)", "bit", series.up_bits, UP_COLOUR),
        ("uplink, wire bytes (all workers)", "B", series.up_wire, UP_COLOUR),
        ("seconds", "seconds", series.seconds, PALETTE[2]),
        ("downlink, paper's bits (all workers)", "bit", series.down_bits, DOWN_COLOUR),
        ("downlink, wire bytes (all workers)", "B", series.down_wire, DOWN_COLOUR),
    )
    for axes, (name, unit, cost, colour) in zip(figure.subplots(2, 3).flat, panels, strict=True):
        where = np.isfinite(values)
        axes.plot(cost[where], values[where], color=colour, linewidth=1.8)
        _dress(axes, name, label, unit)
    return figure


def _metrics(series: Series, title: str) -> Figure:
    """Draw every metric, a row of panels each, against rounds, seconds and wire bytes."""
    figure = new_figure(13, 0.8 + 3.2 * len(series.metrics))
    figure.suptitle(title)
    costs = (
        ("rounds", "rounds", series.rounds, PALETTE[2]),
        ("seconds", "seconds", series.seconds, PALETTE[2]),
        ("uplink, wire bytes (all workers)", "B", series.up_wire, UP_COLOUR),
    )
    rows = figure.subplots(len(series.metrics), len(costs), squeeze=False)
    for row, (metric, values) in zip(rows, series.metrics.items(), strict=True):
        for axes, (name, unit, cost, colour) in zip(row, costs, strict=True):
            where = np.isfinite(values)
            axes.plot(cost[where], values[where], color=colour, linewidth=1.8)
            _dress(axes, name, metric, unit)
            axes.set_yscale("linear")
    return figure


def _time_shares(series: Series, title: str) -> Figure:
    """Draw one stacked bar: what the mean worker's seconds went into."""
    figure = new_figure(10, 2.8)
    axes = figure.subplots()
    shares, seconds, left = time_shares(series.times), series.times.as_dict(), 0.0
    for name, share in shares.items():
        label = f"{SHARE_NAMES[name]}  {format_share(share)}, {format_seconds(seconds[name])}"
        colour = SHARE_COLOURS[name]
        axes.barh([0], [share], left=left, color=colour, edgecolor="white", label=label)
        if share >= NARROW_SHARE:
            text = f"{SHARE_NAMES[name]}\n{100 * share:.0f} %"
            axes.text(left + share / 2, 0, text, ha="center", va="center", color=_ink(colour))
        left += share
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(_percent())
    axes.set_xlabel("share of a worker's time (mean over workers)")
    axes.set_title(title)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def _bytes(series: Series, title: str) -> Figure:
    """Draw the three counts each way, all in bytes on a log axis."""
    figure = new_figure(8, 5)
    axes = figure.subplots()
    ways = (("uplink", series.up, UP_COLOUR, -0.2), ("downlink", series.down, DOWN_COLOUR, 0.2))
    largest = max(*_counts(series.up), *_counts(series.down))
    smallest = min((n for n in (*_counts(series.up), *_counts(series.down)) if n > 0), default=1)
    # The log axis has no zero: bars stand on a tenth of the smallest count.
    floor = 10.0 ** (math.floor(math.log10(smallest)) - 1)
    for name, traffic, colour, shift in ways:
        counts = _counts(traffic)
        places = [index + shift for index in range(len(counts))]
        heights = [max(count, floor) for count in counts]
        bars = axes.bar(places, heights, width=0.38, color=colour, label=name)
        axes.bar_label(bars, [format_bytes(count) for count in counts], padding=2, fontsize=9)
    axes.set_yscale("log")
    axes.set_ylim(floor, max(largest, floor) * 6)
    axes.set_xticks(range(3), ["paper's bits ÷ 8", "payload", "wire"])
    axes.yaxis.set_major_formatter(_engineering("B"))
    axes.set_ylabel("bytes in the whole run, all workers")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=2, loc="upper left")
    return figure


def _counts(traffic: Traffic) -> tuple[float, float, float]:
    return (traffic.paper_bits / 8, traffic.payload_bytes, traffic.wire_bytes)


def _line(
    axes: Axes, points: tuple[Vector, Vector], index: int, label: str, target: float | None
) -> None:
    """Draw one run; colour and dash together tell up to 32 runs apart."""
    probed = np.isfinite(points[1])
    cost, values = points[0][probed], points[1][probed]
    colour = PALETTE[index % len(PALETTE)]
    style = LINE_STYLES[index // len(PALETTE) % len(LINE_STYLES)]
    axes.plot(cost, values, color=colour, linestyle=style, label=label)
    if target is not None and (values <= target).any():
        first = int(np.argmax(values <= target))
        axes.plot(cost[first], values[first], "o", color=colour, markersize=6)


def _dress(axes: Axes, xlabel: str, ylabel: str, unit: str) -> None:
    """Label the axes, choose a log scale where it can be, and say so if empty."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if unit in {"B", "bit"}:
        axes.xaxis.set_major_formatter(_engineering(unit))
        axes.locator_params(axis="x", nbins=5)
    values = np.array([y for line in axes.get_lines() for y in np.asarray(line.get_ydata())])
    if (values > 0).any() and (values >= 0).all():
        axes.set_yscale("log", nonpositive="mask")
    if not values.size:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.6, "nothing probed", transform=axes.transAxes, ha="center")


def _spread(axes: Axes, costs: Iterable[Vector]) -> None:
    """Make the x axis logarithmic where one run's cost would hide another's."""
    ends = [cost[-1] for cost in costs if cost.size and cost[-1] > 0]
    if ends and max(ends) > LINEAR_SPREAD * min(ends):
        formatter = axes.xaxis.get_major_formatter()
        axes.set_xscale("log", nonpositive="mask")
        axes.xaxis.set_major_formatter(formatter)


def _engineering(unit: str) -> Any:
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415 - loaded on use

    return EngFormatter(unit=unit)


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - loaded on use

    return PercentFormatter(xmax=1)


def _ink(colour: str) -> str:
    """Return black or white, whichever reads better on `colour` ("#rrggbb")."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    # Rec. 709 luma, on gamma-encoded values: enough to choose between two.
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > MIDDLE else "white"
