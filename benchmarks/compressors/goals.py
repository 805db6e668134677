"""The goals for bytes, speed and memory: limit, figure, goal and verdict of each.

A verdict is "holds", "within the gate" (speeds only: at least 0.8 of the goal, since times
are noisy), "does not hold" or "not measured". Ours over a peer's is the median of the quotients
of the seconds of both, taken turn by turn (`duels.py`); not of their shares of a copy, since a
copy of some megabytes takes two times as long in one process as in another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = [
    "SPEED",
    "SpeedGoal",
    "byte_verdicts",
    "decoding_verdicts",
    "memory_verdicts",
    "speed_verdicts",
]

_GATE = 0.8
HEADER = 40
"""Bytes by which a frame may exceed 1.01 times its payload."""
_MEMORY = 3.0
_SHARE = 1.05
_FEWEST = 10**4
"""Values below which the goals for coded levels do not apply."""

Row = Mapping[str, Any]


def _verdict(*, holds: bool) -> str:
    return "holds" if holds else "does not hold"


# Bytes


@dataclass(frozen=True)
class _ByteGoal:
    """A figure of a row that is to be at most `allowed`; `limit` and `sent` are bits a value.

    The figure is sent/limit, but the excess bytes for frames and the bits where the limit is
    a number.
    """

    text: str
    applies: Callable[[Row], bool]
    sent: str
    limit: str | float
    allowed: float

    def verdict(self, row: Row) -> dict[str, Any]:
        """Return the verdict for one row."""
        sent = row[self.sent]
        limit = row[self.limit] if isinstance(self.limit, str) else self.limit
        if self.sent == "wire_bits":
            figure = row["wire_excess_bytes"]
        else:
            figure = sent / limit if isinstance(self.limit, str) and limit else sent
        return {
            "goal": self.text,
            **{key: row[key] for key in ("compressor", "vector", "d")},
            "limit": limit,
            "sent": sent,
            "figure": figure,
            "allowed": self.allowed,
            # Figures are quotients: nine bits may come out as 9.000000000000002.
            "verdict": _verdict(holds=figure <= self.allowed * (1 + 1e-12)),
        }


def _named(*prefixes: str) -> Callable[[Row], bool]:
    return lambda row: row["compressor"].startswith(prefixes)


def _levels(row: Row) -> bool:
    name = row["compressor"]
    return ("dither" in name or "qsgd" in name) and row["kept"] >= _FEWEST


_BYTES = (
    _ByteGoal(
        "wire − 1.01 × payload ≤ 40 bytes", lambda _: True, "wire_bits", "payload_bits", HEADER
    ),
    _ByteGoal(
        "top-k indices ≤ 1.05 × log2 C(d,k)",
        lambda row: "top-k" in row["compressor"],
        "index_bits",
        "index_limit_bits",
        _SHARE,
    ),
    _ByteGoal("levels ≤ 1.05 × entropy", _levels, "value_bits", "value_limit_bits", _SHARE),
    _ByteGoal(
        "natural raw ≤ 9 bits", lambda row: row["compressor"] == "natural", "value_bits", 9.0, 9.0
    ),
    _ByteGoal(
        "natural coded ≤ 1.05 × entropy",
        _named("natural:coding=entropy"),
        "value_bits",
        "value_limit_bits",
        _SHARE,
    ),
    _ByteGoal("index bits = 0", _named("rand-k", "perm-k"), "index_bits", 0.0, 0.0),
)


def byte_verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the verdicts for every compressor, vector and dimension of netcomp's rows."""
    return [goal.verdict(row) for goal in _BYTES for row in rows if goal.applies(row)]


# Memory


def memory_verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return whether compressing takes at most three times the vector's memory, a row each."""
    return [
        {
            "goal": "peak of compress ≤ 3 × the vector",
            **{key: row[key] for key in ("compressor", "vector", "d")},
            "limit": 0.0,
            "figure": row["peak_ratio"],
            "allowed": _MEMORY,
            "verdict": _verdict(holds=row["peak_ratio"] <= _MEMORY),
        }
        for row in rows
    ]


