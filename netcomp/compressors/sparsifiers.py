"""What a sparsifier is: which coordinates are kept, and the factor of their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.classes import unbiased_to_b1, unbiased_to_b2
from netcomp.compressors.spelling import spelled
from netcomp.draw import Draw

__all__ = ["All", "Indices", "Sparsifier"]

Indices = NDArray[np.int64]


class Sparsifier(ABC):
    """Chooses coordinates and the factor their values are multiplied with.

    Two kinds: an unbiased one keeps every coordinate with probability one over its factor,
    whatever the vector is; any other only leaves out, with a factor of 1, and has a `delta`.
    """

    unbiased: bool = True
    correlated: bool = False
    varies: bool = False
    """Whether the factor differs between coordinates; `scale` is the largest of them then."""
    selects_finite: bool = False
    """Whether `select` itself raises `NotFinite` where a value is NaN or infinite.

    Then `Chain` does not look at the vector before.
    """
    index_parts: int = 0
    """Payload parts that carry indices: 0 where both ends derive them from the key."""

    def __init_subclass__(cls) -> None:
        if "select" in vars(cls) and "selects_finite" not in vars(cls):
            # What is inherited is about the parent's `select`.
            cls.selects_finite = False

    def __str__(self) -> str:
        return spelled(self)

    @property
    def workers(self) -> int:
        """The number of workers a resolved sparsifier was made for; 0 where it does not care."""
        return 0

    def resolve(self, d: int, n: int) -> Self:
        """Return the sparsifier with every count fixed; raises `SpecError`."""
        del d, n
        return self

    @abstractmethod
    def select(self, v: NDArray[Any], draw: Draw) -> Indices | None:
        """Return the coordinates kept of v, distinct; None for all of them.

        v is finite, but where it `selects_finite`: then this raises `NotFinite`.
        """

    def encode_indices(self, indices: Indices, d: int) -> tuple[memoryview, ...]:
        """Return the parts that carry the indices; none where they are derived."""
        del indices, d
        return ()

    @abstractmethod
    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Indices | None:
        """Return on the receiving end what `select` chose on the sending one.

        Raises `RemoteProtocolError` where the index parts cannot be what was written.
        """

    @abstractmethod
    def scale(self, d: int) -> float:
        """Return the factor of the kept values."""

    def rescale(self, kept: NDArray[Any], indices: Indices, d: int) -> None:
        """Multiply the values kept at `indices` by their factors, in place and their dtype."""
        del indices
        scale = self.scale(d)
        if scale != 1.0:
            kept *= np.asarray(scale, dtype=kept.dtype)

    @abstractmethod
    def most(self, d: int) -> int:
        """Return the largest number of coordinates ever kept."""

    @abstractmethod
    def density(self, d: int) -> float:
        """Return the expected number of coordinates kept."""

    def index_bytes(self, d: int) -> int:
        """Return the most bytes the index parts take."""
        del d
        return 0

    def index_bits(self, d: int) -> float:
        """Return the bits the papers count for the indices."""
        del d
        return 0.0

    @abstractmethod
    def omega(self, d: int) -> float | None:
        """Return ω of U(ω), None for a biased one."""

    def delta(self, d: int) -> float | None:
        """Return δ of B(δ) where coordinates are only left out, None where values are scaled."""
        del d
        return None

    def b1(self, d: int) -> tuple[float, float] | None:
        """Return (α, β) of B¹.

        With S the set kept and x_S what is left of x, ‖x_S‖² = ⟨x_S, x⟩, so whatever only
        leaves out has β = 1 and α = γ = δ = inf E‖x_S‖²/‖x‖² (Beznosikov et al. Lemmas 9-11).
        A scaled one is unbiased: Theorem 7 with λ = 1.
        """
        delta, omega = self.delta(d), self.omega(d)
        if delta is not None:
            return delta, 1.0
        return None if omega is None else unbiased_to_b1(1.0 + omega)

    def b2(self, d: int) -> tuple[float, float] | None:
        """Return (γ, β) of B², as for `b1`."""
        delta, omega = self.delta(d), self.omega(d)
        if delta is not None:
            return delta, 1.0
        return None if omega is None else unbiased_to_b2(1.0 + omega)


@dataclass(frozen=True)
class All(Sparsifier):
    """Keeps every coordinate."""

    def __str__(self) -> str:
        return "identity"

    def select(self, v: NDArray[Any], draw: Draw) -> None:
        return None

    def derive(self, parts: Sequence[memoryview], d: int, draw: Draw) -> None:
        return None

    def scale(self, d: int) -> float:
        return 1.0

    def most(self, d: int) -> int:
        return d

    def density(self, d: int) -> float:
        return d

    def omega(self, d: int) -> float:
        return 0.0

    def delta(self, d: int) -> float:
        return 1.0
