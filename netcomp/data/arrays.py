"""NPZ files: numpy arrays under names, never pickled objects.

`targets` (rows,) and `features` (rows, d); or, for sparse features, the four arrays `data`,
`indices`, `indptr` and `shape` of a CSR matrix in place of `features`, as
`scipy.sparse.save_npz` calls them. Numbers may be of any integer or floating type.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.data.dataset import Dataset, Matrix, digest_of
from netcomp.errors import DataError

__all__ = ["load_npz"]

_CSR = ("data", "indices", "indptr", "shape")


def load_npz(path: Path) -> Dataset:
    """Read an NPZ file into float64 features, dense or CSR.

    The digest is of the arrays, not of the file, so that packing does not matter. Raises
    `DataError`, naming the array, for a file that is missing or damaged, an array that is
    missing, holds objects or no numbers, or has the wrong shape, a value that is not finite,
    and CSR arrays that make no matrix or have an index twice in a row.
    """
    arrays = _arrays(path)
    sparse = "features" not in arrays
    for key in ("targets", *_CSR) if sparse else ("targets",):
        if key not in arrays:
            wanted = "targets, and features or data, indices, indptr and shape"
            raise DataError(str(path), f"there is no array {key!r}; wanted are {wanted}")
    features: Matrix = (
        _csr(path, arrays) if sparse else arrays["features"].astype(np.float64, copy=False)
    )
    targets = arrays["targets"].astype(np.float64, copy=False)
    if features.ndim != 2 or targets.shape != features.shape[:1]:  # noqa: PLR2004 - rows, columns
        raise DataError(
            str(path), f"features {features.shape} and targets {targets.shape} do not fit together"
        )
    if 0 in features.shape:
        raise DataError(str(path), f"features {features.shape} hold nothing")
    _check_finite(path, features, targets, sparse=sparse)
    parts = (features.data, features.indices, features.indptr) if sparse else (features,)
    digest = digest_of("npz", np.array(features.shape), *parts, targets)
    return Dataset(path.name, features, targets, digest, str(path))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    name = ""
    try:
        # Opened here: numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(str(path), "not an NPZ file: it is a single array")
            for name in {"features", "targets", *_CSR} & {*archive.files}:
                arrays[name] = archive[name]
    except FileNotFoundError:
        raise DataError(str(path), "there is no such file") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        where = f"array {name!r}: " if name else ""
        raise DataError(str(path), f"not an NPZ file of numbers: {where}{error}") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(str(path), f"array {name!r} is of {array.dtype}, not of numbers")
    return arrays


def _csr(path: Path, arrays: dict[str, NDArray[Any]]) -> Matrix:
    # Lazy: most data need no scipy.
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    data, indices, indptr, shape = (arrays[key] for key in _CSR)
    for key in _CSR[1:]:
        if arrays[key].dtype.kind not in "iu":
            raise DataError(str(path), f"array {key!r} is of {arrays[key].dtype}, not of integers")
    try:
        matrix = csr_matrix(
            (data.astype(np.float64, copy=False), indices, indptr),
            shape=tuple(int(size) for size in shape),
        )
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(str(path), f"data, indices, indptr, shape make no CSR: {error}") from None
    matrix.sort_indices()
    if not matrix.has_canonical_format:
        same = np.flatnonzero(matrix.indices[1:] == matrix.indices[:-1])
        rows = np.searchsorted(matrix.indptr, same, side="right") - 1
        inside = same + 1 < matrix.indptr[rows + 1]
        raise DataError(str(path), f"row {rows[inside][0] + 1} has an index twice")
    return matrix


def _check_finite(path: Path, features: Matrix, targets: NDArray[Any], *, sparse: bool) -> None:
    if not np.isfinite(targets).all():
        first = int(np.flatnonzero(~np.isfinite(targets))[0])
        raise DataError(str(path), f"row {first + 1}: the target is {targets[first]}, not finite")
    bad = np.flatnonzero(~np.isfinite(features.data if sparse else features))
    if bad.size:
        at = bad[0]
        row = (
            np.searchsorted(features.indptr, at, "right") - 1 if sparse else at // features.shape[1]
        )
        raise DataError(str(path), f"row {int(row) + 1} has a value that is not finite")
