"""Splits that somebody else has made: a file of worker numbers, or rows already apart."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from netcomp.data.dataset import Dataset
from netcomp.data.files import read_content
from netcomp.data.folders import candidates, data_folders
from netcomp.data.splits.base import Split, SplitRule, by_assignment
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError

__all__ = ["BELOW", "FromFile", "Own"]

BELOW: Final = "splits"
"""The subfolder of a data folder in which split files are looked for too."""

_DIGITS = 18  # more are no worker's number, and thousands are no int to Python


class FromFile(SplitRule):
    """A text file with one line a row of the data: the number of its worker, from 0.

    The file is at the path, or so called in a folder of NETCOMP_DATA or its subfolder `splits`.
    No row is dropped; shards have the sizes the file gives them.
    """

    summary: ClassVar[str] = "a file with the worker of every row, a line each"

    path: str

    def stamp(self) -> Hashable:
        path = self._found()
        status = path.stat()
        return path, status.st_mtime_ns, status.st_size

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        """Deal as the file says; `DataError` with its line where it cannot be followed."""
        path = self._found()
        lines = read_content(path).removesuffix(b"\n").split(b"\n")
        owners = np.fromiter(
            (_owner(path, line, text, workers) for line, text in enumerate(lines, start=1)),
            dtype=np.int64,
            count=len(lines),
        )
        if owners.size != data.rows:
            line = min(owners.size, data.rows + 1)
            raise DataError(
                str(path), f"{owners.size} lines for the {data.rows} rows of {data.name}", line
            )
        empty = np.flatnonzero(np.bincount(owners, minlength=workers) == 0)
        if empty.size:
            raise DataError(str(path), f"worker {empty[0]} of {workers} gets no row", owners.size)
        return Split(by_assignment(owners, workers), 0)

    def _found(self) -> Path:
        for path in candidates(self.path, data_folders(), BELOW):
            if path.is_file():
                return path.resolve()
        raise DataError(
            self.path,
            "there is no such split file, neither at this path nor in a folder of NETCOMP_DATA"
            f" or its subfolder {BELOW}",
        )


class Own(SplitRule):
    """Every worker's data are its own rows, and nobody holds the others'."""

    summary: ClassVar[str] = "each worker the whole of its own file, `netcomp worker --data PATH`"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        """Give every worker all rows, which are its own."""
        if not data.partial:
            raise SpecError(
                "problem.split", "own: each worker names its own rows, `netcomp worker --data PATH`"
            )
        return Split((np.arange(data.rows, dtype=np.int64),) * workers, 0)


def _owner(path: Path, line: int, text: bytes, workers: int) -> int:
    shown = text.decode("ascii", errors="backslashreplace").strip()
    if not shown.isdecimal():
        raise DataError(str(path), f"{shown!r} is no worker number", line)
    if len(shown) > _DIGITS or int(shown) >= workers:
        raise DataError(
            str(path), f"worker {shown} where there are {workers}, from 0 to {workers - 1}", line
        )
    return int(shown)
