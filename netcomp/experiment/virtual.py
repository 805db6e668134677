"""A whole run in this process, on a virtual clock: no sockets, no sleeping, deterministic.

The same sessions, coordinator, slots, encoded frames and link formula as over sockets; only
the carriage differs: what a connection would write arrives in the other session's buffer at
the time the link model says. Computing takes no time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count

from netcomp.errors import NetcompError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.link import Link, Pacer
from netcomp.net.server import Observer, overhead_of
from netcomp.protocol import instructions as ins
from netcomp.protocol.coordinator import Coordinator
from netcomp.protocol.session import Event, Session, Side
from netcomp.protocol.slot import Slot
from netcomp.results.events import Overhead
from netcomp.wire.documents import Bye, Failure, Hello, Stop, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing

__all__ = ["VirtualCluster"]


class _Way:
    """One direction of a virtual connection: a link, the session at its end, who listens there."""

    def __init__(self, link: Link, session: Session, listener: Callable[[Event], None]) -> None:
        self._link = link
        self._pacer = Pacer(link)
        self._session = session
        self._listener = listener
        self._last = 0.0

    def arrival(self, frame: Outgoing, now: float, *, paced: bool) -> float:
        """Return when the frame's last byte is there; like a stream, a way keeps its order."""
        if paced:
            self._last = self._pacer.enqueue(frame.nbytes, now).finish + self._link.latency
        else:
            self._last = max(self._last, now)
        return self._last

    def arrive(self, frame: Outgoing) -> None:
        """Put the frame's bytes into the session and tell the listener what they say."""
        for buffer in frame.buffers:
            rest = memoryview(buffer)
            while rest.nbytes:
                room = self._session.buffer()
                taken = min(room.nbytes, rest.nbytes)
                room[:taken] = rest[:taken]
                rest = rest[taken:]
                for event in self._session.received(taken):
                    self._listener(event)


class _Peer:
    """A worker's two sessions, its slot, and the ways between them."""

    def __init__(self, cluster: VirtualCluster, worker: int, experiment: Experiment) -> None:
        self._cluster = cluster
        self.worker = worker
        links = experiment.links[worker]
        self.server = Session(Side.SERVER)
        self._client = Session(Side.WORKER)
        self._down = _Way(links.down, self._client, self._on_worker)
        self._up = _Way(links.up, self.server, self._on_server)
        self._slot = Slot(partial(load_local, trusted=True), lambda: cluster.now)

    def join(self, version: str) -> None:
        """Say HELLO."""
        self._say(encode(Hello(netcomp=version, worker=self.worker)))

    def tell(self, frame: Outgoing, *, paced: bool) -> None:
        """Send a frame of the server's."""
        self._cluster.carry(self.server.send(frame), self._down, paced=paced)

    def _say(self, frame: Outgoing) -> None:
        paced = frame.kind is FrameKind.UPLINK
        self._cluster.carry(self._client.send(frame), self._up, paced=paced)

    def _on_worker(self, event: Event) -> None:
        try:
            answers = self._slot.answer(event, self._cluster.now)
        except NetcompError as error:
            self._cluster.carry(self._client.fail(error), self._up, paced=False)
            return
        for frame in answers:
            self._say(frame)
        if isinstance(event.content, Stop):
            self._cluster.carry(self._client.bye(), self._up, paced=False)

    def _on_server(self, event: Event) -> None:
        content = event.content
        if isinstance(content, Hello):
            self._cluster.feed(ins.Joined(self.worker, content))
        elif isinstance(content, Failure):
            self._cluster.observer.note(f"worker {self.worker} left: {content.reason}")
            self._cluster.feed(ins.Lost(self.worker, content.reason))
        else:
            if isinstance(content, Bye):
                self._cluster.consistent &= self.server.agrees(content, event.nbytes)
            self._cluster.feed(ins.told(self.worker, event))


class VirtualCluster:
    """Server and workers of one experiment, driven by a heap of arrivals."""

    def __init__(
        self, experiment: Experiment, coordinator: Coordinator, observer: Observer
    ) -> None:
        self.now = 0.0
        self.consistent = True
        self.observer = observer
        self._coordinator = coordinator
        self._order = count()
        self._arrivals: list[tuple[float, int, _Way, Outgoing]] = []
        self._events: deque[ins.Event] = deque()
        self._busy = False
        self._outcome: ins.Outcome | None = None
        self._interrupted = False
        workers = range(coordinator.workers)
        self._peers = [_Peer(self, worker, experiment) for worker in workers]

    @property
    def overhead(self) -> Overhead:
        """Bytes on the virtual wire that are not the algorithm's."""
        return sum((overhead_of(peer.server) for peer in self._peers), Overhead())

    def run(self, version: str) -> ins.Outcome:
        """Run to the end and return how it ended."""
        for peer in self._peers:
            peer.join(version)
        while self._arrivals and self._outcome is None:
            self.now, _, way, frame = heapq.heappop(self._arrivals)
            way.arrive(frame)
            if self._interrupted:
                self.feed(ins.Interrupt("interrupted"))
        if self._outcome is None:
            # Workers that failed to prepare are gone, and nobody else will come.
            self.feed(ins.Interrupt("failed", NetcompError("the workers could not begin")))
        assert self._outcome is not None  # noqa: S101 — an interrupted run without workers ends
        return self._outcome

    def interrupt(self) -> None:
        """End the run as soon as the frame in hand has arrived."""
        self._interrupted = True

    def carry(self, frame: Outgoing, way: _Way, *, paced: bool) -> None:
        """Let a frame arrive when the link says."""
        at = way.arrival(frame, self.now, paced=paced)
        heapq.heappush(self._arrivals, (at, next(self._order), way, frame))

    def feed(self, event: ins.Event) -> None:
        """Tell the coordinator, and carry out what it says."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        while self._events:
            for instruction in self._coordinator.on(self._events.popleft(), self.now):
                self._execute(instruction)
        self._busy = False

    def _execute(self, instruction: ins.Instruction) -> None:
        match instruction:
            case ins.Send(worker, frame, paced):
                self._peers[worker].tell(frame, paced=paced)
            case ins.Wake():
                self._events.append(ins.Tick())
            case ins.Agree(worker, begin):
                self._peers[worker].server.agree(begin)
            case ins.Record(record):
                self.observer.record(record)
            case ins.Reached(target):
                self.observer.reached(target)
            case ins.Finished(outcome):
                self._outcome = outcome
            case ins.Refuse(_, _, error):
                self.observer.note(str(error))
            case ins.Admit() | ins.Waiting():
                pass
