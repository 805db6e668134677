"""The notation of compressors: what it means, and what is said when it is wrong."""

import re
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp import registry
from netcomp.compressors import (
    COMPRESSORS,
    Adaptive,
    All,
    Bernoulli,
    Chain,
    Compressor,
    Count,
    FastCompressed,
    FloatFormat,
    Natural,
    Part,
    PermK,
    Quantizer,
    RandK,
    Scaled,
    Sketch,
    Sparsifier,
    TopK,
    parse_compressor,
)
from netcomp.compressors.levels import Dithering
from netcomp.compressors.rounding import Rounding, Steps
from netcomp.errors import ImportRefused, SpecError, UnknownName

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
    "bernoulli:p=0.1": Chain(Bernoulli(0.1), FloatFormat()),
    "bernoulli:1e-3,scaled": Chain(Bernoulli(0.001, scaled=True), FloatFormat()),
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
    ("rand-k:3,scaled=maybe", "scaled=maybe", "expected yes or no"),
    ("rand-k:scaled", "rand-k:scaled", "needs k="),
    ("rand-k:3,scaled,scaled=no", "scaled=no", "given twice"),
    ("bernoulli", "bernoulli", "needs p="),
    ("bernoulli:p=0", "bernoulli:p=0", "bernoulli.p: 0 is outside (0, 1]"),
    ("bernoulli:p=1.5", "bernoulli:p=1.5", "outside (0, 1]"),
    ("bernoulli:p=-1", "bernoulli:p=-1", "outside (0, 1]"),
    ("bernoulli:p=nan", "p=nan", "expected a number"),
    ("bernoulli:p=1_0", "p=1_0", "expected a number"),
    ("natural+bernoulli:p=2", "bernoulli:p=2", "outside (0, 1]"),
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


# Classes of other packages


@dataclass(frozen=True)
class Middle(Sparsifier):
    """A sparsifier of another package, with a parameter of each kind."""

    k: Count
    shift: int = 0
    factor: float = 1.0
    quiet: bool = False
    word: str = "so"
    unbiased = False

    def select(self, v, draw):
        return self.derive((), v.size, draw)

    def derive(self, parts, d, draw):
        return np.arange(self.k.value)

    def scale(self, d):
        return 1.0

    def most(self, d):
        return self.k.value

    def density(self, d):
        return float(self.k.value)

    def omega(self, d):
        return None


class Twice:
    """No compressor at all."""


def halves(factor):
    return Scaled(factor, Chain(All(), FloatFormat()))


class Argued(Sparsifier):
    """Wants an argument that no text can give."""

    def __init__(self, secret):
        self.secret = secret

    select = derive = scale = most = density = omega = None


@dataclass(frozen=True)
class Typed(Middle):
    """The type of a field is nowhere to be found."""

    odd: "Missing" = 0  # noqa: F821 — that is the point


HALVES = Part(halves, "a part of another package", (("factor", float),))
NONSENSE = Part(Twice, "makes no compressor")


@pytest.fixture
def elsewhere(monkeypatch):
    """Make this file importable as `other.package`, as a third party's would be."""
    monkeypatch.setitem(sys.modules, "other", ModuleType("other"))
    monkeypatch.setitem(sys.modules, "other.package", sys.modules[__name__])
    monkeypatch.setattr(Middle, "__module__", "other.package")
    return "other.package"


