"""The folder of a run: written as the run goes, readable even if it is killed.

    spec.toml         the spec with everything resolved
    rounds.jsonl      one row a round, totals over the workers of that round
    workers.bin       a header line, then one `WORKER_RECORD` per worker and round
    summary.json      what `summarise` built
    model.npy         the final x
    environment.json  versions and machine

Rows go out unbuffered, whole, workers before their round, so that a row of
rounds.jsonl always has its records in workers.bin.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Self

import numpy as np

from netcomp.errors import DataError
from netcomp.results.events import RoundRecord
from netcomp.results.jsonable import dumps, dumps_plain
from netcomp.results.readers import (
    WORKER_HEADER,
    WORKER_RECORD,
    read_rounds,
    read_summary,
    read_workers,
)

__all__ = [
    "WORKER_RECORD",
    "RunStore",
    "fresh_folder",
    "read_rounds",
    "read_summary",
    "read_workers",
    "round_row",
    "worker_rows",
]

Complaint = Callable[[str], None]


def round_row(record: RoundRecord) -> dict[str, Any]:
    """Return the row of rounds.jsonl: loss, ‖∇f‖² and metrics only where probed."""
    row: dict[str, Any] = {
        "round": record.round,
        "seconds": record.seconds,
        "up": record.up().as_dict(),
        "down": record.down().as_dict(),
        "times": record.mean_times().as_dict(),
    }
    if record.loss is not None:
        row["loss"] = record.loss
    if record.grad_norm_sq is not None:
        row["grad_norm_sq"] = record.grad_norm_sq
    if record.metrics:
        row["metrics"] = dict(record.metrics)
    return row


def worker_rows(record: RoundRecord) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return the round's `WORKER_RECORD`s, in the order of `record.workers`."""
    return record.accounts.rows


class RunStore:
    """One run's folder; `path` is where. A context manager, `close` is idempotent.

    A write that fails once the run is under way (disk full) is reported through
    `complain` (default: `warnings.warn`), and the run goes on. After a failed
    row no further row is written, hence one report for all of them: a gap
    would falsify every running total read from the file.
    """

    def __init__(self, path: Path, complain: Complaint | None = None) -> None:
        self.path = path
        self._complain = complain or _warn
        self._rounds = _open(path / "rounds.jsonl")
        self._workers = _open(path / "workers.bin")
        self._recording = True
        self._append(self._workers, WORKER_HEADER)

    @classmethod
    def create(
        cls,
        base: Path,
        name: str,
        *,
        now: datetime | None = None,
        complain: Complaint | None = None,
    ) -> Self:
        """Make a fresh folder base/<UTC date-time>-<name>[-k] and open it.

        `now` defaults to the present. Raises `DataError` where no folder can
        be made.
        """
        moment = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%d-%H%M%S")
        slug = re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.") or "run"
        try:
            return cls(fresh_folder(Path(base), f"{moment}-{slug[:80]}"), complain)
        except OSError as error:
            raise DataError(str(base), _reason(error)) from error

    def write_spec(self, toml_text: str) -> None:
        """Write spec.toml; `DataError` if it fails, as nothing has started yet."""
        try:
            _replace(self.path / "spec.toml", toml_text.encode())
        except OSError as error:
            raise DataError(str(self.path / "spec.toml"), _reason(error)) from error

    def append(self, record: RoundRecord) -> None:
        """Write one round to workers.bin and rounds.jsonl."""
        self._append(self._workers, worker_rows(record).tobytes())
        self._append(self._rounds, dumps_plain(round_row(record)).encode() + b"\n")

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        self._write("summary.json", dumps(summary, indent=2).encode() + b"\n")

    def write_model(self, x: np.ndarray[Any, np.dtype[Any]]) -> None:
        """Write model.npy, whole or not at all; an object array is a `ValueError`."""
        temporary = self.path / "model.npy.tmp"
        try:
            with temporary.open("wb") as file:
                np.save(file, x, allow_pickle=False)
            temporary.replace(self.path / "model.npy")
        except OSError as error:
            self._failed("model.npy", error)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def write_environment(self) -> None:
        """Write environment.json: versions and machine, no host name and no path."""
        self._write("environment.json", dumps(_environment(), indent=2).encode() + b"\n")

    def close(self) -> None:
        """Close the files; calling it again does nothing."""
        self._recording = False
        for file in (self._rounds, self._workers):
            # Unbuffered: nothing can be lost here, whatever the error.
            with contextlib.suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, file: FileIO, data: bytes) -> None:
        if not self._recording:
            return
        try:
            _write_all(file, data)
        except OSError as error:
            self._recording = False
            self._failed(Path(str(file.name)).name, error)

    def _write(self, name: str, data: bytes) -> None:
        try:
            _replace(self.path / name, data)
        except OSError as error:
            self._failed(name, error)

    def _failed(self, name: str, error: OSError) -> None:
        self._complain(f"cannot write {self.path / name}: {_reason(error)}; the run goes on")


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def fresh_folder(base: Path, stem: str) -> Path:
    """Make the folder base/stem, or base/stem-k where that exists, and return it.

    Raises `OSError` where none can be made.
    """
    base.mkdir(parents=True, exist_ok=True)
    path, k = base / stem, 1
    while True:
        try:
            path.mkdir()  # what decides between rivals
        except FileExistsError:
            k += 1
            path = base / f"{stem}-{k}"
        else:
            return path


def _open(path: Path) -> FileIO:
    return FileIO(path, "xb")


def _write_all(file: FileIO, data: bytes) -> None:
    """Write all of `data`, or put the file's end back where it was and raise."""
    start = file.tell()
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) or 0 :]
    except BaseException:
        # An interrupt too: the next row must not be glued to half of this one.
        with contextlib.suppress(OSError):
            file.seek(start)
            file.truncate()
        raise


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _environment() -> dict[str, Any]:
    try:
        version: str | None = importlib.metadata.version("netcomp")
    except importlib.metadata.PackageNotFoundError:
        version = None
    return {
        "netcomp": version,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
    }
