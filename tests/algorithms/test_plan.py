"""From a name and choices to numbers: defaults, refusals, and plans as plain data."""

import json
from dataclasses import asdict, replace
from math import pi, sqrt

import msgpack
import pytest

from netcomp.algorithms import ALGORITHMS, Plan, StepSize, compose, theory
from netcomp.compressors import Chain, FloatFormat
from netcomp.constants import CONSTANTS, Constant, Constants
from netcomp.errors import MissingConstant, SpecError, UnknownName
from support.cases import smooth
from support.planned import ALL_KNOWN, planned
from support.simulate import chosen

NUMBER = StepSize(0.1, of_theory=False)

names = pytest.mark.parametrize("name", ALGORITHMS.names())


THEIR_CASE = {
    "cgd": {"n": 1, "up": "top-k:3"},
    "neolithic": {"up": "fcc:r=4(top-k:80%)", "down": "fcc:r=4(top-k:80%)"},
    "neolithic-uni": {"up": "fcc:r=4(top-k:80%)"},
}
"""Where the theorem of an entry is not for its defaults in dimension 30."""


def has_theorem(name):
    """Whether a step size of "theory" is there to be asked for."""
    return ALGORITHMS.get(name).gamma is not None


@names
@pytest.mark.parametrize(("d", "n"), [(1, 1), (30, 4), (2144, 5), (5, 12)])
@pytest.mark.parametrize("values", ["f16", "f32", "f64"])
def test_defaults_plan_and_compose(name, d, n, values):
    """Every name plans with its defaults, and its numbers lie where they must."""
    made = planned(name, d, n, values=values)
    assert (name, d, n, values) == (made.name, made.dim, made.workers, made.values)
    assert 0 < made.gamma <= 1 / ALL_KNOWN.need("L", "any step size")
    assert 0 < made.beta <= 1
    for side in (made.up, made.down):
        assert all(0 < value <= 1 for value in (side.alpha, side.eta))
        assert 0 < side.p <= 1 or name == "artemis-nd-update"
    parts = compose(made)
    assert n == parts.workers
    for channel in (parts.up, parts.down):
        assert FloatFormat(values) == channel.plain.quantizer
        given = isinstance(channel.compressor, Chain)
        quantizer = channel.compressor.quantizer if given else None
        if isinstance(quantizer, FloatFormat):
            assert FloatFormat(values) == quantizer


@names
@pytest.mark.parametrize(("d", "n"), [(30, 4), (5, 12)])
def test_a_plan_survives_the_handshake(name, d, n):
    """Through asdict, JSON or msgpack, and Plan again: the same plan and the same composition."""
    made = planned(name, d, n)
    for text in (
        json.loads(json.dumps(asdict(made))),
        msgpack.unpackb(msgpack.packb(asdict(made))),
    ):
        again = Plan.of(text)
        assert made == again
        assert compose(made) == compose(again)
    assert {str, int, bool, float} == set(map(type, leaves(asdict(made))))


def leaves(tree):
    for value in tree.values():
        yield from leaves(value) if isinstance(value, dict) else [value]


@names
def test_every_entry_says_where_it_comes_from(name):
    """Name, summary and source are there, a theorem with every step, and known `needs`.

    Only custom has no source: all of it is the user's.
    """
    entry = ALGORITHMS.get(name)
    assert name == entry.name
    assert entry.summary
    assert entry.free is (name == "custom") is not bool(entry.source)
    assert bool(entry.theorem) is has_theorem(name) is bool(entry.needs)
    assert set(entry.needs) <= set(CONSTANTS)


