"""What is written of the checks and of MCM Fig. 1."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.theory import figure1
from benchmarks.theory.figure1 import Curve
from netcomp.results.plots import LINE_STYLES, PALETTE, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_line", "line", "steps_figure", "write"]

_COLUMNS = (
    *("algorithm", "theorem", "rounds", "seeds", "gamma", "measured", "bound", "ratio"),
    *("verdict", "breaks_at"),
)


def line(row: Mapping[str, Any]) -> str:
    """Return a check in one line."""
    name = f"{row['algorithm']}: {row['theorem']}"
    figures = f"{row['measured']:9.3g} ≤ {row['bound']:9.3g}"
    return f"{name:62} {figures}  {row['verdict']}; broken at {row['breaks_at']} × the step"


def figure_line(curves: Sequence[Curve]) -> str:
    """Return MCM Fig. 1 on one data set in one line."""
    ends = ", ".join(f"{one.method} {one.end:.3g}" for one in curves)
    return f"MCM Fig. 1 on {curves[0].data}: {_verdict(curves)} ({ends})"


def write(
    rows: Sequence[Mapping[str, Any]],
    drawn: Sequence[Sequence[Curve]],
    machine: Mapping[str, Any],
    out: Path,
) -> list[Path]:
    """Write tables, figures and results.json into `out`; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in ("table.md", "table.csv", "results.json", "figure1.csv")]
    paths[0].write_text(_page(rows, drawn, machine))
    _write_csv(paths[1], _COLUMNS, [[row[key] for key in _COLUMNS] for row in rows])
    content = {"machine": machine, "rows": [_finite(row) for row in rows]}
    paths[2].write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    points = [
        [one.data, one.method, t, value]
        for curves in drawn
        for one in curves
        for t, value in zip(one.rounds, one.excess, strict=True)
    ]
    _write_csv(paths[3], ("data", "method", "round", "excess_loss"), points)
    return [
        *paths,
        save_figure(steps_figure(rows), out / "steps.png"),
        _plot_figure(drawn, out / "figure1.png"),
    ]


def _verdict(curves: Sequence[Curve]) -> str:
    return "holds" if figure1.verdict(curves) else "does not hold"


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: a run that went to infinity has no number."""
    steps = [[m, ratio if math.isfinite(ratio) else None] for m, ratio in row["steps"]]
    return {**row, "steps": steps}


def _write_csv(path: Path, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([heads, *rows])


def _page(
    rows: Sequence[Mapping[str, Any]],
    drawn: Sequence[Sequence[Curve]],
    machine: Mapping[str, Any],
) -> str:
    held = sum(row["verdict"] == "holds" for row in rows)
    what = (
        f"{held} of {len(rows)} bounds hold with the theorem's own step: the mean over the seeds of"
        " what the theorem bounds, beside the bound. The last column is the least power of two by"
        " which the step can be multiplied so that the bound is broken."
    )
    where = (
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['python']}, numpy"
        f" {machine['versions']['numpy']}. Nothing here is timed."
    )
    lines = [
        "# Theorems against runs",
        "",
        what,
        "",
        where,
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
        *(f"| {' | '.join(_text(row[key]) for key in _COLUMNS)} |" for row in rows),
        "",
        "## MCM Fig. 1",
        "",
        f"At γ = 1/L MCM converges; the others end at least {figure1.FAILS:g} times above it.",
        "",
        *(f"- {figure_line(curves)}" for curves in drawn),
    ]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)


def steps_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return measured over bound against multiples of the step, a panel an algorithm."""
    names = list(dict.fromkeys(row["algorithm"] for row in rows))
    figure = new_figure(16, 3.2 * math.ceil(len(names) / 4))
    panels = list(figure.subplots(math.ceil(len(names) / 4), 4, squeeze=False).flat)
    for axes in panels:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        axes.set_visible(True)
        own = [row for row in rows if row["algorithm"] == name]
        for index, row in enumerate(own):
            steps = [(m, ratio) for m, ratio in row["steps"] if math.isfinite(ratio)]
            style = LINE_STYLES[index // len(PALETTE)]
            colour = PALETTE[index % len(PALETTE)]
            axes.plot(*zip(*steps, strict=True), style, color=colour, label=row["theorem"])
        axes.axhline(1.0, color="black", linewidth=1)
        axes.set(xscale="log", yscale="log", title=name, ylim=(1e-6, 1e3))
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=5)
    figure.supxlabel("multiple of the theorem's step")
    figure.supylabel("measured / bound")
    return figure


def _plot_figure(drawn: Sequence[Sequence[Curve]], path: Path) -> Path:
    figure = new_figure(6 * len(drawn), 4.5)
    for axes, curves in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        for one, colour in zip(curves, PALETTE, strict=False):
            logs = [math.log10(v) if 0 < v < math.inf else math.nan for v in one.excess]
            axes.plot(one.rounds, logs, color=colour, label=one.method)
        axes.set(title=one.data, xlabel="round", ylabel="log₁₀(f(w) − f*)", ylim=(-5, 3))
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    return save_figure(figure, path)
