"""Every error netcomp raises on purpose.

The facts live in fields, the text is derived from them, so that a caller never
has to parse a message. The command line turns each class into one line on
stderr and an exit code (`exit_code`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataError",
    "ImportRefused",
    "LocalProtocolError",
    "MissingConstant",
    "NetcompError",
    "NotFinite",
    "PayloadTooBig",
    "PeerRefused",
    "ProtocolError",
    "RemoteProtocolError",
    "SpecError",
    "UnknownName",
    "VersionMismatch",
    "WorkerLost",
    "told",
]


class NetcompError(Exception):
    """Base of all errors netcomp raises on purpose.

    `exit_code` is what a command ends with: 1 the run failed, 2 wrong usage.
    """

    exit_code = 1


class SpecError(NetcompError, ValueError):
    """A value the user gave cannot be used.

    `field` is the dotted path in the spec (`network.uplink`), `reason` says
    what is wrong and, where possible, what would be right.
    """

    exit_code = 2

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}" if field else reason)


class UnknownName(SpecError):
    """A name that no registry entry has; `known` lists those that would do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        close = difflib.get_close_matches(name, self.known, n=1)
        # Of a data set the name may be known and its files not here.
        meant = close and close[0] != name
        hint = f"did you mean {close[0]!r}? " if meant else ""
        super().__init__(kind, f"unknown {kind} {name!r}; {hint}known: {', '.join(self.known)}")


class ImportRefused(SpecError):
    """A notation names a class of a module, `target`, where nothing is imported."""

    def __init__(self, field: str, where: str, target: str) -> None:
        self.target = target
        super().__init__(field, f"{where}: classes are not imported here")


class MissingConstant(SpecError):
    """A theorem needs a constant that neither problem nor user supplies."""

    def __init__(self, constant: str, needed_by: str) -> None:
        self.constant = constant
        self.needed_by = needed_by
        super().__init__(
            "algorithm.step_size",
            f"{needed_by} needs the constant {constant!r}, which this problem does not supply;"
            f" give algorithm.constants.{constant} or a numeric step size",
        )


class DataError(NetcompError):
    """A data file or its contents cannot be used; `line` counts from 1."""

    exit_code = 2

    def __init__(self, path: str, reason: str, line: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.line = line
        where = path if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {reason}")


class NotFinite(NetcompError, ValueError):
    """A vector to compress holds NaN, infinity or a number beyond its format; `index` is the first.

    `worker` is None for a vector of the server's.
    """

    def __init__(self, index: int, worker: int | None = None, round_: int | None = None) -> None:
        self.index = index
        self.worker = worker
        self.round = round_
        who = "the server" if worker is None else f"worker {worker}"
        when = "" if round_ is None else f" in round {round_}"
        super().__init__(
            f"the vector {who} compresses{when} has a value that is NaN, infinite or beyond its"
            f" format (first at index {index}); the step size may be too large"
        )


class ProtocolError(NetcompError):
    """Somebody broke the rules of the wire; the connection is closed.

    `code` is the closing code sent to the peer in an ERROR frame.
    """

    code = 1


class LocalProtocolError(ProtocolError):
    """This side was asked to do what the protocol forbids: a bug here."""

    code = 2


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol forbids."""

    code = 3


class PayloadTooBig(RemoteProtocolError):
    """A length field exceeds what was agreed; refused before allocation (bytes)."""

    code = 4

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"{size} bytes announced where at most {limit} are allowed")


class VersionMismatch(RemoteProtocolError):
    """The two ends speak different protocol versions; retrying cannot help."""

    code = 5

    def __init__(self, ours: int, theirs: int) -> None:
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"protocol version {theirs} met where this side speaks {ours}")


class PeerRefused(NetcompError):
    """The other side ended the conversation with an ERROR frame."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"refused by the other side: {reason}")


class WorkerLost(NetcompError):
    """A worker's connection ended before the run did."""

    def __init__(self, worker: int, round_: int | None, reason: str) -> None:
        self.worker = worker
        self.round = round_
        self.reason = reason
        when = "before the first round" if round_ is None else f"in round {round_}"
        super().__init__(f"worker {worker} was lost {when}: {reason}")


def told(error: BaseException) -> str:
    """Return the type and the text of an error of anybody's; the type alone where text fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 — a user's class may raise anything where it is printed
        return name
