"""Reading a run's folder back, also that of a run that was killed.

A row or record cut short at the end of its file is what a kill leaves and is
dropped; any other damage is a `DataError` that says where.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from netcomp.errors import DataError
from netcomp.results.events import WORKER_RECORD
from netcomp.results.jsonable import loads

__all__ = ["WORKER_HEADER", "WORKER_RECORD", "read_rounds", "read_summary", "read_workers"]

WORKER_HEADER = b"netcomp workers 1 %d\n" % WORKER_RECORD.itemsize
"""First line of workers.bin: magic, format version, bytes a record."""

ROW_KEYS: dict[str, type | tuple[type, ...]] = {
    "round": int,
    "seconds": (int, float, type(None)),
    "up": dict,
    "down": dict,
    "times": dict,
}
TRAFFIC_KEYS = ("paper_bits", "payload_bytes", "wire_bytes")
TIME_KEYS = ("compute", "compress", "up", "down", "wait")


def read_rounds(run_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the rows of rounds.jsonl; raises `DataError` with the line at fault."""
    path = Path(run_dir) / "rounds.jsonl"
    lines = _read(path).split(b"\n")
    # Every row ends in a newline, so what follows the last one was cut short.
    return [_row(path, number, line) for number, line in enumerate(lines[:-1], start=1)]


def read_workers(run_dir: str | os.PathLike[str]) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return workers.bin as an array of `WORKER_RECORD`, shape (records,).

    Raises `DataError` for another format or version, or records out of order.
    """
    path = Path(run_dir) / "workers.bin"
    data = _read(path)
    if WORKER_HEADER.startswith(data):
        return np.empty(0, dtype=WORKER_RECORD)
    if not data.startswith(WORKER_HEADER):
        raise DataError(str(path), f"does not start with {WORKER_HEADER.decode().rstrip()!r}", 1)
    whole = (len(data) - len(WORKER_HEADER)) // WORKER_RECORD.itemsize
    records = np.frombuffer(data, WORKER_RECORD, count=whole, offset=len(WORKER_HEADER)).copy()
    backwards = np.flatnonzero(records["round"][1:] < records["round"][:-1])
    if backwards.size:
        raise DataError(str(path), f"record {backwards[0] + 2} goes back to an earlier round")
    return records


def read_summary(run_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """Return summary.json; raises `DataError` if it is missing or damaged."""
    path = Path(run_dir) / "summary.json"
    try:
        summary = loads(_read(path))
    except ValueError as error:
        raise DataError(str(path), f"not JSON: {error}") from error
    if not isinstance(summary, dict):
        raise DataError(str(path), "not a JSON object")
    return summary


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(str(path), error.strerror or str(error)) from error


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = loads(line)
    except ValueError as error:
        raise DataError(str(path), f"not JSON: {error}", number) from error
    if not isinstance(row, dict):
        raise DataError(str(path), "not a JSON object", number)
    for key, kind in ROW_KEYS.items():
        if not isinstance(row.get(key), kind):
            raise DataError(str(path), f"{key!r} is missing or of the wrong kind", number)
    if not isinstance(row.get("metrics", {}), dict):
        raise DataError(str(path), "'metrics' is of the wrong kind", number)
    for key, names in (("up", TRAFFIC_KEYS), ("down", TRAFFIC_KEYS), ("times", TIME_KEYS)):
        for name in names:
            if name not in row[key]:
                raise DataError(str(path), f"'{key}.{name}' is missing", number)
    return row
