"""Emulated links beside the kernel's own: the same transfers, slowed by either.

    python -m benchmarks.links.kernel [--quick] [--out DIR]

Needs root and iproute2; makes its own network namespaces and removes them. The kernel's token
bucket (tc tbf, 16 KiB burst) slows one worker's link at 1, 10 and 100 Mbit/s, up, down and both
at once; its class-based one (tc htb, a class a worker) shares 20 Mbit/s over four workers of
10 Mbit/s. netcomp emulates the same on clean links with `overhead = "wire"`. Goals: medians
within 3 % of each other, 95th percentiles within 8 %; shared: the slowest worker at most 1.10
times the fastest. Messages of one packet are compared over lines that only delay, by 5 to 100 ms
each way, the kernel's packets by `delay.py`: medians and 95th percentiles within 2 ms. TCP is
reno's.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.links.namespaces import FAR_SERVER, SERVER, Star, missing, star
from benchmarks.links.transfers import Case, measure
from benchmarks.machine import describe, folder
from netcomp.link import WIRE_SHARE

MBIT = 125_000.0
_MEDIAN_GOAL = 0.03
_TAIL_GOAL = 0.08
_SHARE_GOAL = 1.10
_SHARED, _EACH, _WORKERS = 20, 10, 4
_DELAY_GOAL = 2e-3
_DELAYS = (0.005, 0.025, 0.1)
_PACKET = 1000


@dataclass(frozen=True)
class Pair:
    """One comparison: Mbit/s, directions, bytes, repetitions; `shared` is the server's rate."""

    mbit: int
    ways: tuple[str, ...]
    payload: int
    repeats: int
    shared: int | None = None


def pairs(*, quick: bool) -> list[Pair]:
    """Return what is compared; messages are at least ten bursts long."""
    rates = [(10, 1_000_000, 3)] if quick else [
        (1, 1_000_000, 3), (10, 1_000_000, 7), (100, 4_000_000, 9),
    ]  # fmt: skip
    one = [
        Pair(mbit, ways, payload, repeats)
        for mbit, payload, repeats in rates
        for ways in (("down",), ("up",), ("down", "up"))
    ]
    return [*one, Pair(_EACH, ("down",), 1_000_000, 2 if quick else 5, _SHARED)]


def compare(pair: Pair, one: Star) -> list[dict[str, Any]]:
    """Measure a pair in a star that has its workers; return a row a direction."""
    rate = f"{pair.mbit}mbit"
    if pair.shared is None:
        ways = ("up" in pair.ways, "down" in pair.ways)
        one.shape(*(rate if used else None for used in ways))
    else:
        one.share(f"{pair.shared}mbit", rate)
    kernel = _transfers(one, pair, math.inf, math.inf)
    one.shape(None, None)
    send = math.inf if pair.shared is None else pair.shared * MBIT * WIRE_SHARE
    ours = _transfers(one, pair, pair.mbit * MBIT * WIRE_SHARE, send)
    return [_row(pair, way, kernel[way], ours[way]) for way in pair.ways]


def compare_delays(seconds: float, repeats: int, one: Star) -> list[dict[str, Any]]:
    """Measure messages of one packet over lines of a delay (s); return a row a direction."""
    ways = ("down", "up")
    case = Case(1, math.inf, ways, repeats, _PACKET, launchers=one.launchers)
    with one.far(seconds):
        kernel = _measured(one, replace(case, host=FAR_SERVER))
    ours = _measured(one, replace(case, host=SERVER, latency=seconds))
    return [_delay_row(seconds, way, kernel[way], ours[way]) for way in ways]


def _delay_row(seconds: float, way: str, kernel: list[float], ours: list[float]) -> dict[str, Any]:
    errors = (median(ours) - median(kernel), _tail(ours) - _tail(kernel))
    return {
        "delay_ms": 1e3 * seconds,
        "way": way,
        "transfers": len(ours),
        "kernel_median_ms": 1e3 * median(kernel),
        "netcomp_median_ms": 1e3 * median(ours),
        "median_error_ms": 1e3 * errors[0],
        "p95_error_ms": 1e3 * errors[1],
        "verdict": _verdict(holds=max(map(abs, errors)) <= _DELAY_GOAL),
    }


def _verdict(*, holds: bool) -> str:
    return "holds" if holds else "does not hold"


def _transfers(one: Star, pair: Pair, rate: float, send: float) -> dict[str, list[float]]:
    case = Case(
        connections=one.workers,
        rate=rate,
        ways=pair.ways,
        repeats=pair.repeats,
        payload=pair.payload,
        send=send,
        host=SERVER,
        launchers=one.launchers,
    )
    return _measured(one, case)


