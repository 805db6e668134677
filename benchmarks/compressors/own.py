"""Measuring netcomp's compressors and coders: bytes through a real frame, speed, memory.

encode is `compress`, whose values are made when they are first asked for, and nobody asks;
decode is `decode`, from the payload's bytes to a payload (sparse ones stay sparse, as the roles
use them). Every encode gets a key of its own, so nothing is cached from one to the next.
"""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.compressors.cases import Case
from benchmarks.compressors.limits import Sizes, sizes
from benchmarks.compressors.peers.timing import measure
from netcomp.compressors import Compressor, Payload, parse_compressor
from netcomp.draw import Direction, Draw
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind, FrameParser
from netcomp.wire.messages import VECTOR_OVERHEAD, read_message, vector_message

__all__ = [
    "byte_figures",
    "encoder",
    "keys",
    "peak_ratio",
    "row",
    "wire_bytes",
]

_MANY = 20
"""Draws averaged for bytes where a message is small (d ≤ 10⁴)."""
_FEW = 1
_WIRE_SHARE = 1.01

_SMALL = 10**4

Vector = NDArray[np.float32]


def keys() -> Iterator[Draw]:
    """Yield keys, none twice."""
    start = Draw(1, direction=Direction.UP, worker=0)
    return (start.at(round_=number) for number in itertools.count())


def row(case: Case, name: str, v: Vector, repeat: int) -> dict[str, Any]:
    """Return all figures of one compressor on the vector called `name`; bits are a value's."""
    compressor, encode = encoder(case, v)

    def decode(sent: tuple[Payload, Draw]) -> Payload:
        payload, draw = sent
        return compressor.decode(payload.parts, v.size, draw)

    head = {"compressor": str(case), "vector": name, "d": v.size}
    times = measure(v, encode, decode, repeat)
    figures = byte_figures(compressor, v, _MANY if v.size <= _SMALL else _FEW)
    return head | times | {"peak_ratio": peak_ratio(compressor, v)} | figures


def encoder(case: Case, v: Vector) -> tuple[Compressor, Callable[[], tuple[Payload, Draw]]]:
    """Return a case's compressor, and what compresses v with another key at every call."""
    compressor = parse_compressor(case.notation).resolve(v.size, case.workers)
    draws = keys()

    def encode() -> tuple[Payload, Draw]:
        draw = next(draws)
        return compressor.compress(v, draw), draw

    return compressor, encode


def byte_figures(compressor: Compressor, v: Vector, draws: int) -> dict[str, Any]:
    """Return bits a value, means over `draws` messages, beside their limits.

    `wire_excess_bytes` is the most by which a frame exceeds `_WIRE_SHARE` times its payload.
    """
    total, wire, paper, error = Sizes(), 0, 0.0, 0.0
    kept, excess = 0, -math.inf
    for draw in itertools.islice(keys(), draws):
        payload = compressor.compress(v, draw)
        total += sizes(compressor, payload, draw)
        sent = wire_bytes(compressor, payload, draw)
        excess = max(excess, sent - _WIRE_SHARE * payload.nbytes)
        wire += sent
        kept += payload.values.size
        paper += payload.paper_bits
        error += _error_share(v, payload)
    per = 1.0 / (draws * v.size)
    whole = total.whole
    return {
        "draws": draws,
        "paper_bits": paper * per,
        "payload_bits": whole.bits * per,
        "wire_bits": 8 * wire * per,
        "limit_bits": whole.limit * per,
        "index_bits": total.indices.bits * per,
        "index_limit_bits": total.indices.limit * per,
        "value_bits": total.values.bits * per,
        "value_limit_bits": total.values.limit * per,
        "kept": kept / draws,
        "wire_excess_bytes": excess,
        "error_share": error / draws,
    }


def wire_bytes(compressor: Compressor, payload: Payload, draw: Draw) -> int:
    """Return the bytes of the payload's UPLINK frame, having read it back.

    Raises ValueError if what comes out of the frame is not what `Payload.dense` says.
    """
    sent = vector_message(FrameKind.UPLINK, draw.round, Message(Kind.VALUE, payload.parts))
    limit = compressor.max_bytes(payload.dim) + VECTOR_OVERHEAD
    parser = FrameParser({FrameKind.UPLINK: limit})
    frames = [frame for buffer in sent.buffers for frame in parser.feed(buffer)]
    decoded = compressor.decode(read_message(frames[0]).parts, payload.dim, draw)
    if not np.array_equal(decoded.dense(np.float32), payload.dense(np.float32)):
        raise ValueError(f"{compressor} decodes to something else than it said")
    return frames[0].nbytes


def _error_share(v: Vector, payload: Payload) -> float:
    """Return ‖C(x) − x‖²/‖x‖²."""
    exact = v.astype(np.float64)
    energy = float(exact @ exact)
    payload.add_to(exact, -1.0)
    return float(exact @ exact) / energy if energy else 0.0


def peak_ratio(compressor: Compressor, v: Vector) -> float:
    """Return the most memory one `compress` holds at a time, its payload included, over v's."""
    draw = next(keys())
    tracemalloc.start()
    try:
        compressor.compress(v, draw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak / v.nbytes
