"""Zstandard on the bytes of the float32 values, one thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import zstandard
from timing import Codec, main

LEVELS = (1, 3, 9)


def codecs(values: Any) -> Iterator[Codec]:
    """Yield one codec a level."""
    raw = values.view(np.uint8).data
    decompressor = zstandard.ZstdDecompressor()
    for level in LEVELS:
        compressor = zstandard.ZstdCompressor(level=level)
        yield (
            f"level {level}",
            partial(compressor.compress, raw),
            partial(_back, decompressor),
            len,
        )


def _back(decompressor: zstandard.ZstdDecompressor, data: bytes) -> Any:
    return np.frombuffer(decompressor.decompress(data), dtype=np.float32)


if __name__ == "__main__":
    main(codecs, {"zstandard": zstandard.__version__})
