"""The coordinator: events in, instructions out, on a clock of its own."""

import numpy as np
import pytest

from netcomp.errors import NotFinite, WorkerLost
from netcomp.protocol import instructions as ins
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Hello, Ready
from netcomp.wire.frames import FrameKind
from support.runs import (
    ONE,
    PREPARED,
    REPORT,
    WORKERS,
    D,
    Rota,
    answer,
    coordinator,
    gathered,
    kinds,
    probe,
    vector,
)


def test_a_round_moves_the_model_and_is_written_down_with_its_times():
    """The model steps; a worker's shares add up to the wall time; probes cost none."""
    run, out = gathered()
    assert [FrameKind.PROBE] * WORKERS == kinds(out)[-WORKERS:]
    assert [ins.Record, ins.Wake] == kinds(probe(run, 7.0, 100.0))
    assert [FrameKind.DOWNLINK] * WORKERS + [ins.Wake] == kinds(run.on(ins.Tick(), 100.0))
    run.on(ins.Tick(), 100.5)
    assert [] == answer(run, 1, 1.0, 102.0)
    assert [ins.Wake] == kinds(answer(run, 0, 3.0, 103.0))
    assert np.array_equal(np.zeros(D), run.model)
    assert [FrameKind.PROBE] * WORKERS == kinds(run.on(ins.Tick(), 104.0))
    record = probe(run, 1.0, 999.0)[0].record
    assert (1, 4.0, 1.0, 3.0) == (record.round, record.seconds, record.loss, record.grad_norm_sq)
    for account in record.workers:
        assert account.times.total == pytest.approx(4.0, rel=1e-15)
        assert (0.25, 0.125) == (account.times.compute, account.times.compress)
        assert (24, 50, 96.0) == (
            account.up.payload_bytes,
            account.up.wire_bytes,
            account.up.paper_bits,
        )


def test_the_servers_own_data_says_who_is_wrong():
    """With a copy of the data here, a wrong worker that comes first is the one refused."""
    run = coordinator(identify=lambda: (D, ""))
    for worker in range(WORKERS):
        run.on(ins.Joined(worker, Hello(netcomp="t")), 0.0)
    wrong = Ready(dim=D + 1, rows=0, digest="", constants={"L": ONE})
    refused = run.on(ins.Prepared(0, wrong), 0.0)
    assert [ins.Refuse, ins.Waiting] == kinds(refused)
    assert "worker 0 has dim 4 where 3 is wanted" in str(refused[0].error)
    assert [ins.Waiting] == kinds(run.on(ins.Prepared(1, PREPARED), 0.0))


def test_without_data_here_the_first_worker_says_what_is_right():
    """The second that differs is refused, and nobody else."""
    run = coordinator()
    for worker in range(WORKERS):
        run.on(ins.Joined(worker, Hello(netcomp="t")), 0.0)
    run.on(ins.Prepared(1, PREPARED), 0.0)
    other = Ready(dim=D, rows=0, digest="other", constants={"L": ONE})
    assert [ins.Refuse, ins.Waiting] == kinds(run.on(ins.Prepared(0, other), 0.0))


@pytest.mark.parametrize(
    "what", ["twice", "another round", "a probe unasked", "a report twice", "a report of another"]
)
def test_an_answer_out_of_turn_ends_the_run_and_names_the_worker(what):
    """Workers are told to stop, and the error says who and when."""
    run, _ = gathered()
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    message = Message(Kind.VALUE, vector(1.0, 1.0, 1.0))
    if what == "twice":
        answer(run, 1, 1.0, 1.0)
        out = run.on(ins.Answered((1,), 0, (message,), 50, (1.0,)), 1.0)
    elif what == "a report twice":
        answer(run, 1, 1.0, 1.0)
        out = run.on(ins.Reported((1,), 0, (REPORT,)), 1.0)
    elif what == "a report of another":
        out = run.on(ins.Reported((1,), 1, (REPORT,)), 1.0)
    elif what == "another round":
        out = run.on(ins.Answered((1,), 5, (message,), 50, (1.0,)), 1.0)
    else:
        out = run.on(ins.Probed(1, 0, message), 1.0)
    assert [FrameKind.STOP] * WORKERS == kinds(out)
    assert run.stopping
    for worker in range(WORKERS):
        out = run.on(ins.Lost(worker, "gone"), 2.0)
    outcome = out[-1].outcome
    assert "failed" == outcome.stopped_by
    assert isinstance(outcome.error, WorkerLost)
    assert 1 == outcome.error.worker


def test_a_row_survives_a_round_that_cannot_begin():
    """A model that is not finite is refused by the next downlink; the row before it is kept."""
    run, _ = gathered(rounds=9, probe_every=5, step=4.0)
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    answer(run, 0, 1e308, 1.0)
    answer(run, 1, 1e308, 1.0)
    ended = run.on(ins.Tick(), 2.0)
    assert [ins.Record, *[FrameKind.STOP] * WORKERS] == kinds(ended)
    assert 1 == ended[0].record.round
    assert np.isinf(run.model).all()
    run.on(ins.Lost(0, ""), 2.0)
    outcome = run.on(ins.Lost(1, ""), 2.0)[-1].outcome
    assert isinstance(outcome.error, NotFinite)


def test_a_round_that_is_done_is_written_down_though_the_next_one_is_cut_off():
    """The next round is spoken first; whatever ends the run then, the row comes before STOP."""
    run, _ = gathered(rounds=9, probe_every=5)
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.5)
    answer(run, 0, 1.0, 1.0)
    answer(run, 1, 1.0, 1.0)
    assert [FrameKind.DOWNLINK] * WORKERS + [ins.Wake] == kinds(run.on(ins.Tick(), 2.0))
    out = run.on(ins.Interrupt("interrupted"), 3.0)
    assert [ins.Record, *[FrameKind.STOP] * WORKERS] == kinds(out)
    assert (1, 2.0) == (out[0].record.round, out[0].record.seconds)


