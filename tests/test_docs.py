"""The documentation says what is there: names, options, keys, numbers, examples."""

import re
import tomllib
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

import netcomp
from netcomp.algorithms import ALGORITHMS, Plan
from netcomp.cli.app import app
from netcomp.cli.listing import details
from netcomp.compressors import COMPRESSORS, parse_compressor
from netcomp.constants import CONSTANTS
from netcomp.data import BUILTIN, SPLITS
from netcomp.draw import Draw, Purpose
from netcomp.experiment.build import Experiment
from netcomp.experiment.compare import contestants
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import DownSpec, Spec, UpSpec
from netcomp.experiment.tree import merged
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
from netcomp.problems import PROBLEMS
from netcomp.protocol.session import _DOCUMENT_LIMITS, CATEGORIES
from netcomp.results.summary import SUMMARY_KEYS
from netcomp.roles import Kind
from netcomp.wire.documents import DOCUMENTS
from netcomp.wire.frames import HEADER_BYTES, MAX_DESCRIPTOR, VERSION, FrameKind, header
from netcomp.wire.messages import MAX_CONTAINERS, MAX_PARTS, VECTOR_OVERHEAD

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    ROOT / "deploy" / "README.md",
]
COMMANDS = typer.main.get_command(app).commands


def parameters(command):
    """Return the parameters of a command, and of those below it."""
    below = getattr(command, "commands", {}).values()
    return [*command.params, *(one for part in below for one in parameters(part))]


def named(page):
    return pytest.param(page, id=str(page.relative_to(ROOT)))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def section(page, title, level="##"):
    """Return the text of a page under a heading, up to the next one of its level."""
    parts = re.split(rf"^{level} ", page.read_text(), flags=re.MULTILINE)
    found = [part for part in parts[1:] if re.match(rf"{re.escape(title)}(?![\w+-])", part)]
    assert len(found) == 1, f"{page.name} has {len(found)} sections {title!r}"
    return found[0]


