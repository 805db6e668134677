"""From the name of a data set to the data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from netcomp.data.arrays import load_npz
from netcomp.data.builtin import BUILTIN
from netcomp.data.catalogue import CATALOGUE, Known
from netcomp.data.dataset import Dataset
from netcomp.data.files import PACKED
from netcomp.data.folders import candidates
from netcomp.data.idx import IMAGES, LABELS, load_idx
from netcomp.data.libsvm import load_libsvm
from netcomp.data.notation import head_of
from netcomp.data.synthetic import GENERATORS, generated, parse_generator
from netcomp.data.tables import load_csv
from netcomp.errors import DataError, UnknownName

__all__ = ["Place", "UnknownDataSet", "check_name", "find", "load", "needs_no_file", "place_of"]

_KEPT = 4  # data sets a process keeps in memory: a run needs one, a comparison few


class UnknownDataSet(UnknownName):
    """A name that stands for nothing here; `folders` were searched for a file of that name."""

    def __init__(self, name: str, folders: Sequence[Path]) -> None:
        super().__init__("data set", name, [*BUILTIN, *CATALOGUE, *GENERATORS])
        self.folders = tuple(folders)
        searched = ", ".join(str(folder) for folder in folders) or "none (set NETCOMP_DATA)"
        fetch = f"; `netcomp data fetch {name}` downloads it" if name in CATALOGUE else ""
        self.args = (f"{self}; folders searched for a file of that name: {searched}{fetch}",)


@dataclass(frozen=True, slots=True)
class Place:
    """What a name stands for: files, or none where the data are built in or made up.

    `known` is the published set that the files must be.
    """

    paths: tuple[Path, ...] = ()
    known: Known | None = None


def needs_no_file(name: str) -> bool:
    """Return whether the name is built in, or a generator's."""
    return name in BUILTIN or head_of(name) in GENERATORS


def check_name(name: str, field: str) -> None:
    """Raise `SpecError` naming `field` if the name is a generator's, with wrong parameters."""
    if head_of(name) in GENERATORS:
        parse_generator(name, field)


def load(name: str, folders: Sequence[Path] = ()) -> Dataset:
    """Return the data set a spec calls `name`.

    That is a built-in one, a generator's, a known one whose files lie in `folders`, else the
    file at the path `name`, else the first file so called in `folders`. A process reads a file
    once as long as it does not change. Raises `UnknownDataSet` for a bare name not found,
    `SpecError` for a generator's parameters, `DataError` for a path that does not exist, for a
    file that cannot be used, and for one that has a known name and another content.
    """
    place = find(name, folders)
    if not place.paths:
        return _load_named(name)
    status = [path.stat() for path in place.paths]
    seen = tuple((one.st_mtime_ns, one.st_size) for one in status)
    data = _load_files(place.paths, place.known and place.known.name, seen)
    if place.known is not None and data.digest != place.known.digest:
        raise DataError(
            str(place.paths[0]),
            f"not the published {name}: its digest is {data.digest}, not {place.known.digest};"
            " give its path to use it all the same",
        )
    return data


def find(name: str, folders: Sequence[Path] = ()) -> Place:
    """Return what `name` stands for; errors as for `load`, but nothing is read."""
    if needs_no_file(name):
        return Place()
    known = CATALOGUE.get(name)
    if known is not None and (place := place_of(known, folders)) is not None:
        return place
    for path in candidates(name, folders):
        if path.is_file():
            return Place(_with_labels(path.resolve()), known)
    if os.sep in name:
        raise DataError(name, "there is no such file")
    raise UnknownDataSet(name, folders)


def place_of(known: Known, folders: Sequence[Path]) -> Place | None:
    """Return where all the files of a known set lie, packed or not; None if not all do."""
    paths = []
    for remote in known.files:
        names = [remote.name, remote.name.removesuffix(".gz")]
        found = [path for name in names for path in candidates(name, folders, known.below)]
        path = next((path for path in found if path.is_file()), None)
        if path is None:
            return None
        paths.append(path.resolve())
    return Place(tuple(paths), known)


def _with_labels(path: Path) -> tuple[Path, ...]:
    """Return an idx file of images together with that of its labels; any other alone."""
    if IMAGES not in path.name:
        return (path,)
    plain = path.name.replace(IMAGES, LABELS).removesuffix(".gz")
    for name in (plain, f"{plain}.gz"):
        if (labels := path.with_name(name)).is_file():
            return (path, labels)
    raise DataError(str(path), f"beside the images there are no labels, {plain} or {plain}.gz")


@lru_cache(maxsize=_KEPT)
def _load_named(name: str) -> Dataset:
    return BUILTIN[name].load() if name in BUILTIN else generated(name)


@lru_cache(maxsize=_KEPT)
def _load_files(
    paths: tuple[Path, ...], name: str | None, _seen: tuple[tuple[int, int], ...]
) -> Dataset:
    data = load_idx(*paths) if len(paths) > 1 else _reader(paths[0])(paths[0])
    return data if name is None else replace(data, name=name)


def _reader(path: Path) -> Callable[[Path], Dataset]:
    """Return how a file is read, by its name: LIBSVM text unless it says otherwise."""
    suffix = (path.with_suffix("") if path.suffix in PACKED else path).suffix
    return {".csv": load_csv, ".npz": load_npz}.get(suffix.lower(), load_libsvm)