def test_what_is_told_alike_is_sent_once():
    """A broadcast is one instruction with one frame, messages of their own are one each."""
    role = Rota([[0, 1]])
    run, _ = gathered(role=role)
    probe(run, 1.0, 0.0)
    (sent, _) = run.on(ins.Tick(), 0.0)
    assert [0, 1] == [*sent.workers]
    role.downlink = lambda *_: {one: Message(Kind.VALUE, vector(1.0 * one)) for one in (0, 1)}
    run, _ = gathered(role=role)
    probe(run, 1.0, 0.0)
    *sent, _ = run.on(ins.Tick(), 0.0)
    assert [[0], [1]] == [[*one.workers] for one in sent]


def test_rounds_without_any_message_take_place():
    """A round with nobody is aggregated at its tick, and recorded with no account."""
    role = Rota([[], [1], [], [0, 1]])
    run, _ = gathered(rounds=4, probe_every=9, role=role)
    probe(run, 7.0, 0.0)
    now, records = 0.0, []
    spoken = run.on(ins.Tick(), now)
    for t, present in enumerate(role.rota):
        assert [*[FrameKind.DOWNLINK] * len(present), ins.Wake] == kinds(spoken)
        assert present == [worker for i in spoken[:-1] for worker in i.workers]
        out = run.on(ins.Tick(), now)
        # The round before is written down while this one is under way.
        assert [ins.Record] * (t > 0) == kinds(out)[: t > 0]
        records += [one.record for one in out if isinstance(one, ins.Record)]
        for worker in present:
            out = answer(run, worker, 1.0, now + 1.0)
        assert ins.Wake == kinds(out)[-1]
        now += 2.0
        spoken = run.on(ins.Tick(), now)
    records.append(probe(run, 1.0, now)[0].record)
    assert list(enumerate(role.rota)) == role.heard
    assert [1, 2, 3, 4] == [record.round for record in records]
    assert [2.0, 4.0, 6.0, 8.0] == [record.seconds for record in records]
    assert role.rota == [[account.worker for account in record.workers] for record in records]
    assert np.array_equal(np.ones(D) + 4, run.model)


def test_an_answer_of_a_worker_that_was_not_spoken_to_ends_the_run():
    """Who is absent in a round may not answer it."""
    run, _ = gathered(role=Rota([[1], [0]]))
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    out = run.on(ins.Answered((0,), 0, (Message(Kind.VALUE, vector(1.0)),), 50, (1.0,)), 1.0)
    assert [FrameKind.STOP] * WORKERS == kinds(out)
    assert run.stopping


@pytest.mark.parametrize("before", [[], [1]])
def test_a_report_of_nobody_asked_or_a_second_one_ends_the_run(before):
    """It would leave the round incomplete for ever: the worker is named instead."""
    run, _ = gathered(role=Rota([[1], [0]]))
    probe(run, 1.0, 0.0)
    for _ in range(2):
        run.on(ins.Tick(), 0.0)
    for worker in before:
        run.on(ins.Reported((worker,), 0, (REPORT,)), 1.0)
    strange = before[0] if before else 0
    assert FrameKind.STOP in kinds(run.on(ins.Reported((strange,), 0, (REPORT,)), 1.0))


def both_answer(run, workers, now=1.0):
    """Let workers answer in one event, as those of a turn do."""
    message = Message(Kind.VALUE, vector(1.0, 1.0, 1.0))
    run.on(ins.Reported(workers, 0, [REPORT] * len(workers)), now)
    times = [now + worker for worker in workers]
    return run.on(ins.Answered(workers, 0, [message] * len(workers), 50, times), now)


@pytest.mark.parametrize("workers", [[0, 1], [1, 0]])
def test_answers_told_together_are_accounted_for_each(workers):
    """Each with the time at which it was there, whatever their order."""
    run, _ = gathered(rounds=1)
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.5)
    assert [ins.Wake] == kinds(both_answer(run, workers))
    run.on(ins.Tick(), 4.0)
    accounts = probe(run, 1.0, 4.0)[0].record.workers
    assert [0, 1] == [account.worker for account in accounts]
    travel = [account.times.up + account.times.down for account in accounts]
    assert [1.0 + 0 - 0.5 - REPORT.elapsed, 1.0 + 1 - 0.5 - REPORT.elapsed] == travel
    assert all(account.times.total == pytest.approx(4.0) for account in accounts)


@pytest.mark.parametrize(("workers", "wrong"), [([1, 0, 1], 1), ([0, 5, 1], 5), ([5, 5], 5)])
@pytest.mark.parametrize("kind", ["answers", "reports"])
def test_who_has_no_right_to_answer_is_named_among_many(workers, wrong, kind):
    """One that answers twice in a turn, or was never spoken to."""
    run, _ = gathered()
    probe(run, 1.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    message = Message(Kind.VALUE, vector(1.0, 1.0, 1.0))
    if kind == "answers":
        times = [1.0] * len(workers)
        event = ins.Answered(workers, 0, [message] * len(workers), 50, times)
    else:
        event = ins.Reported(workers, 0, [REPORT] * len(workers))
    assert FrameKind.STOP in kinds(run.on(event, 1.0))
    for worker in range(WORKERS):
        out = run.on(ins.Lost(worker, "gone"), 2.0)
    assert wrong == out[-1].outcome.error.worker
