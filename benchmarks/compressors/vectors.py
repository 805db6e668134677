"""The vectors everything is measured on: Gaussian, Laplace, and real logistic gradients.

A gradient of dimension d is that of a bank of logistic models,

    f(x⁽¹⁾ … x⁽ᴶ⁾) = Σ_j (mean over the rows of batch j of log(1 + exp(−y⟨a, x⁽ʲ⁾⟩))),

J = ⌈d/p⌉ models of the p features of one data set, cut off after d coordinates: block j is
netcomp's own gradient (`problems.Logistic`) over 64 rows drawn for it alone, without
replacement, at one of three points of gradient descent from 0 on all rows (after 0, 10 and 100
steps of 1/L, in turn). So it is the exact gradient of a real problem of that size, with the
magnitudes, the zeros and the dependence between neighbours that the data has. It is fair to
coders because no block occurs twice: nothing was tiled, and a vector ten times as long has ten
times as many batches in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netcomp.data import Dataset, data_folders, load
from netcomp.data.locate import UnknownDataSet
from netcomp.draw import Draw
from netcomp.problems.linear import LinearOracle, Logistic

__all__ = ["BUILT_IN", "FROM_FILE", "Vector", "gradient", "vectors"]

BUILT_IN = "digits-pairs"
FROM_FILE = "w8a"
"""Measured too where a folder of NETCOMP_DATA has it: sparse data, gradients full of zeros."""

_STEPS = (0, 10, 100)
_ROWS = 64

Vector = NDArray[np.float32]


def vectors(d: int, folders: Sequence[Path] | None = None) -> Iterator[tuple[str, Vector]]:
    """Yield names and vectors of dimension d; `folders` of data files, NETCOMP_DATA if None."""
    rng = np.random.default_rng(1)
    yield "gaussian", rng.standard_normal(d, dtype=np.float32)
    yield "laplace", rng.laplace(size=d).astype(np.float32)
    searched = data_folders() if folders is None else folders
    for name in (BUILT_IN, FROM_FILE):
        try:
            data = load(name, searched)
        except UnknownDataSet:
            continue
        yield f"gradient {name}", gradient(data, d)


def gradient(data: Dataset, d: int) -> Vector:
    """Return a gradient of dimension d as the module describes it."""
    problem = Logistic()
    data = problem.prepare(data)
    points = _points(problem.oracle(data.take(np.arange(data.rows)), 0, 1, Draw(1)))
    rng = np.random.default_rng(2)
    out = np.empty(d, dtype=np.float32)
    rows = min(_ROWS, data.rows)
    for j, start in enumerate(range(0, d, data.dim)):
        batch = data.take(rng.choice(data.rows, rows, replace=False, shuffle=False))
        block = problem.oracle(batch, 0, 1, Draw(1)).gradient(points[j % len(points)])
        out[start : start + data.dim] = block[: d - start]
    return out


def _points(oracle: LinearOracle) -> list[NDArray[Any]]:
    """Return the points of gradient descent after the numbers of `_STEPS`."""
    x = np.zeros(oracle.dim)
    step = 1.0 / oracle.constants["L"].value
    points = []
    for t in range(max(_STEPS) + 1):
        if t in _STEPS:
            points.append(x)
        x = x - step * oracle.gradient(x)
    return points
