"""The mean of many senders' messages, formed as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netcomp.compressors import Compressor
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Array, Chorus, Kind, Message

__all__ = ["Mean", "weighted"]

_FELT: Final = 1 << 20


class Mean:
    """The mean over the senders of messages of one kind, taken in one at a time: O(d) memory.

    `total` has the shape and dtype of `like`; sums run in the order of hearing.
    """

    def __init__(self, kind: Kind, compressor: Compressor, like: Array, senders: int) -> None:
        self.kind = kind
        self.total: Array = np.zeros(like.shape, like.dtype)
        self._compressor = compressor
        self._weight = 1.0 / senders
        self._blank = True

    def hear(self, message: Message, key: Draw, *, own: bool = False) -> None:
        """Decode a message and add it; raises `RemoteProtocolError` where that cannot be.

        Where its bytes are the mean's `own`, the first of them may become the total.
        """
        self.expect(message.kind)
        payload = self._compressor.decode(message.parts, self.total.size, key)
        blank, self._blank = self._blank, False
        if own and blank and payload.indices is None and _within(payload.values, message):
            total = weighted(payload.values, self._weight, self.total.dtype)
            if total is not None:
                self.total = total
                return
        payload.add_to(self.total, self._weight)

    def hear_all(self, messages: Chorus, key: Callable[[int], Draw]) -> None:
        """Hear messages one after the other, with their keys by place; the bits are the same."""
        self.expect(messages.kind)
        self._blank = False
        self._compressor.add_all(self.total, messages, key, self._weight)

    def expect(self, kind: Kind) -> None:
        """Raise `RemoteProtocolError` where `kind` is another than that of the messages."""
        if kind is not self.kind:
            raise RemoteProtocolError(f"a {kind.name} message where {self.kind.name} belongs")


def weighted(values: Array, weight: float, dtype: np.dtype[Any]) -> Array | None:
    """Return 0 + weight · values in the memory of `values`, None where it is not fit for that.

    Nor is it where it is short: a second vector costs as much memory again as the first, which
    is felt of long ones only.
    """
    flags = values.flags
    fit = values.dtype == dtype and flags.writeable and flags.aligned and flags.contiguous
    if not fit or values.nbytes < _FELT:
        return None
    if weight != 1.0:
        np.multiply(values, weight, out=values)
    # Added to nothing yet, −0.0 is 0.0.
    values += 0.0
    return values


def _within(values: Array, message: Message) -> bool:
    """Whether decoded values are a message's bytes, and not an array of somebody else's."""
    parts = map(np.asarray, message.parts)
    return any(np.may_share_memory(values, part) for part in parts)
