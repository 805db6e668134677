"""What goes into the coordinator and what comes out: events in, instructions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from netcomp.errors import LocalProtocolError, NetcompError
from netcomp.protocol.session import Event as Frame
from netcomp.results.events import RoundRecord
from netcomp.roles import Message
from netcomp.wire.documents import Begin, Bye, Hello, Ready
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing
from netcomp.wire.reports import Report

__all__ = [
    "Admit",
    "Agree",
    "Answered",
    "Closed",
    "Event",
    "Finished",
    "Instruction",
    "Interrupt",
    "Joined",
    "Listen",
    "Lost",
    "Outcome",
    "Prepared",
    "Probed",
    "Reached",
    "Record",
    "Refuse",
    "Reported",
    "Send",
    "Tick",
    "Waiting",
    "Wake",
    "Work",
    "Worked",
    "told",
]


@dataclass(frozen=True, slots=True)
class Joined:
    """A connection said HELLO."""

    connection: int
    hello: Hello


@dataclass(frozen=True, slots=True)
class Prepared:
    """A worker has loaded its data."""

    worker: int
    ready: Ready


class Answered(NamedTuple):
    """Uplink messages of some workers are there, all of each; every one is as long as the others.

    `wire_bytes` are each message's, `times` the seconds of the clock at which it was there.
    """

    workers: Sequence[int]
    round: int
    messages: Sequence[Message]
    wire_bytes: int
    times: Sequence[float]


class Reported(NamedTuple):
    """Some workers told how long their answers took."""

    workers: Sequence[int]
    round: int
    reports: Sequence[Report]


@dataclass(frozen=True, slots=True)
class Probed:
    """A worker evaluated f_i and ∇f_i at the server's model."""

    worker: int
    round: int
    message: Message


@dataclass(frozen=True, slots=True)
class Closed:
    """A worker said BYE."""

    worker: int
    bye: Bye


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker's connection ended before BYE."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user, or something around the run, wants it to end; `error` where it failed."""

    reason: str
    error: NetcompError | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """The shell has done what it was told before a `Wake`, and tells the time."""


@dataclass(frozen=True, slots=True)
class Worked:
    """The shell has done the work asked for last: what it returned, or the error it raised."""

    result: Any = None
    error: NetcompError | None = None


Event = Joined | Prepared | Answered | Reported | Probed | Closed | Lost | Interrupt | Tick | Worked


@dataclass(frozen=True, slots=True)
class Admit:
    """This connection is that worker from now on."""

    connection: int
    worker: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell a connection why it cannot take part, and close it."""

    connection: int | None
    worker: int | None
    error: NetcompError


@dataclass(frozen=True, slots=True)
class Agree:
    """Expect vectors of the sizes agreed from this worker; BEGIN follows."""

    worker: int
    begin: Begin


@dataclass(frozen=True, slots=True)
class Send:
    """Write a frame to each of these workers."""

    workers: Sequence[int]
    frame: Outgoing


@dataclass(frozen=True, slots=True)
class Wake:
    """Come back with a `Tick` as soon as all before this is done."""


@dataclass(frozen=True, slots=True)
class Work:
    """Call this where it holds nobody up, and come back with a `Worked`; one at a time.

    Asked for where vectors are so long that other connections would be kept waiting.
    """

    task: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Listen:
    """Read from a worker, or leave what it sends where it is for now."""

    worker: int
    reading: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tell the user how many workers are here."""

    present: int
    ready: int
    needed: int


@dataclass(frozen=True, slots=True)
class Record:
    """Write a round down."""

    record: RoundRecord


@dataclass(frozen=True, slots=True)
class Reached:
    """A target is reached in the round recorded last."""

    target: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `stopped_by` a budget, a target, "interrupted", "diverged" or "failed"."""

    stopped_by: str
    error: NetcompError | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """All is said: close what is open."""

    outcome: Outcome


Instruction = (
    Admit | Refuse | Agree | Send | Wake | Work | Listen | Waiting | Record | Reached | Finished
)


_TOLD: Final[dict[FrameKind, Callable[[int, Any, float], Event]]] = {
    FrameKind.UPLINK: lambda one, said, now: Answered(
        (one,), said.round, (said.content,), said.nbytes, (now,)
    ),
    FrameKind.REPORT: lambda one, said, _: Reported((one,), said.round, (said.content,)),
    FrameKind.PROBED: lambda one, said, _: Probed(one, said.round, said.content),
    FrameKind.READY: lambda one, said, _: Prepared(one, said.content),
    FrameKind.BYE: lambda one, said, _: Closed(one, said.content),
}


def told(worker: int, frame: Frame, now: float) -> Event:
    """Return what the coordinator is told of a frame of an admitted worker, there at `now`."""
    make = _TOLD.get(frame.kind)
    if make is None:
        raise LocalProtocolError(f"{frame.kind.name} is nothing an admitted worker says")
    return make(worker, frame, now)
