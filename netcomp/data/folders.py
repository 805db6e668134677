"""Where data files are looked for, and where downloads go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["cache_folder", "candidates", "data_folders"]


def cache_folder() -> Path:
    """Return the folder downloads go to; it need not exist.

    That is NETCOMP_CACHE, else `netcomp` in XDG_CACHE_HOME, else `~/.cache/netcomp`.
    """
    if own := os.environ.get("NETCOMP_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "netcomp"


def data_folders() -> list[Path]:
    """Return the folders NETCOMP_DATA names, separated as in PATH, and then the cache."""
    named = os.environ.get("NETCOMP_DATA", "").split(os.pathsep)
    return [*(Path(part) for part in named if part), cache_folder()]


def candidates(name: str, folders: Sequence[Path], below: str = "") -> Iterator[Path]:
    """Yield where a file called `name` may lie, the path itself first, in the order to look.

    In each folder its subfolder `below` is tried too.
    """
    yield Path(name)
    for folder in folders:
        yield folder / name
        if below:
            yield folder / below / name
