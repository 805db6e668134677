"""The pages of the documentation, and what is read out of them."""

import re
from pathlib import Path

import pytest
import typer

from netcomp.cli.app import app

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
OVERVIEW = DOCS / "algorithms.md"
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


def listings(page):
    """Return the blocks of Python of a page, each with the output shown right below it."""
    pattern = r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?"
    return re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)


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
