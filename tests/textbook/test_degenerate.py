"""Special cases collapse as the papers say: whole trajectories against plain gd."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from netcomp.algorithms import ALGORITHMS, Choice
from netcomp.algorithms.plan import StepSize
from netcomp.draw import Direction, Draw
from netcomp.roles import Kind, Message
from support.cases import heterogeneous, homogeneous, logistic
from support.simulate import composed, models, play
from textbook import gd

ROUNDS = 60
CASES = {
    "quadratic": heterogeneous(12, 4),
    "d < n": heterogeneous(3, 7),
    "logistic": logistic(8, 3),
    "one worker": heterogeneous(6, 1),
    "one dimension": heterogeneous(1, 4),
    "one of each": heterogeneous(1, 1),
}
# Compressions that compress nothing, and coins and memories that make no difference then.
COLLAPSED = {
    "gd": ("gd", {}),
    "dcgd, identity": ("dcgd", {"up": "identity"}),
    "dcgd, all of rand-k": ("dcgd", {"up": "rand-k:100%"}),
    "diana, identity": ("diana", {"up": "identity", "alpha": 1.0}),
    "diana, identity, another alpha": ("diana", {"up": "identity", "alpha": 0.2}),
    "marina, identity": ("marina", {"up": "identity", "p_up": 0.3}),
    "marina, p = 1": ("marina", {"up": "rand-k:25%", "p_up": 1.0}),
    "marina-p, identity": ("marina-p", {"down": "identity", "p_down": 0.3}),
    "marina-p, p = 1": ("marina-p", {"down": "perm-k", "p_down": 1.0}),
    "m3, identity": (
        "m3",
        {"down": "identity", "up": "identity", "momentum": 1.0, "p_up": 0.3, "p_down": 0.3},
    ),
    "m3, p = 1": ("m3", {"momentum": 1.0, "p_up": 1.0, "p_down": 1.0}),
}
STEP = StepSize(0.5, of_theory=False)


def gd_models(case, gamma, rounds=ROUNDS):
    x, found = case.x0, []
    for _ in range(rounds):
        x = gd.step(x, gamma, [oracle.gradient for oracle in case.oracles])
        found.append(x)
    return np.array(found)


def composition(name, case, **options):
    choice = Choice(**{"values": "f64", "step_size": STEP, **options})
    return composed(name, choice, case.d, case.n, case.constants)


def assert_same_models(expected, actual):
    errors = np.linalg.norm(expected - np.array(actual), axis=1)
    assert (errors <= 1e-12 * np.linalg.norm(expected, axis=1)).all()


@pytest.mark.parametrize("where", CASES)
@pytest.mark.parametrize("label", COLLAPSED)
def test_what_compresses_nothing_is_gd(label, where):
    """Identity, p = 1 and β = 1 make every algorithm gd, over a whole trajectory."""
    name, options = COLLAPSED[label]
    case = CASES[where]
    parts = composition(name, case, **options)
    expected = gd_models(case, parts.gamma)
    assert_same_models(expected, models(parts, case.oracles, case.x0, ROUNDS, seed=3))


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_one_worker_of_one_dimension_is_gd_with_defaults(name):
    """For n = d = 1 there is nothing to leave out: every default is gd, given its step size.

    Rand-k keeps the one coordinate, perm-k has one block, and all probabilities are 1.
    """
    case = CASES["one of each"]
    parts = composition(name, case)
    expected = gd_models(case, parts.gamma)
    assert_same_models(expected, models(parts, case.oracles, case.x0, ROUNDS))


@pytest.mark.parametrize(
    ("d", "n"), [(12, 4), (12, 1), (13, 4), (4, 4), (7, 3), (3, 4), (3, 8), (5, 12), (1, 6)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_marina_p_with_perm_k_on_homogeneous_quadratics_is_gd(d, n, seed):
    """MARINA-P §4.3: x^t is gd's for equal quadratics, n | d or not, d < n included.

    The gradient is affine and the perm-k messages average to the change, so the mean
    gradient at the w_i is the gradient at their mean, which is x.
    """
    case = homogeneous(d, n)
    parts = composition("marina-p", case, down="perm-k", step_size=StepSize())
    assert 1 / parts.gamma == pytest.approx(case.constants.need("L", "gd"), rel=1e-15)
    expected = gd_models(case, parts.gamma, 150)
    assert_same_models(expected, models(parts, case.oracles, case.x0, 150, seed))


@pytest.mark.parametrize(("d", "n"), [(12, 4), (13, 4), (3, 8), (3, 7), (10, 2)])
def test_downlink_bytes_of_marina_p_follow_from_its_coins(d, n):
    """The downlink carries n·d floats when the coin is 1 and q·d in all when it is 0.

    With p = 1/n and d ≥ n the expected share of gd's downlink is (2 − 1/n)/n; the real
    share equals the one its coins give exactly, and lies in the binomial's interval.
    """
    case, rounds, seed, copies = homogeneous(d, n), 1500, 5, max(1, n // d)
    parts = composition("marina-p", case, down="perm-k", p_down=1 / n)
    server, still = parts.server(), parts.up.compressor.compress(np.zeros(d), Draw(seed))
    uplinks = dict.fromkeys(range(n), Message(Kind.VALUE, still.parts))
    state, sent, coins = server.init(case.x0), 0, []
    for t in range(rounds + 1):
        down = server.downlink(state, Draw(seed, t))
        if t == 0:
            assert {Kind.START} == {message.kind for message in down.values()}
        else:
            coins.append(Draw(seed, t, direction=Direction.DOWN).coin(1 / n))
            assert {Kind.FULL if coins[-1] else Kind.DELTA} == {m.kind for m in down.values()}
            sent += sum(message.payload_bytes for message in down.values())
        state = server.aggregate(state, uplinks, Draw(seed, t))
    heads = sum(coins)
    assert sent == 8 * (heads * n * d + (rounds - heads) * copies * d)
    share, p = Fraction(sent, 8 * rounds * n * d), Fraction(1, n)
    expected = p + (1 - p) * Fraction(copies, n)
    if copies == 1:
        assert (2 - p) / n == expected
    spread = float(1 - Fraction(copies, n)) * (float(p * (1 - p)) / rounds) ** 0.5
    assert abs(float(share - expected)) < 4.9 * spread  # two-sided 1e-6


@pytest.mark.parametrize("where", CASES)
@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_defaults_run_and_descend(name, where):
    """Defaults and the theory's step: finite, and f below where it began."""
    case = CASES[where]
    parts = composition(name, case, step_size=StepSize())
    x = models(parts, case.oracles, case.x0, ROUNDS)[-1]
    before, after = (
        np.mean([oracle.loss(point) for oracle in case.oracles]) for point in (case.x0, x)
    )
    assert after < before


