"""How the comparison in asymmetric.toml was tuned: the same scan for every method.

    python -m benchmarks.tune_asymmetric [SPEC] [--compressors] [--only METHOD]

For each `[[compare]]` table the step size is 2^i times the theorem's, i = -2 … 12, as in
the papers' experiments; `--compressors` also tries every uplink compressor of `UPLINKS`
and every downlink one of `DOWNLINKS` where the method has one; it gives up a run that takes
longer than the method's fastest so far, and leaves a compressor once smaller steps only make
the end worse. The clock is virtual: the link formula
without sleeping, so the scan is deterministic and takes minutes. One row a run goes to
stdout, the fastest of each method stands at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from netcomp.algorithms import ALGORITHMS
from netcomp.experiment.compare import contestants
from netcomp.experiment.run import execute
from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import load_spec, merged

EXPONENTS = range(-2, 13)
UPLINKS = tuple(
    f"rand-k:k={k}{quantizer}"
    for k in ("2%", "5%", "10%", "20%", "50%")
    for quantizer in ("", "+natural")
)
DOWNLINKS = ("perm-k", "perm-k+natural")
START = 0.25
"""f(0): a run that ends above it was thrown out by its step size."""

Table = Mapping[str, Any]


def choices(table: Table, *, compressors: bool) -> Iterator[dict[str, Any]]:
    """Yield the `[algorithm]` tables to try for one `[[compare]]` table, step size apart."""
    own = {key: value for key, value in table.items() if key not in ("label", "step_size")}
    entry = ALGORITHMS.get(own["name"])
    ups: tuple[str | None, ...] = UPLINKS if compressors and entry.up.default else (None,)
    downs: tuple[str | None, ...] = DOWNLINKS if compressors and entry.down.default else (None,)
    for up, down in product(ups, downs):
        yield own | ({"up": up} if up else {}) | ({"down": down} if down else {})


def attempt(common: Table, algorithm: Table, multiple: float, seconds: float) -> dict[str, Any]:
    """Run one choice with one step size for at most `seconds`; return what it came to."""
    changes = {
        "algorithm": dict(algorithm) | {"step_size": f"{multiple:g}*theory"},
        "network": {"clock": "virtual"},
        "stop": {"seconds": seconds},
    }
    summary = execute(Spec.parse(merged(common, changes)), keep=False).summary
    target = summary["target"]
    return {
        "name": algorithm["name"],
        "up": algorithm.get("up", ""),
        "down": algorithm.get("down", ""),
        "multiple": multiple,
        "rounds": summary["rounds"],
        "seconds": target["seconds"],
        "up_bytes": target["uplink"] and target["uplink"]["wire_bytes"],
        "down_bytes": target["downlink"] and target["downlink"]["wire_bytes"],
        "loss": summary["loss"],
        "grad_norm_sq": summary["grad_norm_sq"],
    }


def scan(common: Table, table: Table, *, compressors: bool) -> dict[str, Any] | None:
    """Try everything for one `[[compare]]` table, print it, and return the fastest."""
    budget = common["stop"]["seconds"]
    best = None
    for algorithm in choices(table, compressors=compressors):
        ends: list[float] = []
        for exponent in reversed(EXPONENTS):
            row = attempt(common, algorithm, 2.0**exponent, budget)
            print(line(row), flush=True)
            if row["seconds"] is not None and (best is None or row["seconds"] < best["seconds"]):
                best = row
                budget = row["seconds"] if compressors else budget
            if row["loss"] is not None and row["loss"] < START:
                ends.append(row["grad_norm_sq"])
            if compressors and len(ends) > 2 and ends[-3] < ends[-2] < ends[-1]:
                break
    return best


def line(row: Table) -> str:
    """Return one row of the table as text."""
    cost = f"{'–':>8} {'–':>10} {'–':>10}"
    if row["seconds"] is not None:
        sent = (f"{row[way] / 1e6:7.2f} MB" for way in ("up_bytes", "down_bytes"))
        cost = f"{row['seconds']:8.2f} {' '.join(sent)}"
    loss, norm = (
        "inf" if row[key] is None else f"{row[key]:.3g}" for key in ("loss", "grad_norm_sq")
    )
    names = f"{row['name']:9}{row['up']:22}{row['down']:16}"
    return f"{names}{row['multiple']:8g} {row['rounds']:7} {cost} {loss:>9} {norm:>9}"


def main() -> None:
    """Scan every table of the spec and print the results."""
    parser = argparse.ArgumentParser(description="Tune the comparison's step sizes.")
    default = Path(__file__).with_name("asymmetric.toml")
    parser.add_argument("spec", nargs="?", type=Path, default=default)
    parser.add_argument("--compressors", action="store_true", help="scan the compressors too")
    parser.add_argument("--only", help="scan this method only")
    options = parser.parse_args()
    common, tables = contestants(load_spec(options.spec))
    print(
        f"{'method':9}{'up':22}{'down':16}multiple  rounds  seconds  bytes: up       down", end=""
    )
    print(f" {'f':>9} {'‖∇f‖²':>9}")
    chosen = [table for table in tables if options.only in (None, table["name"])]
    fastest = [scan(common, table, compressors=options.compressors) for table in chosen]
    print("\nfastest of each method")
    for row in filter(None, fastest):
        print(line(row))


if __name__ == "__main__":
    main()
