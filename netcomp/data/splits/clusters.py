"""A split by similarity of the rows: ours, not a paper's.

MCM splits by clusters of a t-SNE map, rebalanced by hand; its own splits are files for
`file:`. Here k-means finds n clusters in the features.
"""

from __future__ import annotations

import warnings
from typing import ClassVar, Final

import numpy as np

from netcomp.data.dataset import Dataset, Matrix
from netcomp.data.splits.base import Split, SplitRule, by_assignment, check_enough, without_empty
from netcomp.draw import Draw, Purpose

__all__ = ["Clusters"]

_WIDE: Final = 100  # features; beyond, distances are taken after a projection
_PROJECTED: Final = 50
_LONG: Final = 10_000  # rows; beyond, batches do


class Clusters(SplitRule):
    """One cluster of rows for each worker, of whatever size; no row is dropped.

    scikit-learn's `KMeans` (`MiniBatchKMeans` beyond 10,000 rows) from one k-means++ start, on
    the features or, beyond 100 of them, on their projection to the leading 50 singular vectors
    (`TruncatedSVD`). Who got nothing gets one row of whoever has most. The random states are
    the first two integers `below(2³¹ − 1)` of the shared `Purpose.SPLIT` stream. Another version
    of scikit-learn or another processor may find other clusters: then the digests that workers
    report differ and the run does not start. A split file is the same everywhere.
    """

    summary: ClassVar[str] = "k-means clusters of the features"

    def deal(self, data: Dataset, workers: int, draw: Draw) -> Split:
        check_enough(data.rows, workers)
        # Lazy: scikit-learn takes most of a second to import.
        from sklearn.cluster import KMeans, MiniBatchKMeans  # noqa: PLC0415
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

        first, second = draw.shared().stream(Purpose.SPLIT).below(2**31 - 1, 2).tolist()
        method = KMeans if data.rows <= _LONG else MiniBatchKMeans
        with warnings.catch_warnings():
            # Fewer distinct rows than workers: the empty clusters are filled below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = method(n_clusters=workers, n_init=1, random_state=second).fit(
                _projected(data.features, first)
            )
        owners = found.labels_.astype(np.int64)
        return Split(without_empty(by_assignment(owners, workers)), 0)


def _projected(features: Matrix, state: int) -> Matrix:
    if features.shape[1] <= _WIDE or min(features.shape) <= _PROJECTED:
        return features
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415

    # Equal rows have no variance, and shares of it are asked for.
    with np.errstate(divide="ignore", invalid="ignore"):
        return TruncatedSVD(_PROJECTED, random_state=state).fit_transform(features)
