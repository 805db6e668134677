"""Before the first round: who has joined, and whether all hold the same data."""

from __future__ import annotations

from collections.abc import Callable

from netcomp.errors import LocalProtocolError
from netcomp.protocol import instructions as ins
from netcomp.wire.documents import Ready, Welcome, encode

__all__ = ["Gathering"]


class Gathering:
    """The workers of a run as they come: `joined`, and of those that have loaded, `ready`.

    `welcome` makes what a worker is told; `identify` says what the server's own copy of the
    data is, (d, digest), None where it has none.
    """

    def __init__(
        self,
        workers: int,
        welcome: Callable[[int], Welcome],
        identify: Callable[[], tuple[int, str] | None],
    ) -> None:
        self.workers = workers
        self.joined: set[int] = set()
        self.ready: dict[int, Ready] = {}
        self._welcome = welcome
        self._identify = identify
        self._right: tuple[int, str] | None = None

    @property
    def complete(self) -> bool:
        """Whether every worker is ready."""
        return len(self.ready) == self.workers

    @property
    def in_order(self) -> list[Ready]:
        """What the workers said they hold, in worker order, once all have."""
        return [self.ready[worker] for worker in range(self.workers)]

    def waiting(self) -> ins.Waiting:
        """Return what the user is told."""
        return ins.Waiting(len(self.joined), len(self.ready), self.workers)

    def join(self, event: ins.Joined, *, late: bool) -> list[ins.Instruction]:
        """Take a connection in as the worker it wants to be, or refuse it."""
        wanted = event.hello.worker
        free = [worker for worker in range(self.workers) if worker not in self.joined]
        if late or not free:
            reason = f"all {self.workers} workers are here already"
        elif wanted is not None and wanted >= self.workers:
            reason = f"there is no worker {wanted}: the run has {self.workers}, from 0"
        elif wanted is not None and wanted in self.joined:
            reason = f"worker {wanted} is here already"
        else:
            worker = free[0] if wanted is None else wanted
            self.joined.add(worker)
            welcome = encode(self._welcome(worker))
            return [
                ins.Admit(event.connection, worker),
                ins.Send((worker,), welcome),
                self.waiting(),
            ]
        return [ins.Refuse(event.connection, None, LocalProtocolError(reason))]

    def prepare(self, event: ins.Prepared) -> list[ins.Instruction]:
        """Note what a worker has loaded; refuse it where others have something else."""
        theirs = (event.ready.dim, event.ready.digest)
        # What the server's own copy says, else what the first worker said.
        right = self._right = self._right or self._identify() or theirs
        for name, wanted, found in zip(("dim", "digest"), right, theirs, strict=True):
            if wanted != found:
                self.joined.discard(event.worker)
                error = LocalProtocolError(
                    f"worker {event.worker} has {name} {found} where {wanted} is wanted:"
                    " it does not hold the run's data"
                )
                return [ins.Refuse(None, event.worker, error), self.waiting()]
        self.ready[event.worker] = event.ready
        return [self.waiting()]

    def lose(self, worker: int) -> list[ins.Instruction]:
        """Let a worker go that left before it all began: another may take its place."""
        self.joined.discard(worker)
        self.ready.pop(worker, None)
        self._right = self._right if self.ready else None
        return [self.waiting()]
