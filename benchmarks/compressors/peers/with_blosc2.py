"""Blosc2 on the bytes of the float32 values, shuffled by bytes or bits, one thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import blosc2
import numpy as np
from timing import Codec, main

SETTINGS = (
    ("blosclz 5 shuffle", blosc2.Codec.BLOSCLZ, 5, blosc2.Filter.SHUFFLE),
    ("lz4 5 shuffle", blosc2.Codec.LZ4, 5, blosc2.Filter.SHUFFLE),
    ("lz4 5 bitshuffle", blosc2.Codec.LZ4, 5, blosc2.Filter.BITSHUFFLE),
    ("zstd 1 shuffle", blosc2.Codec.ZSTD, 1, blosc2.Filter.SHUFFLE),
    ("zstd 5 bitshuffle", blosc2.Codec.ZSTD, 5, blosc2.Filter.BITSHUFFLE),
)


def codecs(values: Any) -> Iterator[Codec]:
    """Yield one codec a setting."""
    raw = values.view(np.uint8).data
    for name, codec, level, shuffle in SETTINGS:
        options = {"typesize": 4, "clevel": level, "filter": shuffle, "codec": codec}
        yield (name, partial(blosc2.compress, raw, **options), _back, len)


def _back(data: bytes) -> Any:
    return np.frombuffer(blosc2.decompress(data), dtype=np.float32)


if __name__ == "__main__":
    blosc2.set_nthreads(1)
    main(codecs, {"blosc2": blosc2.__version__})
