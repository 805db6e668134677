"""The generic roles: who is told what, several messages in one, and what a stranger may say."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.algorithms import StepSize, server_role, worker_role
from netcomp.algorithms.composed.several import MOST_MESSAGES, several, unpacked
from netcomp.algorithms.participation import Independent, Uniform
from netcomp.compressors import MAX_PARTS
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError
from netcomp.roles import Kind, Message
from support.cases import heterogeneous
from support.simulate import chosen, composed, models, play, received

seeded = settings(derandomize=True, deadline=None, max_examples=300, database=None)
CASE = heterogeneous(12, 4)
STEP = StepSize(0.05, of_theory=False)


def parts_of(name, **options):
    choice = chosen(**{"values": "f64", "step_size": STEP, **options})
    return composed(name, choice, CASE.d, CASE.n, CASE.constants)


def rounds_of(parts, rounds=30, seed=0):
    return list(play(parts, CASE.oracles, CASE.x0, rounds, seed))


# Several messages in one

kinds = st.sampled_from([*Kind])
bodies = st.lists(st.binary(max_size=12).map(memoryview), max_size=5).map(tuple)
bits = st.integers(0, 10**6).map(float)
spoken = st.builds(Message, st.sampled_from([Kind.VALUE, Kind.DELTA]), bodies, bits)


def contents(message):
    return message.kind, [bytes(part) for part in message.parts]


@seeded
@given(st.lists(spoken, min_size=1, max_size=9))
def test_several_messages_come_out_as_they_went_in(messages):
    """Kinds, parts and their order survive; one message is itself, bits and bytes add up."""
    one = several(messages)
    assert [*map(contents, messages)] == [*map(contents, unpacked(one, len(messages)))]
    extra = 0 if len(messages) == 1 else 2 * len(messages)
    assert sum(m.payload_bytes for m in messages) + extra == one.payload_bytes
    assert sum(m.paper_bits for m in messages) == one.paper_bits


@seeded
@given(st.builds(Message, kinds, bodies, bits), st.integers(0, 6))
def test_anything_unpacks_or_is_a_remote_protocol_error(message, expected):
    """As many messages as are expected, of kinds that may be among several, or the one error."""
    try:
        found = unpacked(message, expected)
    except RemoteProtocolError:
        return
    assert expected == len(found)
    if message.kind is Kind.SEVERAL:
        assert {one.kind for one in found} <= {Kind.VALUE, Kind.DELTA}
        assert len(message.parts) - 1 == sum(len(one.parts) for one in found)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.VALUE, Kind.DELTA}))
def test_nothing_nests(kind):
    """Neither resets nor several, nor what stands alone, may be among several."""
    inner = Message(Kind.SEVERAL, (memoryview(bytes([kind, 0, Kind.DELTA, 0])),))
    with pytest.raises(RemoteProtocolError, match=f"a {kind.name} message among several"):
        unpacked(inner, 2)


def test_an_unknown_kind_among_several_is_refused():
    """A number that is no kind is named."""
    inner = Message(Kind.SEVERAL, (memoryview(bytes([3, 0, 77, 0])),))
    with pytest.raises(RemoteProtocolError, match="77 is no message kind"):
        unpacked(inner, 2)


# Catching up


def test_who_missed_rounds_is_told_them_or_the_whole():
    """Every way of catching up occurs, none costs more than the whole and the newest message.

    The worker's memory is then the server's, bit for bit, and rounds with nobody pass.
    """
    options = {"participation": "independent:p=0.25", "down": "rand-k:k=5", "up": "rand-k:k=3"}
    parts = parts_of("mcm-pp", **options)
    told, nobody = set(), 0
    trace = rounds_of(parts, 120)
    for before, done in itertools.pairwise(trace):
        nobody += not done.down
        for worker, message in done.down.items():
            told.add(message.kind)
            assert message.payload_bytes <= 8 * CASE.d + 5 * 8 + 2 * MAX_PARTS
            assert message.payload_bytes <= parts.max_down(CASE.d)
            held = done.workers[worker].down[0]
            assert before.server.down[0].tobytes() == held.tobytes()
    assert {Kind.DELTA, Kind.SEVERAL, Kind.RESET} == told
    assert nobody > 5
    server = server_role(parts)
    assert max(len(done.server.missed.log) for done in trace) <= MOST_MESSAGES
    assert trace[-1].server.x is server.model(trace[-1].server)


def test_a_worker_that_was_away_hears_what_the_others_heard():
    """The perturbed model of a round is one for all who hear it, however long they were away."""
    parts = parts_of("mcm-pp", participation="independent:p=0.4", down="rand-k:k=5")
    for done in rounds_of(parts, 60):
        assert len({done.workers[worker].z.tobytes() for worker in done.down}) <= 1


def test_several_messages_fit_what_a_worker_may_be_told():
    """A message of few bytes may be missed as often as parts fit into one."""
    parts = parts_of("mcm-pp", participation="independent:p=0.01", down="qsgd:s=1")
    for done in rounds_of(parts, 800):
        for message in done.down.values():
            assert len(message.parts) <= MAX_PARTS
            assert message.payload_bytes <= parts.max_down(CASE.d)


@pytest.mark.parametrize("name", ["mcm-pp", "rand-mcm-pp", "rand-mcm-pp-single"])
def test_nothing_of_an_absent_worker_moves(name):
    """A round a worker takes no part in leaves its state the very object it was."""
    parts = parts_of(name, participation="independent:p=0.5")
    trace = rounds_of(parts, 30)
    for before, after in itertools.pairwise(trace):
        for worker in set(range(CASE.n)) - set(after.down):
            assert before.workers[worker] is after.workers[worker]


def test_resets_go_to_each_worker_once_a_period():
    """rand-mcm-pp-reset: the first message at or after every K-th round begins with H̄."""
    parts = parts_of("rand-mcm-pp-reset", down_reset=6, participation="independent:p=0.6")
    periods = {worker: [] for worker in range(CASE.n)}
    heard = {worker: set() for worker in range(CASE.n)}
    for done in rounds_of(parts, 40):
        for worker, message in done.down.items():
            if done.number // 6:
                heard[worker].add(done.number // 6)
            if message.kind is Kind.RESET:
                periods[worker].append(done.number // 6)
    assert {worker: sorted(found) for worker, found in heard.items()} == periods


# Uniform draws


def test_a_worker_drawn_twice_sends_two_messages_with_a_key_each():
    """SEVERAL where a worker was drawn again, SILENT where it was not, FULL from all at coin 1."""
    parts = parts_of("pp-marina", up="rand-k:k=3", up_p=0.2, participation="uniform:r=5")
    counted = set()
    for done in rounds_of(parts, 40):
        said = {worker: message.kind for worker, message in done.up.items()}
        assert [*range(CASE.n)] == [*said]
        if Kind.FULL in said.values():
            assert {Kind.FULL} == set(said.values())
            continue
        draws = [
            len(unpacked(message, message.parts[0].nbytes // 2))
            if message.kind is Kind.SEVERAL
            else int(message.kind is Kind.DELTA)
            for message in done.up.values()
        ]
        assert 5 == sum(draws)
        assert max(m.payload_bytes for m in done.up.values()) <= parts.max_up(CASE.d)
        counted |= set(draws)
    assert {0, 1, 2} <= counted


# Server momentum, averages, what cannot be said


def test_server_momentum_is_the_heavy_ball():
    """With m ← μ m + ĝ the model moves by γ m, for gd: the heavy ball by hand."""
    parts = parts_of("gd", server_momentum=0.7)
    x, m, expected = CASE.x0, 0.0, []
    for _ in range(20):
        m = 0.7 * m + np.mean([oracle.gradient(x) for oracle in CASE.oracles], axis=0)
        x = x - 0.05 * m
        expected.append(x)
    np.testing.assert_allclose(models(parts, CASE.oracles, CASE.x0, 20), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "gd"},
        {"name": "core", "up": "sketch:m=6"},
        {"name": "artemis", "oracle": "full"},
        {"name": "mcm-pp"},
    ],
)
def test_the_average_is_of_the_models_however_they_travel(options):
    """x̄ over x⁰ … x^t, forwarded sketches and rounds with nobody included."""
    parts = parts_of(**options, average="equal")
    seen = [CASE.x0]
    for done in rounds_of(parts, 20):
        seen.append(done.server.x)
        model = server_role(parts).model(done.server)
        np.testing.assert_allclose(model, np.mean(seen, axis=0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("options", "gamma", "scale"),
    [
        ({"name": "gd"}, 1e200, 1.0),
        ({"name": "artemis", "oracle": "full", "up": "identity", "down": "f16"}, 0.05, 1e7),
    ],
)
def test_what_cannot_be_said_is_refused_by_the_next_downlink(options, gamma, scale):
    """The round that overflowed is aggregated; only what follows raises, each time asked."""
    parts = replace(parts_of(**options), gamma=gamma)
    server = server_role(parts)
    workers = [worker_role(parts, i) for i in range(CASE.n)]
    state = server.init(scale * CASE.x0)
    states = [worker.init(scale * CASE.x0) for worker in workers]
    for t in range(9):
        draw, up = Draw(0, t), {}
        if state.unsayable is not None:
            break
        for i, message in server.downlink(state, draw).items():
            states[i], up[i] = workers[i].step(states[i], message, CASE.oracles[i], draw)
        with np.errstate(all="ignore"):
            state = server.aggregate(state, up, draw)
    for _ in range(2):
        with pytest.raises(NotFinite) as caught:
            server.downlink(state, draw)
        assert state.unsayable is caught.value


# Hostile input

HOSTS = {
    "gd": {"name": "gd"},
    "diana": {"name": "diana", "up": "rand-k:k=3"},
    "marina": {"name": "marina", "up": "rand-k:k=3", "up_p": 0.3},
    "pp-marina": {
        "name": "pp-marina",
        "up": "rand-k:k=3",
        "up_p": 0.2,
        "participation": "uniform:r=4",
    },
    "m3": {"name": "m3"},
    "ec-sgd": {"name": "ec-sgd", "up": "top-k:k=3"},
    "dasha": {"name": "dasha", "up": "rand-k:k=3"},
    "ef21-bc": {"name": "ef21-bc", "up": "top-k:k=3", "down": "top-k:k=3"},
    "core": {"name": "core", "up": "sketch:m=4"},
    "neolithic": {"name": "neolithic", "up": "fcc:r=2(top-k:2)", "down": "fcc:r=2(top-k:2)"},
    "mcm": {"name": "mcm", "down": "rand-k:k=3"},
    "mcm-pp": {"name": "mcm-pp", "down": "rand-k:k=3", "participation": "independent:p=0.4"},
    "rand-mcm-pp-single": {"name": "rand-mcm-pp-single", "down": "rand-k:k=3"},
    "rand-mcm-pp-reset": {"name": "rand-mcm-pp-reset", "down_reset": 4},
}
hosts = pytest.mark.parametrize("host", HOSTS)


@cache
def scene(host):
    """Return parts and the rounds of a run, to be spoiled one message at a time."""
    parts = parts_of(**HOSTS[host])
    return parts, rounds_of(parts, 24)


def uplinks_of(done):
    return {worker: received(message) for worker, message in done.up.items()}


@hosts
def test_an_uplink_of_another_kind_is_refused(host):
    """Each round, each worker, each other kind: RemoteProtocolError, and no other."""
    parts, trace = scene(host)
    server = server_role(parts)
    for before, done in itertools.pairwise(trace):
        for worker, message in done.up.items():
            for kind in set(Kind) - {message.kind}:
                said = uplinks_of(done) | {worker: Message(kind, message.parts)}
                with pytest.raises(RemoteProtocolError):
                    server.aggregate(before.server, said, Draw(0, done.number))


@hosts
def test_an_uplink_that_claims_another_number_of_draws_is_refused(host):
    """Twice where once is due, once where none is, and none where some are."""
    parts, trace = scene(host)
    server, wrong = server_role(parts), 0
    for before, done in itertools.pairwise(trace):
        for worker, message in done.up.items():
            inner = [message]
            if message.kind is Kind.SEVERAL:
                inner = unpacked(message, message.parts[0].nbytes // 2)
            others = [m for m in done.up.values() if m.kind not in (Kind.SILENT, Kind.SEVERAL)]
            whole = next(iter(others), inner[0])
            for claimed in ([*inner, inner[0]], inner[1:], [whole, whole], [whole]):
                other = several(claimed) if claimed else Message(Kind.SILENT)
                if contents(other) == contents(message):
                    continue
                if [m.kind for m in claimed] == [m.kind for m in inner]:
                    continue  # another worker's payload is as good as this one's
                wrong += 1
                with pytest.raises(RemoteProtocolError):
                    server.aggregate(
                        before.server, uplinks_of(done) | {worker: other}, Draw(0, done.number)
                    )
    assert wrong


@hosts
def test_a_downlink_of_another_kind_is_refused(host):
    """To a worker, too: START, SILENT, RESET and SEVERAL only where they are due."""
    parts, trace = scene(host)
    for before, done in itertools.pairwise(trace):
        for worker, message in done.down.items():
            role = worker_role(parts, worker)
            for kind in set(Kind) - {message.kind}:
                said = Message(kind, received(message).parts)
                with pytest.raises(RemoteProtocolError):
                    role.step(
                        before.workers[worker], said, CASE.oracles[worker], Draw(0, done.number)
                    )


@hosts
def test_round_zero_begins_with_start_only(host):
    """Whatever else comes first is the server's fault."""
    parts, _ = scene(host)
    role = worker_role(parts, 0)
    for kind in set(Kind) - {Kind.START}:
        with pytest.raises(RemoteProtocolError, match="round 0 began"):
            role.step(role.init(CASE.x0), Message(kind), CASE.oracles[0], Draw(0, 0))