def test_a_class_of_another_package(elsewhere):
    """`module:Class`, parameters after a second colon, beside quantizers and in wrappers."""
    chain = parse_compressor("other.package:Middle:3,shift=2,quiet+natural", imports=True)
    assert Chain(Middle(Count("3"), 2, quiet=True), Natural()) == chain
    assert "other.package:Middle:k=3,shift=2,quiet=yes+natural" == str(chain)
    assert chain == parse_compressor(str(chain), imports=True)
    wrapped = parse_compressor("fcc:2(other.package:Middle:1%,factor=.5)", imports=True)
    assert FastCompressed(2, Chain(Middle(Count("1%"), factor=0.5), FloatFormat())) == wrapped
    assert wrapped == parse_compressor(str(wrapped), imports=True)
    assert halves(0.25) == parse_compressor("other.package:HALVES:0.25", imports=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("other.package:Middle", "needs k="),
        ("other.package:Middle:3,shift=x", "expected a whole number"),
        ("other.package:Middle:3,quiet=x", "expected yes or no"),
        ("other.package:Middle:3,depth=1", "no such parameter; known: k, shift, factor"),
        ("other.package:Middle:3(natural)", "not made of another compressor"),
        ("other.package:Twice", "neither a compressor's class nor a Part"),
        ("other.package:NONSENSE", "makes a Twice, not a compressor"),
        ("other.package:Nothing", "cannot import"),
        ("no.such.module:Thing", "cannot import"),
        ("nosuchmodule:Thing:x=3+natural", "cannot import"),
        ("netcomp.compressors:Sparsifier", "does not define density, derive, most, omega, scale"),
        ("natural+netcomp.compressors:Quantizer", "does not define bits, decode, encode"),
        ("netcomp.compressors:Chain", "no text can be read as sparsifier"),
        ("netcomp.compressors:FloatFormat:f8", "values: 'f8' is none of"),
        ("other.package:Argued", "cannot be made: TypeError: .*missing .* 'secret'"),
        ("other.package:Typed", "its fields' types: name 'Missing' is not defined"),
        ("support.own:Fussy:level=3", "cannot be made: KeyError: 3"),
        ("fcc:2(support.own:Fussy:level=3)", "cannot be made: KeyError: 3"),
        ("support.own:Fussy:other=3", "cannot be read: KeyError: '3'"),
        ("broken_module:Thing", "cannot import .*: ZeroDivisionError: "),
    ],
)
def test_errors_of_classes_of_other_packages(text, reason, elsewhere, tmp_path, monkeypatch):
    """Whatever goes wrong in somebody else's class or module is told as any other mistake."""
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SpecError) as caught:
        parse_compressor(text, field="algorithm.up", imports=True)
    assert "algorithm.up" == caught.value.field
    assert re.search(f"at column .*{reason}", caught.value.reason)


def test_classes_are_not_imported_unless_asked_for(elsewhere):
    """What a peer names can never import: that is the default."""
    with pytest.raises(ImportRefused, match="classes are not imported") as caught:
        parse_compressor("fcc:2(other.package:Middle:3)", field="algorithm.up")
    assert ("algorithm.up", "other.package:Middle") == (caught.value.field, caught.value.target)
    assert "at column 7, " in caught.value.reason


# Names that other packages register


PLUGIN = Part(Middle, "the first k", (("k", Count.parse),))


@pytest.fixture
def installed(monkeypatch):
    """Return a function that makes these the entry points of installed packages."""

    def install(**points):
        found = [EntryPoint(name, value, "netcomp.compressors") for name, value in points.items()]
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [p for p in found if p.group == group]
        )
        monkeypatch.setattr(COMPRESSORS, "_entries", dict(COMPRESSORS._entries))
        monkeypatch.setattr(COMPRESSORS, "_plugins", None)

    return install


@pytest.mark.parametrize("name", ["PLUGIN", "Middle"])
def test_an_entry_point_adds_a_name(name, installed, elsewhere):
    """Entry points of `netcomp.compressors`, parts or classes, are names like our own.

    What is installed may be named by its class too, which is what it prints, without `imports`.
    """
    installed(middle=f"other.package:{name}")
    chain = parse_compressor("middle:k=3+natural")
    assert Chain(Middle(Count("3")), Natural()) == chain
    assert "other.package:Middle:k=3+natural" == str(chain)
    assert chain == parse_compressor(str(chain))
    assert "middle" in COMPRESSORS.names()
    assert COMPRESSORS.get("middle").summary
    with pytest.raises(ImportRefused):
        parse_compressor("other.package:HALVES:0.5")


