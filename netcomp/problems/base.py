"""What a problem is: hyper-parameters that make a local oracle for each worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from netcomp.constants import Constant
from netcomp.data import Dataset, Shard
from netcomp.draw import Draw
from netcomp.roles import Array, Batch

__all__ = ["LocalOracle", "Optimum", "Problem"]


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """A point where f is least, and f* there.

    `value` is `exact` (to rounding) or `estimated`: found by iterations, which end at a small
    gradient. `x` has shape (d,), float64, and is nobody else's.
    """

    x: NDArray[np.float64]
    value: Constant


class LocalOracle(ABC):
    """A worker's function f_i with the constants of the theorems; a `roles.Oracle`.

    `rows` is the number of data rows f_i averages over, 0 where there is no data.
    """

    rows: int = 0
    dropped: int = 0
    """Rows nobody got, where the problem deals out rows of its own."""
    metric_names: tuple[str, ...] = ()
    """What `metrics` measures, the same at every worker."""
    layers: tuple[int, ...] = ()
    """The sizes of the tensors that x is made of, in order; empty where it is one vector."""

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

        Shape (d,), in the dtype of x, in an array of its own. Over rows it is the mean over
        `batch.rows(self.rows)`, and all rows without replacement give ∇f_i(x) exactly; a
        function without rows may be online (fresh noise from the batch's key), or exact,
        when every batch gives ∇f_i(x). Raises `ValueError` for a size that cannot be.
        """

    def metrics(self, x: Array) -> Mapping[str, float]:
        """Return a number for each of `metric_names`: means over the rows of this worker.

        Of n workers they are averaged with their numbers of rows as weights, so that they
        are means over all rows.
        """
        return {}

    def probe(self, x: Array) -> tuple[float, Array, Mapping[str, float]]:
        """Return f_i(x), ∇f_i(x) and the metrics at x, and leave the state as it is."""
        return self.loss(x), self.gradient(x), self.metrics(x)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what calls of `gradient` have changed, as copies; most oracles have nothing.

        With it restored, `gradient` gives again what it gave from there on.
        """
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take a `state` back; raises `ValueError` naming what is missing, foreign or misfit."""
        if state:
            raise ValueError(f"this oracle has no state, so {', '.join(state)} cannot be restored")

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        """The constants of f_i, computed when first asked for (`Lazy`: each apart), read-only.

        "L", where there is one: ∇f_i is L-Lipschitz; "mu", only where known and positive: f_i
        is mu-strongly convex; where f_i is a mean over rows, "calL", "L_sample" and "sigma_sq"
        too, as far as they are known (`netcomp.constants.CONSTANTS`, for one worker).
        """
        return MappingProxyType(self._constants())

    @abstractmethod
    def _constants(self) -> Mapping[str, Constant]:
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

    def settled(self, data: Dataset) -> Self:
        """Return the problem with the options fixed that are told relative to all rows.

        `data` is prepared. Asked for once, before the first `oracle`, at either end.
        """
        return self

    @abstractmethod
    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LocalOracle:
        """Return f_i of worker `worker` (from 0) of `workers`.

        `shard` comes from a prepared data set and is None for a problem without data;
        `draw` is the run's key, from which both ends derive the same problem. Raises
        `DataError` for a shard the problem cannot use.
        """

    @abstractmethod
    def joint(self, oracles: Sequence[LocalOracle]) -> Mapping[str, Constant]:
        """Return the constants of f from the oracles of ALL workers.

        "L": ∇f is L-Lipschitz; as far as known "L_A" and "L_B" of the functional inequality
        (MARINA-P and M3, Assumption 4.2), only where the paper gives them; "L_pm", "mu" and
        "b_sq" (`netcomp.constants.CONSTANTS`). A `Lazy` mapping where they take long.
        """

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return the starting point, shape (dim,): zeros unless the problem says otherwise."""
        return np.zeros(dim)

    def optimum(self, oracles: Sequence[LocalOracle]) -> Optimum | None:
        """Return where f is least and f* from the oracles of ALL workers.

        None where that is not known, too dear or nowhere. Of several points the shortest
        where the problem says `exact`.
        """
        return None

    def minimum(self, oracles: Sequence[LocalOracle]) -> float | None:
        """Return f*, the value of `optimum`, else None."""
        found = self.optimum(oracles)
        return None if found is None else found.value.value