# Speed


@dataclass(frozen=True)
class SpeedGoal:
    """`compressor` encodes at least `factors[d]` times as fast as `peer`'s `codec`."""

    compressor: str
    factors: Mapping[int, float]
    peer: str
    codec: str


_LARGE, _MIDDLE = 10**7, 10**6

SPEED = (
    SpeedGoal("top-k:1%", {_LARGE: 3.0, _MIDDLE: 2.0}, "numpy", "argpartition 1%"),
    SpeedGoal("top-k:1%", {_LARGE: 15.0, _MIDDLE: 8.0}, "torch", "topk 1%"),
    SpeedGoal("rand-k:1%", {_LARGE: 50.0}, "numpy", "permutation"),
    SpeedGoal("perm-k, n=10", {_LARGE: 20.0}, "numpy", "permutation"),
    SpeedGoal("perm-k, n=100", {_LARGE: 100.0}, "numpy", "permutation"),
    SpeedGoal("perm-k, n=1000", {_LARGE: 100.0}, "numpy", "permutation"),
    SpeedGoal("natural", {_LARGE: 15.0, _MIDDLE: 8.0}, "torch", "plain natural"),
    SpeedGoal("ternary", {_LARGE: 8.0, _MIDDLE: 3.0}, "torch", "plain ternary"),
    SpeedGoal("qsgd:s=1", {_LARGE: 5.0}, "numpy", "dense qsgd s=1"),
    SpeedGoal("qsgd:s=1", {_LARGE: 20.0}, "torch", "plain qsgd s=1"),
    SpeedGoal("sign", {_LARGE: 0.7}, "numpy", "array copy"),
)
"""docs/performance.md; one dimension where only that has a goal."""


def speed_verdicts(rows: Sequence[Row], duels: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the verdicts of `SPEED`, one a dimension and vector.

    `duels` are the turns: {"compressor", "peer", "codec", "vector", "d"},
    and {"ours", "theirs"} in seconds, which are missing where nothing could be measured.
    """
    fought = {
        tuple(duel[key] for key in ("compressor", "peer", "codec", "vector", "d")): duel
        for duel in duels
    }
    verdicts = []
    for goal in SPEED:
        for row in rows:
            if row["compressor"] == goal.compressor and row["d"] in goal.factors:
                key = (goal.compressor, goal.peer, goal.codec, row["vector"], row["d"])
                verdicts.append(_speed(goal, row, fought.get(key, {})))
    return verdicts


def decoding_verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return whether decoding is at least as fast as encoding, a row each."""
    return [
        _judged("decode over encode", row, row["decode_ratio"] / row["encode_ratio"], 1.0)
        for row in rows
    ]


def _speed(goal: SpeedGoal, row: Row, duel: Row) -> dict[str, Any]:
    ours, theirs = duel.get("ours"), duel.get("theirs")
    figure = None
    if ours and theirs:
        figure = median(long / short for long, short in zip(theirs, ours, strict=True))
    text = f"encode over {goal.peer}'s {goal.codec}"
    return _judged(text, row, figure, goal.factors[row["d"]]) | {
        "peer_seconds": median(theirs) if theirs else None,
        "our_seconds": median(ours) if ours else None,
    }


def _judged(text: str, row: Row, figure: float | None, wanted: float) -> dict[str, Any]:
    """Return a verdict on a quotient of speeds, ours over another."""
    if figure is None:
        verdict = "not measured"
    elif figure >= wanted:
        verdict = "holds"
    else:
        verdict = "within the gate" if figure >= _GATE * wanted else "does not hold"
    return {
        "goal": text,
        **{key: row[key] for key in ("compressor", "vector", "d")},
        "limit": 1.0,
        "figure": figure,
        "allowed": wanted,
        "gate": _GATE * wanted,
        "verdict": verdict,
    }
