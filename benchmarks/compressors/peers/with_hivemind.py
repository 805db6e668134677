"""Hivemind's codecs of tensors: compress() to its message, extract() from it; one thread."""

from __future__ import annotations

import os

os.environ["QUANTIZATION_THREADS"] = "1"  # read when hivemind is imported

from collections.abc import Iterator
from typing import Any

import hivemind
import torch
from hivemind import compression
from timing import Codec, main

NAMES = (
    "Float16Compression",
    "ScaledFloat16Compression",
    "Uniform8BitQuantization",
    "Quantile8BitQuantization",
    "BlockwiseQuantization",
)


def codecs(values: Any) -> Iterator[Codec]:
    """Yield the codecs this version has."""
    x = torch.from_numpy(values)
    info = compression.CompressionInfo.from_tensor(x)
    for name in NAMES:
        if hasattr(compression, name):
            codec = getattr(compression, name)()
            yield (
                name,
                lambda codec=codec: codec.compress(x, info),
                codec.extract,
                lambda message: message.ByteSize(),
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(codecs, {"hivemind": hivemind.__version__, "torch": torch.__version__})