def table(text):
    """Return the rows of all tables of a text as lists of their cells, marks of code taken off."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


# Names


OVERVIEW = DOCS / "algorithms.md"
FAMILIES = [OVERVIEW, *sorted((DOCS / "algorithms").glob("*.md"))]


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_every_algorithm_has_a_row_in_the_readme_and_a_section(name):
    """One section on one page: its parts as they are in the catalogue, what travels, a step."""
    rows = [row[0] for row in table(section(README, "Algorithms"))]
    assert rows.count(f"`{name}`") == 1
    (page,) = [
        page
        for page in FAMILIES
        if re.search(rf"^## {re.escape(name)}$", page.read_text(), re.MULTILINE)
    ]
    text = section(page, name)
    parts = details(name, ALGORITHMS.get(name))
    shown = [f"`{parts[key]}`" for key in ("down", "up", "oracle", "participation")]
    assert shown in table(text)
    assert re.search(r"^    server ──.*\n(    .*\n)*    server ◀──", text, re.MULTILINE)
    assert "γ" in text
    for constant in ALGORITHMS.get(name).needs:
        assert constant in page.read_text()


def test_the_overview_names_every_algorithm_with_its_page():
    """Each in the row of the page that has its section."""
    found = {}
    for page, names in table(OVERVIEW.read_text().split("## Notation")[0])[1:]:
        target = re.search(r"\]\(([^)#]*)", page)[1]
        at = DOCS / target if target else OVERVIEW
        found |= dict.fromkeys(names.split(", "), at)
    assert ALGORITHMS.names() == sorted(found)
    for name, page in found.items():
        section(page, name)


@pytest.mark.parametrize("text", blocks(OVERVIEW, "toml"))
def test_the_compositions_shown_fit_their_problems(text):
    """What the overview composes freely plans and composes, and nothing doubts it."""
    experiment = Experiment(Spec.parse(tomllib.loads(text)))
    experiment.check_data()
    experiment.prepare(
        [load_local(experiment.welcome(i)).ready for i in range(experiment.spec.cluster.workers)]
    )
    assert [] == experiment.doubts


def test_the_readme_names_no_other_algorithm():
    rows = [row[0].strip("`") for row in table(section(README, "Algorithms"))[1:]]
    assert sorted(rows) == ALGORITHMS.names()


def test_every_compressor_has_a_place_in_the_readmes_table():
    cells = " ".join(row[0] for row in table(section(README, "Compressors"))[1:])
    notations = re.findall(r"`([^`]+)`", cells)
    assert sorted(text.split(":")[0] for text in notations) == COMPRESSORS.names()
    for text in notations:
        parse_compressor(text)


def test_every_problem_has_a_row_with_its_options():
    rows = {row[0].strip("`"): row[2] for row in table(section(README, "Problems"))[1:]}
    assert sorted(rows) == PROBLEMS.names()
    for name, problem in PROBLEMS.items():
        assert re.findall(r"`([^`]+)`", rows[name]) == list(problem.model_fields)


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_every_built_in_data_set_is_named_with_its_size(name):
    data = BUILTIN[name]
    assert f"`{name}` ({data.rows} × {data.features}" in section(README, "Problems")


@pytest.mark.parametrize("key", SUMMARY_KEYS)
def test_every_key_of_the_json_output_is_in_the_readme_or_on_its_page(key):
    keys = " ".join(row[0] for row in table(section(README, "What a run leaves")))
    # What says whether the links can be believed is explained where they are.
    assert f"`{key}`" in keys


# Commands


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_a_command_is_in_its_section_and_no_other(name):
    text = section(DOCS / "cli.md", f"netcomp {name}")
    options = {
        text
        for parameter in parameters(COMMANDS[name])
        if parameter.param_type_name == "option"
        for text in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    written = set(re.findall(r"`(--[a-z-]+)`", text))
    assert options <= written
    foreign = {"--up", "--down", "--step-size"} if name == "compare" else set()
    foreign |= {"--rounds", "--seconds"} if name == "run" else set()
    assert written - options <= foreign


def test_every_command_has_a_section():
    titles = re.findall(r"^## netcomp (\w+)", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert sorted(titles) == sorted(COMMANDS)


def test_options_shown_in_examples_exist():
    options = {
        text
        for command in COMMANDS.values()
        for parameter in parameters(command)
        for text in (*parameter.opts, *parameter.secondary_opts)
    }
    for page in PAGES:
        for line in re.findall(
            r"^    netcomp .*?[^\\]$", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            assert set(re.findall(r"\s(--[a-z-]+)", line)) <= options, line


# The spec


def spec_keys(model, path=""):
    """Yield the dotted keys of a pydantic model, tables walked through."""
    for key, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from spec_keys(annotation, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def documented_keys():
    """Return the keys in the first columns of docs/spec.md, with the tables they stand under."""
    keys = set()
    current = ""
    for line in (DOCS / "spec.md").read_text().splitlines():
        if heading := re.match(r"## \[(\w+)\]", line):
            current = f"{heading[1]}."
        elif line.startswith("| `"):
            keys |= {current + key for key in re.findall(r"`([\w.]+)`", line.split("|")[1])}
    return keys


@pytest.mark.parametrize("key", sorted(spec_keys(Spec)))
def test_every_key_of_the_spec_is_documented(key):
    assert key in documented_keys()


def test_the_tables_of_the_spec_document_no_key_that_is_not_there():
    known = set(spec_keys(Spec)) | {"algorithm.up", "algorithm.down"}
    found = {key for key in documented_keys() if not key.startswith("problem.")}
    problems = {f"problem.{key}" for _, one in PROBLEMS.items() for key in one.model_fields}
    problems |= {f"problem.{name}" for name in PROBLEMS.names()}
    sides = {"up": UpSpec, "down": DownSpec}
    known_sides = {
        f"algorithm.{way}.{key}" for way, side in sides.items() for key in side.model_fields
    }
    assert found <= known | known_sides
    of_problem = {key for key in documented_keys() if key.startswith("problem.")}
    assert of_problem <= known | problems


@pytest.mark.parametrize(
    "key", [f"problem.{k}" for _, p in PROBLEMS.items() for k in p.model_fields]
)
def test_every_option_of_a_problem_is_documented(key):
    assert f"`{key.removeprefix('problem.')}`" in section(DOCS / "spec.md", "[problem]")


@pytest.mark.parametrize("word", [*SPLITS.names(), *(f"constants.{name}" for name in CONSTANTS)])
def test_the_values_a_key_may_have_are_documented(word):
    assert f"`{word}`" in (DOCS / "spec.md").read_text()


TOML = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}-{index}")
    for page in PAGES
    for index, text in enumerate(blocks(page, "toml"))
]


@pytest.mark.parametrize("text", TOML)
def test_every_spec_shown_is_one(text):
    common, tables = contestants(tomllib.loads(text))
    Spec.parse(common)
    for one in tables:
        own = {key: value for key, value in one.items() if key != "label"}
        Spec.parse(merged(common, {"algorithm": own}))


def test_there_are_specs_to_check():
    assert len(TOML) >= 3


@pytest.mark.parametrize("text", blocks(README, "python"))
def test_the_python_shown_runs(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "README.md", "exec"), {})  # noqa: S102 — our own page
    printed = capsys.readouterr().out.splitlines()
    assert 2 == len(printed)
    assert "(30,) runs/" in printed[1]


# The wire


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


# Links and citations


@pytest.mark.parametrize("page", [named(page) for page in PAGES])
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def linked(page):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    return {(page.parent / target).resolve() for target in targets if "://" not in target}


def test_every_page_is_linked_from_the_readme_or_the_overview_of_the_algorithms():
    assert {page.resolve() for page in PAGES} <= linked(README) | linked(OVERVIEW) | {
        README.resolve()
    }


@pytest.mark.parametrize("page", [named(page) for page in PAGES])
def test_papers_are_cited_by_title_not_by_file(page):
    assert [] == re.findall(r"[\w-]+\.txt", page.read_text())


def test_the_changelog_has_the_version():
    assert version("netcomp") == netcomp.__version__
    assert f"## {netcomp.__version__}" in (ROOT / "CHANGELOG.md").read_text()


TOLD = sorted(set(re.findall(r"`make (\w+)`", (ROOT / "CONTRIBUTING.md").read_text())))


@pytest.mark.parametrize("command", TOLD)
def test_the_makefile_has_the_commands_told(command):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


# Links


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
