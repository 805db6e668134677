"""What every contestant does: broadcast x, average n answers, step; the clock between rounds.

A message is `head` bytes that mean nothing and d float32, as long as netcomp's. A contestant's
script is called with a question as JSON and runs itself once more as the workers' process; the
question says on which core either is to run. Only numpy and the standard library, in any
environment.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np


@dataclass
class Mean:
    """The server's side of gradient descent on ½‖x‖² over n workers: whom `take` completes."""

    n: int
    d: int
    head: int
    rounds: int
    warm: int
    stamps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x = np.ones(self.d, np.float32)
        self.total = np.zeros(self.d, np.float32)
        self.heard = 0

    @property
    def done(self) -> bool:
        """Whether all rounds are over."""
        return len(self.stamps) > self.rounds + self.warm

    def message(self) -> bytes:
        """Return what every worker is told next; the clock of the round begins."""
        if not self.stamps:
            self.stamps.append(time.perf_counter())
        return bytes(self.head) + self.x.tobytes()

    def take(self, data: Any) -> bool:
        """Add an answer's gradient; whether it was the last of the round."""
        self.total += np.frombuffer(data, np.float32, self.d, self.head)
        self.heard += 1
        if self.heard < self.n:
            return False
        self.x -= np.float32(0.5 / self.n) * self.total
        self.total[:] = 0.0
        self.heard = 0
        self.stamps.append(time.perf_counter())
        return True

    @property
    def seconds(self) -> list[float]:
        """The seconds of each round that counts."""
        ends = self.stamps[self.warm :]
        return [after - before for before, after in pairwise(ends)]


def answer(data: Any, head: int, d: int) -> bytes:
    """Return a worker's answer: its gradient at x, which is x."""
    x = np.frombuffer(data, np.float32, d, head)
    return bytes(head) + (x * np.float32(1.0)).tobytes()


def main(
    server: Callable[[Mean, Callable[[int], Any]], None],
    workers: Callable[[int, int, int, int], None],
    packages: Sequence[str],
) -> None:
    """Run as the script's own: as the server for a question, as workers for a port."""
    if sys.argv[1] == "--workers":
        core, *rest = map(int, sys.argv[2:])
        os.sched_setaffinity(0, {core})
        workers(*rest)
        return
    asked = json.loads(sys.argv[1])
    ours, theirs = asked["cores"]
    os.sched_setaffinity(0, {ours})
    mean = Mean(asked["n"], asked["d"], asked["head"], asked["rounds"], asked["warm"])
    children = []

    def listening(port: int) -> None:
        words = ["--workers", theirs, port, mean.n, mean.d, mean.head]
        command = [sys.executable, sys.argv[0], *map(str, words)]
        children.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    try:
        server(mean, listening)
    finally:
        for child in children:
            child.kill()
            child.wait()
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps({"versions": versions, "rows": [{"seconds": mean.seconds}]}))
