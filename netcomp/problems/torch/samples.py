"""Rows as tensors: of a shard of numbers, or of a data set made for PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.data import Matrix, Shard, dense
from netcomp.errors import DataError, SpecError
from netcomp.problems.checks import needed_rows

__all__ = ["OwnSamples", "RowSamples", "Samples"]

Rows = NDArray[np.int64]


class Samples(Protocol):
    """The rows of one worker."""

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    @property
    def dropped(self) -> int:
        """How many nobody got, where the problem deals them out itself."""
        ...

    def take(self, rows: Rows, dtype: Any, device: Any) -> tuple[Any, Any]:
        """Return inputs and targets of these rows as tensors of their own, floats of `dtype`."""
        ...


@dataclass(frozen=True, eq=False)
class RowSamples:
    """Rows of numbers, dense or CSR, each given the shape of one input."""

    features: Matrix
    targets: NDArray[Any]
    shape: tuple[int, ...]
    dropped: int = 0

    @classmethod
    def of(
        cls, shard: Shard | None, shape: tuple[int, ...] | None, worker: int, *, labels: bool
    ) -> Self:
        """Return the rows of a worker's shard; with `labels` its targets are int64.

        Raises `DataError` naming the worker where rows are missing, have another number of
        features than `shape` takes, or where a label is no whole number from 0.
        """
        shard, name = needed_rows(shard, worker), f"shard of worker {worker}"
        width = int(shard.features.shape[1])
        shape = (width,) if shape is None else shape
        if math.prod(shape) != width:
            raise DataError(name, f"{width} features cannot have the shape {shape}")
        targets: NDArray[Any] = shard.targets
        if labels:
            targets = targets.astype(np.int64)
            if (targets != shard.targets).any() or (targets < 0).any():
                raise DataError(name, "the labels must be whole numbers from 0")
        return cls(shard.features, targets, shape)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.features.shape[0])

    def take(self, rows: Rows, dtype: Any, device: Any) -> tuple[Any, Any]:
        """Return inputs (rows, *shape) and targets (rows,)."""
        import torch  # noqa: PLC0415 — seconds to import

        part = dense(self.features[rows])
        inputs = torch.from_numpy(part).to(device=device, dtype=dtype).reshape(-1, *self.shape)
        targets = torch.from_numpy(self.targets[rows]).to(device)
        return inputs, _cast(targets, dtype)


@dataclass(frozen=True, eq=False)
class OwnSamples:
    """Some items of a map-style data set of (input, target) pairs."""

    dataset: Any
    chosen: Rows
    dropped: int = 0

    @property
    def rows(self) -> int:
        """The number of items."""
        return self.chosen.size

    def take(self, rows: Rows, dtype: Any, device: Any) -> tuple[Any, Any]:
        """Return the items stacked; integers stay integers."""
        import torch  # noqa: PLC0415 — seconds to import

        wanted = self.chosen[rows]
        tensors = getattr(self.dataset, "tensors", None)
        if tensors is not None:  # a TensorDataset: all items at once
            index = torch.from_numpy(wanted)
            pairs = [tensor[index] for tensor in tensors]
        else:
            items = [self.dataset[int(item)] for item in wanted]
            columns = zip(*items, strict=True)
            pairs = [torch.stack([torch.as_tensor(one) for one in column]) for column in columns]
        if len(pairs) != 2:  # noqa: PLR2004 — an input and a target
            raise SpecError("problem.dataset", f"items of {len(pairs)} parts, not (input, target)")
        inputs, targets = (_cast(tensor.to(device), dtype) for tensor in pairs)
        return inputs, targets


def _cast(tensor: Any, dtype: Any) -> Any:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
