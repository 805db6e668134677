"""What workers of one process have in common: the outcome of equal bytes, and of nothing else."""

import dataclasses

import numpy as np
import pytest

from netcomp.algorithms import StepSize, worker_role
from netcomp.algorithms.composed import alike
from netcomp.draw import Draw
from netcomp.roles import Kind, Message
from support.cases import heterogeneous
from support.simulate import chosen, composed, play, received

CASE = heterogeneous(12, 4)
STEP = StepSize(0.05, of_theory=False)
# Model, model with a memory, update with a memory, momentum, absent workers, groups of listeners.
ALGORITHMS = {
    "gd": {},
    "mcm": {"down": "rand-k:k=5"},
    "dore": {"down": "rand-k:k=5"},
    "ef21-p": {"down": "top-k:k=3"},
    "double-squeeze": {"down": "top-k:k=3", "up": "top-k:k=3"},
    "m3": {"down": "rand-k:k=5", "up": "rand-k:k=3"},
    "mcm-pp": {"participation": "independent:p=0.4", "down": "rand-k:k=5", "up": "rand-k:k=3"},
}


def parts_of(name):
    choice = chosen(**{"values": "f64", "step_size": STEP, **ALGORITHMS[name]})
    return composed(name, choice, CASE.d, CASE.n, CASE.constants)


def alone(role):
    """Return a worker as it is in a process of its own."""
    return dataclasses.replace(role, parts=dataclasses.replace(role.parts))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_workers_of_one_process_do_what_workers_of_their_own_do(name):
    """Uplinks and states are the same bit for bit, whoever else is in the process."""
    parts = parts_of(name)
    together = [worker_role(parts, worker) for worker in range(CASE.n)]
    apart = [alone(role) for role in together]
    states = [role.init(CASE.x0) for role in together]
    expected = [role.init(CASE.x0) for role in apart]
    for done in play(parts, CASE.oracles, CASE.x0, 25, 3):
        draw = Draw(3, done.number)
        for worker, message in done.down.items():
            step = (received(message), CASE.oracles[worker], draw)
            expected[worker], said = apart[worker].step(expected[worker], *step)
            states[worker], also = together[worker].step(states[worker], *step)
            assert [bytes(part) for part in said.parts] == [bytes(part) for part in also.parts]
            assert expected[worker].z.tobytes() == states[worker].z.tobytes()


def test_equal_bytes_are_decoded_once():
    """After a broadcast all workers of a process hold one and the same vector, read-only."""
    parts = parts_of("mcm")
    roles = [worker_role(parts, worker) for worker in range(CASE.n)]
    states = [role.init(CASE.x0) for role in roles]
    for done in play(parts, CASE.oracles, CASE.x0, 5, 0):
        for worker, role in enumerate(roles):
            message, draw = received(done.down[worker]), Draw(0, done.number)
            states[worker], _ = role.step(states[worker], message, CASE.oracles[worker], draw)
        assert 1 == len({id(state.z) for state in states})
    assert not states[0].z.flags.writeable


def test_a_worker_goes_by_its_own_bytes():
    """One that is told something else holds something else, and so do the others still."""
    parts = parts_of("gd")
    roles = [worker_role(parts, worker) for worker in range(3)]
    told = [np.arange(CASE.d) + shift for shift in (0.0, 1.0, 0.0)]
    for turn in range(1, 4):
        states = [role.init(CASE.x0) for role in roles]
        for worker, role in enumerate(roles):
            message = Message(Kind.VALUE, (memoryview((turn * told[worker]).tobytes()),))
            state, _ = role.step(states[worker], message, CASE.oracles[worker], Draw(0, 1))
            assert (turn * told[worker]).tolist() == state.z.tolist()


def test_a_worker_goes_by_its_own_key():
    """The very same message under another run's key says something else."""
    parts = parts_of("dore")
    role = worker_role(parts, 0)
    state = role.init(CASE.x0)
    messages = [one.down[0] for one in play(parts, CASE.oracles, CASE.x0, 2, 3)]
    state, _ = role.step(state, received(messages[0]), CASE.oracles[0], Draw(3, 0))
    message = received(messages[1])
    for seed in (3, 99, 3):
        expected, _ = alone(role).step(state, message, CASE.oracles[0], Draw(seed, 1))
        found, _ = role.step(state, message, CASE.oracles[0], Draw(seed, 1))
        assert expected.z.tolist() == found.z.tolist()


def test_long_vectors_are_not_kept(monkeypatch):
    """A worker with a vector that would be felt twice shares nothing, and hears as it did."""
    monkeypatch.setattr(alike, "_LARGEST", CASE.x0.nbytes - 1)
    parts, told = parts_of("gd"), np.arange(1.0, 1.0 + CASE.d)
    message = Message(Kind.VALUE, (memoryview(told.tobytes()),))
    for worker in range(3):
        role = worker_role(parts, worker)
        state, _ = role.step(role.init(CASE.x0), message, CASE.oracles[worker], Draw(0, 1))
        assert told.tolist() == state.z.tolist()
    kept = [vars(one) for one in parts.alike.values()]
    assert [{"_start": None, "_last": None, "_became": None}] == kept


def test_another_start_is_another_beginning():
    """x⁰ is compared too: a worker begins where it was told to."""
    role = worker_role(parts_of("gd"), 0)
    for x0 in (CASE.x0, CASE.x0 + 1.0, CASE.x0.astype(np.float32), CASE.x0):
        state = role.init(x0)
        assert (x0.dtype, x0.tolist()) == (state.z.dtype, state.z.tolist())


def test_kinds_of_roles_have_nothing_in_common():
    """What a class derived from the worker's makes of a message is its own."""

    class Doubling(type(worker_role(parts_of("gd"), 0))):
        def _decoded(self, state, message, draw):
            heard, down = super()._decoded(state, message, draw)
            return 2.0 * heard, down

    parts, x = parts_of("gd"), np.arange(1.0, 1.0 + CASE.d)
    message = Message(Kind.VALUE, (memoryview(x.tobytes()),))
    heard = []
    for role in (worker_role(parts, 0), Doubling(parts, 1)):
        state, _ = role.step(role.init(CASE.x0), message, CASE.oracles[0], Draw(0, 1))
        heard.append(state.z.tolist())
    assert [x.tolist(), (2.0 * x).tolist()] == heard
