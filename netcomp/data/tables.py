"""CSV files: numbers separated by commas, one row a line, one of the columns the target.

The first line may name the columns: it does if none of its cells is a number. The target is
the column called `target`, `label` or `y`, else the last one. A byte order mark, which
spreadsheets put in front of "CSV UTF-8", is no part of the text.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset
from netcomp.data.files import read_content
from netcomp.errors import DataError

__all__ = ["TARGETS", "load_csv"]

TARGETS: Final = ("target", "label", "y")
"""The names of a column that is the target."""


def load_csv(path: Path) -> Dataset:
    """Read a CSV file (`.gz` and `.bz2` are unpacked) into a dense float64 matrix.

    The digest is of the unpacked text. Raises `DataError`, with the line where there is one,
    if the file is missing, damaged, empty, ragged, no CSV, has fewer than two columns or a cell
    that is no finite number.
    """
    content = _text(path)
    names, before = _header(path, content)
    cells = _cells(path, content, before)
    if cells.shape[1] < 2:  # noqa: PLR2004 - a feature and the target
        raise DataError(str(path), "a feature and a target are wanted, so two columns or more")
    if names and len(names) != cells.shape[1]:
        raise DataError(str(path), f"{cells.shape[1]} columns and {len(names)} names", before)
    target = _target(path, names, before) if names else cells.shape[1] - 1
    features = np.delete(cells, target, axis=1)
    digest = hashlib.sha256(content).hexdigest()
    line_of = partial(_line_of, path, before)
    return Dataset(path.name, features, cells[:, target].copy(), digest, str(path), line_of)


def _text(path: Path) -> bytes:
    return read_content(path).removeprefix(codecs.BOM_UTF8)


def _lines(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the line (from 1) and the cells of every line that is not blank."""
    # Decoded line by line: the header needs the first one only.
    reader = csv.reader(
        line.decode("utf-8", errors="backslashreplace") for line in BytesIO(content)
    )
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        # What follows the dash is advice to the caller of csv.reader.
        reason = str(error).partition(" - ")[0]
        raise DataError(str(path), f"no CSV: {reason}", reader.line_num) from None


def _header(path: Path, content: bytes) -> tuple[list[str], int]:
    """Return the names of the columns, if they have names, and how many lines that took."""
    line, cells = next(_lines(path, content), (0, []))
    if not cells:
        raise DataError(str(path), "the file holds no rows")
    named = all(_number(cell) is None for cell in cells)
    return (cells, line) if named else ([], 0)


def _cells(path: Path, content: bytes, before: int) -> NDArray[np.float64]:
    if not any(line > before for line, _ in _lines(path, content)):
        raise DataError(str(path), "the file holds no rows")
    try:
        cells = np.loadtxt(
            BytesIO(content),
            delimiter=",",
            comments=None,
            quotechar='"',
            skiprows=before,
            ndmin=2,
            encoding="utf-8",
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise _located(path, content, before) or DataError(str(path), str(error)) from None
    if not np.isfinite(cells).all():
        raise _located(path, content, before) or DataError(str(path), "a value is not finite")
    return cells


def _located(path: Path, content: bytes, before: int) -> DataError | None:
    """Return the error of the first bad line of content known to hold one."""
    width = None
    for line, cells in _lines(path, content):
        if line <= before:
            continue
        width = width or len(cells)
        if len(cells) != width:
            return DataError(str(path), f"{len(cells)} cells, {width} in the lines before", line)
        for column, cell in enumerate(cells, start=1):
            value = _number(cell)
            if value is None:
                return DataError(str(path), f"cell {column} is {cell!r}, which is no number", line)
            if not isfinite(value):
                return DataError(str(path), f"cell {column} is {cell}, which is not finite", line)
    return None


def _line_of(path: Path, before: int, row: int) -> int | None:
    try:
        lines = (line for line, _ in _lines(path, _text(path)) if line > before)
        return next(islice(lines, row, None), None)
    except DataError:  # numpy reads lines that end in \r alone, of which none has a number
        return None


def _target(path: Path, names: list[str], line: int) -> int:
    found = [column for column, name in enumerate(names) if name.lower() in TARGETS]
    if len(found) > 1:
        raise DataError(str(path), f"{len(found)} columns are called {' or '.join(TARGETS)}", line)
    return found[0] if found else len(names) - 1


def _number(cell: str) -> float | None:
    # Python reads 1_000 and numpy does not.
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
