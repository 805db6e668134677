"""A module's parameters as one vector, its gradients as another, without copies."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, empty, from_numpy, nn, zeros_like

from netcomp.errors import SpecError
from netcomp.roles import Array

__all__ = ["FlatModule"]


class FlatModule:
    """A module whose trainable parameters are views of one tensor, and their gradients too.

    The module belongs to this object: nobody else may train or cast it. Parameters that need
    no gradient stay as they are and are no part of x.
    """

    def __init__(self, module: nn.Module, device: Any) -> None:
        """Take the module to `device`; raises `SpecError` where it has nothing to train."""
        self.module = module.to(device)
        self.device = device
        self.dtype: Any = None
        self._parameters = [one for one in module.parameters() if one.requires_grad]
        self.sizes = tuple(one.numel() for one in self._parameters)
        self.dim: int = sum(self.sizes)
        if self.dim == 0:
            raise SpecError("problem", "the module has no parameters to train")

    def load(self, x: Array, dtype: Any) -> None:
        """Make x, shape (d,), the module's parameters, and its gradients zero.

        The module computes in `dtype`: a new one casts it, its buffers too.
        """
        if dtype != self.dtype:
            self._flatten(dtype)
        if self._host is None:
            self._values.copy_(from_numpy(np.array(x)))
        else:
            np.copyto(self._host, x)
        self._gradient.zero_()

    def gradient(self) -> NDArray[Any]:
        """Return what backward passes have summed since `load`, in an array of its own."""
        if self.device.type == "cpu":
            own: NDArray[Any] = self._gradient.numpy().copy()
            return own
        moved: NDArray[Any] = self._gradient.cpu().numpy()
        return moved

    def values(self) -> NDArray[np.float64]:
        """Return the parameters as they are, in float64, shape (d,)."""
        parts = [one.detach().cpu().double().reshape(-1).numpy() for one in self._parameters]
        return np.concatenate(parts)

    def buffers(self) -> dict[str, Tensor]:
        """Return the buffers themselves by their names."""
        return dict(self.module.named_buffers())

    def _flatten(self, dtype: Any) -> None:
        self.module.to(dtype=dtype)
        values = empty(self.dim, dtype=dtype, device=self.device)
        gradient = zeros_like(values)
        ends = list(accumulate(self.sizes))
        for parameter, end in zip(self._parameters, ends, strict=True):
            part = slice(end - parameter.numel(), end)
            view = values[part].view(parameter.shape)
            view.copy_(parameter.detach())
            parameter.data = view
            # A gradient that is there already is added to in place.
            parameter.grad = gradient[part].view(parameter.shape)
        self.dtype, self._values, self._gradient = dtype, values, gradient
        self._host = values.numpy() if self.device.type == "cpu" else None
