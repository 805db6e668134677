"""What a problem is: hyper-parameters that make a local oracle for each worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from netcomp.constants import Constant
from netcomp.data import Dataset, Shard
from netcomp.draw import Draw
from netcomp.roles import Array, Batch

__all__ = ["LocalOracle", "Problem"]


class LocalOracle(ABC):
    """A worker's function f_i with the constants of the theorems; a `roles.Oracle`.

    `rows` is the number of data rows f_i averages over, 0 where there is no data.
    """

    rows: int = 0

    @property
    @abstractmethod
    def dim(self) -> int:
        """The dimension d."""

    @abstractmethod
    def loss(self, x: Array) -> float:
        """Return f_i(x), x of shape (d,), computed in float64."""

    @abstractmethod
    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return ∇f_i(x), or the mean gradient of a batch of its samples at x.

        Shape (d,), in the dtype of x, in an array of its own. Over rows the mean over all
        batches is ∇f_i(x), and a batch of all rows without replacement gives it exactly; a
        function without rows may be online (fresh noise from the batch's key), or exact,
        when every batch gives ∇f_i(x). Raises `ValueError` for a size that cannot be.
        """

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        """The constants of f_i, computed when first asked for, read-only.

        "L": ∇f_i is L-Lipschitz; "mu", only where known and positive: f_i is mu-strongly
        convex; where f_i is a mean over rows, "calL", "L_sample" and "sigma_sq" too, as far as
        they are known (`netcomp.constants.CONSTANTS`, for one worker).
        """
        return MappingProxyType(self._constants())

    @abstractmethod
    def _constants(self) -> dict[str, Constant]:
        """Compute `constants`."""


class Problem(BaseModel, ABC):
    """The hyper-parameters of min f(x) = (1/n) Σ f_i(x) and the way to its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    needs_data: ClassVar[bool]
    """Whether `oracle` wants a shard of a data set."""
    summary: ClassVar[str]
    """One line for listings."""

    def prepare(self, data: Dataset) -> Dataset:
        """Return the data set as this problem wants it, before it is split.

        What depends on all rows (which label is which) is decided here, so that it
        cannot depend on the shard. Raises `DataError` for data the problem cannot use.
        """
        return data

    @abstractmethod
    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LocalOracle:
        """Return f_i of worker `worker` (from 0) of `workers`.

        `shard` comes from a prepared data set and is None for a problem without data;
        `draw` is the run's key, from which both ends derive the same problem. Raises
        `DataError` for a shard the problem cannot use.
        """

    @abstractmethod
    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return the constants of f from the oracles of ALL workers.

        "L": ∇f is L-Lipschitz; "L_A" and "L_B" of the functional inequality
        (MARINA-P and M3, Assumption 4.2), only where the paper gives them.
        """

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return the starting point, shape (dim,): zeros unless the problem says otherwise."""
        return np.zeros(dim)

    def minimum(self, oracles: Sequence[LocalOracle]) -> float | None:
        """Return the exact least value of f where it is cheap to know, else None."""
        return None
