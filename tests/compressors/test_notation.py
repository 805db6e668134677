"""The notation of compressors: what it means, and what is said when it is wrong."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.compressors import (
    COMPRESSORS,
    All,
    Chain,
    Count,
    FloatFormat,
    Natural,
    PermK,
    RandK,
    TopK,
    parse_compressor,
)
from netcomp.errors import SpecError, UnknownName

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
}


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
    ("natural:3", "3", "no such parameter; known: none"),
    ("perm-k+natural:", "", "no such parameter"),
    ("rand-k:3+top-k:3", "top-k:3", "a sparsifier comes first, and once"),
    ("natural+rand-k:3", "rand-k:3", "a sparsifier comes first, and once"),
    ("natural+f16", "f16", "values are written once"),
    ("rand-k:3+natural+f16", "f16", "values are written once"),
    ("rand-k:3 + natural", "3 ", "expected a count"),
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
    assert text.rfind(bad) == start


@seeded
@given(st.text(alphabet="rand-kto pm:=+%,./0123456789fl", max_size=24))
def test_any_text_parses_or_is_a_spec_error(text):
    """No text raises anything but SpecError, and what parses prints a text that parses."""
    try:
        compressor = parse_compressor(text)
    except SpecError:
        return
    assert compressor == parse_compressor(str(compressor))


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
