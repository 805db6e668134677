"""Calling roles: a diverging run overflows, and the compressor that meets the result says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["quietly"]


def quietly(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call without numpy's warnings of what overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return call(*arguments)
