"""Memory and open files of a server and of a process of many workers, beside what they hold.

    python -m benchmarks.memory [--only NxD,…] [--huge] [--out DIR]

gd, nothing compressed, float32 state and values, over loopback sockets; the server is a process
of its own (`netcomp server`), the workers are another. Peak and base are the kernel's VmHWM and
VmRSS: base before any worker has come, peak at the end. What a worker takes beside its data and
state is the difference between a process of many and one of few, a worker. `--huge` is d = 10^8
with two workers, which takes gigabytes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, folder

_ROUNDS = 5
_MIB = 1 << 20
_PATIENCE = 600.0
_TICK = 0.02


def spec_text(dim: int, workers: int, runs: Path) -> str:
    """Return the TOML of the run."""
    return f"""
[problem]
name = "quadratic-scaled-identity"
dim = {dim}
[cluster]
workers = {workers}
[algorithm]
name = "gd"
dtype = "f32"
values = "f32"
[stop]
rounds = {_ROUNDS}
[record]
every = {_ROUNDS}
dir = "{runs}"
"""


def status(pid: int, key: str) -> int:
    """Return a figure of /proc/PID/status in bytes, 0 once the process is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def measure(dim: int, workers: int) -> dict[str, Any]:
    """Run server and workers; return bases, peaks (bytes) and open files of both processes."""
    with tempfile.TemporaryDirectory() as temporary:
        runs = Path(temporary)
        spec = runs / "memory.toml"
        spec.write_text(spec_text(dim, workers, runs))
        server = _start(runs, "server", str(spec), "--listen", "127.0.0.1:0", "--json")
        processes = [server]
        try:
            address = _await_address(server, runs / "server.err")
            found = {"base": status(server.pid, "VmRSS"), "files_before": files(server.pid)}
            count = str(workers)
            worker = _start(runs, "worker", "--connect", address, "--slots", count, "--quiet")
            processes.append(worker)
            began = time.monotonic()
            found |= _peaks(server, worker, runs)
            seconds = time.monotonic() - began
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
        summary = json.loads((runs / "server.out").read_text().splitlines()[-1])
    return {
        "dim": dim,
        "workers": workers,
        "rounds": summary["rounds"],
        "seconds": seconds,
        "vector": 4 * dim,
        **found,
    }


def files(pid: int) -> int:
    """Return how many files a process has open, 0 once it is gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def _start(folder_: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a netcomp command whose output goes to COMMAND.out and COMMAND.err."""
    paths = (folder_ / f"{arguments[0]}.{ending}" for ending in ("out", "err"))
    with next(paths).open("wb") as out, next(paths).open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "netcomp", *arguments], stdout=out, stderr=err
        )


def _await_address(server: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"listening on (\S+)", said.read_text()):
            return found[1]
        time.sleep(_TICK)
    raise SystemExit(f"the server does not listen: {said.read_text()}")


def _peaks(
    server: subprocess.Popen[bytes], worker: subprocess.Popen[bytes], folder_: Path
) -> dict[str, int]:
    """Return both processes' VmHWM (bytes) and the server's files, read until it ends.

    It is the kernel's own maximum, so only a peak in the last hundredths of a second is missed.
    """
    deadline = time.monotonic() + _PATIENCE
    found = dict.fromkeys(("peak", "worker_peak", "files_most", "files_after"), 0)
    while server.poll() is None:
        found["peak"] = max(found["peak"], status(server.pid, "VmHWM"))
        found["worker_peak"] = max(found["worker_peak"], status(worker.pid, "VmHWM"))
        open_now = files(server.pid)
        found["files_most"] = max(found["files_most"], open_now)
        found["files_after"] = open_now or found["files_after"]
        if worker.poll() or time.monotonic() > deadline:
            raise SystemExit(f"the run failed: {(folder_ / 'worker.err').read_text()}")
        time.sleep(_TICK)
    if server.returncode:
        raise SystemExit(f"the server failed: {(folder_ / 'server.err').read_text()}")
    return found


