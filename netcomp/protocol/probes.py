"""Probes: the model sent as it is, and the workers' answers put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcomp.compressors import add_scaled
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message
from netcomp.wire.documents import Ready

__all__ = ["combined", "dense_message", "read_probe"]


def dense_message(vector: Array) -> Message:
    """Return the message that carries a vector as it is, in its own dtype."""
    return Message(Kind.FULL, (vector.view(np.uint8).data,))


def combined(
    answers: dict[int, Message], ready: Sequence[Ready], model: Array
) -> tuple[float, Array, dict[str, float]]:
    """Return f, ∇f and the metrics at the model from all answers, in worker order.

    Answers are taken out of `answers`, so that their memory is free as soon as it can be.

    f and ∇f are means over the workers. A metric is one over the rows of all of them (over
    the workers where there are none), and only known where every worker measures it. Raises
    `RemoteProtocolError` for an answer that is none.
    """
    gradient = np.zeros(model.shape, model.dtype)
    loss = 0.0
    count, rows = len(ready), sum(one.rows for one in ready)
    metrics = dict.fromkeys(
        (name for name in ready[0].metrics if all(name in one.metrics for one in ready)), 0.0
    )
    for worker, told in enumerate(ready):
        of_one = read_probe(answers.pop(worker), told.metrics, worker, model)
        loss += of_one[0] / count
        add_scaled(gradient, of_one[1], 1.0 / count)
        weight = told.rows / rows if rows else 1.0 / count
        for name in metrics:
            metrics[name] += weight * of_one[2][name]
    return loss, gradient, metrics


def read_probe(
    message: Message, metrics: Sequence[str], worker: int, model: Array
) -> tuple[float, Array, dict[str, float]]:
    """Return f_i, ∇f_i and the metrics announced from a worker's answer to a probe.

    Raises `RemoteProtocolError` unless it is so many float64 and a vector like the model.
    """
    sizes = tuple(part.nbytes for part in message.parts)
    if sizes != (8 * (1 + len(metrics)), model.nbytes):
        raise RemoteProtocolError(f"worker {worker} answered a probe with parts of {sizes} bytes")
    loss, *measured = np.frombuffer(message.parts[0], dtype="<f8").tolist()
    gradient = np.frombuffer(message.parts[1], dtype=model.dtype)
    return loss, gradient, dict(zip(metrics, measured, strict=True))
