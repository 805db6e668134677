"""Made-up data of any size: by shape, or with a model of its own for each worker.

Everything derives from the generator's own seed (`Purpose.DATA`), not from the run's: the
name is the data set. Normal deviates are `Stream.normals`, so the last bits of features and
targets may differ between platforms; digests are of the name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from netcomp.data.dataset import MOST_ENTRIES, Dataset, Matrix, digest_of
from netcomp.data.notation import head_of, read_parameters, spelled
from netcomp.draw import Draw, Purpose, Stream
from netcomp.errors import SpecError

__all__ = [
    "GENERATORS",
    "SHAPES",
    "Generator",
    "Shape",
    "generated",
    "parse_generator",
]

_RECIPE = 1  # goes up when the same name makes other numbers


@dataclass(frozen=True, slots=True)
class Shape:
    """What a published data set looks like: its size, entries a row, share of the upper label."""

    rows: int
    features: int
    per_row: int
    positive: float
    values: Literal["ones", "normal"] = "ones"


SHAPES: Final = {
    "mushrooms": Shape(8124, 112, 21, 0.518),
    "a9a": Shape(32_561, 123, 14, 0.241),
    "w8a": Shape(49_749, 300, 12, 0.030),
    "phishing": Shape(11_055, 68, 30, 0.557),
    "rcv1": Shape(20_242, 47_236, 74, 0.519, "normal"),
    "real-sim": Shape(72_309, 20_958, 51, 0.308, "normal"),
}
"""Shapes of LIBSVM data sets, with the mean number of entries a row, rounded."""


class Generator(BaseModel, ABC):
    """The parameters of made-up data, and the way to the data."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    summary: ClassVar[str]
    """One line for listings."""

    @abstractmethod
    def make(self) -> tuple[Matrix, NDArray[np.float64]]:
        """Return features and targets."""