def _measured(one: Star, case: Case) -> dict[str, list[float]]:
    command = (sys.executable, "-m", "benchmarks.links.kernel", "--case", json.dumps(asdict(case)))
    said = one.run_at_server(*command, seconds=60 + 30 * case.repeats)
    result: dict[str, list[float]] = json.loads(said)
    return result


def _row(pair: Pair, way: str, kernel: list[float], ours: list[float]) -> dict[str, Any]:
    errors = (median(ours) / median(kernel) - 1, _tail(ours) / _tail(kernel) - 1)
    spread = [max(times) / min(times) for times in (kernel, ours)]
    holds = abs(errors[0]) <= _MEDIAN_GOAL and abs(errors[1]) <= _TAIL_GOAL
    if pair.shared is not None:
        holds &= spread[1] <= _SHARE_GOAL
    return {
        "mbit": pair.mbit,
        "way": way,
        "at_once": " and ".join(pair.ways),
        "shared_mbit": pair.shared,
        "payload": pair.payload,
        "transfers": len(ours),
        "kernel_median_seconds": median(kernel),
        "netcomp_median_seconds": median(ours),
        "median_error_percent": 100 * errors[0],
        "p95_error_percent": 100 * errors[1],
        "kernel_max_over_min": spread[0],
        "netcomp_max_over_min": spread[1],
        "verdict": _verdict(holds=holds),
    }


def _tail(times: list[float]) -> float:
    return quantiles(times, n=20, method="inclusive")[-1]


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    table = Table(title="transfers slowed by the kernel and by netcomp")
    for name in ("rate", "way", "size", "kernel", "netcomp", "median", "p95", "max/min", "verdict"):
        table.add_column(name, justify="left" if name in ("way", "verdict") else "right")
    for row in rows:
        both = ", both" if " and " in row["at_once"] else ""
        shared = "" if row["shared_mbit"] is None else f", 4 share {row['shared_mbit']}"
        table.add_row(
            f"{row['mbit']} Mbit/s",
            row["way"] + both + shared,
            f"{row['payload'] / 1e6:g} MB",
            f"{row['kernel_median_seconds']:.4f} s",
            f"{row['netcomp_median_seconds']:.4f} s",
            f"{row['median_error_percent']:+.2f} %",
            f"{row['p95_error_percent']:+.2f} %",
            f"{row['kernel_max_over_min']:.2f}, {row['netcomp_max_over_min']:.2f}",
            row["verdict"],
        )
    return table


def table_of_delays(rows: list[dict[str, Any]]) -> Table:
    """Return the rows of delays as a table."""
    table = Table(title="messages of one packet over lines that delay")
    for name in ("delay", "way", "kernel", "netcomp", "median", "p95", "verdict"):
        table.add_column(name, justify="left" if name in ("way", "verdict") else "right")
    for row in rows:
        table.add_row(
            f"{row['delay_ms']:g} ms",
            row["way"],
            f"{row['kernel_median_ms']:.2f} ms",
            f"{row['netcomp_median_ms']:.2f} ms",
            f"{row['median_error_ms']:+.2f} ms",
            f"{row['p95_error_ms']:+.2f} ms",
            row["verdict"],
        )
    return table


def main() -> None:
    """Compare, print goal beside figure, and write kernel.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one rate, fewer repetitions")
    parser.add_argument("--out", type=Path, default=folder("links"), help="where results go")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        content = json.loads(options.case)
        for key in ("ways", "launchers"):
            content[key] = tuple(content[key])
        print(json.dumps(measure(Case(**content))))
        return
    if reason := missing():
        sys.exit(f"this machine cannot shape links in namespaces: {reason}")
    rows = []
    for pair in pairs(quick=options.quick):
        with star(1 if pair.shared is None else _WORKERS) as one:
            rows += compare(pair, one)
    with star(1) as one:
        delays = [
            row
            for seconds in (_DELAYS[:1] if options.quick else _DELAYS)
            for row in compare_delays(seconds, 10 if options.quick else 60, one)
        ]
    Console(width=130).print(table_of(rows), table_of_delays(delays))
    holding = sum(row["verdict"] == "holds" for row in (*rows, *delays))
    print(
        f"{holding} of {len(rows) + len(delays)} hold: median ±3 %, p95 ±8 %,"
        " shared max/min ≤ 1.10, delays ±2 ms"
    )
    options.out.mkdir(parents=True, exist_ok=True)
    content = {"machine": describe(), "rows": rows, "delays": delays}
    (options.out / "kernel.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
