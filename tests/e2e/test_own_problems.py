"""Problems of somebody else: the page's own, in a file and in an installed package."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "custom-problems.md").read_text()
MODULE = re.search(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1]
SHOWN = re.findall(r"^    netcomp (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def path(family):
    """Let the family's commands run this checkout."""
    family.changes["PYTHONPATH"] = str(ROOT)
    return str(ROOT)


def test_the_commands_shown_work(family, path):
    """The module beside the commands keeps the laws, and trains over sockets."""
    (family.folder / "median.py").write_text(MODULE)
    for line in SHOWN:
        done = family.run(*shlex.split(line))
        assert 0 == done.code, done.err
    (folder,) = family.runs()
    assert (10,) == np.load(folder / "model.npy").shape


def test_an_installed_package_needs_neither_a_path_nor_trust(family, path):
    """Its entry point is a name that server and workers know."""
    (info := family.folder / "site" / "median-1.0.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: median\nVersion: 1.0\n")
    entry = re.search(r'(\[project.entry-points."(netcomp.problems)"\])\s+(.*?)\n', PAGE)
    (info / "entry_points.txt").write_text(f"[{entry[2]}]\n{entry[3]}\n".replace('"', ""))
    (family.folder / "site" / "median.py").write_text(MODULE)
    done = family.run(
        *shlex.split("run --problem median --data diabetes --workers 3 --rounds 3"),
        PYTHONPATH=f"{family.folder / 'site'}:{path}",
    )
    assert 0 == done.code, done.err