@pytest.mark.parametrize("name", [*filter(has_theorem, ALGORITHMS.names())])
def test_needs_are_what_the_theorem_asks_for(name):
    """With the constants of `needs` the theorem is content; without one it names that one."""
    entry, case = ALGORITHMS.get(name), THEIR_CASE.get(name, {})
    known = {constant: Constant(1.0, "exact") for constant in entry.needs}
    planned(name, constants=Constants(known), step_size=StepSize(), **case)
    for constant in entry.needs:
        rest = Constants({key: value for key, value in known.items() if key != constant})
        with pytest.raises(MissingConstant) as caught:
            planned(name, constants=rest, step_size=StepSize(), **case)
        assert (constant, f"{name} ({entry.theorem})") == (
            caught.value.constant,
            caught.value.needed_by,
        )
        assert constant in str(caught.value)
        assert entry.theorem in str(caught.value)
        planned(name, constants=rest, step_size=NUMBER, **case)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS.names() if not has_theorem(name)])
def test_without_a_theorem_the_first_step_is_a_guess(name):
    """1/(L_max((1 + 2ω_up/n)(1 + 2ω_dwn) + r_up + r_dwn)); "theory" is refused, L_max asked for.

    r = √(1−δ)/(1 − √(1−δ)) of a contractive compressor; one sign of 30 keeps 2/π, not 1/30.
    """
    made = planned(name)
    up, down = (part.compressor for part in (compose(made).up, compose(made).down))
    shared = 1 if up.shared else 4
    forwarded = name == "core"  # downlink it compresses nothing again
    lost = 0.0 if forwarded else down.omega(30) or 0.0
    noise = (1 + 2 * (up.omega(30) or 0.0) / shared) * (1 + 2 * lost)
    kept = [
        sqrt(1 - (2 / pi if name == "signsgd-ef" else one.delta(30)))
        for one in (up, down)
        if one.omega(30) is None
    ]
    late = sum(root / (1 - root) for root in kept)
    assert 1 / (2.0 * (noise + late)) == pytest.approx(made.gamma)
    for multiple in ("theory", "0.5*theory"):
        with pytest.raises(SpecError, match="give a number") as caught:
            planned(name, step_size=StepSize.parse(multiple))
        assert "algorithm.step_size" == caught.value.field
    with pytest.raises(MissingConstant) as missing:
        planned(name, constants=Constants({}))
    assert "L_max" == missing.value.constant


def test_neolithic_guesses_only_unasked():
    """Where its constants lack, no step size asked for is the guess, "theory" the error."""
    few = smooth(1.0, 2.0)
    kept = sqrt((1 - 2 / 30) ** 4)  # of top-2, four times
    late = 2 * kept / (1 - kept)
    assert 1 / (2.0 * (1 + late)) == pytest.approx(planned("neolithic", constants=few).gamma)
    with pytest.raises(MissingConstant):
        planned("neolithic", constants=few, step_size=StepSize())
    with pytest.raises(SpecError) as caught:
        planned("neolithic", rounds=None, step_size=StepSize(), **THEIR_CASE["neolithic"])
    assert "stop.rounds" == caught.value.field


def test_an_explicit_format_beats_the_default_one():
    """`+f32` and plain f32 mean 32 bits also where values travel in f64 otherwise."""
    for text in ("f32", "identity+f32", "rand-k:3+f32", "natural"):
        made = planned("diana", up=text, values="f64")
        quantizer = compose(made).up.compressor.quantizer
        assert ("natural" if text == "natural" else "f32") == str(quantizer)
        assert FloatFormat("f64") == compose(made).down.compressor.quantizer


def test_an_unknown_name_is_refused():
    """UnknownName suggests the nearest."""
    with pytest.raises(UnknownName, match="did you mean 'marina'") as caught:
        ALGORITHMS.get("marinna")
    assert ("algorithm", "marinna") == (caught.value.kind, caught.value.name)


