"""How everything in this benchmark is timed, by netcomp's side and by every peer's script.

Seconds are those the processor spent on this process: everything here runs on one thread, so
they are what a clock on the wall would show if nobody else used the machine, and somebody does.
Works take turns: in every turn each is timed once, the plain array copy among them, so that a
slow moment (others in the cache, a lower clock rate) hits them all. A ratio is the median over
the turns of copy/work, both of one turn. A work shorter than a millisecond is repeated within
its turn. Where another process has the other work, it is asked for a turn at a time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from statistics import median
from typing import Any

import numpy as np

__all__ = ["Codec", "Turns", "main", "measure", "race"]

Codec = tuple[str, Callable[[], Any], Callable[[Any], Any], Callable[[Any], int]]
"""A name, encode() → data, decode(data) → values or None, and the bytes of data."""

_LEAST = 1e-3
"""The least seconds of one sample."""


def race(works: Mapping[str, Callable[[], Any]], repeat: int) -> dict[str, list[float]]:
    """Return each work's seconds a call in every one of `repeat` turns."""
    turns = {name: Turns(work) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in turns.items():
            times[name].append(work.seconds())
    return times


class Turns:
    """One work, timed a turn at a time; short works are warmed up, long ones do not care.

    A turn takes `least` seconds, or one call where that takes longer.
    """

    def __init__(self, work: Callable[[], Any], least: float = _LEAST) -> None:
        self._work = work
        once = _seconds(work, 1)
        if once < least:
            once = _seconds(work, 1)
        self._calls = max(1, int(least / max(once, 1e-9)))

    def seconds(self) -> float:
        """Return the seconds of a call in one turn more."""
        return _seconds(self._work, self._calls)


def _seconds(work: Callable[[], Any], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls


def measure(
    vector: Any, encode: Callable[[], Any], decode: Callable[[Any], Any] | None, repeat: int
) -> dict[str, float | None]:
    """Return medians of seconds, and ratios to a copy of `vector` between reused arrays.

    `decode` gets what `encode` returned; its figures are None where it is None.
    """
    target = np.empty_like(vector)
    works = {"copy": lambda: np.copyto(target, vector), "encode": encode}
    if decode is not None:
        works["decode"] = partial(decode, encode())
    times = race(works, repeat)
    row: dict[str, float | None] = {"copy_seconds": median(times["copy"])}
    for name in ("encode", "decode"):
        own = times.get(name)
        row[f"{name}_seconds"] = median(own) if own else None
        pairs = zip(times["copy"], own or (), strict=own is not None)
        row[f"{name}_ratio"] = median([copy / work for copy, work in pairs]) if own else None
    return row


def main(codecs: Callable[[Any], Iterable[Codec]], versions: Mapping[str, str]) -> None:
    """Measure what `codecs` makes of each vector the first argument names; print JSON.

    The argument is {"repeat": turns, "vectors": [{"name", "path"}, …]}, the paths those of
    .npy files. A codec that fails is a row with the last line of its "error". With {"least":
    seconds} in its place, `_converse` instead.
    """
    asked = json.loads(sys.argv[1])
    if "least" in asked:
        _converse(codecs, asked["least"])
        return
    rows = []
    for vector in asked["vectors"]:
        values = np.load(vector["path"], allow_pickle=False)
        for codec in codecs(values):
            head = {"codec": codec[0], "vector": vector["name"], "d": int(values.size)}
            rows.append(head | _row(values, codec, asked["repeat"]))
    print(json.dumps({"versions": dict(versions), "rows": rows}))


def _converse(codecs: Callable[[Any], Iterable[Codec]], least: float) -> None:
    """Answer each line of {"path", "codec"}, of a vector and a codec, with {"seconds"} of a turn.

    A line about the same as the line before it is one turn more of the same work. What fails is
    answered with {"error"}.
    """
    last, turns = "", None
    for line in sys.stdin:
        try:
            if line != last or turns is None:
                asked = json.loads(line)
                values = np.load(asked["path"], allow_pickle=False)
                (encode,) = (one[1] for one in codecs(values) if one[0] == asked["codec"])
                last, turns = line, Turns(encode, least)
            answer: dict[str, Any] = {"seconds": turns.seconds()}
        except Exception as error:  # noqa: BLE001 — a peer may fail in any way, and is to be named
            answer = {"error": _last_line(error)}
        print(json.dumps(answer), flush=True)


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def _row(values: Any, codec: Codec, repeat: int) -> dict[str, Any]:
    _, encode, decode, nbytes = codec
    try:
        data = encode()
        row: dict[str, Any] = dict(measure(values, encode, decode, repeat))
        row["bits"] = 8 * nbytes(data) / values.size
        row["error_share"] = _error_share(values, decode(data))
    except Exception as error:  # noqa: BLE001 — a peer may fail in any way, and is to be named
        return {"error": _last_line(error)}
    return row


def _error_share(values: Any, decoded: Any) -> float | None:
    """Return ‖C(x) − x‖²/‖x‖², None where nothing comparable was decoded."""
    if decoded is None:
        return None
    difference = np.asarray(decoded, dtype=np.float64).ravel() - values
    energy = float(np.dot(values.astype(np.float64), values))
    return float(np.dot(difference, difference)) / energy if energy else None
