"""The house rules that a program can check: imports, sizes, what is never called."""

import ast
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "netcomp"
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_LINES = 400
MOST_IN_A_FUNCTION = 60
MOST_IN_A_CHANNEL = 60
MOST_IN_A_FAMILY = 120


def of_modules(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def tree_of(path):
    return ast.parse(path.read_text(), str(path))


def code_lines(path):
    """Return the numbers of the lines that hold code: no blanks, comments or docstrings."""
    tree = tree_of(path)
    prose = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(path.read_text().splitlines(), start=1)
    written = {number for number, line in lines if line.strip() and line.strip()[0] != "#"}
    return written - prose


# Imports


def lint_imports(folder):
    """Check the import contracts of a folder's pyproject.toml; return (exit code, output)."""
    command = "from importlinter.cli import lint_imports_command as check; check()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_import_contracts_hold():
    code, output = lint_imports(ROOT)
    assert 0 == code, output


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("imports run downward only", "draw.py", "import netcomp.wire.frames"),
        (
            "the mathematics knows no wire and no loop",
            "channels/direct.py",
            "import asyncio",
        ),
        (
            "protocol and link take time and bytes as arguments",
            "link/model.py",
            "from time import monotonic",
        ),
        (
            "the network shell knows no concrete algorithm or problem",
            "net/worker.py",
            "import netcomp.problems.losses",
        ),
        (
            "problems and data are leaves above the core",
            "problems/base.py",
            "import netcomp.channels",
        ),
    ],
)
def test_a_broken_contract_is_found(contract, module, line, tmp_path):
    """A copy of the package with one import too many fails, at the contract it breaks."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "netcomp", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "netcomp" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    code, output = lint_imports(tmp_path)
    assert 1 == code, output
    assert f"{contract} BROKEN" in " ".join(output.split())


HEAVY_TO_IMPORT = {
    "netcomp": {"numpy", "pydantic", "asyncio", "sklearn", "matplotlib", "typer"},
    "netcomp.compressors": {"pydantic", "asyncio", "sklearn", "scipy", "matplotlib", "typer"},
    "netcomp.algorithms": {"pydantic", "asyncio", "sklearn", "scipy", "matplotlib", "typer"},
    "netcomp.protocol.coordinator": {"asyncio", "sklearn", "scipy", "matplotlib", "typer"},
    "netcomp.net.worker": {"sklearn", "scipy", "matplotlib", "typer", "uvloop"},
    "netcomp.cli.app": {"sklearn", "scipy", "matplotlib"},
}


@pytest.mark.parametrize("module", sorted(HEAVY_TO_IMPORT))
def test_an_import_loads_nothing_heavy(module):
    """What a module does not need must not cost whoever imports it a second."""
    command = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert set() == HEAVY_TO_IMPORT[module] & set(json.loads(done.stdout))


# What is never called


FORBIDDEN = {
    "eval",
    "exec",
    "breakpoint",
    "time.time",
    "datetime.datetime.utcnow",
    "os.system",
}
FORBIDDEN_MODULES = ("pickle", "marshal", "shelve", "random", "numpy.random")
# A generator with a state that is set from a key, never a global one.
ALLOWED = {"numpy.random.SFC64"}


def names_imported(tree):
    """Return what each name of a module stands for, as far as its imports say."""
    meaning = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                meaning[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return meaning


def full_name(node, meaning):
    """Return the dotted name of an expression such as np.random.seed, else None."""
    if isinstance(node, ast.Name):
        return meaning.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = full_name(node.value, meaning)
        return None if base is None else f"{base}.{node.attr}"
    return None


def of_forbidden_module(name):
    return any(name == module or name.startswith(f"{module}.") for module in FORBIDDEN_MODULES)


def offences(tree):
    """Yield (line, what) for everything in a module that the house does not allow."""
    meaning = names_imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            for name in [module] if module else [alias.name for alias in node.names]:
                if of_forbidden_module(name):
                    yield node.lineno, f"import {name}"
        if isinstance(node, ast.Call):
            name = full_name(node.func, meaning) or ""
            if name in FORBIDDEN or (of_forbidden_module(name) and name not in ALLOWED):
                yield node.lineno, name
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg == "allow_pickle" and value is not False:
                    yield node.lineno, "allow_pickle"


@pytest.mark.parametrize("path", of_modules(MODULES))
def test_nothing_forbidden_is_called(path):
    assert [] == list(offences(tree_of(path)))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import random",
        "from random import choice",
        "import numpy as np\nnp.random.seed(1)",
        "import numpy as np\nnp.random.default_rng()",
        "from numpy.random import default_rng",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
        "import numpy\nnumpy.load('x', allow_pickle=flag)",
        "import time\ntime.time()",
        "from time import time\ntime()",
        "import time as t\nt.time()",
        "eval('1')",
    ],
)
def test_what_is_forbidden_would_be_found(source):
    assert [] != list(offences(ast.parse(source)))


# Sizes and docstrings


@pytest.mark.parametrize("path", of_modules(MODULES))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", of_modules(MODULES))
def test_no_file_is_too_long(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", of_modules(MODULES))
def test_no_function_is_too_long(path):
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MOST_IN_A_FUNCTION
    ]
    assert [] == long


@pytest.mark.parametrize("path", of_modules(sorted((PACKAGE / "channels").glob("*.py"))))
def test_a_channel_is_short(path):
    assert len(code_lines(path)) <= MOST_IN_A_CHANNEL


@pytest.mark.parametrize(
    "path", of_modules(sorted((PACKAGE / "algorithms" / "catalogue").glob("*.py")))
)
def test_a_family_of_the_catalogue_is_short(path):
    assert len(path.read_text().splitlines()) <= MOST_IN_A_FAMILY


# The release


@pytest.mark.skipif(
    os.environ.get("NETCOMP_HEAVY") != "1", reason="installs the dependencies: NETCOMP_HEAVY=1"
)
def test_the_wheel_works_in_a_clean_environment(tmp_path):
    """What is released is complete: built, installed alone and asked for its algorithms."""
    folder = tmp_path / "clean"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("netcomp-*.whl")
    subprocess.run([*pip, "install", wheel], check=True)
    done = subprocess.run(
        [folder / "bin" / "netcomp", "list", "algorithms", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [entry["name"] for entry in json.loads(done.stdout)["algorithms"]]
    assert {"gd", "dcgd", "diana", "marina", "marina-p", "m3"} <= set(names)
    assert names == sorted(names)
