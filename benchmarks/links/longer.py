"""What single transfers do not show: drift, a thousand links, sharing, and whole rounds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.links.transfers import Case, frame_bytes, measure, measure_load
from netcomp.experiment.run import run
from netcomp.results.readers import read_rounds

__all__ = ["longer"]

MBIT = 125_000.0
_MESSAGES = 1000
_SMALL = 10_000
_LINKS = 1000
_DRIFT_GOAL = 0.0003
_LOAD_GOAL = 0.2
_SHARE_GOAL = 1.10
_ROUND_GOAL = 0.03


def longer(*, quick: bool) -> list[dict[str, Any]]:
    """Measure everything here: `what`, `figures`, `goal` and `holds`, None where it has no goal."""
    return [_drift(), *_many(2 if quick else 5), _shared(2 if quick else 5), _rounds(quick=quick)]


def _drift() -> dict[str, Any]:
    """Measure the end of a thousand messages, one behind the other."""
    case = Case(1, 10 * MBIT, ("down",), 1, payload=_SMALL, messages=_MESSAGES)
    (seconds,) = measure(case)["down"]
    late = seconds - _MESSAGES * frame_bytes(_SMALL) / case.rate
    allowed = max(_DRIFT_GOAL, 0.005 * frame_bytes(_SMALL) / case.rate)
    return {
        "what": f"{_MESSAGES} messages of 10 kB at 10 Mbit/s: the last one",
        "figures": f"{1e3 * late:+.3f} ms after {seconds - late:.2f} s",
        "goal": f"±{1e3 * allowed:g} ms",
        "holds": abs(late) <= allowed,
    }


def _many(repeats: int) -> list[dict[str, Any]]:
    """Measure a thousand links with a message of 4 kB each, all at once."""
    case = Case(_LINKS, MBIT, ("down",), repeats, payload=4000)
    seconds, load = measure_load(case)
    late = [1e3 * (one - frame_bytes(4000) / MBIT) for one in seconds["down"]]
    tail = quantiles(late, n=100)[-1]
    slow = Case(_LINKS, MBIT / 10, ("down",), max(1, repeats // 2), payload=25_000)
    _, share = measure_load(slow)
    return [
        {
            "what": f"{_LINKS} links of 1 Mbit/s, 4 kB each at once: lateness",
            "figures": f"median {median(late):.2f} ms, p99 {tail:.2f} ms, {load:.0%} of a core",
            "goal": "",
            "holds": None,
        },
        {
            "what": f"{_LINKS} links of 100 kbit/s, busy all the time: the server",
            "figures": f"{share:.0%} of a core",
            "goal": f"at most {_LOAD_GOAL:.0%}",
            "holds": share <= _LOAD_GOAL,
        },
    ]


def _shared(repeats: int) -> dict[str, Any]:
    """Measure four links of 10 Mbit/s behind a server that sends 20 in all."""
    case = Case(4, 10 * MBIT, ("down",), repeats, send=20 * MBIT)
    seconds = measure(case)["down"]
    ideal = 4 * frame_bytes() / case.send
    spread, error = max(seconds) / min(seconds), median(seconds) / ideal - 1
    return {
        "what": "4 links of 10 Mbit/s share 20, 1 MB each",
        "figures": f"median {100 * error:+.2f} %, slowest / fastest {spread:.3f}",
        "goal": f"±0.50 %, at most {_SHARE_GOAL:.2f}",
        "holds": abs(error) <= 0.005 and spread <= _SHARE_GOAL,
    }


def _rounds(*, quick: bool) -> dict[str, Any]:
    """Measure whole rounds on the real clock beside the virtual one."""
    real, virtual = (_durations(clock, 5 if quick else 15) for clock in ("real", "virtual"))
    error = median(real) / median(virtual) - 1
    return {
        "what": "rounds of gd, d = 50000, 4 workers: real clock beside virtual",
        "figures": f"{median(real):.4f} s, {median(virtual):.4f} s: {100 * error:+.2f} %",
        "goal": f"±{_ROUND_GOAL:.0%}",
        "holds": abs(error) <= _ROUND_GOAL,
    }


def _durations(clock: str, rounds: int) -> list[float]:
    with TemporaryDirectory() as folder:
        result = run(
            {
                "problem": {"name": "quadratic-scaled-identity", "dim": 50_000},
                "cluster": {"workers": 4, "compute": "measured"},
                "network": {
                    "uplink": "10 Mbit/s",
                    "downlink": ["5 Mbit/s", "10 Mbit/s", "20 Mbit/s", "20 Mbit/s"],
                    "latency": "10 ms",
                    "jitter": "2 ms",
                    "server": {"send": "40 Mbit/s", "receive": "25 Mbit/s"},
                    "clock": clock,
                },
                "stop": {"rounds": rounds},
                "record": {"every": rounds, "dir": folder},
            }
        )
        times = [row["seconds"] for row in read_rounds(Path(str(result.run_dir)))]
    return [after - before for before, after in pairwise(times)]
