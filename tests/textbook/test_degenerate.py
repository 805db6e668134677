"""Special cases collapse as the papers say: whole trajectories against simpler methods."""

from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise, product

import numpy as np
import pytest

from netcomp.algorithms import ALGORITHMS, StepSize, server_role
from netcomp.algorithms.participation import Uniform
from netcomp.constants import Constant, Constants
from netcomp.draw import Direction, Draw
from netcomp.roles import Batch, Kind, Message
from support.cases import heterogeneous, homogeneous, logistic, real
from support.simulate import chosen, composed, models, play
from textbook import gd, marina

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
BOTH = {"up": "identity", "down": "identity", "oracle": "full"}
COLLAPSED = {
    "gd": ("gd", {}),
    "sgd, full": ("sgd", {"oracle": "full"}),
    "mcm-pp, all": ("mcm-pp", {**BOTH, "participation": "all"}),
    "mcm-pp, p = 1": ("mcm-pp", {**BOTH, "participation": "independent:p=1"}),
    "single memory": ("rand-mcm-pp-single", {**BOTH, "participation": "independent:p=1"}),
    "single memory, reset": (
        "rand-mcm-pp-reset",
        {**BOTH, "participation": "independent:p=1", "down_reset": 5},
    ),
    "neolithic": (
        "neolithic",
        {"up": "fcc:3(f32)", "down": "fcc:3(f32)", "oracle": "full"},
    ),
    "neolithic-uni": ("neolithic-uni", {"up": "fcc:3(f32)", "oracle": "full"}),
    "vr-marina, p = 1": ("vr-marina", {"up": "rand-k:25%", "up_p": 1.0}),
    "vr-diana, identity": ("vr-diana", {"up": "identity", "oracle": "svrg:b=100%,p=0.3"}),
    "pp-marina, p = 1": ("pp-marina", {"up_p": 1.0}),
    "dasha, a = 0.3": ("dasha", {"up": "identity", "up_alpha": 0.3}),
    **{
        name: (name, {"up": "identity", "oracle": "full"})
        for name in ("cgd", "qsgd", "ec-sgd", "mem-sgd", "signsgd-ef", "ef21", "dasha")
    },
    **{
        name: (name, {**BOTH})
        for name in (
            *("artemis", "artemis-nd-direct", "artemis-nd-memory", "artemis-nd-update", "dore"),
            *("double-squeeze", "dist-ef-sgd", "ef21-p+dcgd", "ef21-bc"),
            *("mcm", "rand-mcm", "rand-mcm-g"),
        )
    },
    "ef21-p": ("ef21-p", {"down": "identity"}),
    "dcgd, identity": ("dcgd", {"up": "identity"}),
    "dcgd, all of rand-k": ("dcgd", {"up": "rand-k:100%"}),
    "diana, identity": ("diana", {"up": "identity", "up_alpha": 1.0}),
    "diana, identity, another alpha": ("diana", {"up": "identity", "up_alpha": 0.2}),
    "marina, identity": ("marina", {"up": "identity", "up_p": 0.3}),
    "marina, p = 1": ("marina", {"up": "rand-k:25%", "up_p": 1.0}),
    "marina-p, identity": ("marina-p", {"down": "identity", "down_p": 0.3}),
    "marina-p, p = 1": ("marina-p", {"down": "perm-k", "down_p": 1.0}),
    "m3, identity": (
        "m3",
        {"down": "identity", "up": "identity", "momentum": 1.0, "up_p": 0.3, "down_p": 0.3},
    ),
    "m3, p = 1": ("m3", {"momentum": 1.0, "up_p": 1.0, "down_p": 1.0}),
}
STEP = StepSize(0.5, of_theory=False)


def gd_models(case, gamma, rounds=ROUNDS):
    x, found = case.x0, []
    for _ in range(rounds):
        x = gd.step(x, gamma, [oracle.gradient for oracle in case.oracles])
        found.append(x)
    return np.array(found)


def composition(name, case, **options):
    choice = chosen(**{"values": "f64", "step_size": STEP, **options})
    rows = tuple(oracle.rows for oracle in case.oracles)
    return composed(name, choice, case.d, case.n, case.constants, rows)


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


WAYS = ["direct", "memory", "error-feedback", "marina", "dasha"]


@pytest.mark.parametrize("where", ["quadratic", "d < n", "logistic"])
@pytest.mark.parametrize("down", [*WAYS, "single-memory"])
@pytest.mark.parametrize("up", WAYS)
def test_any_channels_with_the_identity_are_gd(up, down, where):
    """Free compositions: whatever is plugged together, what loses nothing is gd."""
    case = CASES[where]
    carried = ["model"] if down == "single-memory" else ["model", "update", "step"]
    expected = gd_models(case, STEP.value, 20)
    for down_carries in carried:
        for up_carries in ("gradient", "step"):
            options = {"up_channel": up, "down_channel": down, "up_carries": up_carries}
            options |= {"down_carries": down_carries}
            options |= {"up_p": 0.3} if up == "marina" else {}
            options |= {"down_p": 0.3} if down == "marina" else {}
            if down == "single-memory":
                options |= {"down_collection": "independent", "down_reset": 7}
            parts = composition("custom", case, **options)
            assert_same_models(expected, models(parts, case.oracles, case.x0, 20, seed=3))


