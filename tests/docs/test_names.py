"""Everything registered has its place in the documentation, under its name."""

import re
import tomllib

import pytest

from netcomp.algorithms import ALGORITHMS
from netcomp.cli.listing import details
from netcomp.compressors import COMPRESSORS, parse_compressor
from netcomp.data import BUILTIN
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from netcomp.problems import PROBLEMS
from netcomp.results.summary import SUMMARY_KEYS
from support.pages import (
    DOCS,
    OVERVIEW,
    README,
    blocks,
    section,
    table,
)

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
