"""A small convolutional network for images of digits, as large or small as they are.

Two convolutions of 3 × 3 with ReLU, max pooling of 2 × 2 between them, the result averaged to
4 × 4 whatever the images' size, and a linear layer with an output for each class; the loss is
the cross-entropy. So d does not depend on the images: 3818 with the defaults.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import isqrt
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from netcomp.data import Dataset, Shard
from netcomp.errors import DataError
from netcomp.problems.torch.problem import ModuleProblem, Task, accuracy
from netcomp.problems.torch.samples import RowSamples, Samples

__all__ = ["Cnn"]

_POOLED = 4
_SMALLEST = 2  # pixels a side, of which pooling leaves one


class Cnn(ModuleProblem):
    """Classification of square images; metric "accuracy", on the workers' own rows."""

    needs_data: ClassVar[bool] = True
    summary: ClassVar[str] = "small convolutional network on square images (PyTorch)"

    width: int = Field(default=8, ge=1)
    """Channels of the first convolution; the second has twice as many."""
    outputs: int = Field(default=10, ge=2)
    """Classes, with the labels 0 … outputs − 1."""
    colours: int = Field(default=1, ge=1)
    """Planes of an image, one after the other in a row."""
    norm: bool = False
    """Batch norm after each convolution; its running statistics are each worker's own."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The probability that an input of the last layer is dropped in training."""

    def prepare(self, data: Dataset) -> Dataset:
        """Return the data with labels 0 … outputs − 1; -1 and +1 become 0 and 1.

        Raises `DataError` for other labels, and for rows that are no square images.
        """
        side = isqrt(data.dim // self.colours)
        if self.colours * side * side != data.dim or side < _SMALLEST:
            raise DataError(
                data.name,
                f"{data.dim} features are no {self.colours} square planes of at least"
                f" {_SMALLEST} × {_SMALLEST} pixels",
            )
        targets = data.targets
        if np.all(np.abs(targets) == 1.0):
            targets = (targets + 1.0) / 2.0
        if not np.isin(targets, np.arange(self.outputs)).all():
            raise DataError(
                data.name, f"the labels must be 0 … {self.outputs - 1}, or -1 and +1 for two"
            )
        return replace(data, targets=targets)

    def task(self) -> Task:
        """Return the network with the cross-entropy and the accuracy."""
        from torch.nn.functional import cross_entropy  # noqa: PLC0415 — seconds to import

        return Task(
            module=partial(_network, self),
            loss=cross_entropy,
            metrics={"accuracy": accuracy},
            chunk=self.chunk,
            device=self.device,
            l2=self.l2,
        )

    def samples(self, shard: Shard | None, worker: int, workers: int) -> Samples:
        """Return the images of a shard of prepared data."""
        side = 0 if shard is None else isqrt(int(shard.features.shape[1]) // self.colours)
        shape = (self.colours, side, side)
        return RowSamples.of(shard, shape, worker, labels=True)


def _network(options: Cnn) -> Any:
    from torch import nn  # noqa: PLC0415 — seconds to import

    def block(inputs: int, outputs: int) -> list[Any]:
        norm = [nn.BatchNorm2d(outputs)] if options.norm else []
        return [nn.Conv2d(inputs, outputs, 3, padding=1), *norm, nn.ReLU()]

    return nn.Sequential(
        *block(options.colours, options.width),
        nn.MaxPool2d(2),
        *block(options.width, 2 * options.width),
        nn.AdaptiveAvgPool2d(_POOLED),
        nn.Flatten(),
        nn.Dropout(options.dropout),
        nn.Linear(2 * options.width * _POOLED**2, options.outputs),
    )