def test_a_broken_plugin_is_told_where_it_is_named_and_nowhere_else(installed, elsewhere):
    """It is listed; its name, and only that, is an error that says what is wrong with it."""
    installed(
        broken="no.such.module:Thing",
        twice="other.package:Twice",
        middle="other.package:Middle",
    )
    assert {"broken", "twice", "middle"} <= set(COMPRESSORS.names())
    for text in ("middle:3", "other.package:Middle:k=3"):
        assert Chain(Middle(Count("3")), FloatFormat()) == parse_compressor(text)
    for _ in range(2):
        with pytest.raises(SpecError, match="cannot load the plugin 'broken': No module") as caught:
            parse_compressor("broken:k=3", field="algorithm.up")
        assert "algorithm.up" == caught.value.field
    with pytest.raises(SpecError, match="twice is neither a compressor's class nor a Part"):
        parse_compressor("twice")


@pytest.mark.parametrize("name", ["natural", "middle"])
def test_a_plugin_takes_no_name(name, installed, monkeypatch):
    """A name that is ours, or of two packages that differ, is an error each time; not silent."""
    installed(**{name: "other.package:Middle"})
    others = registry.entry_points("netcomp.compressors")
    more = [EntryPoint("middle", "another.package:Middle", "netcomp.compressors")]
    monkeypatch.setattr(registry, "entry_points", lambda group: [*others, *more])
    for _ in range(2):
        with pytest.raises(SpecError, match=f"the name '{name}' of the plugin .* is taken"):
            COMPRESSORS.names()


def test_a_plugin_found_twice_is_one(installed, monkeypatch):
    """The same entry point in two folders of the path is no conflict."""
    installed(middle="support.own:Head")
    point = registry.entry_points("netcomp.compressors")
    monkeypatch.setattr(registry, "entry_points", lambda group: point * 2)
    assert "support.own:Head:k=3+f32" == str(parse_compressor("middle:3"))


def test_every_registered_part_is_complete():
    """A summary, readers for its parameters, optional ones among them, and a class to build."""
    for name in COMPRESSORS.names():
        part = COMPRESSORS.get(name)
        assert part.summary
        assert set(part.optional) <= {key for key, _ in part.params}
        assert callable(part.build)
        if isinstance(part.build, type):
            assert issubclass(part.build, Compressor | Sparsifier | Quantizer)


def test_a_name_taken_is_refused():
    """Registering a name twice is a SpecError; nothing is replaced."""
    before = COMPRESSORS.get("natural")
    with pytest.raises(SpecError, match="registered already"):
        COMPRESSORS.register("natural", before)
    assert before is COMPRESSORS.get("natural")


def test_an_unknown_name_lists_the_known():
    """UnknownName carries kind, name and the names that would do."""
    with pytest.raises(UnknownName) as caught:
        COMPRESSORS.get("rank-d")
    assert ("compressor", "rank-d") == (caught.value.kind, caught.value.name)
    assert set(COMPRESSORS.names()) == set(caught.value.known)


@pytest.mark.parametrize(
    ("text", "d", "n", "k"),
    [
        ("1", 1, 1, 1),
        ("250", 300, 7, 250),
        ("1%", 300, 7, 3),
        ("1%", 20, 7, 1),
        ("100%", 5, 2, 5),
        ("0.5%", 1000, 2, 5),
        ("33.3%", 10, 2, 3),
        ("d/n", 12, 4, 3),
        ("d/n", 13, 4, 3),
        ("d/n", 3, 8, 1),
    ],
)
def test_counts_resolve(text, d, n, k):
    """A percentage of d is rounded, d/n is cut, and both are at least 1."""
    count = Count.parse(text)
    assert text == str(count)
    assert k == count.resolve(d, n, "k").value
    assert Count(str(k)) == count.resolve(d, n, "k").resolve(d, n, "k")


def test_an_unresolved_count_has_no_value():
    """Asking "1%" or "d/n" for its number before d and n are known is a ValueError."""
    for text in ("1%", "d/n"):
        with pytest.raises(ValueError, match="invalid literal"):
            _ = Count.parse(text).value
