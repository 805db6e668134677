"""Options, keys and examples are documented, and those documented are there."""

import re
import tomllib

import pytest
from pydantic import BaseModel

from netcomp.constants import CONSTANTS
from netcomp.data import SPLITS
from netcomp.experiment.compare import contestants
from netcomp.experiment.spec import DownSpec, Spec, UpSpec
from netcomp.experiment.tree import merged
from netcomp.problems import PROBLEMS
from support.pages import (
    COMMANDS,
    DOCS,
    PAGES,
    README,
    ROOT,
    blocks,
    listings,
    parameters,
    section,
)


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


def test_the_python_of_the_compressors_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    """One block after the other, as the page says; nothing is printed that is not shown."""
    monkeypatch.chdir(tmp_path)
    page = DOCS / "compressors.md"
    known = {}
    found = listings(page)
    for number, (text, shown) in enumerate(found):
        exec(compile(text, f"{page.name}, block {number}", "exec"), known)  # noqa: S102 — our own
        assert shown == capsys.readouterr().out
    assert [shown for _, shown in found if shown] == blocks(page, "text")
    assert len(found) == len(blocks(page, "python")) > 0
