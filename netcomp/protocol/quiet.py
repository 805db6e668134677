"""Calling roles: a diverging run overflows, and the compressor that meets the result says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from netcomp.roles import Message

__all__ = ["hear_all", "quietly"]


def quietly(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call without numpy's warnings of what overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return call(*arguments)


def hear_all(hear: Callable[[int, Message], None], ready: Iterable[tuple[int, Message]]) -> None:
    """Let the messages of workers be heard, likewise."""
    with np.errstate(over="ignore", invalid="ignore"):
        for worker, message in ready:
            hear(worker, message)
