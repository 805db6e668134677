"""Data, preparation and splits in whole runs: over sockets, in memory, from the command line."""

import asyncio
import json
import sys
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from netcomp.data import load
from netcomp.errors import DataError, NetcompError, RemoteProtocolError, SpecError
from netcomp.experiment.build import Experiment
from netcomp.experiment.local import load_local
from netcomp.experiment.spec import Spec
from netcomp.net import loops
from support.cluster import in_memory, on_sockets, serving

N = 3


def tree(**problem):
    problem = {"name": "logistic", "data": "breast_cancer"} | problem
    return {
        "problem": {key: value for key, value in problem.items() if value is not None},
        "cluster": {"workers": N},
        "algorithm": {"name": "marina", "up": "rand-k:k=3"},
        "stop": {"rounds": 4},
        "record": {"every": 2},
    }


def welcome(worker=0, **problem):
    return Experiment(Spec.parse(tree(**problem)), "test").welcome(worker)


@pytest.mark.parametrize(
    "problem",
    [
        {"split": "sorted"},
        {"split": "by-label"},
        {"split": "dirichlet:alpha=0.3"},
        {"split": "clusters"},
        {"data": "digits", "standardise": True, "bias": True, "split": "dirichlet:1"},
        {"data": "synthetic:rows=50,features=40,density=0.2", "standardise": "scale"},
        {"data": "local-models:workers=3,rows=20,features=5", "name": "least-squares"},
        {
            "data": "synthetic:40,features=4,task=regression",
            "positive": None,
            "name": "least-squares",
        },
    ],
)
def test_sockets_and_memory_agree(problem):
    """Whoever loads, prepares and splits, all come to the same shards."""
    expected = in_memory(tree(**problem))
    played = on_sockets(tree(**problem), processes=2)
    assert "rounds" == played.outcome.stopped_by
    assert expected.trajectory == played.trajectory
    assert expected.traffic == played.traffic


def test_the_loss_is_the_unweighted_mean_of_the_shards(tmp_path):
    """f(0) of least squares: each worker's mean of y²/2, however many rows it has."""
    (tmp_path / "rows.csv").write_text("1,1\n1,2\n1,4\n1,8\n")
    (tmp_path / "owners").write_text("0\n1\n1\n2\n")
    problem = {"data": str(tmp_path / "rows.csv"), "split": f"file:{tmp_path / 'owners'}"}
    played = in_memory(tree(name="least-squares", **problem) | {"algorithm": {"name": "gd"}})
    expected = np.mean([1 / 2, (4 + 16) / 4, 64 / 2])
    assert expected == pytest.approx(played.records[0].loss, rel=1e-12)


def test_preparation_comes_before_the_split():
    """The shard of a worker is standardised over all rows, not over its own."""
    local = load_local(welcome(data="digits", standardise=True, split="by-label"))
    features = local.oracle.design.features
    assert abs(features.mean(axis=0)).max() > 0.01


# Own rows


@pytest.fixture
def files(tmp_path):
    """Three LIBSVM files of different sizes, made of one data set; the last lacks a column."""
    data = load("breast_cancer")
    cuts = [(0, 50), (50, 200), (200, 569)]
    for worker, (first, end) in enumerate(cuts):
        rows = data.features[first:end].copy()
        rows[:, 29] *= worker != 2
        path = str(tmp_path / f"rows-{worker}")
        dump_svmlight_file(rows, data.targets[first:end], path, zero_based=False)
    return tmp_path


def own(files, loads, **problem):
    """Run with every worker on its own file; return what was played and what workers say."""

    async def scenario():
        async with serving(tree(data=None, split="own", **problem)) as cluster:
            tasks = [cluster.worker(first=w, load=load) for w, load in enumerate(loads)]
            played = await cluster.played()
            return played, await asyncio.gather(*tasks, return_exceptions=True)

    return loops.run(scenario())


def test_workers_with_own_files(files, loop_name):
    """Over real sockets, files of different sizes, content and digest: each is a shard, whole."""
    loads = [partial(load_local, data=str(files / f"rows-{w}")) for w in range(N)]
    played, _ = own(files, loads, features=30, bias=True)
    assert "rounds" == played.outcome.stopped_by
    assert played.consistent
    assert 31 == played.plan.dim

    whole = np.vstack([load(str(files / f"rows-{w}")).features.toarray() for w in range(2)])
    assert (200, 30) == whole.shape
    ends = [load_local(welcome(w, data=None, split="own", features=30), str(files / f"rows-{w}"))
            for w in range(N)]  # fmt: skip
    assert [50, 150, 369] == [end.ready.rows for end in ends]
    assert [""] * N == [end.ready.digest for end in ends]
    zero = [end.oracle.loss(np.zeros(30)) for end in ends]
    assert np.mean(zero) == pytest.approx(played.records[0].loss, rel=1e-12)


