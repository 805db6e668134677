"""The server's course of a run, without I/O: events in, instructions out, `now` an argument.

Gathering: workers join, load their data and say what they have. When all are ready, the
injected `prepare` resolves the spec into roles. Then rounds: speak, hear everybody,
aggregate; between rounds, every so often, a probe of f and ∇f at the server's model, during
which the experiment's clock stands still. At the end every worker is told to stop and says
goodbye with its own byte counts.

A `Wake` instruction asks for a `Tick` when the shell has carried out what came before: that
is how the time spent in the server's own computing gets onto the clock. A `Work` instruction
hands over what long vectors make slow, and a `Worked` brings it back: meanwhile events come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Final, cast

import numpy as np

from netcomp.draw import Draw
from netcomp.errors import LocalProtocolError, NetcompError, WorkerLost
from netcomp.protocol import instructions as ins
from netcomp.protocol.gathering import Gathering
from netcomp.protocol.goals import Goals, Progress
from netcomp.protocol.inbox import Inbox, window
from netcomp.protocol.probes import ProbeSum, dense_message
from netcomp.protocol.quiet import quietly
from netcomp.protocol.round import Round, Ways
from netcomp.results.events import RoundRecord
from netcomp.roles import Array, FoldingRole, Hearing, Message, ServerRole
from netcomp.wire.documents import Begin, Ready, Stop, Welcome, encode
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import vector_message

__all__ = ["Coordinator", "Ground"]

_LONG: Final = 1 << 18
_LONG_IN_ALL: Final = 1 << 22
"""Coordinates from which one vector, and n of them, take longer than a loop may stand still."""


@dataclass(frozen=True)
class Ground:
    """What a run stands on once all workers are ready: made by the injected `prepare`."""

    role: ServerRole
    x0: Array
    begin: Begin
    ways: Ways


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
        self._gathering = Gathering(workers, welcome, identify)
        self._prepare = prepare
        self._phase = _Phase.GATHERING
        self._gone: set[int] = set()
        self._ground: Ground | None = None
        self._state: Any = None
        self._ways = Ways(())
        self._round = Round(0, 0.0)
        self._inbox = Inbox()
        self._hearing: dict[int, Message] | Hearing = {}
        self._probes: ProbeSum | None = None
        self._probed: set[int] = set()
        self._dim = 0
        self._then: Callable[[Any], list[ins.Instruction]] | None = None
        self._row: Round | None = None
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

    def on(self, event: ins.Event, now: float) -> Sequence[ins.Instruction]:
        """Take an event that happened at `now` (s); return what the shell is to do, in order."""
        try:
            return self._dispatch(event, now)
        except NetcompError as error:
            # A role, or `prepare`, could not go on: the run ends, with everybody told.
            return self._end(ins.Outcome("failed", error))

    def _dispatch(self, event: ins.Event, now: float) -> list[ins.Instruction]:
        match event:
            case ins.Answered():
                return self._on_answered(event)
            case ins.Reported():
                return self._on_reported(event)
            case ins.Tick():
                return self._on_tick(now)
            case ins.Worked():
                return self._on_worked(event)
            case ins.Probed():
                return self._on_probed(event)
            case ins.Joined():
                return self._gathering.join(event, late=self._phase is not _Phase.GATHERING)
            case ins.Prepared():
                return self._on_prepared(event)
            case ins.Closed():
                return self._leave(event.worker)
            case ins.Lost():
                return self._on_lost(event)
            case ins.Interrupt():
                name = "interrupted" if event.error is None else "failed"
                return self._end(ins.Outcome(name, event.error))

    # Gathering

    def _on_prepared(self, event: ins.Prepared) -> list[ins.Instruction]:
        if self._phase is not _Phase.GATHERING:
            return []
        out = self._gathering.prepare(event)
        return out + self._begin() if self._gathering.complete else out

    def _begin(self) -> list[ins.Instruction]:
        ground = self._prepare(self._gathering.in_order)
        self._state = ground.role.init(ground.x0)
        # The state has x⁰ as long as it needs it; held here it would stay for good.
        self._ground = replace(ground, x0=np.empty(0, ground.x0.dtype))
        self._dim = ground.x0.size
        self._ways = ground.ways
        begin = encode(ground.begin)
        out: list[ins.Instruction] = []
        for worker in range(self.workers):
            out += [ins.Agree(worker, ground.begin), ins.Send((worker,), begin)]
        self._row = Round(-1, 0.0)
        return out + self._probe()

    # Rounds

    def _speak(self, now: float) -> list[ins.Instruction]:
        number = self.progress.rounds
        self._round = Round(number, now)
        self._phase = _Phase.ROUND
        draw = self._draw.at(round_=number)
        messages = quietly(self._begun.role.downlink, self._state, draw)
        folding = self._folding
        self._hearing = {} if folding is None else folding.hearing(self._state, draw)
        # A broadcast is one Message object: encode it once.
        alike: dict[int, list[int]] = {}
        for worker, message in messages.items():
            alike.setdefault(id(message), []).append(worker)
        out = self._await(messages, self._begun.begin.max_up)
        for workers in alike.values():
            message = messages[workers[0]]
            frame = vector_message(FrameKind.DOWNLINK, number, message)
            self._round.speak(workers, message, frame.nbytes)
            out.append(ins.Send(workers, frame))
        return [*out, ins.Wake()]

    @property
    def _folding(self) -> FoldingRole | None:
        """The server's role where it adds uplinks up as they come."""
        role = self._begun.role
        return cast(FoldingRole, role) if getattr(role, "folds", False) else None

    def _await(self, workers: Iterable[int], largest: int) -> list[ins.Instruction]:
        """Expect a message of at most `largest` bytes from each worker."""
        # Emulated links are all in use at once, or the emulation would be wrong.
        self._inbox = Inbox(workers, window(largest) if self._ways.free_up else None)
        return [ins.Listen(worker, reading=False) for worker in self._inbox.shut]

    def _in_round(self, workers: Sequence[int], number: int) -> bool:
        """Whether a round is under way, and it is this one; not so when all is over."""
        if self._phase is _Phase.ROUND and number == self._round.number:
            return True
        if self._phase is _Phase.STOPPING:
            return False
        raise WorkerLost(workers[0], self.progress.rounds, f"it answered round {number}")

    def _on_answered(self, event: ins.Answered) -> list[ins.Instruction]:
        workers, number, messages, wire_bytes, times = event
        if not self._in_round(workers, number):
            return []
        wrong = self._round.answer(workers, messages[0].payload_bytes, wire_bytes, times)
        if wrong is not None:
            raise WorkerLost(wrong, number, "it answered twice, or unasked")
        self._inbox.put(workers, messages)
        return self._proceed()

    def _on_reported(self, event: ins.Reported) -> list[ins.Instruction]:
        workers, number, reports = event
        if not self._in_round(workers, number):
            return []
        wrong = self._round.report(workers, reports)
        if wrong is not None:
            raise WorkerLost(wrong, number, "it reported twice, or unasked")
        # Mostly the answers are still to come.
        return self._proceed() if self._round.complete else []

    def _proceed(self, _: None = None) -> list[ins.Instruction]:
        """Take what has come as far as its turn is there; when all is in, go on."""
        if self._then is not None:
            return []
        opened: list[ins.Instruction] = []
        if ready := self._inbox.take():
            opened += [ins.Listen(worker, reading=True) for worker in self._inbox.opened()]
            hear = partial(quietly, self._hear, ready)
            if self._dim >= _LONG:
                return opened + self._later(hear, self._proceed)
            hear()
        if self._phase is _Phase.PROBING and self._inbox.empty:
            return opened + self._judge()
        if self._phase is _Phase.ROUND and self._round.complete:
            return opened + self._aggregate()
        return opened

    def _hear(self, ready: Iterable[tuple[Sequence[int], Sequence[Message]]]) -> None:
        """Let messages be heard; what was read off a socket is nobody else's."""
        hearing = self._hearing if self._probes is None else self._probes
        take = getattr(hearing, "take", None)
        for workers, messages in ready:
            if take is not None:
                take(workers, messages)
                continue
            for worker, message in zip(workers, messages, strict=True):
                if isinstance(hearing, dict):
                    hearing[worker] = message
                else:
                    hearing.hear(worker, message)

    def _aggregate(self) -> list[ins.Instruction]:
        draw = self._draw.at(round_=self._round.number)
        # A folding role takes what has heard; any other only knows a mapping.
        uplinks = cast("dict[int, Message]", self._hearing)
        self._hearing = {}
        task = partial(quietly, self._begun.role.aggregate, self._state, uplinks, draw)
        # What is said next may differ from worker to worker.
        long = self._dim >= _LONG or self._dim * self.workers >= _LONG_IN_ALL
        return self._later(task, self._aggregated) if long else self._aggregated(task())

    def _aggregated(self, state: Any) -> list[ins.Instruction]:
        self._state = state
        self._phase = _Phase.AGGREGATED
        return [ins.Wake()]

    def _later(
        self, task: Callable[[], Any], then: Callable[[Any], list[ins.Instruction]]
    ) -> list[ins.Instruction]:
        """Have a task done that takes long; go on with its result."""
        self._then = then
        return [ins.Work(task)]

    def _on_worked(self, event: ins.Worked) -> list[ins.Instruction]:
        then, self._then = self._then, None
        if event.error is not None:
            raise event.error
        return [] if then is None or self.stopping else then(event.result)

    def _on_tick(self, now: float) -> list[ins.Instruction]:
        if self._phase is _Phase.IDLE:
            return self._speak(now)
        if self._phase is _Phase.ROUND:
            self._round.spoken = now
            # Partial participation may leave a round to nobody. What the round before came to
            # is written down while the workers work.
            return self._recorded() + self._proceed()
        if self._phase is not _Phase.AGGREGATED:
            return []
        self._round.ended = now
        before = self.progress
        self.progress = Progress(
            before.rounds + 1,
            before.seconds + now - self._round.started,
            before.uplink_bytes + self._round.up_bytes,
            before.downlink_bytes + self._round.down_bytes,
        )
        self._row = self._round
        return self._after_row(now)

    def _after_row(self, now: float) -> list[ins.Instruction]:
        """Go on after a round (or before the first): probe, stop, or speak again."""
        spent = self.goals.spent(self.progress)
        due = self.progress.rounds % self.probe_every == 0
        return self._probe() if due or spent else self._speak(now)

    def _recorded(self, **probed: Any) -> list[ins.Instruction]:
        """Return the instruction to write down the row that is open, if one is, as probed."""
        row, self._row = self._row, None
        if row is None:
            return []
        rounds, seconds = self.progress.rounds, self.progress.seconds
        return [ins.Record(RoundRecord(rounds, seconds, row.accounts(self._ways), **probed))]

    # Probes

    def _probe(self) -> list[ins.Instruction]:
        self._phase = _Phase.PROBING
        model = self._begun.role.model(self._state)
        self._probes = ProbeSum(self._gathering.in_order, model)
        self._probed = set()
        frame = vector_message(FrameKind.PROBE, self.progress.rounds, dense_message(model))
        everybody = range(self.workers)
        out = self._await(everybody, self._begun.begin.max_probe)
        return [*out, ins.Send(everybody, frame)]

    def _on_probed(self, event: ins.Probed) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING:
            return []
        late = self._phase is not _Phase.PROBING or event.round != self.progress.rounds
        if late or event.worker in self._probed:
            raise WorkerLost(event.worker, self.progress.rounds, "it answered a probe unasked")
        self._probed.add(event.worker)
        self._inbox.put((event.worker,), (event.message,))
        return self._proceed()

    def _judge(self) -> list[ins.Instruction]:
        """Put f, ‖∇f‖² and metrics at the model together, and see what they mean."""
        assert self._probes is not None  # noqa: S101 — judged after a probe
        found, self._probes = self._probes, None
        loss, metrics = found.loss, found.metrics
        grad_norm_sq = float(quietly(np.dot, found.gradient, found.gradient))
        reached = self.goals.reached(loss, grad_norm_sq, metrics)
        spent = self.goals.spent(self.progress)
        out = self._recorded(loss=loss, grad_norm_sq=grad_norm_sq, metrics=metrics)
        if reached and reached != "diverged":
            out.append(ins.Reached(reached))
        if stopped_by := reached or spent:
            return out + self._end(ins.Outcome(stopped_by))
        self._phase = _Phase.IDLE
        return [*out, ins.Wake()]

    # The end

    def _on_lost(self, event: ins.Lost) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING:
            return self._leave(event.worker)
        if self._phase is _Phase.GATHERING:
            return self._gathering.lose(event.worker)
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
        out += [ins.Listen(worker, reading=True) for worker in self._inbox.shut]
        present = sorted(self._gathering.joined - self._gone)
        return [*out, ins.Send(present, stop), *self._when_all_left()]

    def _leave(self, worker: int) -> list[ins.Instruction]:
        self._gone.add(worker)
        return self._when_all_left()

    def _when_all_left(self) -> list[ins.Instruction]:
        if self._phase is _Phase.STOPPING and self._gathering.joined <= self._gone:
            self._phase = _Phase.DONE
            return [ins.Finished(self._outcome)]
        return []
