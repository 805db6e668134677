"""From the name of a data set to the data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from netcomp.data.builtin import BUILTIN
from netcomp.data.dataset import Dataset
from netcomp.data.libsvm import load_libsvm
from netcomp.errors import DataError, UnknownName

__all__ = ["UnknownDataSet", "load"]

_KEPT = 4  # data sets a process keeps in memory: a run needs one, a comparison few


class UnknownDataSet(UnknownName):
    """A name that is neither built in nor a file; `folders` were searched for it."""

    def __init__(self, name: str, folders: Sequence[Path]) -> None:
        super().__init__("data set", name, BUILTIN)
        self.folders = tuple(folders)
        searched = ", ".join(str(folder) for folder in folders) or "none (set NETCOMP_DATA)"
        self.args = (f"{self}; folders searched for a file of that name: {searched}",)


def load(name: str, folders: Sequence[Path] = ()) -> Dataset:
    """Return the data set a spec calls `name`.

    That is a built-in one, else the file at the path `name`, else the first file so
    called in `folders`. A process reads a file once as long as it does not change.
    Raises `UnknownDataSet` for a bare name not found, `DataError` for a path that
    does not exist and for a file that cannot be used.
    """
    if name in BUILTIN:
        return _load_builtin(name)
    for candidate in (Path(name), *(folder / name for folder in folders)):
        if candidate.is_file():
            path = candidate.resolve()
            status = path.stat()
            return _load_file(path, status.st_mtime_ns, status.st_size)
    if os.sep in name:
        raise DataError(name, "there is no such file")
    raise UnknownDataSet(name, folders)


@lru_cache(maxsize=_KEPT)
def _load_builtin(name: str) -> Dataset:
    return BUILTIN[name]()


@lru_cache(maxsize=_KEPT)
def _load_file(path: Path, _modified: int, _size: int) -> Dataset:
    return load_libsvm(path)