ROUNDED = ("qsgd", "sign", "sketch")


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_one_worker_of_one_dimension_is_gd_with_defaults(name):
    """For n = d = 1 there is nothing to leave out: every default is gd, given its step size.

    Rand-k keeps the one coordinate, perm-k has one block, and all probabilities are 1. Only a
    worker that is not always there, and scales that travel as 32-bit floats, make it differ.
    """
    case = CASES["one of each"]
    there = {"participation": "all"} if "-pp" in name else {}
    svrg = {"oracle": "svrg:b=1,p=0.5"} if name == "vr-diana" else {}
    certain = {"up_p": 1.0} if name.startswith("vr-marina") else {}
    parts = composition(name, case, **there, **svrg, **certain)
    expected = gd_models(case, parts.gamma)
    texts = f"{parts.up.compressor} {parts.down.compressor}"
    if not any(text in texts for text in ROUNDED):
        assert_same_models(expected, models(parts, case.oracles, case.x0, ROUNDS))
    elif "sketch" not in texts:
        actual = np.array(models(parts, case.oracles, case.x0, ROUNDS))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    else:
        assert np.isfinite(models(parts, case.oracles, case.x0, ROUNDS)).all()


def trajectory(name, case, seed=3, **options):
    parts = composition(name, case, **{"step_size": StepSize(0.1, of_theory=False), **options})
    return np.array(models(parts, case.oracles, case.x0, ROUNDS, seed))


EQUALS = {
    "vr-marina with b' = m is marina": (
        ("vr-marina", {"up": "rand-k:25%", "up_p": 0.2, "oracle": "two-point:b=100%"}),
        ("marina", {"up": "rand-k:25%", "up_p": 0.2}),
    ),
    "online with whole = b = m is marina": (
        ("vr-marina-online", {"up": "rand-k:2", "up_p": 0.2, "oracle": "two-point:b=10,whole=10"}),
        ("marina", {"up": "rand-k:2", "up_p": 0.2}),
    ),
    "neolithic with R = 1 is double-squeeze": (
        (
            "neolithic",
            {
                "up": "fcc:1(top-k:2+f64)",
                "down": "fcc:1(top-k:2+f64)",
                "oracle": "accumulate:r=1,b=3",
            },
        ),
        ("double-squeeze", {"up": "top-k:2", "down": "top-k:2", "oracle": "minibatch:3"}),
    ),
    "neolithic-uni with R = 1 is error feedback": (
        ("neolithic-uni", {"up": "fcc:1(top-k:2+f64)", "oracle": "accumulate:r=1,b=3"}),
        ("mem-sgd", {"up": "top-k:2", "oracle": "minibatch:3", "up_carries": "gradient"}),
    ),
    "a constant step carried, or not": (
        ("mem-sgd", {"up": "top-k:2", "oracle": "minibatch:3"}),
        ("mem-sgd", {"up": "top-k:2", "oracle": "minibatch:3", "up_carries": "gradient"}),
    ),
    "mcm with ω_dwn = 0 is diana": (
        ("mcm", {"up": "qsgd:s=1", "up_alpha": 0.2, "down": "identity", "oracle": "minibatch:3"}),
        ("diana", {"up": "qsgd:s=1", "up_alpha": 0.2, "oracle": "minibatch:3"}),
    ),
    "artemis with ω_dwn = 0 is diana": (
        ("artemis", {"up": "rand-k:2", "down": "identity"}),
        ("diana", {"up": "rand-k:2", "up_alpha": 1 / 8, "oracle": "minibatch:10%"}),
    ),
    "ef21-bc with the identity down is ef21": (
        ("ef21-bc", {"up": "top-k:2", "down": "identity"}),
        ("ef21", {"up": "top-k:2"}),
    ),
    "ef21-p with the identity is dcgd": (
        ("ef21-p+dcgd", {"up": "rand-k:2", "down": "identity"}),
        ("dcgd", {"up": "rand-k:2"}),
    ),
    "vr-diana with a coin of 1 and b = m is diana": (
        ("vr-diana", {"up": "rand-k:2", "oracle": "svrg:b=100%,p=1"}),
        ("diana", {"up": "rand-k:2"}),
    ),
    "m3 without momentum and downlink compression is marina": (
        ("m3", {"up": "rand-k:2", "up_p": 0.2, "down": "identity", "momentum": 1.0}),
        ("marina", {"up": "rand-k:2", "up_p": 0.2}),
    ),
    "m3 without uplink compression is marina-p": (
        ("m3", {"up": "identity", "momentum": 1.0}),
        ("marina-p", {}),
    ),
}


