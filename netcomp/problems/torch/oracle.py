"""f_i of a module: forward and backward passes over a worker's rows, and what they leave behind.

`gradient` runs the module in training mode and may change its buffers: they are the oracle's
state. `loss`, `metrics` and `probe` run it in evaluation mode, with the buffers as they are, and
change nothing: f_i is the loss in evaluation mode. For a module without dropout and batch norm
both modes are one, and `gradient` is that of f_i.

The same point, batch and state give the same result: PyTorch's generators are seeded from the
batch's key in every call and given back as they were, and CPU kernels run on one thread. On
CUDA, last bits depend on PyTorch's own choice of kernels.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netcomp.constants import Constant
from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.problems.base import LocalOracle
from netcomp.problems.torch.flat import FlatModule
from netcomp.problems.torch.problem import Criterion, Task
from netcomp.problems.torch.samples import Samples
from netcomp.roles import Array, Batch

__all__ = ["TorchOracle", "starting_point"]

_DTYPES: Final = {"float32": torch.float32, "float64": torch.float64}
_DROPOUT: Final = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
# The generators and the number of threads are the process's, not a slot's.
_ONE_AT_A_TIME: Final = threading.RLock()


class TorchOracle(LocalOracle):
    """f_i over the samples of one worker; the module computes in the dtype of x."""

    def __init__(self, task: Task, samples: Samples, draw: Draw) -> None:
        """Make the module; `draw` is the worker's own key. Raises `SpecError`."""
        self._task = task
        self._samples = samples
        self._draw = draw
        self._flat = FlatModule(_fresh(task, draw), _device(task.device))
        self.rows = samples.rows
        self.dropped = samples.dropped
        self.layers = self._flat.sizes
        self.metric_names = tuple(task.metrics)

    @property
    def dim(self) -> int:
        """The number of trainable parameters."""
        return self._flat.dim

    def loss(self, x: Array) -> float:
        """Return f_i(x): the mean loss in evaluation mode, and the regulariser."""
        return self._evaluated(x, backward=False)[0]

    def metrics(self, x: Array) -> Mapping[str, float]:
        """Return the mean of every metric over the rows, in evaluation mode."""
        return self._evaluated(x, backward=False)[1]

    def probe(self, x: Array) -> tuple[float, Array, Mapping[str, float]]:
        """Return f_i(x), its gradient and the metrics, of one pass in evaluation mode."""
        loss, metrics = self._evaluated(x, backward=True)
        return loss, self._gradient(x), metrics

    def gradient(self, x: Array, batch: Batch | None = None) -> Array:
        """Return the mean gradient of a batch, or of all rows, in training mode.

        Dropout draws from the batch's key; without a batch there is none, and dropout layers
        are off. Batch norm takes the statistics of at most `chunk` rows at a time. Raises
        `ValueError` for a batch that cannot be.
        """
        rows = np.arange(self.rows) if batch is None else batch.rows(self.rows)
        self._flat.module.train()
        if batch is None:
            _without_dropout(self._flat.module)
        key = self._draw if batch is None else batch.draw
        with _repeatable(key, self._flat.device):
            self._sweep(x, rows, {}, backward=True)
        return self._gradient(x)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the module's buffers by their names."""
        buffers = self._flat.buffers().items()
        return {name: np.array(one.detach().cpu().numpy()) for name, one in buffers}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set the module's buffers; raises `ValueError` for other names or shapes."""
        buffers = self._flat.buffers()
        if wrong := sorted(set(buffers) ^ set(state)):
            raise ValueError(f"the module's buffers are not those of the state: {', '.join(wrong)}")
        for name, buffer in buffers.items():
            if state[name].shape != tuple(buffer.shape):
                found, wanted = state[name].shape, tuple(buffer.shape)
                raise ValueError(f"buffer {name} has the shape {wanted}, the state's {found}")
        for name, buffer in buffers.items():
            buffer.copy_(torch.tensor(state[name]))

    def _constants(self) -> dict[str, Constant]:
        return {}

    def _evaluated(self, x: Array, *, backward: bool) -> tuple[float, dict[str, float]]:
        self._flat.module.eval()
        kept = {name: one.clone() for name, one in self._flat.buffers().items()}
        with _repeatable(self._draw, self._flat.device):
            rows = np.arange(self.rows)
            loss, metrics = self._sweep(x, rows, self._task.metrics, backward=backward)
        # A module of a user's may write to its buffers in evaluation mode too.
        for name, buffer in self._flat.buffers().items():
            buffer.copy_(kept[name])
        point = x.astype(np.float64, copy=False)
        return loss + 0.5 * self._task.l2 * float(point @ point), metrics

    def _sweep(
        self,
        x: Array,
        rows: NDArray[np.int64],
        measures: Mapping[str, Criterion],
        *,
        backward: bool,
    ) -> tuple[float, dict[str, float]]:
        """Send rows through the module in order, `chunk` at a time; return loss and metrics."""
        dtype = _DTYPES[x.dtype.name]
        self._flat.load(x, dtype)
        total, metrics = 0.0, dict.fromkeys(measures, 0.0)
        with torch.set_grad_enabled(backward):
            for start in range(0, rows.size, self._task.chunk):
                part = rows[start : start + self._task.chunk]
                inputs, targets = self._samples.take(part, dtype, self._flat.device)
                outputs = self._flat.module(inputs)
                share = part.size / rows.size
                loss = self._task.loss(outputs, targets) * share
                if backward:
                    loss.backward()
                total += float(loss.detach())
                for name, measure in measures.items():
                    values = measure(outputs.detach(), targets)
                    metrics[name] += share * float(values.double().mean())
        return total, metrics

    def _gradient(self, x: Array) -> Array:
        gradient: Array = self._flat.gradient()
        if self._task.l2:
            gradient += self._task.l2 * x
        return gradient


def starting_point(task: Task, draw: Draw) -> NDArray[np.float64]:
    """Return the parameters of a fresh module, shape (d,); the same for all workers."""
    return FlatModule(_fresh(task, draw), torch.device("cpu")).values()


def _fresh(task: Task, draw: Draw) -> nn.Module:
    """Return a module of nobody else's; what it draws is the same for all workers."""
    with _repeatable(draw.shared(), torch.device("cpu")):
        module = task.module()
    if not isinstance(module, nn.Module):
        raise SpecError("problem", f"made a {type(module).__name__}, not a torch.nn.Module")
    # A factory may hand out one and the same module.
    return copy.deepcopy(module)


def _without_dropout(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, _DROPOUT):
            part.eval()


def _device(name: str) -> Any:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise SpecError("problem.device", f"{name!r} cannot be used: {reason}") from None
    return device


@contextmanager
def _repeatable(key: Draw, device: Any) -> Iterator[None]:
    """Seed PyTorch's generators from a key, on one thread; all is as it was afterwards."""
    seed = int(key.stream(Purpose.MODULE).words64(1)[0] >> np.uint64(1))
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index or 0])
    with _ONE_AT_A_TIME:
        states = [generator.get_state() for generator in generators]
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            for generator in generators:
                generator.manual_seed(seed)
            yield
        finally:
            torch.set_num_threads(threads)
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)
