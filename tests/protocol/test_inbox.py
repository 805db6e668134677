"""What arrives in any order is taken in worker order, and only so much is on its way."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.algorithms import compose
from netcomp.algorithms.catalogue import ALGORITHMS
from netcomp.algorithms.composed import ComposedServer
from netcomp.channels import Audience, Direct
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError
from netcomp.link import Link
from netcomp.protocol import instructions as ins
from netcomp.protocol.inbox import Inbox, window
from netcomp.protocol.round import Links
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind
from support.cases import smooth
from support.runs import REPORT, WORKERS, D, Rota, answer, gathered, kinds, probe, vector
from support.simulate import chosen


@given(
    st.lists(st.integers(0, 99), unique=True, min_size=1).flatmap(
        lambda workers: st.tuples(st.permutations(workers), st.none() | st.integers(1, 9))
    )
)
def test_any_order_of_arrival_is_worker_order(drawn):
    """Each message is taken once, by number; at most `window` from the turn on are open."""
    arriving, width = drawn
    inbox, taken = Inbox(arriving, width), []
    shut, open_ = list(inbox.shut), sorted(set(arriving) - set(inbox.shut))
    waiting = list(arriving)
    while waiting:
        worker = next(one for one in waiting if one in open_)
        waiting.remove(worker)
        inbox.put([worker], [Message(Kind.VALUE)])
        taken += [one for workers, _ in inbox.take() for one in workers]
        open_ += inbox.opened()
        assert width is None or len(set(open_) - set(taken)) <= width
    assert sorted(arriving) == taken
    assert inbox.empty
    assert set(shut) <= set(open_)
    assert [] == inbox.shut


def test_the_window_is_bytes_but_never_below_what_links_need():
    """64 MiB of messages, and of long ones eight."""
    assert [1 << 26, 1 << 16, 64, 8, 8] == [
        window(n) for n in (0, 1 << 10, 1 << 20, 1 << 23, 1 << 33)
    ]


def started(monkeypatch=None, *, ahead=None, **options):
    """Return a coordinator that has spoken for the first time, and what it said."""
    if ahead is not None:
        monkeypatch.setattr("netcomp.protocol.coordinator.window", lambda _bytes: ahead)
    run, out = gathered(**options)
    probe(run, 1.0, 0.0)
    spoken = run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    return run, out, spoken


def test_workers_beyond_the_window_are_not_read_until_their_turn_is_near(monkeypatch):
    """In rounds and in probes; at the end all are read again, or nobody could say goodbye."""
    shut, opened = ins.Listen(1, reading=False), ins.Listen(1, reading=True)
    run, out, spoken = started(monkeypatch, ahead=1)
    assert shut in out
    assert shut in spoken
    run.on(ins.Reported((0,), 0, (REPORT,)), 1.0)
    assert [opened] == run.on(
        ins.Answered((0,), 0, (Message(Kind.VALUE, vector(1.0, 1.0, 1.0)),), 9, (1.0,)), 1.0
    )
    run.on(ins.Reported((1,), 0, (REPORT,)), 2.0)
    assert [ins.Wake()] == run.on(
        ins.Answered((1,), 0, (Message(Kind.VALUE, vector(1.0, 1.0, 1.0)),), 9, (2.0,)), 2.0
    )
    run, _, _ = started(monkeypatch, ahead=1)
    assert opened in run.on(ins.Interrupt("interrupted"), 1.0)


@pytest.mark.parametrize("emulated", [{"links": Links(up=Link(rate=1.0))}, {"receive": 1.0}])
def test_emulated_links_are_all_read_at_once(emulated, monkeypatch):
    """Else one would stand still while another is in use; so too where they share a rate."""
    _, out, spoken = started(monkeypatch, ahead=1, **emulated)
    assert not any(isinstance(one, ins.Listen) for one in out + spoken)


# Work


@pytest.fixture
def long(monkeypatch):
    """Every vector is a long one."""
    monkeypatch.setattr("netcomp.protocol.coordinator._LONG", 1)


def done(run, out, now=0.0):
    """Do the work asked for until none is left; return what came with the last."""
    while out and isinstance(out[-1], ins.Work):
        out = run.on(ins.Worked(out[-1].task()), now)
    return out


def uplink(value):
    return Message(Kind.VALUE, vector(*[value] * D))


def play(run, order, rounds):
    """Play rounds in which workers answer in `order`; return the models."""
    models = []
    probe_all = [ins.Probed(w, 0, probe_of(1.0)) for w in range(WORKERS)]
    for event in probe_all:
        done(run, run.on(event, 0.0))
    for t in range(rounds):
        run.on(ins.Tick(), 0.0)
        run.on(ins.Tick(), 0.0)
        for worker in order:
            run.on(ins.Reported((worker,), t, (REPORT,)), 1.0)
            done(
                run,
                run.on(ins.Answered((worker,), t, (uplink(0.1 * (worker + 1)),), 9, (1.0,)), 1.0),
            )
        run.on(ins.Tick(), 1.0)
        models.append(run.model.tobytes())
    return models


def probe_of(value):
    return Message(Kind.FULL, (*vector(value), *vector(*[value] * D)))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_work_done_elsewhere_gives_the_same_bits(monkeypatch, order):
    """Whether a task is done at once or handed out, and whoever answers first."""
    here = play(gathered(rounds=9, probe_every=9)[0], (0, 1), 3)
    monkeypatch.setattr("netcomp.protocol.coordinator._LONG", 1)
    assert here == play(gathered(rounds=9, probe_every=9)[0], order, 3)


def test_what_arrives_during_work_waits_its_turn(long):
    """One task at a time; the next one takes all that has come meanwhile."""
    run, _ = gathered(probe_every=9)
    first = run.on(ins.Probed(0, 0, probe_of(1.0)), 0.0)
    assert [ins.Work] == kinds(first)
    assert [] == run.on(ins.Probed(1, 0, probe_of(1.0)), 0.0)
    second = run.on(ins.Worked(first[0].task()), 0.0)
    assert [ins.Work] == kinds(second)
    assert [ins.Record, ins.Wake] == kinds(run.on(ins.Worked(second[0].task()), 0.0))


def test_work_that_fails_ends_the_run_with_its_error(long):
    """As it would have here; and what comes back after the end changes nothing."""
    run, _ = gathered()
    asked = run.on(ins.Probed(0, 0, uplink(1.0)), 0.0)
    with pytest.raises(RemoteProtocolError) as error:
        asked[0].task()
    out = run.on(ins.Worked(error=error.value), 0.0)
    assert [ins.Record, *[FrameKind.STOP] * WORKERS] == kinds(out)
    run, _ = gathered()
    asked = run.on(ins.Probed(0, 0, probe_of(1.0)), 0.0)
    run.on(ins.Interrupt("interrupted"), 0.0)
    assert [] == run.on(ins.Worked(asked[0].task()), 0.0)
    assert [] == run.on(ins.Worked(error=error.value), 0.0)


# Folding


def server_of(name, n=3, **options):
    plan = ALGORITHMS.get(name).plan(chosen(step_size=None, **options), D, n, smooth(1.0))
    return ComposedServer(compose(plan))


def test_what_is_heard_is_let_go():
    """The server holds no message of a round once it has added it up: O(d) whatever n is."""
    server = server_of("gd", values="f64")
    hearing = server.hearing(server.init(np.ones(D)), Draw(1))
    for worker in range(3):
        values = np.full(D, 1.0 + worker)
        hearing.hear(worker, Message(Kind.VALUE, (values.view(np.uint8).data,)))
        gone = weakref.ref(values)
        del values
        gc.collect()
        assert gone() is None


def test_what_is_taken_gives_the_bits_of_a_mapping():
    """Long messages of nobody else: the step is the same, in the memory of the first of them."""
    n, d = 3, 1 << 18
    plan = ALGORITHMS.get("gd").plan(chosen(step_size=None, values="f64"), d, n, smooth(1.0))
    server, draw = ComposedServer(compose(plan)), Draw(1)
    state = server.init(np.ones(d))
    sent = np.random.default_rng(1).normal(size=(n, d))
    messages = {i: Message(Kind.VALUE, (sent[i].view(np.uint8).data,)) for i in range(n)}
    expected = server.model(server.aggregate(state, messages, draw)).copy()
    hearing = server.hearing(state, draw)
    hearing.take([0], [messages[0]])
    hearing.take([1, 2], [messages[1], messages[2]])
    actual = server.model(server.aggregate(state, hearing, draw))
    assert expected.tobytes() == actual.tobytes()
    assert np.shares_memory(actual, sent[0])


def test_roles_that_only_know_mappings_get_one():
    """A role without `hearing`, and a subclass with an `aggregate` of its own."""
    role = Rota([[0, 1]])
    run, _ = gathered(rounds=1, role=role)
    probe(run, 7.0, 0.0)
    run.on(ins.Tick(), 0.0)
    run.on(ins.Tick(), 0.0)
    answer(run, 1, 1.0, 1.0)
    answer(run, 0, 1.0, 1.0)
    assert [(0, [0, 1])] == role.heard

    class Looks(ComposedServer):
        def aggregate(self, state, uplinks, draw):
            return super().aggregate(state, dict(uplinks), draw)

    class Folds(Looks):
        folds = True

    assert (True, False, True) == (ComposedServer.folds, Looks.folds, Folds.folds)


def test_a_channel_that_looks_at_each_message_is_given_them():
    """A `receive` of one's own is not asked to do with a mean."""

    class Loudest(Direct):
        def receive(self, state, audience: Audience):
            return super().receive(state, Audience.all(audience.heard[-1:]))

    assert (True, False) == (Direct.folds, Loudest.folds)
