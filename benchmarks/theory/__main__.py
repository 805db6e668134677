"""Hold the papers' theorems against runs.

    python -m benchmarks.theory [--quick] [--seeds N] [--out DIR]

Each theorem of `benchmarks.theory.theorems` with its own step size, the mean over the seeds beside
the bound; how the ratio of the two moves with multiples of the step, up to one that breaks the
bound; and MCM Fig. 1. Writes table.md, table.csv, steps.png, figure1.csv, figure1.png and
results.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, folder
from benchmarks.theory import figure1, report
from benchmarks.theory.checks import Check
from benchmarks.theory.theorems import CHECKS

_FEW = 8
"""Seeds of a wrong step, whose verdict is plain."""


def row(check: Check, seeds: int) -> dict[str, Any]:
    """Return a check's figures: measured, bound, and the ratio at multiples of the step."""
    own = check.outcome(seeds)
    multiples = [2.0**k for k in range(1, int(np.log2(check.breaks)) + 1)]
    ratios = {m: check.outcome(min(seeds, _FEW), m).ratio for m in multiples}
    return {
        "algorithm": check.algorithm,
        "theorem": check.theorem,
        "rounds": check.rounds,
        "seeds": seeds if check.random else 1,
        "gamma": check.plan().gamma,
        "measured": own.measured,
        "bound": own.bound,
        "ratio": own.ratio,
        "verdict": "holds" if own.holds else "does not hold",
        "breaks_at": next((m for m in multiples if ratios[m] > 1.0), None),
        "steps": [[1.0, own.ratio], *([m, ratio] for m, ratio in ratios.items())],
    }


def main() -> None:
    """Run, print the verdicts, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="8 seeds, fewer rounds of Fig. 1")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--out", type=Path, default=folder("theory"), help="where results go")
    asked = parser.parse_args()
    seeds = _FEW if asked.quick else asked.seeds
    rows, drawn = [], []
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges overflows
        for check in CHECKS:
            rows.append(row(check, seeds))
            print(report.line(rows[-1]), flush=True)
        for data in figure1.at_hand():
            drawn.append(figure1.curves(data, 200 if asked.quick else 400, 1 if asked.quick else 3))
            print(report.figure_line(drawn[-1]), flush=True)
    print(*(f"wrote {path}" for path in report.write(rows, drawn, describe(), asked.out)), sep="\n")


if __name__ == "__main__":
    main()
