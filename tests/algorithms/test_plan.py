"""From a name and choices to numbers: defaults, refusals, and plans as plain data."""

import json
from dataclasses import asdict, fields

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.algorithms import (
    ALGORITHMS,
    Choice,
    Plan,
    StepSize,
    compose,
)
from netcomp.compressors import FloatFormat
from netcomp.constants import CONSTANTS, Constant, Constants
from netcomp.errors import MissingConstant, NetcompError, SpecError, UnknownName
from support.cases import smooth

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)
ALL_KNOWN = smooth(1.0, 2.0, L=1.4, L_A=0.3, L_B=1.4)
NUMBER = StepSize(0.1, of_theory=False)

names = pytest.mark.parametrize("name", ALGORITHMS.names())


def plan(name, d=30, n=4, constants=ALL_KNOWN, **choices):
    return ALGORITHMS.get(name).plan(Choice(**choices), d, n, constants)


@names
@pytest.mark.parametrize(("d", "n"), [(1, 1), (30, 4), (2144, 5), (5, 12)])
@pytest.mark.parametrize("values", ["f16", "f32", "f64"])
def test_defaults_plan_and_compose(name, d, n, values):
    """Every name plans with its defaults, and its numbers lie where they must."""
    made = plan(name, d, n, values=values)
    assert (name, d, n, values) == (made.name, made.dim, made.workers, made.values)
    assert 0 < made.gamma <= 1 / ALL_KNOWN.need("L", "any step size")
    assert all(0 < value <= 1 for value in (made.p_up, made.p_down, made.alpha, made.beta))
    parts = compose(made)
    assert n == parts.workers
    for channel in (parts.up, parts.down):
        assert FloatFormat(values) == channel.compressor.quantizer == channel.plain.quantizer


@names
@pytest.mark.parametrize(("d", "n"), [(30, 4), (5, 12)])
def test_a_plan_survives_the_handshake(name, d, n):
    """Through asdict, JSON or msgpack, and Plan again: the same plan and the same composition."""
    made = plan(name, d, n)
    for text in (
        json.loads(json.dumps(asdict(made))),
        msgpack.unpackb(msgpack.packb(asdict(made))),
    ):
        again = Plan(**text)
        assert made == again
        assert compose(made) == compose(again)
    assert {str, int, bool, float} == {type(getattr(made, f.name)) for f in fields(made)}


@names
def test_every_entry_says_where_it_comes_from(name):
    """Name, summary, source and theorem are there, and `needs` names known constants."""
    entry = ALGORITHMS.get(name)
    assert name == entry.name
    assert all((entry.summary, entry.source, entry.theorem))
    assert set(entry.needs) <= set(CONSTANTS)


@names
def test_needs_are_what_the_theorem_asks_for(name):
    """With the constants of `needs` the theorem is content; without one it names that one."""
    entry = ALGORITHMS.get(name)
    known = {constant: Constant(1.0, "exact") for constant in entry.needs}
    plan(name, constants=Constants(known))
    for constant in entry.needs:
        rest = Constants({key: value for key, value in known.items() if key != constant})
        with pytest.raises(MissingConstant) as caught:
            plan(name, constants=rest)
        assert (constant, f"{name} ({entry.theorem})") == (
            caught.value.constant,
            caught.value.needed_by,
        )
        assert constant in str(caught.value)
        assert entry.theorem in str(caught.value)
        plan(name, constants=rest, step_size=NUMBER)


def test_an_explicit_format_beats_the_default_one():
    """`+f32` and plain f32 mean 32 bits also where values travel in f64 otherwise."""
    for text in ("f32", "identity+f32", "rand-k:3+f32", "natural"):
        made = plan("diana", up=text, values="f64")
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
    ("marina", {"up": "perm-k"}, "algorithm.up", "is for independent compressors"),
    ("dcgd", {"up": "perm-k"}, "algorithm.up", "is for independent compressors"),
    ("m3", {"down": "top-k:3"}, "algorithm.down", "needs an unbiased compressor"),
    ("marina-p", {"down": "top-k:3"}, "algorithm.down", "needs an unbiased compressor"),
    ("marina", {"p_up": 0.0}, "algorithm.up.p", "0.0 is outside (0, 1]"),
    ("marina", {"p_up": 1.1}, "algorithm.up.p", "1.1 is outside (0, 1]"),
    ("marina", {"p_up": float("nan")}, "algorithm.up.p", "nan is outside (0, 1]"),
    ("marina-p", {"p_down": -0.1}, "algorithm.down.p", "-0.1 is outside (0, 1]"),
    ("diana", {"alpha": 0.0}, "algorithm.up.alpha", "outside (0, 1]"),
    ("m3", {"momentum": 2.0}, "algorithm.momentum", "outside (0, 1]"),
    ("gd", {"p_up": 0.5}, "algorithm.up.p", "gd has no such parameter"),
    ("marina", {"p_down": 0.5}, "algorithm.down.p", "marina has no such parameter"),
    ("marina", {"alpha": 0.5}, "algorithm.up.alpha", "marina has no such parameter"),
    ("marina-p", {"momentum": 0.5}, "algorithm.momentum", "has no such parameter"),
    ("diana", {"collection": "same"}, "algorithm.down.collection", "has no such parameter"),
    ("marina-p", {"collection": "same"}, "algorithm.down.collection", "one message for all"),
    ("gd", {"values": "f8"}, "values", "is none of"),
]


