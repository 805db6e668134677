"""Every registered compressor: bytes beside their limits, speed beside a copy and beside peers.

    python -m benchmarks.compressors [--quick] [--sizes D,D,…] [--only NOTATION] [--no-peers]
                                     [--out DIR]

Each peer library is installed into an environment of its own below benchmarks/.peers, which is
kept. Prints the goals with limit, figure and verdict; writes results.json, results.csv, table.md
and speed.png, and the figure b2 (variance and δ against bits, `variance.py`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.compressors import coders, duels, goals, own, references, report, variance
from benchmarks.compressors.cases import CASES, SEEN, Case
from benchmarks.compressors.environments import PEERS, run
from benchmarks.compressors.vectors import vectors
from benchmarks.cores import on_core, two_cores
from benchmarks.machine import describe, folder

SIZES = (10**4, 10**6, 10**7)
QUICK = SIZES[:1]
_REPEAT = 5
_DUELS = 15
"""Turns of a goal and its peer."""
_B2_DRAWS = 20


def measure(
    cases: Sequence[Case], sizes: Iterable[int], repeat: int, *, peers: bool
) -> Iterator[dict[str, Any]]:
    """Yield, after each dimension, all there is so far: rows, "peers" and references, verdicts.

    Not only at the end, because a run takes long and may be stopped.
    """
    fought: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for d in sizes:
        with tempfile.TemporaryDirectory() as place:
            files: list[dict[str, str]] = []
            made = list(vectors(d))
            for name, v in made:
                seen = d <= SEEN or not files
                for case in (case for case in cases if seen or not case.blind):
                    print(f"d = {d}, {name}: {case}", flush=True)
                    rows.append(own.row(case, name, v, repeat))
                theirs += references.rows(name, v, repeat)
                files.append({"name": name, "path": str(Path(place) / f"{len(files)}.npy")})
                np.save(files[-1]["path"], v, allow_pickle=False)
            for answer in _answers(files, repeat) if peers else ():
                _sort(answer, theirs, versions, errors)
            places = [(name, v, file["path"]) for (name, v), file in zip(made, files, strict=True)]
            names, turns = [str(case) for case in cases], repeat if repeat == 1 else _DUELS
            fought += duels.rows(places, names, turns, peers=peers)
        yield {
            "sizes": list(dict.fromkeys(row["d"] for row in rows)),
            "vectors": list(dict.fromkeys(row["vector"] for row in rows)),
            "rows": rows,
            "peers": theirs,
            "duels": fought,
            "peer_versions": versions,
            "peer_errors": errors,
            "verdicts": _verdicts(rows, fought),
        }


def _verdicts(
    rows: Sequence[Mapping[str, Any]], fought: Sequence[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    return {
        "bytes": goals.byte_verdicts(rows),
        "speed": goals.speed_verdicts(rows, fought),
        "decoding": goals.decoding_verdicts(rows),
        "memory": goals.memory_verdicts(rows),
    }


def _answers(files: Sequence[Mapping[str, str]], repeat: int) -> Iterator[dict[str, Any]]:
    for peer in PEERS:
        print(f"peer {peer.name}", flush=True)
        yield run(peer, files, repeat)


def _sort(
    answer: Mapping[str, Any],
    rows: list[dict[str, Any]],
    versions: dict[str, Any],
    errors: dict[str, str],
) -> None:
    """Put a peer's answer where it belongs."""
    name = answer["peer"]
    if "error" in answer:
        errors[name] = answer["error"]
    else:
        versions[name] = answer["versions"]
        rows += [{"peer": name, **row} for row in answer["rows"]]


def main() -> None:
    """Measure, print the goals, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="d = 10⁴ once, no peers, no b2")
    parser.add_argument("--sizes", help="dimensions, as 1e4,1e6")
    parser.add_argument("--only", metavar="NOTATION", help="one compressor, no peers, no b2")
    parser.add_argument("--no-peers", action="store_true", help="install and measure no peers")
    parser.add_argument("--out", type=Path, default=folder("compressors"), help="where results go")
    asked = parser.parse_args()
    all_ = not (asked.quick or asked.only)
    cases = [Case(asked.only)] if asked.only else list(CASES)
    sizes = [int(float(text)) for text in asked.sizes.split(",")] if asked.sizes else SIZES
    sizes = QUICK if asked.quick and not asked.sizes else sizes
    repeat = 1 if asked.quick else _REPEAT
    head: dict[str, Any] = {"machine": describe(), "repeat": repeat}
    # One core for netcomp and the peers, who take turns.
    with threadpool_limits(1), on_core(two_cores()[1]):
        if all_:
            _draw_variance(asked.out)
        alone = [] if asked.only else coders.rows(min(max(sizes), SEEN), repeat)
        for measured in measure(cases, sizes, repeat, peers=all_ and not asked.no_peers):
            results = {**head, **measured, "coders": alone}
            paths = report.write(results, asked.out)
    print(report.page(results))
    print(*(f"wrote {path}" for path in paths), sep="\n")


def _draw_variance(out: Path) -> None:
    """Make the figure b2 and print its claims."""
    found = variance.points(10**4, _B2_DRAWS, variance.families(10**4))
    judged = variance.claims(found)
    paths = variance.write(found, judged, out)
    print("\n".join(variance.lines(judged)))
    print(*(f"wrote {path}" for path in paths), sep="\n", flush=True)


if __name__ == "__main__":
    main()
