"""A whole run in this process, on a virtual clock: no sockets, no sleeping, deterministic.

The same sessions, coordinator, slots, encoded frames and link formulas as over sockets; only
the carriage differs: what a connection would write arrives in the other session's buffer at
the time the link model says. A worker's answer takes what `cluster.compute` says, by default
no time; the server's own computing takes none.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from netcomp.draw import Direction, Draw
from netcomp.errors import NetcompError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.stopwatch import Stopwatch
from netcomp.link import Link, Pacer, Port
from netcomp.net.loops import rare_collections
from netcomp.net.server import Observer, overhead_of
from netcomp.protocol import instructions as ins
from netcomp.protocol.coordinator import Coordinator
from netcomp.protocol.quiet import quietly
from netcomp.protocol.session import CATEGORIES, Event, Session, Side, State
from netcomp.protocol.slot import Local, Slot
from netcomp.results.events import Overhead
from netcomp.wire.documents import Bye, Failure, Hello, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing

__all__ = ["VirtualCluster"]


class _Way:
    """One direction of a virtual connection: a link, and what is done with what arrives.

    `arrive(at, frame)` is called once it is known when a frame's last byte is there; like a
    stream, a way keeps its order. Data frames go through `port`, where the server has a rate
    of its own, as flow number `draw.worker`; `draw` is the key of their jitter but for the
    round.
    """

    __slots__ = ("_arrive", "_behind", "_draw", "_entering", "_last", "_link", "_pacer", "port")

    def __init__(
        self, link: Link, port: Port | None, draw: Draw, arrive: Callable[[float, Outgoing], None]
    ) -> None:
        self.port = port
        self._link = link
        self._draw = draw
        self._arrive = arrive
        self._pacer = Pacer(link)
        self._last = 0.0
        self._entering = 0
        self._behind: list[Outgoing] = []

    def send(self, frame: Outgoing, now: float) -> None:
        """Let a frame begin at `now`; one that is not data is there as soon as those before."""
        if CATEGORIES[frame.kind] != "data":
            if self._entering:
                self._behind.append(frame)
            else:
                self._on_time(frame, now)
            return
        delay = self._link.latency
        if self._link.jitter:
            delay = self._link.delay(self._draw.at(round_=frame.round))
        if self.port is None:
            self._on_time(frame, self._pacer.enqueue(frame.nbytes, now).finish + delay)
            return
        self._entering += 1
        through = partial(self._through, frame, delay)
        self.port.enqueue(self._draw.worker, frame.nbytes, now, through)

    def _on_time(self, frame: Outgoing, at: float) -> None:
        """Let a frame arrive, behind those before it."""
        self._last = max(self._last, at)
        self._arrive(self._last, frame)

    def _through(self, frame: Outgoing, delay: float, finish: float) -> None:
        self._entering -= 1
        self._on_time(frame, finish + delay)
        if not self._entering:
            # What waited behind data frames, none of which is under way any more.
            behind, self._behind = self._behind, []
            for one in behind:
                self._on_time(one, self._last)


class _Peer:
    """A worker's two sessions, its slot, and the ways between them."""

    def __init__(self, cluster: VirtualCluster, worker: int, experiment: Experiment) -> None:
        self._cluster = cluster
        self.worker = worker
        self.server = Session(Side.SERVER)
        self._client = Session(Side.WORKER)
        links, ports = experiment.links[worker], experiment.ports
        draw = Draw(experiment.spec.seed, worker=worker)
        self._down = self._way(
            links.down, ports.send, draw.at(direction=Direction.DOWN), self._client, self._on_worker
        )
        self._up = self._way(
            links.up, ports.receive, draw.at(direction=Direction.UP), self.server, self._on_server
        )
        seconds = experiment.compute_seconds[worker]
        self._watch = Stopwatch(lambda: cluster.now, seconds)
        self._slot = Slot(self._load, self._watch)

    def _way(
        self,
        link: Link,
        port: Port | None,
        draw: Draw,
        session: Session,
        listener: Callable[[Event], None],
    ) -> _Way:
        def arrive(at: float, frame: Outgoing) -> None:
            self._cluster.at(at, _deliver, (frame, session, listener))

        return _Way(link, port, draw, arrive)

    def _load(self, welcome: Welcome) -> Local:
        return self._watch.timing(load_local(welcome, trusted=True))

    def join(self, version: str) -> None:
        """Say HELLO."""
        self._say(encode(Hello(netcomp=version, worker=self.worker)))

    def tell(self, frame: Outgoing) -> None:
        """Send a frame of the server's."""
        self._cluster.carry(self.server.send(frame), self._down)

    def _say(self, frame: Outgoing) -> None:
        if self._client.state is State.CLOSED:  # it was told to stop while it computed
            return
        for one in frame.apart():
            self._cluster.carry(self._client.send(one), self._up)

    def _on_worker(self, event: Event) -> None:
        try:
            with self._watch.running(timed=event.kind is FrameKind.DOWNLINK):
                answers = quietly(self._slot.answer, event, self._cluster.now)
        except NetcompError as error:
            self._cluster.carry(self._client.fail(error), self._up)
            return
        for frame in answers:
            if self._watch.spent:
                self._cluster.at(self._cluster.now + self._watch.spent, self._say, (frame,))
            else:
                self._say(frame)
        if isinstance(event.content, Stop):
            self._cluster.carry(self._client.bye(), self._up)

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
            self._cluster.feed(ins.told(self.worker, event, self._cluster.now))


