"""Compressors of somebody else's: the same run as any other, imported only where one may."""

import asyncio
import functools
import os
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from netcomp.net import loops
from support.cluster import WORKERS, in_memory, serving, shares, small

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / "docs/conformance.md").read_text().split("## One of your own")[1].split("\n## ")[0]
)
COMB = re.search(r"^```python\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)[1]
SHOWN = [line.strip() for line in SECTION.splitlines() if line.startswith("    netcomp ")]

OWN = {
    "a sparsifier": {"name": "dcgd", "up": "support.own:Head:k=5", "step_size": 0.1},
    "and a quantizer": {"name": "dcgd", "up": "support.own:Head:k=50%+natural", "step_size": 0.1},
    "a quantizer": {"name": "diana", "up": "rand-k:k=8+support.own:Half"},
    "a whole one": {"name": "marina", "up": "support.bad_compressors:Honest"},
    "wrapped": {"name": "dcgd", "up": "fcc:2(support.own:Head:8)", "step_size": 0.1},
    "both ways": {"name": "m3", "up": "support.own:Half", "down": "perm-k+support.own:Half"},
}


def own(name="a sparsifier", **tables):
    return small(algorithm=OWN[name], **tables)


@pytest.fixture
def path(family):
    """Let the family's commands find this netcomp and `support`, and nothing in the folder."""
    family.changes["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return family.changes["PYTHONPATH"]


async def played(tree, load, processes=2):
    async with serving(tree) as cluster:
        parts = shares(cluster.spec.cluster.workers, processes)
        workers = [cluster.worker(slots, first, load=load) for first, slots in parts]
        result = await cluster.played()
        return result, await asyncio.gather(*workers, return_exceptions=True)


@pytest.mark.parametrize("name", OWN)
def test_the_socket_changes_nothing(name, loop_name):
    """Model, probes and bytes over TCP equal those in memory, as of registered compressors."""
    result, ends = loops.run(played(own(name), functools.partial(load_local, trusted=True)))
    reference = in_memory(own(name))

    assert ["rounds", "rounds"] == ends
    assert reference.trajectory == result.trajectory
    assert reference.traffic == result.traffic
    assert result.consistent


def test_a_worker_that_trusts_nobody_refuses(loop_name):
    """The error names field, class and flag, on both ends; the run does not go on without it."""
    result, ends = loops.run(played(own("both ways"), load_local, processes=1))

    said = (
        r"algorithm.down: .*'support.own:Half' imported here; start with --trust-server to let it"
    )
    assert "failed" == result.outcome.stopped_by
    assert re.search(said, str(result.outcome.error))
    assert [True] == [bool(re.search(said, str(end))) for end in ends]


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("text", ["unheard_of:Thing", "fcc:2(natural+unheard_of:Thing:k=3)"])
def test_nothing_is_imported_without_trust(way, text, tmp_path, monkeypatch):
    """Not the class, not its module: a refusal comes first. With trust, it is imported."""
    (tmp_path / "unheard_of.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    experiment = Experiment(Spec.parse(small(algorithm={"name": "m3"})))
    welcome = experiment.welcome(0)
    ready = [load_local(welcome.model_copy(update={"worker": i})).ready for i in range(WORKERS)]
    experiment.prepare(ready)
    plan = asdict(experiment.plan)
    plan[way]["compressor"] = text

    with pytest.raises(RemoteProtocolError, match=f"algorithm.{way}: .*--trust-server"):
        load_local(welcome).begin(plan)
    assert "unheard_of" not in sys.modules
    with pytest.raises(SpecError, match=f"algorithm.{way}: .*no attribute 'Thing'"):
        load_local(welcome, trusted=True).begin(plan)
    del sys.modules["unheard_of"]


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ("support.own:Forgetful:times=2", "does not read back as what printed it"),
        ("support.own:Nameless", "is no notation: .* unknown compressor"),
        ("support.own:Fussy:level=2", "cannot be made: KeyError: 2"),
        ("support.own:Missing", "cannot import"),
        ("netcomp.compressors:Compressor", "does not define compress"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_starts(up, said):
    """A class whose text does not stand for it would be another one at the other end."""
    with pytest.raises(SpecError, match=f"algorithm.up: .*{said}"):
        Experiment(Spec.parse(small(algorithm={"name": "dcgd", "up": up}))).check_data()


# Processes


def model(family):
    (folder,) = family.runs()
    return np.load(folder / "model.npy").tobytes()


def test_workers_of_a_run_import_what_their_server_does(family, path):
    """`netcomp run` needs no flag, with the module on PYTHONPATH."""
    done = family.run("run", family.spec(own()), "--json")

    assert (0, "") == (done.code, done.err)
    assert in_memory(own()).model.tobytes() == model(family)


def test_a_script_finds_what_lies_beside_it(family, path):
    """`netcomp.run` from a script in another folder: its workers look where it does."""
    tree = small(algorithm={"name": "diana", "up": "comb:Comb:step=4+natural"})
    script = family.folder / "elsewhere" / "script.py"
    script.parent.mkdir()
    (script.parent / "comb.py").write_text(COMB)
    script.write_text(f"import netcomp\nprint(netcomp.run({tree!r}).summary['rounds'])\n")
    done = family.run(argv=[sys.executable, str(script)])

    assert (0, "15\n", "") == (done.code, done.out, done.err)


def test_a_worker_command_needs_the_flag(family, path):
    """Without --trust-server one line on stderr says which field wants it; with it, all is well."""
    tree = own(cluster={"workers": 1})
    server, invitation = family.serve(tree)
    refused = family.run(argv=[*invitation])

    assert 1 == refused.code
    said = "algorithm.up: the server wants 'support.own:Head' imported here; start with"
    assert re.search(f"netcomp: error: .*{said} --trust-server to let it", refused.error)
    assert 1 == (done := server.finish()).code
    assert said in done.err

    for folder in family.runs():
        folder.rename(family.folder / "refused")
    server, invitation = family.serve(tree)
    assert 0 == family.run(argv=[*invitation, "--trust-server"]).code
    assert 0 == server.finish().code
    assert in_memory(tree).model.tobytes() == model(family)


def test_what_is_installed_needs_no_trust(family, path):
    """Server and worker each find the entry point of an installed package by its name."""
    (info := family.folder / "site" / "comb-1.0.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: comb\nVersion: 1.0\n")
    entry = re.search(r'^    \[project.entry-points."(.*)"\]\n    (.*)\n', SECTION, re.MULTILINE)
    (info / "entry_points.txt").write_text(f"[{entry[1]}]\n{entry[2]}\n".replace('"', ""))
    (family.folder / "site" / "comb.py").write_text(COMB)
    family.changes["PYTHONPATH"] = os.pathsep.join([str(family.folder / "site"), path])
    tree = small(algorithm={"name": "diana", "up": "comb:step=4+natural"}, cluster={"workers": 1})
    server, invitation = family.serve(tree)

    assert 0 == family.run(argv=invitation).code
    assert 0 == server.finish().code


def test_the_commands_shown_work(family, path):
    """The page's module, in the folder where one is, in the page's commands."""
    (family.folder / "comb.py").write_text(COMB)
    assert 30 > len([line for line in COMB.splitlines() if line.strip()])
    assert ["check", "run"] == [line.split()[1] for line in SHOWN]
    for line, more in zip(SHOWN, (["--dim", "7"], []), strict=True):  # a check at one size will do
        done = family.run(argv=[*shlex.split(line), *more])
        assert 0 == done.code, done