@hosts
@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(data=st.data())
def test_any_bytes_are_heard_or_refused(host, data):
    """Random kinds and parts, or true ones cut and repeated: a state, or RemoteProtocolError."""
    parts, trace = scene(host)
    t = data.draw(st.integers(1, len(trace) - 1))
    before, done = trace[t - 1], trace[t]
    way = data.draw(st.sampled_from(["up", "down"]))
    true = getattr(done, way)
    if not true:
        return
    worker = data.draw(st.sampled_from(sorted(true)))
    message = received(true[worker])
    piece = st.sampled_from([*message.parts, memoryview(b"")])
    cut = st.builds(lambda part, n: part[:n], piece, st.integers(0, 200))
    some = st.lists(st.one_of(piece, cut, st.binary(max_size=110).map(memoryview)), max_size=6)
    kind = data.draw(st.one_of(st.just(message.kind), kinds))
    said = Message(kind, tuple(data.draw(some)))
    draw = Draw(0, done.number)
    try:
        with np.errstate(all="ignore"):
            if way == "up":
                uplinks = uplinks_of(done) | {worker: said}
                state = server_role(parts).aggregate(before.server, uplinks, draw)
                assert CASE.d == state.x.size
            else:
                role = worker_role(parts, worker)
                role.step(before.workers[worker], said, CASE.oracles[worker], draw)
    except (RemoteProtocolError, NotFinite):
        return


