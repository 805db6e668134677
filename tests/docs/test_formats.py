"""Wire format and link model are documented with the numbers of the code."""

import re
from dataclasses import astuple

import pytest

from netcomp.algorithms import Plan
from netcomp.draw import Draw, Purpose
from netcomp.link import (
    LATE_MOST,
    LATE_SECONDS,
    LATE_SHARE,
    MAX_STEPS,
    OPPORTUNITY,
    PROFILES,
    SPEEDS,
    parse_speed,
)
from netcomp.protocol.session import _DOCUMENT_LIMITS, CATEGORIES
from netcomp.roles import Kind
from netcomp.wire.documents import DOCUMENTS
from netcomp.wire.frames import HEADER_BYTES, MAX_DESCRIPTOR, VERSION, FrameKind, header
from netcomp.wire.messages import MAX_CONTAINERS, MAX_PARTS, VECTOR_OVERHEAD
from support.pages import (
    DOCS,
    section,
    table,
)

WIRE = DOCS / "wire-format.md"


def test_the_header_is_as_documented():
    rows = table(section(WIRE, "Header"))[1:]
    offset = 0
    values = {
        "magic": b"NC",
        "version": VERSION.to_bytes(1, "big"),
        "kind": int(FrameKind.PROBE).to_bytes(1, "big"),
        "flags": bytes(2),
        "descriptor length": (3).to_bytes(2, "big"),
        "round": (0x01020304).to_bytes(4, "big"),
        "body length": (0x05060708090A).to_bytes(8, "big"),
    }
    raw = header(FrameKind.PROBE, 0x01020304, 3, 0x05060708090A)
    for at, size, field, _ in rows:
        assert offset == int(at)
        offset += int(size)
        assert values[field] == raw[int(at) : offset]
    assert HEADER_BYTES == offset == len(raw)
    assert [str(VERSION)] == [row[3] for row in rows if row[2] == "version"]
    assert WIRE.read_text().startswith(f"# Wire format, version {VERSION}\n")
    assert f"at most {MAX_DESCRIPTOR}" in section(WIRE, "Header")


def test_the_frame_kinds_are_as_documented():
    rows = table(section(WIRE, "Kinds"))[1:]
    assert {kind.name: int(kind) for kind in FrameKind} == {row[1]: int(row[0]) for row in rows}
    for _, name, _, body, category, limit in rows:
        kind = FrameKind[name]
        assert category == CATEGORIES[kind]
        assert (kind in DOCUMENTS) == (body == "document")
        if kind in DOCUMENTS:
            assert _DOCUMENT_LIMITS[kind] == int(limit)


def test_the_message_kinds_are_as_documented():
    rows = table(section(WIRE, "Vector messages"))[1:]
    assert {kind.name: int(kind) for kind in Kind} == {row[1]: int(row[0]) for row in rows}


def test_every_field_of_a_document_is_documented():
    fields = {}
    current = ""
    for name, field, _ in table(section(WIRE, "Documents"))[1:]:
        current = name or current
        fields.setdefault(current, set()).update(re.findall(r"`(\w+)`", field))
    models = {kind.name: set(model.model_fields) for kind, model in DOCUMENTS.items()}
    assert models == fields


def test_the_keys_of_a_plan_are_documented():
    for key in Plan.__dataclass_fields__:
        assert f"`{key}`" in section(WIRE, "Documents")


def test_the_limits_are_as_documented():
    text = WIRE.read_text()
    assert f"more\nthan {MAX_CONTAINERS} maps" in text
    assert f"one a part, at most {MAX_PARTS}" in text
    assert f"and {VECTOR_OVERHEAD} bytes for `bin`" in text


def test_the_purposes_of_the_randomness_are_as_documented():
    text = " ".join((DOCS / "randomness.md").read_text().split())
    for purpose in Purpose:
        assert f"{int(purpose)} {purpose.name.lower()}" in text


LINKS = DOCS / "link-model.md"


def test_every_profile_is_documented_with_its_numbers_and_source():
    rows = {row[0].strip("`"): row[1:] for row in table(section(LINKS, "Profiles"))[1:]}
    assert {name: [*astuple(one)] for name, one in PROFILES.items()} == rows


@pytest.mark.parametrize("name", sorted(SPEEDS))
def test_every_way_to_write_a_speed_is_documented_by_an_example(name):
    shown = [row[0].strip('`"') for row in table(section(DOCS / "spec.md", "[network]"))]
    (example,) = [text for text in shown if text.startswith(f"{name}:")]
    if name != "trace":
        parse_speed(example, "network.uplink", Draw(1))


def test_the_limits_of_traces_and_lag_are_as_documented():
    text = " ".join(LINKS.read_text().split())
    assert f"more than {MAX_STEPS} steps" in text
    assert f"each {OPPORTUNITY} bytes" in text
    assert f"both {1000 * LATE_SECONDS:g} ms and {100 * LATE_SHARE:g} %" in text
    assert f"more than {100 * LATE_MOST:g} % of all transfers were late" in text
    assert f"at most {MAX_STEPS} steps" in WIRE.read_text()
