"""Every entry with its own defaults: it descends, keeps its float type, and repeats."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from netcomp.algorithms import ALGORITHMS, StepSize, server_role
from netcomp.constants import Constant, Constants
from netcomp.draw import Draw
from support.simulate import models, play
from textbook.whole import (
    CASES,
    ROUNDS,
    STEP,
    composition,
)


def with_defaults(name, case, **options):
    """Return the entry's own composition, with what its theorem lacks on this problem."""
    lacking = {"calL", "L_sample"} - set(case.constants.known)
    known = dict(case.constants.known)
    known |= dict.fromkeys(lacking, Constant(10 * known["L_max"].value, "given"))
    case = replace(case, constants=Constants(known))
    if case.oracles[0].rows == 0:
        needs_rows = {
            "vr-marina": {"up_p": 0.2, "step_size": STEP},
            "vr-marina-online": {"oracle": "two-point:b=1,whole=2"},
            "vr-diana": {"oracle": "svrg:b=1,p=0.2", "step_size": StepSize(0.05, of_theory=False)},
        }
        options |= needs_rows.get(name, {})
    return composition(name, case, **{"step_size": None, **options})


@pytest.mark.parametrize("where", CASES)
@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_defaults_run_and_descend(name, where):
    """Defaults and the theory's step: finite, and f below where it began.

    Without a theorem the first step is a guess that may be too long, and the artemis-nd of MCM
    Fig. 1 need not descend: that is what they are there for.
    """
    case = CASES[where]
    parts = with_defaults(name, case)
    x = models(parts, case.oracles, case.x0, ROUNDS)[-1]
    before, after = (
        np.mean([oracle.loss(point) for oracle in case.oracles]) for point in (case.x0, x)
    )
    assert np.isfinite(after)
    guessed = ALGORITHMS.get(name).gamma is None or name.startswith("artemis-nd")
    assert after < before or guessed


@pytest.mark.parametrize("values", ["f16", "f32", "f64"])
@pytest.mark.parametrize("name", ALGORITHMS.names())
@pytest.mark.parametrize("where", ["quadratic", "d < n", "logistic"])
def test_float32_states_stay_float32(name, where, values):
    """A float32 x⁰ keeps x, z, every channel's state and every gradient in float32."""
    case = CASES[where]
    parts = with_defaults(name, case, values=values)
    x0 = case.x0.astype(np.float32)
    for done in play(parts, case.oracles, x0, 8):
        states = [done.server, *done.workers]
        arrays = [array for state in states for array in _arrays(vars(state).values())]
        assert len(arrays) > case.n
        assert np.float32 == server_role(parts).model(done.server).dtype
        assert {np.dtype(np.float32)} == {array.dtype for array in arrays}


def _arrays(values):
    for value in values:
        # A stand-in whose shape and dtype alone are meant has no strides.
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays(value)


def test_numpy_constants_do_not_widen_a_float32_state():
    """Constants and parameters given as numpy scalars leave a float32 run in float32."""
    case = CASES["quadratic"]
    numbers = {"up_p": np.float64(0.5), "down_p": np.float64(0.5), "momentum": np.float64(0.5)}
    parts = composition("m3", case, step_size=StepSize(np.float64(0.1), of_theory=False), **numbers)
    x0 = case.x0.astype(np.float32)
    assert np.float32 == models(parts, case.oracles, x0, 3)[-1].dtype


def test_a_downlink_asked_for_twice_is_the_same():
    """`downlink` is repeatable: the same messages, and the run goes on as if asked once."""
    case = CASES["quadratic"]
    parts = composition("marina-p", case)
    server = server_role(parts)
    trace = list(play(parts, case.oracles, case.x0, 6))
    for before, after in pairwise(trace):
        draw = Draw(0, after.number)
        for _ in range(2):
            for worker, message in server.downlink(before.server, draw).items():
                assert after.down[worker].kind is message.kind
                expected = [bytes(part) for part in after.down[worker].parts]
                assert expected == [bytes(part) for part in message.parts]


def test_runs_repeat_bit_for_bit_and_seeds_differ():
    """The same seed gives the same bits; another seed another trajectory."""
    case = CASES["quadratic"]
    parts = composition("m3", case, step_size=StepSize())
    first, again, other = (models(parts, case.oracles, case.x0, 20, s)[-1] for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
