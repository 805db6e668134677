"""Names and classes of other packages in the notation: found, registered, refused."""

import re
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from netcomp import registry
from netcomp.compressors import (
    COMPRESSORS,
    All,
    Chain,
    Count,
    FastCompressed,
    FloatFormat,
    Natural,
    Part,
    Scaled,
    Sparsifier,
    parse_compressor,
)
from netcomp.errors import ImportRefused, SpecError
from support.own import Head


@dataclass(frozen=True)
class Middle(Head):
    """A sparsifier of another package, with a parameter of each kind."""

    shift: int = 0
    factor: float = 1.0
    quiet: bool = False
    word: str = "so"


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


# Names that they register


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
