"""Gradients of sparse data: time beside the two sparse products, memory beside the data.

    python -m benchmarks.gradients [--rows N] [--features D] [--entries K] [--out DIR]

Generated data of the size of rcv1: 20,000 rows of 47,000 features, 75 entries a row, in CSR.
The limit is what any gradient of a linear model costs: A @ x and A.T @ r by scipy. Times are
medians of interleaved repetitions in one process, so that other load falls on all of them. Memory
is what Python has allocated at the most while the data is dealt to workers and each computes its
gradient and one of a small batch (tracemalloc), the data set itself included.
Goals: time ≤ 1.5 × the limit, memory ≤ 2 × the data.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.machine import describe, folder
from netcomp.data import Dataset, Shard, equal
from netcomp.draw import Draw
from netcomp.problems import LeastSquares, LinearProblem, Logistic, NonconvexLogistic
from netcomp.roles import Batch

TIME_GOAL = 1.5
MEMORY_GOAL = 2.0
_REPETITIONS = 41
_WORKERS = 5
_BATCH = 20
_PROBLEMS: tuple[type[LinearProblem], ...] = (LeastSquares, Logistic, NonconvexLogistic)


def sparse_data(rows: int, features: int, entries: int) -> Dataset:
    """Return rows of unit length with at most `entries` values each, and labels ±1."""
    rng = np.random.default_rng(1)
    columns = np.sort(rng.integers(0, features, size=(rows, entries)), axis=1).astype(np.int32)
    values = rng.random((rows, entries))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    starts = np.arange(0, rows * entries + 1, entries, dtype=np.int32)
    matrix = csr_matrix((values.ravel(), columns.ravel(), starts), shape=(rows, features))
    matrix.sum_duplicates()
    return Dataset("generated", matrix, np.where(rng.random(rows) < 0.5, -1.0, 1.0), "generated")


def size_of(data: Dataset) -> int:
    """Return the bytes of a sparse data set."""
    matrix = data.features
    arrays = (matrix.data, matrix.indices, matrix.indptr, data.targets)
    return sum(int(array.nbytes) for array in arrays)


def times(data: Dataset) -> dict[str, float]:
    """Return the median seconds of the products and of each gradient, interleaved."""
    x, r = np.ones(data.dim + 1), np.ones(data.rows)
    shard = Shard(data.features, data.targets)
    batches = iter(Batch(_BATCH, Draw(1, t)) for t in range(10**9))
    tasks: dict[str, Callable[[], NDArray[Any]]] = {"limit": lambda: _products(data, x[1:], r)}
    for kind in _PROBLEMS:
        for bias in (False, True):
            oracle = kind(bias=bias).oracle(shard, 0, 1, Draw(1))
            point = x[not bias :]
            name = f"{kind.__name__}{', bias' if bias else ''}"
            tasks[name] = lambda oracle=oracle, point=point: oracle.gradient(point)
    tasks[f"batch of {_BATCH}"] = lambda: oracle.gradient(x, next(batches))
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(_REPETITIONS):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in taken.items()}


def _products(data: Dataset, x: NDArray[Any], r: NDArray[Any]) -> NDArray[Any]:
    _ = data.features @ x
    product: NDArray[Any] = data.features.T @ r
    return product


def peak(data: Dataset) -> int:
    """Return the bytes allocated at the most, the data set included."""
    problem = NonconvexLogistic(bias=True)
    x = np.ones(data.dim + 1)
    tracemalloc.start()
    prepared = problem.prepare(data)
    parts = equal(prepared.rows, _WORKERS).parts
    shards = [prepared.take(part) for part in parts]
    oracles = [problem.oracle(shard, i, _WORKERS, Draw(1)) for i, shard in enumerate(shards)]
    for worker, oracle in enumerate(oracles):
        oracle.gradient(x)
        oracle.gradient(x, Batch(_BATCH, Draw(1, worker=worker)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most + size_of(data)


def measure(rows: int, features: int, entries: int) -> dict[str, Any]:
    """Return all figures: seconds, ratios, bytes, and whether the goals hold."""
    data = sparse_data(rows, features, entries)
    seconds, size = times(data), size_of(data)
    limit = seconds.pop("limit")
    ratios = {name: each / limit for name, each in seconds.items()}
    memory = peak(data)
    return {
        "rows": rows,
        "features": features,
        "values": int(data.features.nnz),
        "limit_seconds": limit,
        "seconds": seconds,
        "ratios": ratios,
        "time_goal": TIME_GOAL,
        "time_holds": max(ratios.values()) <= TIME_GOAL,
        "data_bytes": size,
        "peak_bytes": memory,
        "memory_ratio": memory / size,
        "memory_goal": MEMORY_GOAL,
        "memory_holds": memory <= MEMORY_GOAL * size,
    }


def main() -> None:
    """Measure, print figures beside the goals, write results.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=47_000)
    parser.add_argument("--entries", type=int, default=75)
    parser.add_argument("--out", type=Path, default=folder("gradients"), help="where results go")
    options = parser.parse_args()
    found = measure(options.rows, options.features, options.entries)
    print(f"{found['rows']} × {found['features']}, {found['values']} values in CSR, float64")
    print(f"{'limit: two products':24} {1e3 * found['limit_seconds']:8.2f} ms")
    for name, seconds in found["seconds"].items():
        print(f"{name:24} {1e3 * seconds:8.2f} ms   {found['ratios'][name]:5.2f} × the limit")
    _verdict("goal: a gradient", f"{TIME_GOAL:5.2f} × the limit", holds=found["time_holds"])
    print(f"{'data':24} {found['data_bytes'] / 1e6:8.1f} MB")
    ratio = f"{found['memory_ratio']:5.2f} × the data"
    print(f"{f'peak, {_WORKERS} workers':24} {found['peak_bytes'] / 1e6:8.1f} MB   {ratio}")
    _verdict("goal: peak", f"{MEMORY_GOAL:5.2f} × the data", holds=found["memory_holds"])
    options.out.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"machine": describe(), **found}, indent=1)
    (options.out / "results.json").write_text(content + "\n")


def _verdict(what: str, goal: str, *, holds: bool) -> None:
    print(f"{what:24} {'':11}   {goal}: {'holds' if holds else 'does not hold'}")


if __name__ == "__main__":
    main()
