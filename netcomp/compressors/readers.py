"""How the values of the notation's parameters are read; all raise ValueError.

A reader's message says what would be right; the notation adds field, column and bad part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

__all__ = ["number", "one_of", "whole", "yes_no"]

_WHOLE = re.compile(r"[0-9]{1,12}")
_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def whole(text: str) -> int:
    """Read a number of things: digits only."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("expected a whole number as 8")
    return int(text)


def number(text: str) -> float:
    """Read a finite decimal number; an exponent's plus sign would end the part."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("expected a number as 0.5")
    return float(text)


def yes_no(text: str) -> bool:
    """Read yes or no."""
    if text not in {"yes", "no"}:
        raise ValueError("expected yes or no")
    return text == "yes"


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of exactly these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return text

    return read
