"""The notation of compressors: what it means, and what is said when it is wrong."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.compressors import (
    Adaptive,
    All,
    Bernoulli,
    Chain,
    Chances,
    Count,
    FastCompressed,
    FloatFormat,
    Natural,
    PermK,
    RandK,
    Scaled,
    Sketch,
    TopK,
    parse_compressor,
)
from netcomp.compressors.levels import Dithering
from netcomp.compressors.rounding import Rounding, Steps
from netcomp.errors import SpecError

seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)

MEANINGS = {
    "identity": Chain(All(), FloatFormat("f32")),
    "f16": Chain(All(), FloatFormat("f16")),
    "identity+f64": Chain(All(), FloatFormat("f64")),
    "natural": Chain(All(), Natural()),
    "rand-k:k=250": Chain(RandK(Count("250")), FloatFormat()),
    "rand-k:250": Chain(RandK(Count("250")), FloatFormat()),
    "rand-k:k=250+natural": Chain(RandK(Count("250")), Natural()),
    "rand-k:d/n+f16": Chain(RandK(Count("d/n")), FloatFormat("f16")),
    "top-k:1%": Chain(TopK(Count("1%")), FloatFormat()),
    "perm-k": Chain(PermK(), FloatFormat()),
    "perm-k+natural": Chain(PermK(), Natural()),
    "perm-k:order=cyclic": Chain(PermK(order="cyclic"), FloatFormat()),
    "perm-k:random": Chain(PermK(), FloatFormat()),
    "rand-k:k=5,scaled=no": Chain(RandK(Count("5"), scaled=False), FloatFormat()),
    "rand-k:scaled=yes,k=5": Chain(RandK(Count("5")), FloatFormat()),
    "bernoulli:p=0.1": Chain(Bernoulli(Chances((0.1,))), FloatFormat()),
    "bernoulli:p=0.1/1/...,scaled": Chain(
        Bernoulli(Chances((0.1, 1.0), again=True), scaled=True), FloatFormat()
    ),
    "bernoulli:1e-3,scaled": Chain(Bernoulli(Chances((0.001,)), scaled=True), FloatFormat()),
    "adaptive+f16": Chain(Adaptive(), FloatFormat("f16")),
    "sketch:m=100": Sketch(Count("100")),
    "fcc:r=4(top-k:1%)": FastCompressed(4, Chain(TopK(Count("1%")), FloatFormat())),
    "fcc:2(perm-k+natural)": FastCompressed(2, Chain(PermK(), Natural())),
    "scale:0.5(rand-k:k=5)": Scaled(0.5, Chain(RandK(Count("5")), FloatFormat())),
    "scale:factor=2(sketch:d/n)": Scaled(2.0, Sketch(Count("d/n"))),
    "fcc:3(scale:.5(rand-k:5,scaled=no+f16))": FastCompressed(
        3, Scaled(0.5, Chain(RandK(Count("5"), scaled=False), FloatFormat("f16")))
    ),
}

SPELLINGS = {
    "rand-k:5,scaled": "rand-k:k=5+f32",
    "rand-k:5,scaled=no": "rand-k:k=5,scaled=no+f32",
    "bernoulli:0.10,scaled=no": "bernoulli:p=0.1+f32",
    "perm-k:random": "perm-k+f32",
    "perm-k:cyclic+natural": "perm-k:order=cyclic+natural",
    "identity+f32": "identity",
    "identity+f16": "f16",
    "scale:factor=.5(fcc:2(natural))": "scale:0.5(fcc:r=2(natural))",
    "scale:1e30(f64)": "scale:1e30(f64)",
    "scale:0.5(adaptive)": "scale:0.5(adaptive+f32)",
    "scale:0.5(adaptive+natural)": "scale:0.5(adaptive+natural)",
    "scale:1e30(adaptive+natural)": "scale:1e30(adaptive+natural)",
    "round:b=2.0": "round:b=2",
    "round:1.25000001": "round:b=1.25000001",
    "round:b=1e30,steps=1.0/1.2345678/2e20": "round:b=1e30,steps=1/1.2345678/2e20",
    "dither:s=8,b=2.0": "dither:s=8",
    "dither:s=2,b=1.2345678901": "dither:s=2,b=1.2345678901",
    "dither:s=2,b=1e10,p=1": "dither:s=2,b=1e10,p=1",
    "dither:s=2,p=1.50": "dither:s=2,p=1.5",
    "qsgd:s=2,p=1e30": "qsgd:s=2,p=1e30",
    "qsgd:s=2,p=2.0": "qsgd:s=2",
}


@pytest.mark.parametrize(("text", "spelling"), SPELLINGS.items(), ids=SPELLINGS)
def test_there_is_one_spelling(text, spelling):
    """`str` writes names in full, parameters by name, and leaves defaults out."""
    assert spelling == str(parse_compressor(text))
    assert spelling == str(parse_compressor(spelling))


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items(), ids=MEANINGS)
def test_notation_means(text, meaning):
    """A notation builds exactly these parts, and what it prints means the same."""
    assert meaning == parse_compressor(text)
    assert meaning == parse_compressor(str(meaning))


def test_default_float_format_yields_to_a_written_one():
    """`values` fills in where no quantizer is written, and only there."""
    assert FloatFormat("f64") == parse_compressor("perm-k", values="f64").quantizer
    assert FloatFormat("f16") == parse_compressor("perm-k+f16", values="f64").quantizer
    assert Natural() == parse_compressor("natural", values="f64").quantizer


# text, the part that is wrong, and a word of the reason
WRONG = [
    ("", "", "unknown compressor"),
    ("rand", "rand", "unknown compressor"),
    ("Rand-k:3", "Rand-k", "did you mean 'rand-k'"),
    ("natural+", "", "unknown compressor"),
    ("rand-k", "rand-k", "needs k="),
    ("natural+top-k", "top-k", "needs k="),
    ("rand-k:", "", "expected a count"),
    ("rand-k:k=", "k=", "expected a count"),
    ("rand-k:k=x", "k=x", "expected a count"),
    ("rand-k:-1", "-1", "expected a count"),
    ("rand-k:1.5", "1.5", "expected a count"),
    ("rand-k:101%", "101%", "percentage must be"),
    ("rand-k:0%", "0%", "percentage must be"),
    ("rand-k:q=3", "q=3", "no such parameter; known: k"),
    ("rand-k:3,4", "4", "given twice"),
    ("rand-k:k=3,q=4", "q=4", "no such parameter"),
    ("f16:3", "3", "no such parameter; known: none"),
    ("perm-k+f16:", "", "no such parameter"),
    ("rand-k:3+top-k:3", "top-k:3", "a sparsifier comes first, and once"),
    ("natural+rand-k:3", "rand-k:3", "a sparsifier comes first, and once"),
    ("natural+f16", "f16", "values are written once"),
    ("rand-k:3+natural+f16", "f16", "values are written once"),
    ("rand-k:3 + natural", "3 ", "expected a count"),
    ("rand-k:0", "0", "a count must be at least 1"),
    ("sketch:m=000", "m=000", "a count must be at least 1"),
    ("qsgd:s=1,p=0.5", "p=0.5", "expected a norm of at least 1"),
    ("dither:s=1,p=two", "p=two", "expected a number"),
    ("rand-k:3,scaled=maybe", "scaled=maybe", "expected yes or no"),
    ("rand-k:scaled", "rand-k:scaled", "needs k="),
    ("rand-k:3,scaled,scaled=no", "scaled=no", "given twice"),
    ("bernoulli", "bernoulli", "needs p="),
    ("bernoulli:p=0", "p=0", "bernoulli.p: 0 is outside (0, 1]"),
    ("bernoulli:p=0.5/2", "p=0.5/2", "bernoulli.p: 2 is outside (0, 1]"),
    ("bernoulli:p=0.5//1", "p=0.5//1", "expected a number"),
    ("bernoulli:p=.../0.5", "p=.../0.5", "expected a number"),
    ("bernoulli:p=1.5", "p=1.5", "outside (0, 1]"),
    ("bernoulli:p=-1", "p=-1", "outside (0, 1]"),
    ("bernoulli:p=nan", "p=nan", "expected a number"),
    ("bernoulli:p=1_0", "p=1_0", "expected a number"),
    ("natural+bernoulli:p=2", "p=2", "outside (0, 1]"),
    ("perm-k:order=sorted", "order=sorted", "expected random or cyclic"),
    ("round:b=2,steps=1/1_5", "steps=1/1_5", "expected a number"),
    ("round:b=2,steps=1/nan", "steps=1/nan", "expected a number"),
    ("round:b=2,steps=1/", "steps=1/", "expected a number"),
    ("round:b=0.99999999", "round:b=0.99999999", "round.b: 0.99999999 must be above 1"),
    ("adaptive:3", "3", "no such parameter; known: none"),
    ("sketch", "sketch", "needs m="),
    ("sketch:m=1.5", "m=1.5", "expected a count"),
    ("sketch:3+natural", "sketch:3", "cannot be combined"),
    ("rand-k:3+fcc:2(natural)", "fcc:2(natural)", "cannot be combined"),
    ("fcc:2", "fcc:2", "needs a compressor in parentheses"),
    ("fcc(natural)", "fcc(natural)", "needs r="),
    ("fcc:0(natural)", "fcc:0(natural)", "fcc.r: 0 is outside 1..63"),
    ("fcc:64(natural)", "fcc:64(natural)", "fcc.r: 64 is outside 1..63"),
    ("fcc:-1(natural)", "-1", "expected a whole number"),
    ("fcc:2()", "", "unknown compressor"),
    ("fcc:2(natural)f16", "f16", "nothing may follow the parentheses"),
    ("fcc:2(natural)(f16)", "(f16)", "nothing may follow the parentheses"),
    ("fcc:2(natural", "(", "is never closed"),
    ("fcc:2(scale:2(natural)", "(", "is never closed"),
    ("natural)", ")", "closes nothing"),
    ("natural(f16)", "(f16)", "natural is not made of another compressor"),
    ("scale:0(natural)", "scale:0(natural)", "scale.factor: 0 is not a positive number"),
    ("scale:2(fcc:2(rank-k))", "rank-k", "unknown compressor"),
    ("scale:2(rand-k:x+natural)", "x", "expected a count"),
    ("((((((", "(", "nested deeper than 4"),
    ("os:system", "os:system", "classes are not imported here"),
    ("a.b:C:x=1+natural", "a.b:C", "classes are not imported here"),
]


@pytest.mark.parametrize(("text", "bad", "reason"), WRONG, ids=[text for text, *_ in WRONG])
def test_errors_name_field_column_and_part(text, bad, reason):
    """A SpecError of the field asked for; the column, from 1, is where the bad part starts."""
    with pytest.raises(SpecError) as caught:
        parse_compressor(text, field="algorithm.up")
    found = re.search(r"at column (\d+), ('.*?'|\".*?\"): (.*)", caught.value.reason)
    assert ("algorithm.up", repr(bad)) == (caught.value.field, found[2])
    assert reason in found[3]
    start = int(found[1]) - 1
    assert text.startswith(bad, start)
    if text.count(bad) == 1:
        assert text.find(bad) == start


PIECES = [
    *("rand-k:", "top-k", "natural", "fcc:", "scale:", "sketch:", "perm-k", "bernoulli:", "f16"),
    *("(", ")", "+", ",", ":", "=", "k=", "r=", "m=", "p=", "scaled", "order=", "cyclic", "no"),
    *("2", "0.5", "1%", "d/n", "os:system", "e+"),
    *("round:", "dither:", "b=", "s=", "steps=", "1/1.5", "1.25000001", "1e20"),
    *("biased", "adaptive"),
]


@seeded
@given(st.text(alphabet="rand-kto pm:=+%,./0123456789flcs()", max_size=24))
def test_any_text_parses_or_is_a_spec_error(text):
    """No text raises anything but SpecError, and what parses prints a text that parses."""
    try:
        compressor = parse_compressor(text)
    except SpecError:
        return
    assert compressor == parse_compressor(str(compressor))


@seeded
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_pieces_parse_or_are_a_spec_error(text):
    """The same for texts that look more like notations."""
    try:
        compressor = parse_compressor(text)
    except SpecError:
        return
    assert compressor == parse_compressor(str(compressor))


@seeded
@given(
    st.floats(1.1, 1e300),
    st.lists(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True), max_size=3, unique=True),
)
def test_numbers_lose_no_digit(b, shares):
    """What a base and its steps print reads back to the same floats, however long or large."""
    steps = {1.0, *(1.0 + share * (b - 1.0) for share in shares)}
    rounding = Rounding(b, Steps(tuple(sorted(step for step in steps if step < b))))
    for quantizer in (rounding, Rounding(b, biased=True), Dithering(2, b)):
        for compressor in (Chain(All(), quantizer), Scaled(b, Chain(Adaptive(), quantizer))):
            assert compressor == parse_compressor(str(compressor))
