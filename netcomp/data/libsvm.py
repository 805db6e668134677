"""LIBSVM text files, plain or packed, read by scikit-learn.

One row a line: `label index:value index:value …`, indices from 1 and increasing,
everything after `#` a comment (C.-C. Chang and C.-J. Lin, "LIBSVM: a library for
support vector machines", ACM TIST 2011). Whether a line is well formed is for
scikit-learn alone to say; its messages lack the line number, which is found by
bisection, and often the reason, which is read off the line.

A text that ends in the middle of its last number cannot be told from a whole one; for
the known data sets their digests do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset, Matrix
from netcomp.data.files import read_content
from netcomp.errors import DataError

__all__ = ["load_libsvm"]

_DIGITS = 18  # more make no index, and thousands no int to Python


def load_libsvm(path: Path) -> Dataset:
    """Read a LIBSVM text file (`.gz` and `.bz2` are unpacked) into CSR float64.

    The digest is of the unpacked text, so that a packed copy counts as the same
    data. Raises `DataError`, with the line where there is one, if the file is
    missing, damaged, empty, malformed or holds a value that is not finite.
    """
    content = read_content(path)
    try:
        features, targets = _parse(content)
    except (ValueError, OverflowError):
        raise _located(path, content) from None
    if not _finite(features, targets):
        raise _located(path, content)
    if targets.size == 0:
        raise DataError(str(path), "the file holds no rows")
    if features.nnz == 0:
        raise DataError(str(path), "no row of the file has a feature")
    digest = hashlib.sha256(content).hexdigest()
    return Dataset(path.name, features, targets, digest, str(path), partial(_line_of, path))


def _parse(content: bytes) -> tuple[Matrix, NDArray[np.float64]]:
    # Lazy: scikit-learn takes most of a second to import.
    from sklearn.datasets import load_svmlight_file  # noqa: PLC0415

    features, targets = load_svmlight_file(BytesIO(content), dtype=np.float64, zero_based=False)
    return features, np.asarray(targets, dtype=np.float64)


def _finite(features: Matrix, targets: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(features.data).all() and np.isfinite(targets).all())


def _line_of(path: Path, row: int) -> int | None:
    """Return the line that holds a row (from 0): blank lines and comments hold none."""
    for line, content in enumerate(read_content(path).split(b"\n"), start=1):
        if content.partition(b"#")[0].strip():
            if row == 0:
                return line
            row -= 1
    return None


def _complaint(lines: Sequence[bytes]) -> str | None:
    """Return what is wrong somewhere in these lines, None if nothing is."""
    try:
        features, targets = _parse(b"\n".join(lines))
    except (ValueError, OverflowError) as error:
        return str(error)
    return None if _finite(features, targets) else "a value that is not finite"


def _located(path: Path, content: bytes) -> DataError:
    """Return the error of the first bad line of content known to hold one.

    Lines are judged independently of each other, so halving the range (the left
    half first) needs O(size of the file) time in all.
    """
    lines = content.split(b"\n")
    first, end = 0, len(lines)
    while end - first > 1:
        middle = (first + end) // 2
        if _complaint(lines[first:middle]) is None:
            first = middle
        else:
            end = middle
    complaint = _complaint(lines[first:end])
    text = lines[first].decode("ascii", errors="backslashreplace")
    reason = next(_reasons(text.partition("#")[0].split()), complaint)
    return DataError(str(path), f"not LIBSVM text: {reason}", line=first + 1)


def _reasons(words: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a line that scikit-learn refuses, as far as it is of a known kind.

    The judgement is scikit-learn's; this only says it better.
    """
    yield from _unusable(words[0], "label") if words else ()
    last = 0
    for word in words[1:]:
        index, colon, value = word.partition(":")
        if not colon:
            yield f"{word!r} is not of the form index:value; is the line cut off?"
        elif index == "qid":
            continue
        elif not index.lstrip("+-").isdecimal():
            yield f"the index {index!r} of {word!r} is no whole number"
        elif len(index) > _DIGITS:
            yield f"the index of {word[:_DIGITS]}… is too large"
        elif int(index) < 1:
            yield f"index {int(index)}: indices count from 1"
        elif int(index) == last:
            yield f"index {last} is there twice"
        elif int(index) < last:
            yield f"index {int(index)} comes after index {last}: they must increase"
        else:
            last = int(index)
            yield from _unusable(value, f"value of index {last}")


def _unusable(text: str, what: str) -> Iterator[str]:
    try:
        value = float(text)
    except ValueError:
        yield f"the {what} is {text!r}, which is no number"
        return
    if not isfinite(value):
        yield f"the {what} is {text}, which is not finite"
