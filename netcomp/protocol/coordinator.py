"""The server's course of a run, without I/O: events in, instructions out, `now` an argument.

Gathering: workers join, load their data and say what they have. When all are ready, the
injected `prepare` resolves the spec into roles. Then rounds: speak, hear everybody,
aggregate; between rounds, every so often, a probe of f and ∇f at the server's model, during
which the experiment's clock stands still. At the end every worker is told to stop and says
goodbye with its own byte counts.

A `Wake` instruction asks for a `Tick` when the shell has carried out what came before: that
is how the time spent in the server's own computing gets onto the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from netcomp.draw import Draw
from netcomp.errors import LocalProtocolError, NetcompError, WorkerLost
from netcomp.protocol import instructions as ins
from netcomp.protocol.goals import Goals, Progress
from netcomp.protocol.probes import combined, dense_message
from netcomp.protocol.round import Links, Round
from netcomp.results.events import RoundRecord
from netcomp.roles import Array, Message, ServerRole
from netcomp.wire.documents import Begin, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import Outgoing, vector_message

__all__ = ["Coordinator", "Ground"]


@dataclass(frozen=True)
class Ground:
    """What a run stands on once all workers are ready: made by the injected `prepare`."""

    role: ServerRole
    x0: Array
    begin: Begin
    links: Sequence[Links]


class _Phase(Enum):
    GATHERING = "gathering"
    IDLE = "idle"
    ROUND = "round"
    AGGREGATED = "aggregated"
    PROBING = "probing"
    STOPPING = "stopping"
    DONE = "done"


class Coordinator:
    """Runs one experiment; call `on` with every event and carry out what it returns."""

    def __init__(
        self,
        *,
        workers: int,
        seed: int,
        goals: Goals,
        probe_every: int,
        welcome: Callable[[int], Welcome],
        prepare: Callable[[Sequence[Ready]], Ground],
        identify: Callable[[], tuple[int, str] | None] = lambda: None,
    ) -> None:
        self.workers = workers
        self.goals = goals
        self.probe_every = probe_every
        self.progress = Progress()
        self._draw = Draw(seed)
        self._welcome = welcome
        self._prepare = prepare
        self._identify = identify
        self._right: tuple[int, str] | None = None
        self._phase = _Phase.GATHERING
        self._joined: set[int] = set()
        self._ready: dict[int, Ready] = {}
        self._gone: set[int] = set()
        self._ground: Ground | None = None
        self._state: Any = None
        self._round = Round(0, 0.0)
        self._probes: dict[int, Message] = {}
        self._row: RoundRecord | None = None
        self._outcome = ins.Outcome("failed")

    @property
    def model(self) -> Array | None:
        """The server's x, None before the first round."""
        return None if self._ground is None else self._ground.role.model(self._state)

    @property
    def _begun(self) -> Ground:
        """What the run stands on; only asked for once it has begun."""
        if self._ground is None:
            raise LocalProtocolError("the run has not begun")
        return self._ground

    @property
    def stopping(self) -> bool:
        """Whether the end has been decided."""
        return self._phase in (_Phase.STOPPING, _Phase.DONE)

    def on(self, event: ins.Event, now: float) -> list[ins.Instruction]:
        """Take an event that happened at `now` (s); return what the shell is to do, in order."""
        try:
            return self._dispatch(event, now)
        except NetcompError as error:
            # A role, or `prepare`, could not go on: the run ends, with everybody told.
            return self._end(ins.Outcome("failed", error))

    def _dispatch(self, event: ins.Event, now: float) -> list[ins.Instruction]:
        match event:
            case ins.Joined():
                return self._on_joined(event)
            case ins.Prepared():
                return self._on_prepared(event)
            case ins.Answered():
                return self._on_answered(event, now)
            case ins.Reported():
                self._in_round(event.worker, event.round)
                self._round.reports[event.worker] = event.report
                return self._when_complete()
            case ins.Probed():
                return self._on_probed(event)
            case ins.Closed():
                return self._leave(event.worker)
            case ins.Lost():
                return self._on_lost(event)
            case ins.Interrupt():
                name = "interrupted" if event.error is None else "failed"
                return self._end(ins.Outcome(name, event.error))
            case ins.Tick():
                return self._on_tick(now)

    # Gathering

    def _on_joined(self, event: ins.Joined) -> list[ins.Instruction]:
        wanted = event.hello.worker
        free = [worker for worker in range(self.workers) if worker not in self._joined]
        if self._phase is not _Phase.GATHERING or not free:
            reason = f"all {self.workers} workers are here already"
        elif wanted is not None and wanted >= self.workers:
            reason = f"there is no worker {wanted}: the run has {self.workers}, from 0"
        elif wanted is not None and wanted not in free:
            reason = f"worker {wanted} is here already"
        else:
            worker = free[0] if wanted is None else wanted
            self._joined.add(worker)
            welcome = encode(self._welcome(worker))
            return [
                ins.Admit(event.connection, worker),
                ins.Send(worker, welcome, paced=False),
                self._waiting(),
            ]
        return [ins.Refuse(event.connection, None, LocalProtocolError(reason))]

    def _on_prepared(self, event: ins.Prepared) -> list[ins.Instruction]:
        if self._phase is not _Phase.GATHERING:
            return []
        theirs = (event.ready.dim, event.ready.digest)
        # What the server's own copy says, else what the first worker said.
        right = self._right = self._right or self._identify() or theirs
        for name, wanted, found in zip(("dim", "digest"), right, theirs, strict=True):
            if wanted != found:
                self._joined.discard(event.worker)
                error = LocalProtocolError(
                    f"worker {event.worker} has {name} {found} where {wanted} is wanted:"
                    " it does not hold the run's data"
                )
                return [ins.Refuse(None, event.worker, error), self._waiting()]
        self._ready[event.worker] = event.ready
        if len(self._ready) < self.workers:
            return [self._waiting()]
        return [self._waiting(), *self._begin()]

    def _waiting(self) -> ins.Waiting:
        return ins.Waiting(len(self._joined), len(self._ready), self.workers)

    def _begin(self) -> list[ins.Instruction]:
        ground = self._prepare([self._ready[worker] for worker in range(self.workers)])
        self._state = ground.role.init(ground.x0)
        # The state has x⁰ as long as it needs it; held here it would stay for good.
        self._ground = replace(ground, x0=np.empty(0, ground.x0.dtype))
        begin = encode(ground.begin)
        out: list[ins.Instruction] = []
        for worker in range(self.workers):
            out += [ins.Agree(worker, ground.begin), ins.Send(worker, begin, paced=False)]
        self._row = RoundRecord(0, 0.0, (), None, None)
        return out + self._after_row()

    # Rounds

    def _speak(self, now: float) -> list[ins.Instruction]:
        number = self.progress.rounds
        self._round = Round(number, now)
        self._phase = _Phase.ROUND
        # A diverging run overflows; the compressor that meets the result says so.
        with np.errstate(over="ignore", invalid="ignore"):
            messages = self._begun.role.downlink(self._state, self._draw.at(round_=number))
        encoded: dict[int, Outgoing] = {}
        out: list[ins.Instruction] = []
        for worker, message in messages.items():
            # A broadcast is one Message object: encode it once.
            if id(message) not in encoded:
                encoded[id(message)] = vector_message(FrameKind.DOWNLINK, number, message)
            frame = encoded[id(message)]
            self._round.speak(worker, message, frame.nbytes)
            out.append(ins.Send(worker, frame, paced=True))
        return [*out, ins.Wake()]

    def _in_round(self, worker: int, number: int) -> None:
        if self._phase is _Phase.STOPPING:
            return
        if self._phase is not _Phase.ROUND or number != self._round.number:
            raise WorkerLost(worker, self.progress.rounds, f"it answered round {number}")

    def _on_answered(self, event: ins.Answered, now: float) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING:
            return []
        self._in_round(event.worker, event.round)
        if not self._round.expects(event.worker):
            raise WorkerLost(event.worker, event.round, "it answered twice")
        self._round.answer(event.worker, event.message, event.wire_bytes, now)
        return self._when_complete()

    def _when_complete(self) -> list[ins.Instruction]:
        if self._phase is not _Phase.ROUND or not self._round.complete:
            return []
        draw = self._draw.at(round_=self._round.number)
        uplinks = self._round.take_messages()
        with np.errstate(over="ignore", invalid="ignore"):
            self._state = self._begun.role.aggregate(self._state, uplinks, draw)
        self._phase = _Phase.AGGREGATED
        return [ins.Wake()]

    def _on_tick(self, now: float) -> list[ins.Instruction]:
        if self._phase is _Phase.IDLE:
            return self._speak(now)
        if self._phase is _Phase.ROUND:
            self._round.spoken = now
            # Partial participation may leave a round to nobody.
            return self._when_complete()
        if self._phase is not _Phase.AGGREGATED:
            return []
        accounts = self._round.accounts(self._begun.links, now)
        before = self.progress
        self.progress = Progress(
            before.rounds + 1,
            before.seconds + now - self._round.started,
            before.uplink_bytes + sum(a.up.wire_bytes for a in accounts),
            before.downlink_bytes + sum(a.down.wire_bytes for a in accounts),
        )
        self._row = RoundRecord(self.progress.rounds, self.progress.seconds, accounts, None, None)
        return self._after_row()

    def _after_row(self) -> list[ins.Instruction]:
        """Go on after a round (or before the first): probe, stop, or speak again."""
        spent = self.goals.spent(self.progress)
        due = self.progress.rounds % self.probe_every == 0
        if due or spent:
            return self._probe()
        return self._recorded() + self._go_on()

    def _go_on(self) -> list[ins.Instruction]:
        """Begin the next round at the next tick: should it fail, the last row is safe."""
        self._phase = _Phase.IDLE
        return [ins.Wake()]

    def _recorded(self) -> list[ins.Instruction]:
        """Return the instruction to write down the row that is open, if one is."""
        row, self._row = self._row, None
        return [] if row is None else [ins.Record(row)]

    # Probes

    def _probe(self) -> list[ins.Instruction]:
        self._phase = _Phase.PROBING
        self._probes = {}
        model = self._begun.role.model(self._state)
        frame = vector_message(FrameKind.PROBE, self.progress.rounds, dense_message(model))
        return [ins.Send(worker, frame, paced=False) for worker in range(self.workers)]

    def _on_probed(self, event: ins.Probed) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING:
            return []
        late = self._phase is not _Phase.PROBING or event.round != self.progress.rounds
        if late or event.worker in self._probes:
            raise WorkerLost(event.worker, self.progress.rounds, "it answered a probe unasked")
        self._probes[event.worker] = event.message
        if len(self._probes) < self.workers:
            return []
        return self._judge()

    def _judge(self) -> list[ins.Instruction]:
        """Put f, ‖∇f‖² and metrics at the model together, and see what they mean."""
        model = self._begun.role.model(self._state)
        ready = [self._ready[worker] for worker in range(self.workers)]
        loss, gradient, metrics = combined(self._probes, ready, model)
        grad_norm_sq = float(np.dot(gradient, gradient))
        if self._row is not None:
            self._row = replace(self._row, loss=loss, grad_norm_sq=grad_norm_sq, metrics=metrics)
        reached = self.goals.reached(loss, grad_norm_sq, metrics)
        spent = self.goals.spent(self.progress)
        out = self._recorded()
        if reached and reached != "diverged":
            out.append(ins.Reached(reached))
        if stopped_by := reached or spent:
            return out + self._end(ins.Outcome(stopped_by))
        return out + self._go_on()

    # The end

    def _on_lost(self, event: ins.Lost) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING:
            return self._leave(event.worker)
        if self._phase is _Phase.GATHERING:
            self._joined.discard(event.worker)
            self._ready.pop(event.worker, None)
            self._right = self._right if self._ready else None
            return [self._waiting()]
        self._gone.add(event.worker)
        error = WorkerLost(event.worker, self.progress.rounds, event.reason)
        return self._end(ins.Outcome("failed", error))

    def _end(self, outcome: ins.Outcome) -> list[ins.Instruction]:
        if self._phase in (_Phase.STOPPING, _Phase.DONE):
            return []
        self._outcome = outcome
        self._phase = _Phase.STOPPING
        reason = str(outcome.error) if outcome.error else outcome.stopped_by
        stop = encode(Stop(reason=reason[:2000]), self.progress.rounds)
        out = self._recorded()
        present = sorted(self._joined - self._gone)
        out += [ins.Send(worker, stop, paced=False) for worker in present]
        return out + self._when_all_left()

    def _leave(self, worker: int) -> list[ins.Instruction]:
        self._gone.add(worker)
        return self._when_all_left()

    def _when_all_left(self) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING and self._joined <= self._gone:
            self._phase = _Phase.DONE
            return [ins.Finished(self._outcome)]
        return []