CASES = ((2, 10_000_000), (10, 300), (1000, 300), (1000, 10_000), (10, 25_088), (1000, 25_088))
HUGE = (2, 100_000_000)


def judge(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is to hold, with figure, goal and unit, of the cases that were measured."""
    of = {(row["workers"], row["dim"]): row for row in rows}
    found: list[dict[str, Any]] = []

    def told(what: str, figure: float, goal: float, unit: str) -> None:
        found.append(
            {"what": what, "figure": figure, "goal": goal, "unit": unit, "holds": figure <= goal}
        )

    for case, goal in (((2, 10_000_000), 6.0), (HUGE, 4.0)):
        if (row := of.get(case)) is not None:
            name = f"n = {case[0]}, d = {case[1]:.0e}"
            told(f"{name}: server's peak", row["peak"] / row["vector"], goal, "vectors")
            each = row["worker_peak"] / case[0] / row["vector"]
            told(f"{name}: a worker's peak", each, goal, "vectors")
    if (row := of.get((1000, 10_000))) is not None:
        told("n = 1000, d = 1e+04: server's peak", row["peak"] / _MIB, 300.0, "MiB")
    short, long = of.get((1000, 300)), of.get((1000, 25_088))
    if short is not None and long is not None:
        # A thousand uplinks are 96 MiB; what may be on its way in at a time is 64.
        more = (long["peak"] - short["peak"]) / _MIB
        told("n = 1000: server, d = 25088 beyond d = 300", more, 64.0, "MiB")
    few, many = of.get((10, 300)), of.get((1000, 300))
    if few is not None and many is not None:
        each = (many["worker_peak"] - few["worker_peak"]) / (990 * 1024)
        told("a worker in a process of many, d = 300", each, 100.0, "KiB")
        each = (many["peak"] - few["peak"]) / (990 * 1024)
        told("the server for each worker, d = 300", each, 100.0, "KiB")
    for row in rows:
        more = max(0, row["files_after"] - row["files_before"])
        told(f"n = {row['workers']}, d = {row['dim']}: files left open", more, 0.0, "files")
    return found


def told_of(row: Mapping[str, Any]) -> str:
    """Return a case's figures as a line."""
    sizes = {name: f"{row[name] / _MIB:.0f}" for name in ("base", "peak", "worker_peak")}
    return (
        f"n = {row['workers']}, d = {row['dim']}: server {sizes['base']} MiB before,"
        f" {sizes['peak']} at its peak; workers' process {sizes['worker_peak']}; server's files"
        f" {row['files_before']}, {row['files_most']}, {row['files_after']};"
        f" {row['rounds']} rounds, {row['seconds']:.1f} s"
    )


def main() -> None:
    """Measure, print figures beside the goals, write results.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="workers and dimensions, as 2x1e7,1000x300")
    parser.add_argument("--huge", action="store_true", help="two workers of d = 10^8 too")
    parser.add_argument("--out", type=Path, default=folder("memory"), help="where results go")
    options = parser.parse_args()
    cases = [*CASES, HUGE] if options.huge else [*CASES]
    if options.only:
        pairs = (text.split("x") for text in options.only.split(","))
        cases = [(int(n), int(float(d))) for n, d in pairs]
    rows = []
    for workers, dim in cases:
        row = measure(dim, workers)
        rows.append(row)
        print(told_of(row), flush=True)
    verdicts = judge(rows)
    for one in verdicts:
        verdict = "holds" if one["holds"] else "does not hold"
        print(f"{one['what']:46} {one['figure']:9.2f} {one['unit']:8} ≤ {one['goal']:g}: {verdict}")
    options.out.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"machine": describe(), "rows": rows, "verdicts": verdicts}, indent=1)
    (options.out / "results.json").write_text(content + "\n")


if __name__ == "__main__":
    main()