@pytest.mark.parametrize(("name", "choice", "field", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused_by_field(name, choice, field, reason):
    """A SpecError with the dotted path and the reason, before anything starts."""
    with pytest.raises(SpecError) as caught:
        plan(name, **choice)
    assert field == caught.value.field
    assert reason in caught.value.reason


def test_biased_compressors_run_with_every_number_given():
    """Without the theorem a biased compressor is the user's affair."""
    plan("marina", up="top-k:3", p_up=0.1, step_size=NUMBER)
    plan("diana", up="top-k:3", alpha=1.0, step_size=NUMBER)
    plan("dcgd", up="top-k:3", step_size=NUMBER)
    assert 1 / 1.4 == plan("dcgd", n=1, up="top-k:3").gamma


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theory", StepSize(1.0, of_theory=True)),
        (" theory ", StepSize(1.0, of_theory=True)),
        ("4*theory", StepSize(4.0, of_theory=True)),
        ("0.5 * theory", StepSize(0.5, of_theory=True)),
        ("1e-3*theory", StepSize(0.001, of_theory=True)),
        ("0.1", StepSize(0.1, of_theory=False)),
        (0.1, StepSize(0.1, of_theory=False)),
        (2, StepSize(2.0, of_theory=False)),
    ],
)
def test_step_size_notation(text, expected):
    """A number, or a multiple of the theorem's."""
    assert expected == StepSize.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "nan", "inf", "1e999", "a", "theory*4", "4theory*", "*theory"),
        *("0*theory", "1.2.3*theory", "1e999*theory", "-1*theory"),
        *(0, -1.0, float("nan"), float("inf"), 10**400),
    ],
)
def test_step_sizes_that_are_none_are_refused(text):
    """What is no positive finite number is a SpecError of algorithm.step_size."""
    with pytest.raises(SpecError) as caught:
        StepSize.parse(text)
    assert "algorithm.step_size" == caught.value.field


@seeded
@given(st.text(max_size=12) | st.floats() | st.integers(-5, 5))
def test_any_step_size_parses_or_is_a_spec_error(text):
    """Nothing but SpecError, and what parses is positive and finite."""
    try:
        parsed = StepSize.parse(text)
    except SpecError:
        return
    assert 0 < parsed.value < float("inf")


@names
def test_multiples_of_theory_multiply(name):
    """4*theory is four times theory; a number is itself."""
    assert 4 * plan(name).gamma == plan(name, step_size=StepSize.parse("4*theory")).gamma
    assert 0.1 == plan(name, step_size=NUMBER).gamma


def test_collections_decide_the_number_of_messages():
    """One draw for all is a broadcast; perm-k and independent ones are n messages."""
    same = plan("marina-p", down="rand-k:3", collection="same")
    independent = plan("marina-p", down="rand-k:3", collection="independent")
    assert same.broadcast
    assert not independent.broadcast
    assert not plan("marina-p").broadcast
    # θ = ω, ω/n and 0 with the same p and L_A.
    assert same.gamma < independent.gamma < plan("marina-p", p_down=0.1, down="perm-k").gamma


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


@pytest.mark.parametrize(
    ("field", "value"), [("up_channel", "carrier-pigeon"), ("down", "nothing"), ("up", "rand-k")]
)
def test_a_plan_from_a_stranger_is_refused(field, value):
    """A plan that names no known channel or compressor is a netcomp error."""
    with pytest.raises(NetcompError):
        compose(Plan(**asdict(plan("marina")) | {field: value}))
