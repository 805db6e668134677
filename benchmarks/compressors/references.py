"""numpy's own ways to the same end, timed in this process: what a few lines would do.

Each does less than the codec it stands beside: argpartition and permutation only choose
coordinates, the dense QSGD writes no bytes, a copy is no codec at all. So netcomp's own choice for
top-k stands here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.compressors.peers.timing import measure
from netcomp.compressors.top_k import largest_indices

__all__ = ["rows", "work"]

_SHARE = 100


def rows(name: str, v: NDArray[np.float32], repeat: int) -> list[dict[str, Any]]:
    """Return a row a reference on the vector called `name`, of the form of a peer's."""
    return [
        {
            "peer": peer,
            "codec": codec,
            "vector": name,
            "d": v.size,
            **measure(v, timed, None, repeat),
        }
        for peer, codec, timed in _works(v)
    ]


def work(codec: str, v: NDArray[np.float32]) -> Callable[[], Any]:
    """Return the reference of that name on a vector."""
    (found,) = (one for _, name, one in _works(v) if name == codec)
    return found


def _works(v: NDArray[np.float32]) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    k = max(1, v.size // _SHARE)
    rng = np.random.Generator(np.random.SFC64(1))
    out = np.empty_like(v)
    yield "numpy", "array copy", lambda: np.copyto(out, v)
    yield "numpy", "argpartition 1%", lambda: np.argpartition(np.abs(v), v.size - k)[v.size - k :]
    yield "numpy", "permutation", lambda: rng.permutation(v.size)
    yield "numpy", "dense qsgd s=1", lambda: _dense_qsgd(v, rng)
    yield "netcomp", "top-k 1%, choosing only", lambda: largest_indices(v, k)


def _dense_qsgd(v: NDArray[np.float32], rng: np.random.Generator) -> tuple[Any, Any]:
    """Return coordinates and signs of QSGD with one level, every coordinate asked."""
    kept = rng.random(v.size, dtype=np.float32) * np.linalg.norm(v) < np.abs(v)
    indices = np.flatnonzero(kept)
    return indices, v[indices] < 0
