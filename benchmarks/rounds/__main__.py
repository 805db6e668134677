"""Rounds a second, beside those of bare sockets, a bare uvloop protocol and other libraries.

    python -m benchmarks.rounds [--quick] [--huge] [--only WHO,WHO,…] [--cases NxD,…] [--turns T]
                                [--out DIR]

A round: the server broadcasts d float32, every one of n workers answers with d float32, the
server averages and steps. netcomp does it with everything on: gd and the identity, roles, frames,
accounting, recording. The others send the same number of bytes and do no more than that.
Everybody's server has one core and everybody's workers another, where there are two. Everyone
takes turns; a ratio is the median over the turns. Libraries are installed into environments of
their own below benchmarks/.peers, which are kept. `--huge` adds d = 10^8, for netcomp and what is
bare alone; it takes gigabytes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cores import two_cores
from benchmarks.environments import Peer, ask
from benchmarks.machine import describe, folder
from benchmarks.rounds import goals, link, own, report

_SCRIPTS = Path(__file__).parent / "peers"
_SECONDS = 1.5
_WARM = 3
_PATIENCE = 600.0


def _peer(name: str, *requirements: str) -> Peer:
    return Peer(name, (*requirements, "numpy==2.4.6"), _SCRIPTS / f"with_{name}.py")


PEERS = (
    _peer("uvloop", "uvloop==0.23.0"),
    _peer("sockets"),
    _peer("pyzmq", "pyzmq==27.3.0"),
    _peer("grpc", "grpcio==1.85.1"),
    _peer("flower", "flwr==1.41.0"),
)
FEW = 10
"""Flower has a process a client: no more of them than that."""

CASES = (
    *((n, 1000) for n in (1, 3, 10, 30, 100, 300, 1000)),
    *((10, d) for d in (10_000, 100_000, 1_000_000)),
    *((1, d) for d in (10_000, 250_000, 1_000_000, 10_000_000)),
)
"""(n, d), in the order measured."""
QUICK = ((1, 1000), (10, 1000), (100, 1000))
HUGE = (1, 100_000_000)
_BARE = ("uvloop", "sockets")


STALLS = ((2, 1_000_000), (2, 10_000_000))
"""(n, d) where the server's event loop is watched."""


def _stall(n: int, d: int) -> dict[str, Any]:
    return {"n": n, "d": d, "seconds": own.longest_stall(n, d, 8), "goal": goals.STALL}


def rounds_of(n: int, d: int) -> int:
    """Return how many rounds take about a second and a half, three at least."""
    guess = n * (1e-4 + 2e-8 * d)
    return max(3, min(2000, int(_SECONDS / guess)))


def measure(
    cases: Sequence[tuple[int, int]], peers: Sequence[Peer], turns: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a row for everyone and case, and the peers' versions."""
    rows: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    for n, d in cases:
        taking_part = [peer for peer in peers if _takes_part(peer, n, d)]
        taken: dict[str, list[float]] = {"netcomp": []} | {one.name: [] for one in taking_part}
        errors: dict[str, str] = {}
        if n == 1:
            taken[goals.LINK] = []
        for _ in range(turns):
            taken["netcomp"].append(median(own.seconds(n, d, rounds_of(n, d), _WARM)))
            if n == 1:
                taken[goals.LINK].append(median(link.seconds(d, rounds_of(n, d), _WARM)))
            for peer in taking_part:
                if peer.name in errors:
                    continue
                answer = ask(peer, _question(n, d), patience=_PATIENCE)
                if "error" in answer:
                    errors[peer.name] = answer["error"]
                else:
                    versions[peer.name] = answer["versions"]
                    taken[peer.name].append(median(answer["rows"][0]["seconds"]))
        for who, times in taken.items():
            rows.append(_row(who, n, d, times, errors.get(who, "")))
            print(_told(rows[-1]), flush=True)
    return rows, versions


def _takes_part(peer: Peer, n: int, d: int) -> bool:
    if d >= HUGE[1]:
        return peer.name in _BARE
    return peer.name != "flower" or n <= FEW


def _question(n: int, d: int) -> dict[str, Any]:
    rounds = {"rounds": rounds_of(n, d), "warm": _WARM}
    return {"n": n, "d": d, "head": own.HEAD, **rounds, "cores": two_cores()}


def _row(who: str, n: int, d: int, times: list[float], error: str) -> dict[str, Any]:
    rate = 1 / median(times) if times else None
    nbytes = 2 * n * (own.HEAD + 4 * d)
    return {
        "who": who,
        "n": n,
        "d": d,
        "rounds": rounds_of(n, d),
        "turns": times,
        "rounds_per_second": rate,
        "bytes_per_second": None if rate is None else nbytes * rate,
        "error": "" if times else error or "nothing measured",
    }


def _told(row: dict[str, Any]) -> str:
    figure = row["error"] or f"{row['rounds_per_second']:.4g} rounds/s"
    return f"n = {row['n']}, d = {row['d']}: {row['who']:8} {figure}"


def _pair(text: str) -> tuple[int, int]:
    n, _, d = text.partition("x")
    return int(n), int(float(d))


def main() -> None:
    """Measure, print the goals, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="one turn, d = 1000, uvloop only, n ≤ 100"
    )
    parser.add_argument("--huge", action="store_true", help="d = 10^8 too, which takes gigabytes")
    parser.add_argument("--only", help="the peers to measure, as uvloop,grpc")
    parser.add_argument("--cases", help="workers and dimensions, as 10x1000,1x1e8")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=folder("rounds"), help="where results go")
    asked = parser.parse_args()
    names = asked.only.split(",") if asked.only else [peer.name for peer in PEERS]
    cases = [_pair(text) for text in asked.cases.split(",")] if asked.cases else list(CASES)
    cases += [HUGE] if asked.huge else []
    turns = asked.turns
    if asked.quick:
        names, turns, cases = ["uvloop"], 1, [case for case in QUICK if case in cases]
    load = [os.getloadavg()[0]]
    rows, versions = measure(cases, [peer for peer in PEERS if peer.name in names], turns)
    stalls = [] if asked.quick or asked.cases else [_stall(n, d) for n, d in STALLS]
    load.append(os.getloadavg()[0])
    results = {
        "machine": describe(),
        "load": load,
        "peer_versions": versions,
        "rows": rows,
        "stalls": stalls,
        "verdicts": goals.verdicts(rows),
    }
    paths = report.write(results, asked.out)
    print(report.page(results))
    print(*(f"wrote {path}" for path in paths), sep="\n")


if __name__ == "__main__":
    main()
