"""The goals for speed: netcomp and the peer take turns, so that noise hits both alike.

The machine is other people's too, and a minute later it may be half as fast: what is compared
is measured in turns of a few hundredths of a second. A peer of another environment is a process
that answers when it is asked.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.compressors import references
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.environments import PEERS, turns
from benchmarks.compressors.goals import SPEED, SpeedGoal
from benchmarks.compressors.own import encoder
from benchmarks.compressors.peers.timing import Turns
from benchmarks.environments import Conversation, failure

__all__ = ["rows"]

_LEAST: Final = 0.1
"""Seconds of a turn at least."""

Vectors = Sequence[tuple[str, NDArray[np.float32], str]]
"""Names, vectors, and the .npy files that hold them."""


def rows(
    vectors: Vectors, compressors: Sequence[str], repeat: int, *, peers: bool
) -> Iterator[dict[str, Any]]:
    """Yield the turns of every goal for these compressors and vectors, as `speed_verdicts` asks.

    Without `peers` only those of numpy, which needs no environment of its own.
    """
    with ExitStack() as stack:
        talks: dict[str, Conversation | str] = {}
        for goal in SPEED:
            if goal.compressor not in compressors:
                continue
            for name, v, path in vectors:
                if v.size in goal.factors and (peers or goal.peer == "numpy"):
                    theirs = _theirs(goal, v, path, talks, stack.enter_context)
                    yield _head(goal, name, v.size) | _turns(goal, v, theirs, repeat)


def _head(goal: SpeedGoal, name: str, d: int) -> dict[str, Any]:
    rival = {"peer": goal.peer, "codec": goal.codec}
    return {"compressor": goal.compressor, **rival, "vector": name, "d": d}


def _turns(
    goal: SpeedGoal, v: NDArray[np.float32], theirs: Callable[[], Mapping[str, Any]], repeat: int
) -> dict[str, Any]:
    """Return {"ours", "theirs"}, the seconds of each turn, or {"error"}."""
    (case,) = (case for case in CASES if str(case) == goal.compressor)
    ours = Turns(encoder(case, v)[1], _LEAST)
    found: dict[str, Any] = {"ours": [], "theirs": []}
    for _ in range(repeat):
        answer = theirs()
        if "error" in answer:
            return {"error": answer["error"]}
        found["theirs"].append(answer["seconds"])
        found["ours"].append(ours.seconds())
    return found


def _theirs(
    goal: SpeedGoal,
    v: NDArray[np.float32],
    path: str,
    talks: dict[str, Conversation | str],
    enter: Callable[[AbstractContextManager[Conversation]], Conversation],
) -> Callable[[], Mapping[str, Any]]:
    """Return what gives {"seconds"} of the peer's next turn, or {"error"}."""
    name, codec = goal.peer, goal.codec
    if name == "numpy":
        timed = Turns(references.work(codec, v), _LEAST)
        return lambda: {"seconds": timed.seconds()}
    if name not in talks:
        (peer,) = (peer for peer in PEERS if peer.name == name)
        try:
            talks[name] = enter(turns(peer, _LEAST))
        except (subprocess.SubprocessError, OSError) as error:
            talks[name] = failure(error)
    talk = talks[name]
    if isinstance(talk, str):
        return lambda: {"error": talk}
    return lambda: talk.ask({"path": path, "codec": codec})