class Synthetic(Generator):
    """Rows of one linear model; `like` a published set they have its size and sparsity only.

    Below density 1 the columns are divided into m = density · features stretches, and a row has
    one entry in each, in a uniformly random column of it: like categories written as zeros and
    ones. Values are 1, or normal and divided by √m. A target is t = ⟨a, w⟩/s + noise · ε with w
    and ε standard normal and s the deviation of ⟨a, w⟩ over all rows; for classification the
    share `positive` of the rows with the largest t is labelled +1, the others -1.
    """

    summary: ClassVar[str] = "one linear model, dense or sparse, or of a published set's shape"

    rows: int = Field(ge=1, le=2**31 - 1)
    features: int = Field(ge=1, le=MOST_ENTRIES)
    density: float = Field(default=1.0, gt=0, le=1)
    values: Literal["normal", "ones"] = "normal"
    task: Literal["classification", "regression"] = "classification"
    positive: float = Field(default=0.5, gt=0, lt=1)
    noise: float = Field(default=0.1, ge=0)
    seed: int = Field(default=1, ge=0, lt=2**63)
    like: str | None = None
    """A name in `SHAPES`, for the parameters that are not given."""

    @model_validator(mode="before")
    @classmethod
    def _like(cls, given: dict[str, Any]) -> dict[str, Any]:
        given = dict(given)
        if (name := given.pop("like", None)) is None:
            return given
        if name not in SHAPES:
            raise ValueError(f"like={name} is no known shape; known: {', '.join(SHAPES)}")
        shape = SHAPES[name]
        return {
            "rows": shape.rows,
            "features": shape.features,
            "density": shape.per_row / shape.features,
            "values": shape.values,
            "positive": shape.positive,
        } | given

    def make(self) -> tuple[Matrix, NDArray[np.float64]]:
        """Return features, CSR below density 1, and targets."""
        per_row = max(1, round(self.density * self.features))
        if self.rows * per_row > MOST_ENTRIES:
            raise SpecError(
                "problem.data", f"{self.rows} rows of {per_row} entries: at most {MOST_ENTRIES}"
            )
        stream = Draw(self.seed).stream(Purpose.DATA)
        features = self._features(stream, per_row)
        scores: NDArray[np.float64] = features @ stream.normals(self.features)
        spread = scores.std()
        scores = scores / (spread if spread > 0 else 1.0)
        scores += self.noise * stream.normals(self.rows)
        return features, scores if self.task == "regression" else self._labels(scores)

    def _features(self, stream: Stream, per_row: int) -> Matrix:
        count = self.rows * per_row
        if self.values == "ones":
            values = np.ones(count)
        else:
            values = stream.normals(count) / np.sqrt(per_row)
        if per_row == self.features:
            return values.reshape(self.rows, per_row)
        # Lazy: dense data need no scipy.
        from scipy.sparse import csr_matrix  # noqa: PLC0415

        edges = np.arange(per_row + 1) * self.features // per_row
        where = stream.uniforms(count).reshape(self.rows, per_row) * np.diff(edges)
        columns = (edges[:-1] + where.astype(np.int32)).astype(np.int32).ravel()
        starts = np.arange(self.rows + 1) * per_row
        return csr_matrix((values, columns, starts), shape=(self.rows, self.features))

    def _labels(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        upper = min(max(round(self.positive * self.rows), 1), max(self.rows - 1, 1))
        labels = np.full(self.rows, -1.0)
        labels[np.argsort(scores, kind="stable")[self.rows - upper :]] = 1.0
        return labels


class LocalModels(Generator):
    """Workers that disagree: each stretch of rows follows a solution x_i* ~ N(0, I) of its own.

    From NEOLITHIC, Section 5.1: features are standard normal; for regression the target is
    ⟨a, x_i*⟩ + s with s ~ N(0, noise²), for classification it is +1 with probability
    σ(⟨a, x_i*⟩), else -1. Worker i of `workers` owns the rows [i·rows, (i+1)·rows): with
    `split = "equal"` and as many workers in the cluster it gets just these. The paper's
    variance 0.01 is noise = 0.1. The paper's least squares sum over a worker's rows; a
    problem here takes their mean.
    """

    summary: ClassVar[str] = "a linear model of its own for each worker's rows (NEOLITHIC 5.1)"

    workers: int = Field(default=32, ge=1, le=100_000)
    rows: int = Field(default=1000, ge=1, le=2**31 - 1)
    features: int = Field(default=30, ge=1, le=2**31 - 1)
    task: Literal["classification", "regression"] = "regression"
    noise: float = Field(default=0.1, ge=0)
    seed: int = Field(default=1, ge=0, lt=2**63)

    def make(self) -> tuple[Matrix, NDArray[np.float64]]:
        """Return dense features and targets, worker after worker."""
        size = (self.workers * self.rows, self.features)
        if size[0] * size[1] > MOST_ENTRIES:
            raise SpecError(
                "problem.data", f"{size[0]} rows of {size[1]} entries: at most {MOST_ENTRIES}"
            )
        features, targets = np.empty(size), np.empty(size[0])
        for worker in range(self.workers):
            own = slice(worker * self.rows, (worker + 1) * self.rows)
            stream = Draw(self.seed).at(worker=worker).stream(Purpose.DATA)
            solution = stream.normals(self.features)
            features[own] = stream.normals(self.rows * self.features).reshape(self.rows, -1)
            scores = features[own] @ solution
            if self.task == "regression":
                targets[own] = scores + self.noise * stream.normals(self.rows)
            else:
                chance = np.exp(-np.logaddexp(0.0, -scores))
                targets[own] = np.where(stream.uniforms(self.rows) < chance, 1.0, -1.0)
        return features, targets


GENERATORS: Final[dict[str, type[Generator]]] = {
    "synthetic": Synthetic,
    "local-models": LocalModels,
}
"""The generators by name."""


def parse_generator(text: str, field: str = "problem.data") -> Generator:
    """Read the notation of a generator, e.g. ``synthetic:like=rcv1,seed=2``.

    Raises `SpecError` naming `field` for a parameter that is wrong or missing.
    """
    return read_parameters(GENERATORS[head_of(text)], text, field)


def generated(text: str) -> Dataset:
    """Return the data of a generator's notation; `SpecError` if they would be too many."""
    generator = parse_generator(text)
    features, targets = generator.make()
    full = spelled(head_of(text), generator)
    return Dataset(text, features, targets, digest_of(f"{full};recipe={_RECIPE}"))