REFUSED = [
    ("gd", {"up": "rand-k:3"}, "algorithm.up", "sends it uncompressed"),
    ("marina", {"down": "perm-k"}, "algorithm.down", "sends it uncompressed"),
    ("marina-p", {"up": "natural"}, "algorithm.up", "sends it uncompressed"),
    ("marina", {"up": "rank-k:3"}, "algorithm.up", "unknown compressor"),
    ("marina", {"up": "rand-k:31"}, "rand-k.k", "outside 1..d = 30"),
    ("marina", {"up": "top-k:3"}, "algorithm.up", "needs an unbiased compressor"),
    ("diana", {"up": "top-k:3"}, "algorithm.up", "needs an unbiased compressor"),
    ("dcgd", {"up": "top-k:3"}, "algorithm.up", "needs an unbiased compressor"),
    ("m3", {"up": "top-k:3"}, "algorithm.up", "needs an unbiased compressor"),
    (
        "pp-marina",
        {"up": "perm-k", "step_size": StepSize()},
        "algorithm.up",
        "is for independent compressors",
    ),
    ("dcgd", {"up": "perm-k"}, "algorithm.up", "is for independent compressors"),
    ("m3", {"down": "top-k:3"}, "algorithm.down", "needs an unbiased compressor"),
    ("marina-p", {"down": "top-k:3"}, "algorithm.down", "needs an unbiased compressor"),
    ("marina", {"up_p": -1.0}, "algorithm.up.p", "-1.0 is outside [0, 1]"),
    ("marina", {"up_p": 1.1}, "algorithm.up.p", "1.1 is outside [0, 1]"),
    ("marina", {"up_p": float("nan")}, "algorithm.up.p", "nan is outside [0, 1]"),
    ("marina-p", {"down_p": -0.1}, "algorithm.down.p", "-0.1 is outside [0, 1]"),
    ("diana", {"up_alpha": 1.5}, "algorithm.up.alpha", "1.5 is outside [0, 1]"),
    ("dore", {"down_eta": -1.0}, "algorithm.down.eta", "-1.0 is outside [0, 1]"),
    ("gd", {"server_momentum": 1.0}, "algorithm.server_momentum", "1.0 is outside [0, 1)"),
    ("gd", {"momentum": 0.0}, "algorithm.momentum", "0.0 is outside (0, 1]"),
    ("m3", {"momentum": 2.0}, "algorithm.momentum", "outside (0, 1]"),
    ("gd", {"up_p": 0.5}, "algorithm.up.p", "gd has no such parameter"),
    ("marina", {"down_p": 0.5}, "algorithm.down.p", "marina has no such parameter"),
    ("marina", {"up_alpha": 0.5}, "algorithm.up.alpha", "marina has no such parameter"),
    ("marina-p", {"momentum": 0.5}, "algorithm.momentum", "has no such parameter"),
    ("diana", {"down_alpha": 0.5}, "algorithm.down.alpha", "diana has no such parameter"),
    ("mcm", {"down_reset": 5}, "algorithm.down.reset", "mcm has no such parameter"),
    ("mcm", {"down_eta": 0.5}, "algorithm.down.eta", "mcm has no such parameter"),
    ("rand-mcm", {"down_collection": "groups:0"}, "algorithm.down.collection", "none of same"),
    ("rand-mcm", {"down_collection": "groups:5"}, "algorithm.down.collection", "G in 1..4"),
    ("rand-mcm", {"down_collection": "some"}, "algorithm.down.collection", "'some' is none of"),
    ("marina-p", {"down_collection": "groups:2"}, "algorithm.down.collection", "for each worker"),
    ("custom", {"up_channel": "pigeon"}, "algorithm.up.channel", "'pigeon' is none of direct"),
    ("custom", {"down_channel": ""}, "algorithm.down.channel", "'' is none of direct"),
    ("custom", {"down_carries": "hope"}, "algorithm.down.carries", "'hope' is none of model"),
    ("custom", {"up_carries": "model"}, "algorithm.up.carries", "'model' is none of gradient"),
    ("mcm", {"preset": "pl"}, "algorithm.preset", "mcm has mcm-program, homogeneous, not 'pl'"),
    ("gd", {"preset": "pl"}, "algorithm.preset", "gd has none, not 'pl'"),
    ("cgd", {"preset": "b1"}, "algorithm.preset", "are for one worker"),
    ("marina", {"up_channel": "memory", "step_size": StepSize()}, "algorithm.step_size", "changed"),
    ("mcm", {"down_carries": "update", "step_size": StepSize()}, "algorithm.step_size", "changed"),
    ("mcm", {"schedule": "theorem-21-i"}, "algorithm.schedule", "unknown name"),
    ("mcm", {"average": "median"}, "algorithm.average", "unknown name"),
    ("mcm", {"average": ""}, "algorithm.average", "unknown name ''"),
    ("mcm", {"schedule": ""}, "algorithm.schedule", "unknown name ''"),
    ("mcm", {"oracle": ""}, "algorithm.oracle", "unknown name ''"),
    ("mcm", {"participation": ""}, "algorithm.participation", "unknown name ''"),
    ("mcm", {"oracle": "delphi"}, "algorithm.oracle", "unknown name"),
    ("mcm", {"participation": "few"}, "algorithm.participation", "unknown name"),
    ("vr-marina", {"rows": 0}, "problem.name", "needs workers that have rows of data"),
    ("neolithic", {"step_size": StepSize()}, "algorithm.up", "not below 1"),
    ("marina-p", {"down_collection": "same"}, "algorithm.down.collection", "one message for all"),
    ("gd", {"values": "f8"}, "values", "is none of"),
]


