"""The cores that contestants run on: the same for every one.

Where the system puts two processes that talk to each other decides as much about a round as what
they do: on one core or on two, and now and then on others. And of two cores of a machine that
others use too, one may be half as fast as the other for a while.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["children", "on_core", "pin", "two_cores"]


def two_cores() -> tuple[int, int]:
    """Return the server's and the workers' core: the first and the last this process may use."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return cores[0], cores[-1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run this thread on one core meanwhile, and the threads and processes it starts.

    Where the system has no such thing they run anywhere.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(process: int, core: int) -> None:
    """Put all threads of a process on a core; one that has just ended does not matter."""
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {core})


def children() -> list[int]:
    """Return the processes that this one has started."""
    tasks = Path("/proc/self/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]
