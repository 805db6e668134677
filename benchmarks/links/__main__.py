"""The accuracy of emulated links over real sockets on this machine.

    python -m benchmarks.links [--quick] [--out DIR]

1 MB messages: one connection at 1, 10 and 100 Mbit/s and twenty at 10 Mbit/s, up, down, and
both ways at once. The ideal is the frame's bytes over the rate. Goals: one connection within
max(0.5 %, 0.3 ms), twenty within 2 %, judged by the median; the worst transfer stands beside
it, and says where the median alone holds. Then what single transfers do not show: the end of a
thousand messages in a row, a thousand slow links, a rate that four share, and rounds on the real
clock beside the virtual one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.links.longer import longer
from benchmarks.links.transfers import Case, frame_bytes, measure
from benchmarks.machine import describe, folder
from netcomp.link import format_rate

MBIT = 125_000.0
WAYS = (("down",), ("up",), ("down", "up"))
_SECONDS_GOAL = 0.0003
_SHARE_GOAL = 0.005
_MANY_GOAL = 0.02


def cases(*, quick: bool) -> list[Case]:
    """Return what is measured, cheap things more often."""
    few = [(1, 10 * MBIT, 2), (1, 100 * MBIT, 5), (20, 10 * MBIT, 1)]
    all_ = [(1, 1 * MBIT, 1), (1, 10 * MBIT, 7), (1, 100 * MBIT, 15), (20, 10 * MBIT, 3)]
    return [
        Case(connections, rate, ways, repeats)
        for connections, rate, repeats in (few if quick else all_)
        for ways in WAYS
    ]


def judge(case: Case, way: str, seconds: list[float]) -> dict[str, Any]:
    """Return one row: figures, errors, goal and verdict."""
    ideal = frame_bytes() / case.rate
    allowed = _MANY_GOAL * ideal
    if case.connections == 1:
        allowed = max(_SHARE_GOAL * ideal, _SECONDS_GOAL)
    middle = median(seconds)
    worst = max(seconds, key=lambda value: abs(value - ideal))
    holds = abs(middle - ideal) <= allowed
    all_hold = abs(worst - ideal) <= allowed
    return {
        "connections": case.connections,
        "rate": format_rate(case.rate),
        "way": way,
        "at_once": " and ".join(case.ways),
        "transfers": len(seconds),
        "ideal_seconds": ideal,
        "median_seconds": middle,
        "median_error_percent": 100 * (middle / ideal - 1),
        "worst_seconds": worst,
        "worst_error_percent": 100 * (worst / ideal - 1),
        "goal_percent": 100 * allowed / ideal,
        "verdict": "holds" if all_hold else "holds at the median" if holds else "does not hold",
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    table = Table(title=f"1 MB ({frame_bytes()} bytes on the wire) over emulated links")
    for name in ("links", "rate", "way", "ideal", "median", "error", "worst", "error", "goal"):
        table.add_column(name, justify="left" if name in ("rate", "way") else "right")
    table.add_column("verdict")
    for row in rows:
        both = ", both" if " and " in row["at_once"] else ""
        table.add_row(
            str(row["connections"]),
            row["rate"],
            row["way"] + both,
            *(f"{row['ideal_seconds']:.4f} s", f"{row['median_seconds']:.4f} s"),
            *(f"{row['median_error_percent']:+.2f} %", f"{row['worst_seconds']:.4f} s"),
            *(f"{row['worst_error_percent']:+.2f} %", f"±{row['goal_percent']:.2f} %"),
            row["verdict"],
        )
    return table


def main() -> None:
    """Measure, print goal beside figure, and write results.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rates and repetitions")
    parser.add_argument("--out", type=Path, default=folder("links"), help="where results go")
    options = parser.parse_args()
    rows = []
    for case in cases(quick=options.quick):
        for way, seconds in measure(case).items():
            rows.append(judge(case, way, seconds))
    Console(width=120).print(table_of(rows))
    more = longer(quick=options.quick)
    for row in more:
        goal = f" (goal: {row['goal']})" if row["goal"] else " (no goal)"
        verdict = ": does not hold" if row["holds"] is False else ""
        print(f"{row['what']}: {row['figures']}{goal}{verdict}")
    judged = [row["verdict"] != "does not hold" for row in rows]
    judged += [row["holds"] for row in more if row["holds"] is not None]
    print(f"{sum(judged)} of {len(judged)} hold")
    options.out.mkdir(parents=True, exist_ok=True)
    content = {"machine": describe(), "rows": rows, "longer": more}
    (options.out / "results.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
