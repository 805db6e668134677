"""What conformance kits share: laws, what became of them, evidence, equality to the last bit.

A kit checks somebody's own compressor or problem. A law is a function of its subject whose
docstring states it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Broken", "Finding", "findings", "same_bits"]


class Broken(Exception):
    """A law does not hold; the text says where and how."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one law holds. `detail` says where it is broken, or what was seen."""

    law: str
    passed: bool
    detail: str


def findings(
    laws: Mapping[str, Callable[[Any], str]], names: Iterable[str], subject: Any
) -> list[Finding]:
    """Check the laws named; one returns a remark or raises `Broken`, or whatever its subject does.

    Raises KeyError for a law that is none.
    """
    return [_finding(name, laws[name], subject) for name in names]


def same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays are equal in dtype, shape and every bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _finding(name: str, law: Callable[[Any], str], subject: Any) -> Finding:
    try:
        with np.errstate(all="ignore"):
            return Finding(name, passed=True, detail=law(subject))
    except Broken as broken:
        return Finding(name, passed=False, detail=str(broken))
    except Exception as error:  # noqa: BLE001 — whatever a foreign class raises is a finding
        return Finding(name, passed=False, detail=f"raised {_told(error)}")


def _told(error: Exception) -> str:
    """Return an exception as one line: its class and text."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