@pytest.mark.parametrize(("name", "choice", "field", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused_by_field(name, choice, field, reason):
    """A SpecError with the dotted path and the reason, before anything starts."""
    with pytest.raises(SpecError) as caught:
        planned(name, **choice)
    assert field == caught.value.field
    assert reason in caught.value.reason


def test_biased_compressors_run_with_every_number_given():
    """Without the theorem a biased compressor is the user's affair."""
    planned("marina", up="top-k:3", up_p=0.1, step_size=NUMBER)
    planned("diana", up="top-k:3", up_alpha=1.0, step_size=NUMBER)
    planned("dcgd", up="top-k:3", step_size=NUMBER)
    assert 1 / 1.4 == planned("dcgd", n=1, up="top-k:3").gamma


@names
def test_multiples_of_theory_multiply(name):
    """4*theory is four times theory; a number is itself."""
    if has_theorem(name):
        four, one = StepSize.parse("4*theory"), StepSize()
        case = THEIR_CASE.get(name, {})
        assert (
            4 * planned(name, step_size=one, **case).gamma
            == planned(name, step_size=four, **case).gamma
        )
    assert 0.1 == planned(name, step_size=NUMBER).gamma


def test_collections_decide_the_number_of_messages():
    """One draw for all is a broadcast; perm-k and independent ones are n messages."""
    same = planned("marina-p", down="rand-k:3", down_collection="same")
    independent = planned("marina-p", down="rand-k:3", down_collection="independent")
    assert (1, 4, 4) == (same.groups, independent.groups, planned("marina-p").groups)
    assert 4 == planned("gd", down_channel="memory", down="perm-k").groups
    assert (2, 1) == (planned("rand-mcm-g").groups, planned("rand-mcm-g", n=1).groups)
    assert 3 == planned("rand-mcm-g", down_collection="groups:3").groups
    # θ = ω, ω/n and 0 with the same p and L_A.
    assert same.gamma < independent.gamma < planned("marina-p", down_p=0.1, down="perm-k").gamma


def test_constants_of_the_workers_alone_are_bounds():
    """L ≤ mean L_i and (L_A, L_B) = (L_max, 0) where nothing joint is known; user values win."""
    local = [{"L": Constant(value)} for value in (3.0, 4.0)]
    known = Constants.gather(local, None, {"L_B": 7.0}).known
    assert Constant(3.5, "bound") == known["L"]
    assert Constant(4.0, "bound") == known["L_A"]
    assert Constant(7.0, "given") == known["L_B"]
    assert Constant(4.0, "exact") == known["L_max"]
    assert Constant(12.5**0.5, "exact") == known["L_rms"]
    assert Constant(3.0, "exact") == smooth(3.0).known["L"]
    assert Constant(3.3, "exact") == smooth(3.0, 4.0, L=3.3).known["L"]
    with pytest.raises(SpecError, match="no such constant") as caught:
        Constants.gather([], None, {"Q": 1.0})
    assert "algorithm.constants.Q" == caught.value.field


def test_what_a_downlink_carries_makes_room_for_a_compressor():
    """An uncompressed downlink takes a compressor where it carries updates: another method."""
    made = planned("gd", down="top-k:3", down_carries="update")
    assert ("top-k:k=3+f32", "update") == (made.down.compressor, made.down.carries)
    with pytest.raises(SpecError, match="sends it uncompressed"):
        planned("gd", down="top-k:3", down_carries="model")


@pytest.mark.parametrize("n", [1, 2, 5])
def test_marina_with_perm_k_has_a_step(n):
    """With d ≥ n, p = 1/n and 1/(L + L_±√(n − 1)); of equal functions it is gd's."""
    constants = smooth(*[2.0] * n, L=1.4, L_pm=0.3, mu=0.1)
    made = planned("marina", n=n, up="perm-k", constants=constants)
    assert (1 / n, 1 / (1.4 + 0.3 * sqrt(n - 1))) == pytest.approx((made.up.p, made.gamma))
    pl = planned("marina", n=n, up="perm-k", constants=constants, preset="pl").gamma
    assert min(1 / (1.4 + 0.3 * sqrt(2 * (n - 1))), 1 / (0.2 * n)) == pytest.approx(pl)
    equal = smooth(*[2.0] * n, L=1.4, L_pm=0.0)
    assert 1 / 1.4 == pytest.approx(planned("marina", n=n, up="perm-k", constants=equal).gamma)


def test_neolithic_has_its_theorem_with_a_quantizer():
    """Two messages of natural each way leave θ = 4(1/8)² = 1/16, and the step is eq. (52)'s."""
    choice = {"up": "fcc:r=2(natural)", "down": "fcc:r=2(natural)", "step_size": StepSize()}
    made = planned("neolithic", oracle="accumulate:r=2,b=10%", **choice)
    expected = theory.neolithic_step(
        L=2.0, delta=7 / 8, R=2, sigma_sq=0.5, b_sq=0.1, Delta=4.0, K=4999, n=4
    )
    assert expected == pytest.approx(made.gamma)


@pytest.mark.parametrize(
    ("name", "choice", "expected"),
    [
        ("marina", {}, {"L_rms"}),
        ("marina", {"preset": "pl"}, {"L_rms", "mu"}),
        ("marina", {"up": "perm-k"}, {"L", "L_rms", "L_pm"}),
        ("ec-sgd", {"schedule": "theorem-21-i"}, {"L_max", "mu"}),
        ("ec-sgd", {"step_size": NUMBER}, set()),
        ("custom", {}, {"L_max"}),
    ],
)
def test_what_the_rules_chosen_ask_for(name, choice, expected):
    """The constants `plan` looks up, and no others."""
    assert expected == ALGORITHMS.get(name).asks(chosen(**choice), 30, 4, (40,) * 4)


def test_an_entry_without_a_source_is_not_free():
    """Only what says so takes compressors where nothing is compressed."""
    own = replace(ALGORITHMS.get("gd"), name="own", source="")
    with pytest.raises(SpecError, match="own sends it uncompressed"):
        own.plan(chosen(up="natural"), 30, 4, ALL_KNOWN)
    made = replace(own, free=True).plan(chosen(up="natural"), 30, 4, ALL_KNOWN)
    assert "natural" == made.up.compressor
