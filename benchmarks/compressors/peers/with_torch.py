"""PyTorch on one thread: topk, half precision, and plain natural, ternary and QSGD.

"Plain" is what one writes in a training script: dense tensor operations, one byte a value for
what is below a byte, no packing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from timing import Codec, main

SHARE = 100
"""top-k keeps one coordinate in this many."""


def codecs(values: Any) -> Iterator[Codec]:
    """Yield PyTorch's codecs of a float32 vector."""
    x = torch.from_numpy(values)
    yield ("topk 1%", lambda: topk(x), lambda data: scattered(data, x.numel()), nbytes)
    yield ("float16", lambda: (x.half(),), lambda data: data[0].float(), nbytes)
    yield ("plain natural", lambda: natural(x), natural_back, nbytes)
    yield ("plain ternary", lambda: ternary(x), scaled_back, nbytes)
    yield ("plain qsgd s=1", lambda: qsgd(x), scaled_back, nbytes)


def nbytes(data: tuple[torch.Tensor, ...]) -> int:
    """Return the bytes of all tensors."""
    return sum(part.numel() * part.element_size() for part in data)


def topk(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return indices (32 bits) and values of the largest magnitudes, unsorted."""
    indices = torch.topk(x.abs(), x.numel() // SHARE, sorted=False).indices
    return indices.int(), x[indices]


def scattered(data: tuple[torch.Tensor, torch.Tensor], d: int) -> torch.Tensor:
    """Return the vector of `topk`."""
    out = torch.zeros(d)
    out[data[0].long()] = data[1]
    return out


def natural(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exponents (a byte each, 0 for zero) and signs (a byte each), at random up or down."""
    magnitudes = x.abs()
    exponents = torch.floor(torch.log2(magnitudes))
    up = torch.rand_like(x) < magnitudes / torch.exp2(exponents) - 1.0
    return (exponents + up + 127.0).clamp(0.0, 255.0).to(torch.uint8), x < 0


def natural_back(data: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the values of `natural`."""
    exponents, negative = data
    magnitudes = torch.exp2(exponents.float() - 127.0) * (exponents > 0)
    return torch.where(negative, -magnitudes, magnitudes)


def ternary(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return signs or zeros (a byte each) and the largest magnitude."""
    return _kept(x, x.abs().max())


def qsgd(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return signs or zeros (a byte each) and the norm."""
    return _kept(x, torch.linalg.vector_norm(x))


def _kept(x: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    kept = torch.rand_like(x) < x.abs() / scale
    return (torch.sign(x) * kept).to(torch.int8), scale


def scaled_back(data: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the values of `ternary` or `qsgd`."""
    return data[0].float() * data[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    main(codecs, {"torch": torch.__version__})
