"""A problem over any PyTorch module: f_i(x) = (1/m) Σ_j ℓ(module_x(a_ij), y_ij) + (l2/2)‖x‖².

x holds the module's trainable parameters one after the other, in the order of
`module.parameters()`. What else the module keeps (buffers, as the running statistics of a batch
norm) belongs to the worker: it is no part of x and never sent.

No constant of the theorems is known: a run needs a numeric step size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netcomp.constants import Constant
from netcomp.data import Shard
from netcomp.draw import Draw
from netcomp.errors import SpecError
from netcomp.problems.base import LocalOracle, Problem
from netcomp.problems.checks import needed_rows
from netcomp.problems.torch.samples import OwnSamples, RowSamples, Samples

__all__ = ["Criterion", "ModuleProblem", "Task", "TorchProblem", "accuracy"]

Criterion = Callable[[Any, Any], Any]
"""Outputs of the module and targets, both tensors, to a tensor."""


@dataclass(frozen=True)
class Task:
    """What an oracle computes: `module()` makes a module, `loss` is the mean over a batch.

    Each of `metrics` gives one number a row, shape (rows,), of any dtype.
    """

    module: Callable[[], Any]
    loss: Criterion
    metrics: Mapping[str, Criterion] = field(default_factory=dict)
    chunk: int = 1024
    device: str = "cpu"
    l2: float = 0.0


def accuracy(outputs: Any, targets: Any) -> Any:
    """Return which rows are classified right: the largest of (rows, classes) is the target."""
    return outputs.argmax(dim=1) == targets


class ModuleProblem(Problem):
    """What all problems over a module share: options, oracle, starting point."""

    chunk: int = Field(default=1024, ge=1)
    """The most rows that go through the module at a time; bounds the memory of a full gradient."""
    device: str = "cpu"
    """Where the module computes: `cpu`, `cuda`, `cuda:1`."""
    l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The weight of the regulariser (l2/2)‖x‖² (all parameters)."""

    @abstractmethod
    def task(self) -> Task:
        """Return what is computed."""

    @abstractmethod
    def samples(self, shard: Shard | None, worker: int, workers: int) -> Samples:
        """Return the rows of a worker; raises `DataError` for rows that cannot be used."""

    def oracle(self, shard: Shard | None, worker: int, workers: int, draw: Draw) -> LocalOracle:
        """Return f_i over the worker's rows, with a module of its own.

        Raises `DataError` without rows, `SpecError` where PyTorch, the device or parameters
        are missing.
        """
        samples = needed_rows(self.samples(shard, worker, workers), worker)
        _require_torch()
        from netcomp.problems.torch.oracle import TorchOracle  # noqa: PLC0415 — seconds to import

        return TorchOracle(self.task(), samples, draw.at(worker=worker))

    def joint(self, oracles: Sequence[LocalOracle]) -> dict[str, Constant]:
        """Return nothing: no constant of a module is known."""
        return {}

    def x0(self, dim: int, draw: Draw) -> NDArray[np.float64]:
        """Return the parameters as a fresh module has them, its generators seeded from `draw`.

        Server and workers each make them, so all need the same release of PyTorch.
        """
        _require_torch()
        from netcomp.problems.torch.oracle import starting_point  # noqa: PLC0415 — see above

        start: NDArray[np.float64] = starting_point(self.task(), draw)
        if start.size != dim:
            raise SpecError("problem", f"the module has {start.size} parameters where d = {dim}")
        return start


class TorchProblem(ModuleProblem):
    """A user's module, loss and rows; what the function returns that a spec names.

    With a `dataset` the problem makes its own rows: worker i of n gets the i-th of n equal
    parts, in order, and the remainder is left out. Without, rows are those of `problem.data`.
    """

    summary: ClassVar[str] = "a PyTorch module, loss and data set of a user's"

    module: Callable[[], Any]
    """Makes the module, an `nn.Module`; called for every worker, and for x⁰."""
    loss: Criterion
    """The mean loss of a batch from outputs and targets, as `nn.functional.cross_entropy`."""
    dataset: Any = None
    """A map-style data set of (input, target) pairs, or a function that returns one."""
    metrics: Mapping[str, Criterion] = Field(default_factory=dict)
    """What is measured at probes: from outputs and targets to a number a row."""
    shape: tuple[int, ...] | None = None
    """The shape of one input made of a row of `problem.data`; (features,) unless told."""
    labels: bool = True
    """Whether targets of `problem.data` are whole numbers, given as int64."""

    @property
    def needs_data(self) -> bool:  # type: ignore[override]
        """Whether rows come from `problem.data`."""
        return self.dataset is None

    def task(self) -> Task:
        """Return the module, loss and metrics as given."""
        return Task(self.module, self.loss, self.metrics, self.chunk, self.device, self.l2)

    def samples(self, shard: Shard | None, worker: int, workers: int) -> Samples:
        """Return the worker's part of `dataset`, or its shard."""
        if self.dataset is None:
            return RowSamples.of(shard, self.shape, worker, labels=self.labels)
        whole = self.dataset if hasattr(self.dataset, "__getitem__") else self.dataset()
        share = len(whole) // workers
        rows = np.arange(worker * share, (worker + 1) * share)
        return OwnSamples(whole, rows, dropped=len(whole) - share * workers)


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise SpecError("problem.name", "needs PyTorch: install netcomp[torch]")
