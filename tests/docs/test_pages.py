"""Pages lead to one another, cite by title and name what is there."""

import re
from importlib.metadata import version

import pytest

import netcomp
from support.pages import (
    OVERVIEW,
    PAGES,
    README,
    ROOT,
    named,
)


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