def _deliver(frame: Outgoing, session: Session, listener: Callable[[Event], None]) -> None:
    """Put the frame's bytes into the session and tell the listener what they say."""
    for buffer in frame.buffers:
        for event in session.feed(buffer):
            listener(event)


class VirtualCluster:
    """Server and workers of one experiment, driven by a heap of what happens when."""

    def __init__(
        self, experiment: Experiment, coordinator: Coordinator, observer: Observer
    ) -> None:
        self.now = 0.0
        self.consistent = True
        self.observer = observer
        self._coordinator = coordinator
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serving: dict[Port, float] = {}
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
        with rare_collections():
            self._play()
        if self._outcome is None:
            # Workers that failed to prepare are gone, and nobody else will come.
            self.feed(ins.Interrupt("failed", NetcompError("the workers could not begin")))
        assert self._outcome is not None  # noqa: S101 — an interrupted run without workers ends
        return self._outcome

    def _play(self) -> None:
        """Let happen what is to happen, in its order."""
        while self._agenda and self._outcome is None:
            self.now, _, happen, arguments = heapq.heappop(self._agenda)
            happen(*arguments)
            if self._interrupted:
                self.feed(ins.Interrupt("interrupted"))

    def interrupt(self) -> None:
        """End the run as soon as the frame in hand has arrived."""
        self._interrupted = True

    def at(self, time: float, happen: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Let something happen at `time`, after what was to happen then already."""
        heapq.heappush(self._agenda, (time, next(self._order), happen, arguments))

    def carry(self, frame: Outgoing, way: _Way) -> None:
        """Let a frame arrive when the link says."""
        way.send(frame, self.now)
        if way.port is not None:
            self._serve(way.port)

    def _serve(self, port: Port) -> None:
        """See to it that the port is looked at when its next frame is through."""
        upcoming = port.next_event()
        if upcoming < self._serving.get(port, math.inf):
            self._serving[port] = upcoming
            self.at(upcoming, self._served, (port,))

    def _served(self, port: Port) -> None:
        self._serving.pop(port, None)
        port.advance(self.now)
        self._serve(port)

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
            case ins.Send(workers, frame):
                for worker in workers:
                    self._peers[worker].tell(frame)
            case ins.Wake():
                self._events.append(ins.Tick())
            case ins.Work(task):
                self._events.append(_worked(task))
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
            case ins.Admit() | ins.Waiting() | ins.Listen():
                pass


def _worked(task: Callable[[], Any]) -> ins.Worked:
    try:
        return ins.Worked(task())
    except NetcompError as error:
        return ins.Worked(error=error)
