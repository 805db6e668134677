"""The content of a data file, unpacked, and errors that say where a packed one is damaged."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netcomp.errors import DataError

__all__ = ["PACKED", "read_content"]

PACKED = (".gz", ".bz2")
"""The suffixes of packed files."""

_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}
_OPEN: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_BLOCK = 1 << 20
_DAMAGE = (OSError, EOFError, ValueError, zlib.error)


def read_content(path: Path, *, text: bool = True) -> bytes:
    """Return all bytes of a file; `.gz` and `.bz2` are unpacked.

    Raises `DataError` for a file that is missing, cannot be read or is a damaged archive; of a
    `text` the error has the line in which what can be unpacked ends.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(str(path), "there is no such file") from None
    except OSError as error:
        raise DataError(str(path), f"cannot be read: {error.strerror}") from error
    unpack = _UNPACK.get(path.suffix)
    try:
        return raw if unpack is None else unpack(raw)
    except _DAMAGE as error:
        line = _last_line(path) if text else None
        raise DataError(str(path), f"damaged {path.suffix} file: {error}", line) from error


def _last_line(path: Path) -> int:
    """Return the number of the line that a damaged archive ends in."""
    line = 1
    with _OPEN[path.suffix](path) as file:
        try:
            # read1 hands over what is there; read would lose it to the error that follows.
            while block := file.read1(_BLOCK):
                line += block.count(b"\n")
        except _DAMAGE:
            pass
    return line