def test_a_full_message_of_one_is_refused_where_the_coin_says_change():
    """pp-marina with a single draw: a FULL of the drawn worker is not the mean of all."""
    parts = parts_of("pp-marina", up="rand-k:k=3", up_p=0.01, participation="uniform:r=1")
    trace = rounds_of(parts, 4)
    server, done = server_role(parts), trace[2]
    drawn = next(worker for worker, said in done.up.items() if said.kind is Kind.DELTA)
    whole = trace[0].up[drawn]
    assert Kind.FULL is whole.kind
    with pytest.raises(RemoteProtocolError, match="not everybody"):
        server.aggregate(trace[1].server, done.up | {drawn: whole}, Draw(0, done.number))


def test_participations_are_those_the_hosts_say():
    """The scenes above have draws, absences and resets in them."""
    assert isinstance(scene("pp-marina")[0].participation, Uniform)
    assert isinstance(scene("mcm-pp")[0].participation, Independent)
    for host, kind in [
        ("pp-marina", Kind.SEVERAL),
        ("pp-marina", Kind.SILENT),
        ("mcm-pp", Kind.SEVERAL),
        ("mcm-pp", Kind.RESET),
        ("rand-mcm-pp-reset", Kind.RESET),
    ]:
        trace = scene(host)[1]
        said = [m for done in trace for m in (*done.up.values(), *done.down.values())]
        assert kind in {message.kind for message in said}, (host, kind)
