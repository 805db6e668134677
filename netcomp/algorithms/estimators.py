"""Estimators: how a worker makes a gradient out of what its oracle can be asked.

    full                        ∇f_i(z)
    minibatch:b=32              the mean over b of the m rows, drawn anew every round
    accumulate:r=4,b=8          the mean of r such gradients (NEOLITHIC Alg. 2)
    two-point:b=8               of the change since z_prev where only that is sent: the same b
                                rows at both points (MARINA Alg. 2 l. 8), all rows without b;
                                else the full gradient, or with whole=64 that of 64 rows (Alg. 3)
    svrg:b=1                    ∇f_B(z) − ∇f_B(y) + ∇f_i(y); y ← z with probability p, b/m
                                unless told (loopless SVRG; Horváth et al., arXiv 1904.05115)

b is a number of rows or a percentage of the smallest worker's (one sample where the
problem has no rows, only fresh noise); `replace` draws them with
replacement. Every draw comes from the worker's key of the round, `p`'s coin from the key all
workers share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from netcomp.algorithms.named import Entry, read_named, spelled
from netcomp.compressors.count import Count
from netcomp.compressors.readers import number, whole, yes_no
from netcomp.draw import Direction, Draw
from netcomp.errors import SpecError
from netcomp.roles import Array, Batch, Oracle

__all__ = [
    "Accumulate",
    "Estimator",
    "Full",
    "LooplessSvrg",
    "Minibatch",
    "TwoPoint",
    "read_estimator",
]

_FIELD = "algorithm.oracle"


@dataclass(frozen=True)
class Estimator(ABC):
    """What takes the place of ∇f_i(z); its state is threaded through by the worker."""

    name: ClassVar[str]
    two_point: ClassVar[bool] = False
    """Whether a change since the last point is formed by `change`, over one batch."""

    def __str__(self) -> str:
        return spelled(self.name, self)

    def resolve(self, rows: int) -> Self:
        """Return the same with every batch size a number, for the smallest worker's rows.

        Raises `SpecError` where a batch would have more rows than there are.
        """
        sizes = {
            key: _resolved(value, rows, key, replace=getattr(self, "replace", False))
            for key, value in vars(self).items()
            if isinstance(value, Count)
        }
        return replace(self, **sizes)

    def start(self) -> Any:
        """Return the state before the first round."""
        return None

    @abstractmethod
    def gradient(self, state: Any, oracle: Oracle, z: Array, draw: Draw) -> tuple[Array, Any]:
        """Return the estimate of ∇f_i(z) and the next state."""


@dataclass(frozen=True)
class Full(Estimator):
    """∇f_i(z) itself."""

    name: ClassVar[str] = "full"

    def gradient(self, state: None, oracle: Oracle, z: Array, draw: Draw) -> tuple[Array, None]:
        return oracle.gradient(z), None


@dataclass(frozen=True)
class Minibatch(Estimator):
    """The mean gradient of b rows."""

    name: ClassVar[str] = "minibatch"
    b: Count
    replace: bool = False

    def gradient(self, state: None, oracle: Oracle, z: Array, draw: Draw) -> tuple[Array, None]:
        return oracle.gradient(z, Batch(self.b.value, draw, self.replace)), None


@dataclass(frozen=True)
class Accumulate(Estimator):
    """The mean of R minibatch gradients at the same point (NEOLITHIC Alg. 2)."""

    name: ClassVar[str] = "accumulate"
    r: int
    b: Count
    replace: bool = False

    def __post_init__(self) -> None:
        if self.r < 1:
            raise SpecError(_FIELD, f"r = {self.r} is below 1")

    def gradient(self, state: None, oracle: Oracle, z: Array, draw: Draw) -> tuple[Array, None]:
        total = oracle.gradient(z, Batch(self.b.value, draw, self.replace))
        for r in range(1, self.r):
            total += oracle.gradient(z, Batch(self.b.value, draw.at(sub=r), self.replace))
        total /= self.r
        return total, None


@dataclass(frozen=True)
class TwoPoint(Estimator):
    """A change over one batch at both points, the whole vector from all rows or `whole`."""

    name: ClassVar[str] = "two-point"
    two_point: ClassVar[bool] = True
    b: Count | None = None
    whole: Count | None = None
    replace: bool = False

    def gradient(self, state: None, oracle: Oracle, z: Array, draw: Draw) -> tuple[Array, None]:
        batch = None if self.whole is None else Batch(self.whole.value, draw, self.replace)
        return oracle.gradient(z, batch), None

    def change(self, oracle: Oracle, new: Array, old: Array, draw: Draw) -> Array:
        """Return ∇f_B(new) − ∇f_B(old)."""
        batch = None if self.b is None else Batch(self.b.value, draw, self.replace)
        change = oracle.gradient(new, batch)
        change -= oracle.gradient(old, batch)
        return change


@dataclass(frozen=True)
class LooplessSvrg(Estimator):
    """Loopless SVRG; the reference point y and ∇f_i(y) are the state, y⁰ = z⁰."""

    name: ClassVar[str] = "svrg"
    b: Count
    p: float = 0.0
    """The probability of a new reference point; 0 until `resolve` makes it b/m."""
    replace: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise SpecError(_FIELD, f"p = {self.p} is outside (0, 1]")

    def resolve(self, rows: int) -> Self:
        sized = super().resolve(rows)
        if sized.p > 0.0:
            return sized
        if not rows:
            raise SpecError(_FIELD, "svrg needs p=… where the problem has no rows")
        return replace(sized, p=min(1.0, sized.b.value / rows))

    def gradient(
        self, state: tuple[Array, Array] | None, oracle: Oracle, z: Array, draw: Draw
    ) -> tuple[Array, tuple[Array, Array]]:
        y, full = (z, oracle.gradient(z)) if state is None else state
        batch = Batch(self.b.value, draw, self.replace)
        estimate = oracle.gradient(z, batch)
        estimate -= oracle.gradient(y, batch)
        estimate += full
        if draw.at(direction=Direction.NONE).coin(self.p):
            y, full = z, oracle.gradient(z)
        return estimate, (y, full)


_SIZE = ("b", Count.parse)
_REPLACE = ("replace", yes_no)
_ENTRIES: dict[str, Entry[Estimator]] = {
    "full": Entry(Full),
    "minibatch": Entry(Minibatch, (_SIZE, _REPLACE)),
    "accumulate": Entry(Accumulate, (("r", whole), _SIZE, _REPLACE)),
    "two-point": Entry(TwoPoint, (_SIZE, ("whole", Count.parse), _REPLACE)),
    "svrg": Entry(LooplessSvrg, (_SIZE, ("p", number), _REPLACE)),
}


def read_estimator(text: str) -> Estimator:
    """Read the notation above; raises `SpecError` naming algorithm.oracle."""
    return read_named(text, _ENTRIES, _FIELD)


def _resolved(size: Count, rows: int, key: str, *, replace: bool) -> Count:
    if size.text.isdigit() and (replace or not rows):
        # None is read (`Count.parse`), but one may be made.
        if not size.value:
            raise SpecError(_FIELD, f"{key} = 0 is no batch")
        return size
    if size.text == "d/n":
        raise SpecError(_FIELD, f"{key} = {size} is no number of rows")
    if not rows:
        return Count("1")  # a share of samples that never end
    try:
        return size.resolve(rows, 1, _FIELD)
    except SpecError:
        raise SpecError(
            _FIELD, f"{key} = {size} is outside 1..{rows}, the rows of the smallest worker"
        ) from None
