"""Algorithms of somebody else: the pages' own, in a package, in a file, with trust and without."""

import configparser
import os
import re
import shlex
import sys
import textwrap
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from support.cluster import ROUNDS, WORKERS, in_memory, small

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "custom-algorithms.md").read_text()
LINES = re.DOTALL | re.MULTILINE
MODULES = dict(re.findall(r"This is all of\s+`(\w+\.py)`:\n\n```python\n(.*?)^```", PAGE, LINES))
PROJECT = tomllib.loads(
    textwrap.dedent(re.search(r"^    \[build-system\].*?(?=^\w)", PAGE, LINES)[0])
)
SHOWN = re.findall(r"^    netcomp (.*)$", PAGE, re.MULTILINE)


def install(folder):
    """Put the package of the page into a folder, with the metadata an installer would write."""
    project = PROJECT["project"]
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = configparser.ConfigParser()
    entries.read_dict(project["entry-points"])
    with (info / "entry_points.txt").open("w") as file:
        entries.write(file)
    (folder / "sgdm.py").write_text(MODULES["sgdm.py"])


@pytest.fixture
def path(family):
    """Let the family's commands run this checkout."""
    family.changes["PYTHONPATH"] = str(ROOT)
    return str(ROOT)


def models(family):
    return [np.load(folder / "model.npy").tobytes() for folder in family.runs()]


def test_each_module_shown_is_short():
    assert {"ef21p_dasha.py", "sgdm.py", "local_gd.py"} == set(MODULES)
    lines = {name: len(text.splitlines()) for name, text in MODULES.items()}
    assert 50 > lines["ef21p_dasha.py"] + lines["sgdm.py"]


def test_the_package_shown_is_checked_and_runs_over_sockets(family, path):
    """Installed, its names are names: server and worker processes find them without a path."""
    install(family.folder / "site")
    family.changes["PYTHONPATH"] = os.pathsep.join([str(family.folder / "site"), path])
    commands = [line for line in SHOWN if "ef21-sgdm" in line or "averaged" in line]
    assert ["check", "run", "run"] == [line.split()[0] for line in commands]
    for line in commands:
        done = family.run(*shlex.split(line))
        assert 0 == done.code, done


@pytest.mark.parametrize("module", ["ef21p_dasha.py", "local_gd.py"])
def test_the_commands_shown_work_where_the_module_is(module, family, path):
    """In the folder where one is; over sockets and in memory the same model, bit for bit."""
    (family.folder / module).write_text(MODULES[module])
    commands = [line for line in SHOWN if f"{module.removesuffix('.py')}:" in line]
    assert 2 == len(commands)
    for line in [*commands, f"{commands[-1]} --clock virtual"]:
        done = family.run(*shlex.split(line))
        assert 0 == done.code, done
    real, virtual = models(family)
    assert real == virtual


OWN = {
    "channel": ({"name": "sgdm:EF21_SGDM"}, "algorithm.up.channel", "sgdm:Averaged"),
    "down channel": (
        {"name": "custom", "down": {"channel": "sgdm:Averaged", "eta": 0.5}},
        "algorithm.down.channel",
        "sgdm:Averaged",
    ),
    "roles": ({"name": "local_gd:LOCAL_GD"}, "algorithm.name", "local_gd:LocalSteps"),
}


@pytest.mark.parametrize("case", OWN)
def test_nothing_is_imported_without_trust(case, tmp_path, monkeypatch):
    """The plan names what is to be imported: a worker refuses that, unless it trusts its server."""
    algorithm, field, target = OWN[case]
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text.replace('"averaged"', '"sgdm:Averaged"'))
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    experiment = Experiment(Spec.parse(small(algorithm=algorithm)))
    welcome = experiment.welcome(0)
    ready = [load_local(welcome.model_copy(update={"worker": i})).ready for i in range(WORKERS)]
    experiment.prepare(ready)
    plan = asdict(experiment.plan)
    module = target.partition(":")[0]
    monkeypatch.delitem(sys.modules, module)

    with pytest.raises(RemoteProtocolError, match=f"{field}: .*{target!r}.*--trust-server"):
        load_local(welcome).begin(plan)
    assert module not in sys.modules
    role, x0, _ = load_local(welcome, trusted=True).begin(plan)
    assert role.init(x0) is not None
    monkeypatch.delitem(sys.modules, module)


def test_a_memory_of_ones_own_is_told_to_workers_that_were_away(tmp_path, monkeypatch):
    """With η = 1 the page's channel is memory, so mcm-pp over it is mcm-pp, bit for bit.

    Without its `shared` nobody knows which array that is, and it is refused by name.
    """
    page = MODULES["sgdm.py"]
    (tmp_path / "sgdm.py").write_text(page)
    (tmp_path / "mute.py").write_text(re.sub(r"    def shared.*?\n\n", "", page, flags=re.DOTALL))
    monkeypatch.syspath_prepend(tmp_path)

    def over(channel):
        down = {"channel": channel, "alpha": 0.2}
        changes = {"participation": "independent:p=0.4", "step_size": 0.05, "oracle": "full"}
        return small(algorithm={"name": "mcm-pp", "down": down, **changes})

    own, usual = in_memory(over("sgdm:Averaged")), in_memory(over("memory"))
    assert ROUNDS == len(usual.records) - 1
    assert usual.trajectory == own.trajectory
    assert usual.traffic == own.traffic
    with pytest.raises(SpecError, match="Averaged has a sender of its own") as caught:
        Experiment(Spec.parse(over("mute:Averaged"))).check_data()
    assert "algorithm.down.channel" == caught.value.field


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [
        ({"name": "netcomp.algorithms:Choice"}, "algorithm: .*is no netcomp.algorithms.Algorithm"),
        ({"name": "nowhere:THING"}, "algorithm: cannot import 'nowhere:THING'"),
        (
            {"name": "custom", "up": {"channel": "netcomp.algorithms:Choice"}},
            "algorithm.up.channel: .*is no dataclass derived from netcomp.channels.Channel",
        ),
        (
            {"name": "custom", "down": {"channel": "netcomp.channels:Nothing"}},
            "algorithm.down.channel: cannot import",
        ),
        ({"name": "custom", "up": {"channel": "averagd"}}, "algorithm.up.channel: .*is none of"),
    ],
)
def test_what_is_no_algorithm_or_channel_is_refused_by_name(algorithm, said):
    with pytest.raises(SpecError, match=said):
        Experiment(Spec.parse(small(algorithm=algorithm))).check_data()
