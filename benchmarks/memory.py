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
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, folder

GOAL = 6.0
_ROUNDS = 5
_PATIENCE = 240.0
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


class Peak(threading.Thread):
    """Reads a process's VmHWM until it ends: the kernel's own maximum, so no peak is missed.

    What comes after the last look, within a few hundredths of a second of the end, is.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.bytes = 0

    def run(self) -> None:
        """Look again and again."""
        while self._process.poll() is None:
            self.bytes = max(self.bytes, status(self._process.pid, "VmHWM"))
            time.sleep(_TICK)


def measure(dim: int, workers: int) -> dict[str, Any]:
    """Run server and workers; return base, peak and vector size in bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        spec = Path(temporary, "memory.toml")
        spec.write_text(spec_text(dim, workers, Path(temporary, "runs")))
        server = _start("server", str(spec), "--listen", "127.0.0.1:0", "--json")
        peer = None
        try:
            address = _await_line(server, re.compile(r"listening on (\S+)"))
            base = status(server.pid, "VmRSS")
            peak = Peak(server)
            peak.start()
            began = time.monotonic()
            peer = _start("worker", "--connect", address, "--slots", str(workers), "--quiet")
            said, complaint = server.communicate(timeout=_PATIENCE)
            seconds = time.monotonic() - began
            peak.join()
            peer.wait(timeout=10)
        finally:
            for process in (server, peer):
                if process is not None and process.poll() is None:
                    process.kill()
    if server.returncode != 0:
        raise SystemExit(f"the server failed: {complaint}")
    summary = json.loads(said.splitlines()[-1])
    return {
        "dim": dim,
        "workers": workers,
        "rounds": summary["rounds"],
        "seconds": seconds,
        "vector_bytes": 4 * dim,
        "base_bytes": base,
        "peak_bytes": peak.bytes,
        "base_ratio": base / (4 * dim),
        "peak_ratio": peak.bytes / (4 * dim),
        "peak_above_base_ratio": (peak.bytes - base) / (4 * dim),
        "goal_ratio": GOAL,
        "holds": peak.bytes <= GOAL * 4 * dim,
    }


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "netcomp", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _await_line(process: subprocess.Popen[str], pattern: re.Pattern[str]) -> str:
    assert process.stderr is not None  # noqa: S101 - for the type checker
    for line in process.stderr:
        if found := pattern.search(line):
            return found[1]
    raise SystemExit("the server ended before it listened")


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
