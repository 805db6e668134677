"""A run's rounds.jsonl as arrays of running totals, ready to draw."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from netcomp.results.events import Times, Traffic
from netcomp.results.readers import read_rounds

__all__ = ["Series", "read_series"]

Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Series:
    """Running totals after each row, all of shape (rows,) and float64.

    `up_bits`, `down_bits` are the paper's bits; `up_wire`, `down_wire` bytes on
    the socket; NaN in `loss`, `grad_norm_sq` and each of `metrics` where the model
    was not probed or not finite. `up`, `down` and `times` are the totals of the whole run.
    """

    rounds: Vector
    seconds: Vector
    up_bits: Vector
    down_bits: Vector
    up_wire: Vector
    down_wire: Vector
    loss: Vector
    grad_norm_sq: Vector
    metrics: Mapping[str, Vector]
    up: Traffic
    down: Traffic
    times: Times


def read_series(run_dir: str | os.PathLike[str]) -> Series:
    """Read a run's folder; raises `DataError` as `read_rounds` does."""
    rows = read_rounds(run_dir)

    def column(pick: Callable[[dict[str, Any]], float | None]) -> Vector:
        picked = (pick(row) for row in rows)
        return np.array([np.nan if value is None else value for value in picked], dtype=np.float64)

    def running(way: str, count: str) -> Vector:
        return np.cumsum(column(lambda row: row[way][count]))

    names = dict.fromkeys(name for row in rows for name in row.get("metrics", ()))
    return Series(
        rounds=column(lambda row: row["round"]),
        seconds=column(lambda row: row["seconds"]),
        up_bits=running("up", "paper_bits"),
        down_bits=running("down", "paper_bits"),
        up_wire=running("up", "wire_bytes"),
        down_wire=running("down", "wire_bytes"),
        loss=column(lambda row: row.get("loss")),
        grad_norm_sq=column(lambda row: row.get("grad_norm_sq")),
        metrics={name: column(partial(_metric, name)) for name in names},
        up=Traffic.total(Traffic(**row["up"]) for row in rows),
        down=Traffic.total(Traffic(**row["down"]) for row in rows),
        times=sum((_times(row["times"]) for row in rows), Times()),
    )


def _metric(name: str, row: dict[str, Any]) -> float | None:
    value: float | None = row.get("metrics", {}).get(name)
    return value


def _times(row: dict[str, float | None]) -> Times:
    return Times(**{name: value or 0.0 for name, value in row.items()})