@pytest.mark.parametrize("values", ["f16", "f32", "f64"])
@pytest.mark.parametrize("name", ALGORITHMS.names())
@pytest.mark.parametrize("where", ["quadratic", "d < n", "logistic"])
def test_float32_states_stay_float32(name, where, values):
    """A float32 x⁰ keeps x, z, every channel's state and every gradient in float32."""
    case = CASES[where]
    parts = composition(name, case, values=values, step_size=StepSize())
    x0 = case.x0.astype(np.float32)
    for done in play(parts, case.oracles, x0, 8):
        states = [done.server, *done.workers]
        arrays = [array for state in states for array in _arrays(vars(state).values())]
        assert len(arrays) > case.n
        assert {np.dtype(np.float32)} == {array.dtype for array in arrays}


def _arrays(values):
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays(value)


def test_numpy_constants_do_not_widen_a_float32_state():
    """Constants and parameters given as numpy scalars leave a float32 run in float32."""
    case = CASES["quadratic"]
    numbers = {"p_up": np.float64(0.5), "p_down": np.float64(0.5), "momentum": np.float64(0.5)}
    parts = composition("m3", case, step_size=StepSize(np.float64(0.1), of_theory=False), **numbers)
    x0 = case.x0.astype(np.float32)
    assert np.float32 == models(parts, case.oracles, x0, 3)[-1].dtype


def test_a_downlink_asked_for_twice_is_the_same():
    """`downlink` is repeatable: the same messages, and the run goes on as if asked once."""
    case = CASES["quadratic"]
    parts = composition("marina-p", case)
    server = parts.server()
    trace = list(play(parts, case.oracles, case.x0, 6))
    for before, after in pairwise(trace):
        draw = Draw(0, after.number)
        fresh = replace(before.server, pending={})
        for state in (before.server, fresh):
            for worker, message in server.downlink(state, draw).items():
                assert after.down[worker].kind is message.kind
                expected = [bytes(part) for part in after.down[worker].parts]
                assert expected == [bytes(part) for part in message.parts]


def test_runs_repeat_bit_for_bit_and_seeds_differ():
    """The same seed gives the same bits; another seed another trajectory."""
    case = CASES["quadratic"]
    parts = composition("m3", case, step_size=StepSize())
    first, again, other = (models(parts, case.oracles, case.x0, 20, s)[-1] for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
