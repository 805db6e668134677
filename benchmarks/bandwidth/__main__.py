"""Run the bandwidth benchmark.

    python -m benchmarks.bandwidth [--quick] [--clock real] [--rates R,R,…] [--out DIR]

Every method of bandwidth.toml at every pair of uplink and downlink rates: seconds to the
target, a table and a map of the winners, results.json and results.csv. On the virtual clock
(the default) computing takes no time and a pair of slow links no patience; on the real one
the frames travel over sockets, and 0.1 Mbit/s takes as long as it says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks.bandwidth.grid import Cell, run_grid
from benchmarks.machine import folder
from netcomp.experiment.tree import load_spec

RATES = ("0.1 Mbit/s", "1 Mbit/s", "10 Mbit/s", "100 Mbit/s", "1000 Mbit/s")
QUICK = RATES[::2]


def main() -> None:
    """Run the grid, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = Path(__file__).with_name("bandwidth.toml")
    parser.add_argument("--spec", type=Path, default=default, help="with [[compare]] tables")
    parser.add_argument("--quick", action="store_true", help="three rates instead of five")
    parser.add_argument("--rates", help='both ways, as "1 Mbit/s,10 Mbit/s"')
    parser.add_argument("--clock", choices=("virtual", "real"), default="virtual")
    parser.add_argument("--out", type=Path, default=folder("bandwidth"), help="where results go")
    options = parser.parse_args()
    rates = tuple(options.rates.split(",")) if options.rates else QUICK if options.quick else RATES
    console = Console()

    def announce(cell: Cell) -> None:
        winner = cell.winner.algorithm if cell.winner else "nobody"
        console.print(f"{cell.uplink} up, {cell.downlink} down: {winner}", style="dim")

    grid = run_grid(load_spec(options.spec), rates, rates, clock=options.clock, announce=announce)
    Console(width=max(80, console.width)).print(grid.table())
    for path in grid.write(options.out):
        console.print(f"wrote {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
