"""Probes: the model sent as it is, and the workers' answers put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcomp.channels import weighted
from netcomp.compressors import add_scaled
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Kind, Message
from netcomp.wire.documents import Ready

__all__ = ["ProbeSum", "dense_message", "read_probe"]


def dense_message(vector: Array) -> Message:
    """Return the message that carries a vector as it is, in its own dtype."""
    return Message(Kind.FULL, (vector.view(np.uint8).data,))


class ProbeSum:
    """f, ∇f and the metrics at the model, from answers taken one at a time in worker order.

    f and ∇f are means over the workers. A metric is one over the rows of all of them (over
    the workers where there are none), and only known where every worker measures it.
    """

    def __init__(self, ready: Sequence[Ready], model: Array) -> None:
        self.loss = 0.0
        self.gradient: Array = np.zeros(model.shape, model.dtype)
        shared = (name for name in ready[0].metrics if all(name in one.metrics for one in ready))
        self.metrics = dict.fromkeys(shared, 0.0)
        self._ready = ready
        self._rows = sum(one.rows for one in ready)
        self._model = model

    def hear(self, worker: int, message: Message) -> None:
        """Take a worker's answer, of whose bytes nobody else has a view.

        The first may become the sum. Raises `RemoteProtocolError` for one that is none.
        """
        told, count = self._ready[worker], len(self._ready)
        loss, gradient, metrics = read_probe(message, told.metrics, worker, self._model)
        self.loss += loss / count
        first = None if worker else weighted(gradient, 1.0 / count, self.gradient.dtype)
        if first is None:
            add_scaled(self.gradient, gradient, 1.0 / count)
        else:
            self.gradient = first
        weight = told.rows / self._rows if self._rows else 1.0 / count
        for name in self.metrics:
            self.metrics[name] += weight * metrics[name]


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