def test_one_option_names_the_files_of_all_slots(files):
    """{worker} is the number; several slots with one file would hold the same rows, an error."""
    path = str(files / "rows-{worker}")
    local = load_local(welcome(1, data=None, split="own", features=30), path, slots=N)
    assert 150 == local.ready.rows
    with pytest.raises(SpecError, match=r"--data: 3 workers with split = 'own'.*\{worker\}"):
        load_local(welcome(data=None, split="own"), str(files / "rows-0"), slots=N)


def test_own_files_must_agree_on_the_features(files):
    """Where `features` does not say how many, a file with other columns is refused."""

    async def scenario():
        async with serving(tree(data=None, split="own")) as cluster:
            first = cluster.worker(first=0, load=partial(load_local, data=str(files / "rows-0")))
            await cluster.watcher.has((1, 1, N))
            last = cluster.worker(first=2, load=partial(load_local, data=str(files / "rows-2")))
            with pytest.raises(NetcompError, match="worker 2 has dim 29 where 30 is wanted"):
                await last
            cluster.server.interrupt()
            await first

    loops.run(scenario())


@pytest.mark.parametrize(
    ("problem", "field"),
    [
        ({"split": "own"}, "problem.data"),
        ({"split": "own", "data": None, "standardise": True}, "problem.standardise"),
        ({"split": "nosuch"}, "split"),
        ({"split": "dirichlet:0"}, "problem.split"),
        ({"data": "synthetic:rows=3"}, "problem.data"),
        ({"data": None}, "problem.data"),
        ({"standardise": "maybe"}, "problem.standardise"),
        ({"features": 0}, "problem.features"),
        ({"classes": []}, "problem.classes"),
        ({"positive": ["a"]}, "problem.positive"),
        ({"name": "quadratic-homogeneous", "data": None, "classes": [1]}, "problem.classes"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(problem, field):
    with pytest.raises(SpecError) as caught:
        Spec.parse(tree(**problem))
    assert caught.value.field.startswith(field)


def test_own_rows_need_workers_that_have_them():
    """Neither a local cluster nor a worker without --data can do it."""
    with pytest.raises(SpecError, match="own: each worker is to be started with --data"):
        Experiment(Spec.parse(tree(data=None, split="own")), "test").check_data()
    with pytest.raises(SpecError, match="--data"):
        load_local(welcome(data=None, split="own"))


def test_data_for_a_problem_without_are_refused():
    """--data where the problem makes its own would be ignored."""
    with pytest.raises(SpecError, match="--data: quadratic-homogeneous makes its own data"):
        load_local(welcome(name="quadratic-homogeneous", data=None), "digits")


# What a server may name, and who disagrees


@pytest.mark.parametrize(
    "problem",
    [
        {"split": "file:/etc/hostname"},
        {"split": "file:path=sub/owners"},
        {"split": "file:here"},
        {"split": "file: here"},
        {"data": "./rows"},
        {"data": "here"},
    ],
)
def test_a_server_cannot_have_any_file_read(problem, tmp_path, monkeypatch):
    """Neither paths, nor what lies where the worker was started; names in data folders do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("0\n1\n2\n")
    with pytest.raises(RemoteProtocolError, match="read here; give --data, or --trust-server"):
        load_local(welcome(**problem))


def test_a_server_cannot_have_anything_imported():
    with pytest.raises(RemoteProtocolError, match="imported here"):
        load_local(welcome(split="netcomp.data.splits.orders:Equal"))


def test_a_split_file_among_the_data_needs_no_trust(tmp_path, monkeypatch):
    """A bare name in a folder of NETCOMP_DATA; a wrong file names itself and the line."""
    monkeypatch.setenv("NETCOMP_DATA", str(tmp_path))
    (tmp_path / "owners").write_text("".join(f"{row % N}\n" for row in range(569)))
    assert 190 == load_local(welcome(split="file:owners")).ready.rows
    (tmp_path / "owners").write_text("0\n1\n3\n")
    with pytest.raises(DataError, match="owners, line 3: worker 3 where there are 3"):
        load_local(welcome(split="file:owners"))


def test_workers_that_split_otherwise_are_refused(tmp_path, monkeypatch):
    """Same data, another split file: rows would be held twice, and the digests tell."""
    monkeypatch.setenv("NETCOMP_DATA", str(tmp_path))
    digests = []
    for shift in (0, 1):
        owners = "".join(f"{(row + shift) % N}\n" for row in range(569))
        (tmp_path / "owners").write_text(owners)
        digests.append(load_local(welcome(split="file:owners")).ready.digest)
    equal = load_local(welcome()).ready.digest
    standardised = load_local(welcome(standardise="scale")).ready.digest
    assert 4 == len({*digests, equal, standardised})


# The command

OWN_SPLIT = """
import numpy as np
from netcomp.data import Split, SplitRule, equal

class Every(SplitRule):
    summary = "every so many rows"
    step: int

    def deal(self, data, workers, draw):
        kept = np.arange(0, data.rows, self.step)
        split = equal(kept.size, workers)
        return Split(tuple(kept[part] for part in split.parts), data.rows - kept.size)
"""


def test_data_list(family):
    """Every set with its size, and where it is or what it weighs."""
    family.changes = {"NETCOMP_CACHE": str(family.folder / "cache")}
    rows = json.loads(family.run("data", "list", "--json").out.splitlines()[-1])["data"]
    found = {row["name"]: row for row in rows}
    assert (1797, 64, "built in") == tuple(found["digits"].values())[1:4]
    assert (32_561, 123, "to be fetched (2.33 MB)") == tuple(found["a9a"].values())[1:4]
    assert {"synthetic:…", "local-models:…"} <= {*found}
    shown = family.run("data", "list").out
    assert all(name in shown for name in ("digits-pairs", "mushrooms", "dirichlet"))


def test_data_info(family):
    """Size, density, labels and shards of a file."""
    (family.folder / "rows").write_text("1 1:1\n2 4:1\n2 1:1 2:1\n")
    done = family.run("data", "info", "rows", "--split", "sorted", "--workers", "2", "--json")
    facts = json.loads(done.out)
    assert (3, 4, 4 / 12, "CSR") == tuple(
        facts[key] for key in ("rows", "features", "density", "stored")
    )
    assert {"1": 1, "2": 2} == facts["labels"]
    assert [str((family.folder / "rows").resolve())] == facts["paths"]
    expected = {"rule": "sorted", "sizes": [1, 1], "labels": [1, 1], "dropped": 1}
    assert expected == facts["split"]
    assert "1 becomes -1, 2 becomes +1" in family.run("data", "info", "rows").out


def test_data_info_with_a_split_of_ones_own(family):
    """A module in the folder where one is, as for the other commands; with its parameters."""
    (family.folder / "mine.py").write_text(OWN_SPLIT)
    # -P is how the installed command starts: without the folder on the path.
    argv = [sys.executable, "-P", "-m", "netcomp", "data", "info", "digits", "--json"]
    done = family.run(argv=[*argv, "--split", "mine:Every:step=2", "--workers", "2"])
    assert [449, 449] == json.loads(done.out)["split"]["sizes"]
    refused = family.run(argv=[*argv, "--split", "mine:Every"])
    said = "netcomp: error: --split: 'mine:Every': step=… is missing"
    assert (2, said) == (refused.code, refused.error.strip())


def test_data_fetch_says_what_to_do_by_hand(family):
    """Without a network: one line with the file, its digest and the folder; exit code 1."""
    family.changes = {"NETCOMP_CACHE": str(family.folder / "cache"), "no_proxy": "*"}
    done = family.run("data", "fetch", "phishing", "--mirror", "http://127.0.0.1:9")
    assert 1 == done.code
    assert f"into {family.folder / 'cache'}" in done.error
    assert "put phishing (3620168 bytes, sha256 0cf66ef3" in done.error


def test_data_of_an_unknown_name(family):
    done = family.run("data", "fetch", "phising")
    assert (2, True) == (done.code, "did you mean 'phishing'" in done.error)


@pytest.mark.parametrize(
    ("algorithm", "origins"),
    [
        ({"name": "marina", "preset": "pl"}, {"mu": "exact", "L": "bound"}),
        ({"name": "marina", "preset": "pl", "constants": {"mu": 0.5}}, {"mu": "given"}),
        ({"name": "ec-sgd", "schedule": "theorem-21-ii"}, {"mu": "exact"}),
        ({"name": "marina", "up": "perm-k"}, {"L": "exact", "L_pm": "exact", "L_A": "bound"}),
        ({"name": "gd"}, {"L": "exact"}),
        ({"name": "dcgd"}, {"L": "bound"}),
    ],
)
def test_joint_constants_are_computed_where_the_rules_chosen_ask(algorithm, origins):
    """No worker of 7 rows in R¹⁰ has a μ of its own: it is f's, for a preset or a schedule."""
    spec = tree(name="least-squares", data="diabetes") | {"cluster": {"workers": 60}}
    experiment = Experiment(Spec.parse(spec | {"algorithm": algorithm}), "test")
    told = experiment.welcome(0)
    experiment.prepare([load_local(told.model_copy(update={"worker": i})).ready for i in range(60)])
    known = experiment.constants.known
    assert origins == {name: known[name].origin for name in origins}
