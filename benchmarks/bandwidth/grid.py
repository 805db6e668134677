"""One comparison a pair of rates, and what is written of them all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.machine import describe
from netcomp.experiment.compare import contestants
from netcomp.experiment.run import execute
from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import merged
from netcomp.results.format import format_seconds
from netcomp.results.plots import plot_heat_map

__all__ = ["Cell", "Grid", "Run", "run_grid"]


@dataclass(frozen=True)
class Run:
    """One method at one pair of rates; costs to the target, None where it was not reached.

    `seconds` on the experiment's clock, bytes on the wire over all workers; `rounds` of a
    run that missed the target are all it made.
    """

    algorithm: str
    rounds: int
    seconds: float | None
    uplink_bytes: int | None
    downlink_bytes: int | None


@dataclass(frozen=True)
class Cell:
    """All methods at one pair of rates."""

    uplink: str
    downlink: str
    runs: tuple[Run, ...]

    @property
    def winner(self) -> Run | None:
        """Return the run with the fewest seconds to the target, None where none reached it."""
        reached = [run for run in self.runs if run.seconds is not None]
        return min(reached, key=lambda run: run.seconds or 0.0, default=None)


@dataclass(frozen=True)
class Grid:
    """The cells of a whole benchmark, row by row, an uplink rate a row."""

    uplinks: tuple[str, ...]
    downlinks: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    clock: str
    target: float | None

    def table(self) -> Table:
        """Return winner and seconds of every cell, for the terminal."""
        table = Table("uplink ╲ downlink", title="First to the target, and its seconds")
        for downlink in self.downlinks:
            table.add_column(downlink, justify="center")
        for uplink, row in zip(self.uplinks, self.cells, strict=True):
            table.add_row(uplink, *(_text(cell.winner) for cell in row))
        return table

    def write(self, out: Path) -> list[Path]:
        """Write results.json, results.csv and winners.png into `out`; return their paths."""
        out.mkdir(parents=True, exist_ok=True)
        return [
            self._write_json(out / "results.json"),
            self._write_csv(out / "results.csv"),
            self._plot(out / "winners.png"),
        ]

    def _write_json(self, path: Path) -> Path:
        cells = [
            {
                "uplink": cell.uplink,
                "downlink": cell.downlink,
                "winner": cell.winner.algorithm if cell.winner else None,
                "runs": [asdict(run) for run in cell.runs],
            }
            for row in self.cells
            for cell in row
        ]
        head = {"clock": self.clock, "target_grad_norm_sq": self.target, "machine": describe()}
        path.write_text(json.dumps(head | {"cells": cells}, indent=1, allow_nan=False) + "\n")
        return path

    def _write_csv(self, path: Path) -> Path:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["uplink", "downlink", *Run.__dataclass_fields__])
            for row in self.cells:
                for cell in row:
                    for run in cell.runs:
                        writer.writerow([cell.uplink, cell.downlink, *asdict(run).values()])
        return path

    def _plot(self, path: Path) -> Path:
        winners = [[cell.winner for cell in row] for row in self.cells]
        return plot_heat_map(
            [[run.algorithm if run else None for run in row] for row in winners],
            [[run.seconds if run else None for run in row] for row in winners],
            uplinks=self.uplinks,
            downlinks=self.downlinks,
            path=path,
            title=f"First to ‖∇f‖² ≤ {self.target:g}" if self.target else "First to the target",
        )


def run_grid(
    tree: Mapping[str, Any],
    uplinks: Sequence[str],
    downlinks: Sequence[str],
    *,
    clock: str = "virtual",
    announce: Callable[[Cell], None] = lambda _: None,
) -> Grid:
    """Run every `[[compare]]` table of a spec's tree at every pair of rates.

    `announce` gets each cell when it is done. All are checked before the first one runs.
    Raises `SpecError`, and the error of a run that failed.
    """
    common, tables = contestants(tree)
    specs = {
        (up, down): [(_label(table), _spec(common, table, up, down, clock)) for table in tables]
        for up in uplinks
        for down in downlinks
    }

    def cell(up: str, down: str) -> Cell:
        done = Cell(up, down, tuple(_run(label, spec) for label, spec in specs[up, down]))
        announce(done)
        return done

    cells = tuple(tuple(cell(up, down) for down in downlinks) for up in uplinks)
    target = Spec.parse(common).stop.grad_norm_sq
    return Grid(tuple(uplinks), tuple(downlinks), cells, clock, target)


def _label(table: Mapping[str, Any]) -> str:
    return str(table.get("label", table["name"]))


def _spec(
    common: Mapping[str, Any], table: Mapping[str, Any], up: str, down: str, clock: str
) -> Spec:
    own = {key: value for key, value in table.items() if key != "label"}
    network = {"uplink": up, "downlink": down, "clock": clock}
    return Spec.parse(merged(common, {"algorithm": own, "network": network}))


def _run(label: str, spec: Spec) -> Run:
    result = execute(spec, keep=False, name=label)
    if result.error is not None:
        raise result.error
    target = result.summary["target"] or {}
    up, down = target.get("uplink"), target.get("downlink")
    return Run(
        algorithm=label,
        rounds=target.get("round") or result.summary["rounds"],
        seconds=target.get("seconds"),
        uplink_bytes=up["wire_bytes"] if up else None,
        downlink_bytes=down["wire_bytes"] if down else None,
    )


def _text(winner: Run | None) -> str:
    return f"{winner.algorithm}\n{format_seconds(winner.seconds)}" if winner else "not reached\n"