@pytest.mark.parametrize("label", EQUALS)
def test_one_method_is_another(label):
    """The same trajectory to 1e-12: equal keys, equal compressors, one method in two names."""
    one, other = (trajectory(name, CASES["logistic"], **options) for name, options in EQUALS[label])
    assert_same_models(other, one)


@pytest.mark.parametrize(
    ("collection", "same_as"), [("groups:1", "mcm"), ("groups:3", "rand-mcm"), ("same", "mcm")]
)
def test_groups_of_all_and_of_one_bit_for_bit(collection, same_as):
    """rand-mcm-g with G = 1 is mcm, with G = n rand-mcm: the same keys, so the same bits."""
    case = CASES["logistic"]
    grouped = trajectory("rand-mcm-g", case, down_collection=collection)
    assert trajectory(same_as, case).tobytes() == grouped.tobytes()


class EachOnce(Uniform):
    """Draws in which every worker comes exactly once."""

    def keys(self, n, worker, key):
        return [key]


class Listed(Uniform):
    """The same given draws in every round."""

    drawn = ()

    def keys(self, n, worker, key):
        return [key.at(sub=j) for j, drawn in enumerate(self.drawn) if drawn == worker]


def test_pp_marina_with_every_worker_drawn_once_is_marina():
    """Where the draws are a permutation, Algorithm 4's step is Algorithm 1's."""
    case = CASES["logistic"]
    options = {"up": "rand-k:2", "up_p": 0.2}
    parts = composition("pp-marina", case, **options)
    partial = models(replace(parts, participation=EachOnce(case.n)), case.oracles, case.x0, ROUNDS)
    full = models(composition("marina", case, **options), case.oracles, case.x0, ROUNDS)
    assert_same_models(np.array(full), partial)


def test_pp_marina_is_marina_on_the_average_of_all_draws():
    """The mean over all n^r draws of one coin-0 step, compression aside, is marina's step."""
    case, r, found = CASES["logistic"], 2, []
    options = {"up": "identity", "up_p": 1e-9}
    for drawn in product(range(case.n), repeat=r):
        participation = Listed(r)
        object.__setattr__(participation, "drawn", drawn)
        parts = replace(composition("pp-marina", case, **options), participation=participation)
        found.append(models(parts, case.oracles, case.x0, 3)[1:])
    # x² moves by g¹, which is linear in the draws of round 1; later ones are not.
    full = models(composition("marina", case, **options), case.oracles, case.x0, 3)
    assert case.n**r == len(found)
    assert_same_models([full[1]], [np.mean([two for two, _ in found], axis=0)])
    assert len({two.tobytes() for two, _ in found}) > 2


@pytest.mark.parametrize("seed", [0, 1])
def test_vr_marina_of_one_worker_without_compression_is_page(seed):
    """With n = 1 and ω = 0: PAGE, its estimator restarted by the coin and moved by minibatches."""
    case = logistic(8, 1)
    (oracle,) = case.oracles
    options = {"up": "identity", "up_p": 0.2, "oracle": "two-point:b=3"}
    found = trajectory("vr-marina", case, seed, **options)
    state, expected, coins = marina.start(case.x0, [oracle.gradient]), [], []
    for t in range(1, ROUNDS + 1):
        key = Draw(seed, t, direction=Direction.UP)
        batch = partial(oracle.gradient, batch=Batch(3, key.at(worker=0)))
        coins.append(key.coin(0.2))
        state = marina.page_step(state, 0.1, oracle.gradient, batch, coins[-1])
        expected.append(state.x)
    assert {True, False} == set(coins)
    assert_same_models(np.array(expected), found)


@cache
def excess_of(name, preset):
    """Mean excess loss of the last 100 of 400 rounds, at γ = 1/L_max, over that of x⁰."""
    case = real("breast_cancer", 10)
    options = {"step_size": StepSize(1 / case.constants.need("L_max", "both"), of_theory=False)}
    parts = composition(name, case, values="f32", oracle="minibatch:b=16", preset=preset, **options)
    last = models(parts, case.oracles, case.x0, 400)[-100:]
    best = case.loss(gd_models(case, 1 / case.constants.need("L", "gd"), 1500)[-1])
    return (np.mean([case.loss(x) for x in last]) - best) / (case.loss(case.x0) - best)


@pytest.mark.parametrize("variant", ["direct", "memory", "update"])
def test_artemis_that_is_not_degraded_fails(variant):
    """MCM Fig. 1: with the step size at which mcm reaches SGD's level, the three variants do not.

    Their excess loss at the end is far above mcm's, or grows without end. Logistic regression
    on breast_cancer, ten workers.
    """
    ours = excess_of("mcm", "mcm-program")
    assert ours < 1 / 1000
    assert excess_of(f"artemis-nd-{variant}", None) > 50 * ours


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
    parts = composition("marina-p", case, down="perm-k", down_p=1 / n)
    server, still = server_role(parts), parts.up.compressor.compress(np.zeros(d), Draw(seed))
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
