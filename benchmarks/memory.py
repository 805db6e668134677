"""The server's memory at d = 10^7: its peak beside the size of one vector.

    python -m benchmarks.memory [--dim D] [--workers N] [--out DIR]

gd, nothing compressed, float32 state and values, over loopback sockets; the server is a
process of its own (`netcomp server`), the workers are another. Peak and base are the
kernel's VmHWM and VmRSS of the server: base before any worker has come, peak at the end.
Goal: peak ≤ 6 × the vector, the interpreter and its libraries included.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, folder

GOAL = 6.0
_ROUNDS = 5
_PATIENCE = 120.0
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
    """Run server and workers; return base, peak and vector size in bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        runs = Path(temporary)
        spec = runs / "memory.toml"
        spec.write_text(spec_text(dim, workers, runs))
        server = _start(runs, "server", str(spec), "--listen", "127.0.0.1:0", "--json")
        processes = [server]
        try:
            address = _await_address(server, runs / "server.err")
            base = status(server.pid, "VmRSS")
            count = str(workers)
            worker = _start(runs, "worker", "--connect", address, "--slots", count, "--quiet")
            processes.append(worker)
            began = time.monotonic()
            peak = _peak(server, worker, runs)
            seconds = time.monotonic() - began
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
        summary = json.loads((runs / "server.out").read_text().splitlines()[-1])
    vector = 4 * dim
    return {
        "dim": dim,
        "workers": workers,
        "rounds": summary["rounds"],
        "seconds": seconds,
        "vector_bytes": vector,
        "base_bytes": base,
        "peak_bytes": peak,
        "base_ratio": base / vector,
        "peak_ratio": peak / vector,
        "peak_above_base_ratio": (peak - base) / vector,
        "goal_ratio": GOAL,
        "holds": peak <= GOAL * vector,
    }


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


def _peak(server: subprocess.Popen[bytes], worker: subprocess.Popen[bytes], folder_: Path) -> int:
    """Return the server's VmHWM (bytes), read until it ends.

    It is the kernel's own maximum, so only a peak in the last hundredths of a second is missed.
    """
    deadline = time.monotonic() + _PATIENCE
    peak = 0
    while server.poll() is None:
        peak = max(peak, status(server.pid, "VmHWM"))
        if worker.poll() or time.monotonic() > deadline:
            raise SystemExit(f"the run failed: {(folder_ / 'worker.err').read_text()}")
        time.sleep(_TICK)
    if server.returncode:
        raise SystemExit(f"the server failed: {(folder_ / 'server.err').read_text()}")
    return peak


def main() -> None:
    """Measure, print figures beside the goal, write results.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dim", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=folder("memory"), help="where results go")
    options = parser.parse_args()
    figures = measure(options.dim, options.workers)
    size, count = figures["vector_bytes"] / 1e6, figures["workers"]
    print(f"d = {figures['dim']}, float32, {count} workers, {figures['rounds']} rounds of gd")
    for name, key in (("vector", None), ("server at start", "base"), ("server's peak", "peak")):
        value = size if key is None else figures[f"{key}_bytes"] / 1e6
        print(f"{name:16} {value:8.1f} MB   {value / size:5.2f} × the vector")
    print(f"{'above start':16} {'':11}   {figures['peak_above_base_ratio']:5.2f} × the vector")
    verdict = "holds" if figures["holds"] else "does not hold"
    print(f"{'goal: peak':16} {GOAL * size:8.1f} MB   {GOAL:5.2f} × the vector: {verdict}")
    options.out.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"machine": describe(), **figures}, indent=1)
    (options.out / "results.json").write_text(content + "\n")


if __name__ == "__main__":
    main()
