"""Whole runs of modules: over sockets, by layers, a function of a user's, without torch."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netcomp
from netcomp.data import BUILTIN, data_folders, load
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.experiment.spec import Spec
from netcomp.problems import Cnn
from netcomp.results.readers import read_rounds, read_summary
from support.cluster import on_sockets
from support.commands import Family

PAGE = Path(__file__).parents[2] / "docs" / "pytorch.md"
WORKERS, ROUNDS, STEP = 2, 6, 0.5


@pytest.fixture
def family(tmp_path):
    """Commands; none of them may be left when the test ends."""
    family = Family(tmp_path)
    try:
        yield family
    finally:
        family.close()


def test_torch_is_only_imported_when_a_module_is_asked_for():
    """Neither the packages, nor a spec of the CNN, nor its listing load it."""
    command = (
        "import sys, netcomp.problems.torch; from netcomp.experiment.spec import Spec;"
        "from netcomp.cli.listing import _problems; _problems(None);"
        "Spec.parse({'problem': {'name': 'cnn', 'data': 'digits'}}); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert "False" == done.stdout.strip()


def test_without_torch_the_extra_is_named(monkeypatch):
    """Where it is not installed the error says what to install."""
    monkeypatch.setattr("netcomp.problems.torch.problem.find_spec", lambda _: None)
    with pytest.raises(SpecError, match=r"install netcomp\[torch\]"):
        netcomp.run(
            {"problem": {"name": "cnn", "data": "digits-10"}, "algorithm": {"step_size": 1}}
        )


def by_hand(torch, data):
    """Return the CNN trained in plain PyTorch: SGD whose batch is all rows of all workers."""
    from torch import nn  # noqa: PLC0415

    side = int(data.dim**0.5)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(256, 10),
    ).double()
    start = torch.from_numpy(Cnn().x0(3818, Draw(1)))
    nn.utils.vector_to_parameters(start, network.parameters())
    rows = data.rows // WORKERS * WORKERS
    features = data.features if isinstance(data.features, np.ndarray) else data.features.toarray()
    images = torch.from_numpy(features[:rows]).view(-1, 1, side, side)
    labels = torch.from_numpy(data.targets[:rows]).long()
    optimizer = torch.optim.SGD(network.parameters(), lr=STEP)
    for _ in range(ROUNDS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    outputs = network(images)
    loss = nn.functional.cross_entropy(outputs, labels).item()
    accuracy = (outputs.argmax(1) == labels).double().mean().item()
    return nn.utils.parameters_to_vector(network.parameters()).detach().numpy(), loss, accuracy


def some_of(name, folder):
    """Return the name under which a run finds some rows of a data set of NETCOMP_DATA."""
    from sklearn.datasets import dump_svmlight_file  # noqa: PLC0415

    try:
        data = load(name, data_folders())
    except (DataError, SpecError) as error:
        pytest.skip(f"{name}: {error}")
    part = data.take(np.arange(300))
    features = part.features if isinstance(part.features, np.ndarray) else part.features.toarray()
    features[0, -1] = 0.5  # the text's width is that of its last number
    dump_svmlight_file(features, part.targets, str(folder / f"some-{name}"), zero_based=False)
    return f"some-{name}"


def training(name, format_):
    return {
        "problem": {"name": "cnn", "data": name},
        "cluster": {"workers": WORKERS, "processes": WORKERS},
        "algorithm": {"name": "gd", "step_size": STEP, "values": format_, "dtype": format_},
        "stop": {"rounds": ROUNDS},
        "record": {"every": ROUNDS},
    }


def assert_trained_alike(name, tolerance, model, loss, accuracy):
    """Compare with the network trained by hand, which went a much longer way than that."""
    data = load(name, data_folders())
    expected = by_hand(pytest.importorskip("torch"), data)
    np.testing.assert_allclose(model, expected[0], rtol=0, atol=tolerance)
    assert expected[1] == pytest.approx(loss, abs=tolerance)
    assert expected[2] == pytest.approx(accuracy, abs=2 / data.rows)
    assert np.abs(expected[0] - Cnn().x0(3818, Draw(1))).max() > 100 * tolerance


@pytest.mark.parametrize("name", ["digits-10", "mnist"])
@pytest.mark.parametrize(("format_", "tolerance"), [("f64", 1e-10), ("f32", 1e-4)])
def test_training_over_sockets_is_large_batch_sgd(name, format_, tolerance, tmp_path, monkeypatch):
    """Two workers over TCP with the identity are one process whose batch is all rows."""
    pytest.importorskip("torch")
    if name not in BUILTIN:
        name = some_of(name, tmp_path)
        monkeypatch.setenv("NETCOMP_DATA", str(tmp_path))
    played = on_sockets(training(name, format_), WORKERS)
    assert f"float{format_[1:]}" == played.model.dtype
    last = played.records[-1]
    accuracy = last.metrics["accuracy"]
    assert_trained_alike(name, tolerance, played.model, last.loss, accuracy)


def test_training_in_processes_of_their_own_is_too(family):
    """The same by the command, each worker a process."""
    pytest.importorskip("torch")
    assert 0 == family.run("run", family.spec(training("digits-10", "f64"))).code
    (folder,) = family.runs()
    summary = read_summary(folder)
    model, accuracy = np.load(folder / "model.npy"), summary["metrics"]["accuracy"]
    assert_trained_alike("digits-10", 1e-10, model, summary["loss"], accuracy)


def on_virtual(tmp_path, every=2, **problem):
    tree = {
        "problem": {"name": "cnn", "data": "digits-10", **problem},
        "cluster": {"workers": 2},
        "algorithm": {"name": "dcgd", "up": "layers(top-k:10%)", "step_size": 0.2, "dtype": "f32"},
        "network": {"clock": "virtual"},
        "stop": {"rounds": 4},
        "record": {"every": every, "dir": str(tmp_path)},
    }
    return netcomp.run(tree)


def test_layers_come_from_the_module(tmp_path):
    """The plan has their sizes, and of every tensor a tenth travels (at least one)."""
    pytest.importorskip("torch")
    result = on_virtual(tmp_path)
    sizes = [72, 8, 1152, 16, 2560, 10]
    plan = result.summary["resolved"]
    assert f"layers:sizes={'/'.join(map(str, sizes))}(top-k:k=10%+f32)" == plan["up"]["compressor"]
    kept = sum(max(1, round(size / 10)) for size in sizes)
    assert 4 * 2 * 4 * kept < result.summary["uplink"]["payload_bytes"] < 4 * 2 * 7 * kept


def test_batch_norm_and_dropout_run_the_same_twice(tmp_path):
    """Two workers in one process, with states of their own: the same bits again."""
    pytest.importorskip("torch")
    options = {"norm": True, "dropout": 0.2, "chunk": 500}
    first, second = (on_virtual(tmp_path / str(i), **options) for i in range(2))
    assert first.model.tobytes() == second.model.tobytes()
    rows = [read_rounds(result.run_dir) for result in (first, second)]
    assert rows[0] == rows[1]


def test_probes_leave_no_trace_in_the_trajectory(tmp_path):
    """However often a model with buffers is probed, it is trained to the same bits."""
    pytest.importorskip("torch")
    models = [on_virtual(tmp_path, every, norm=True).model.tobytes() for every in (1, 4)]
    assert models[0] == models[1]


def test_the_documented_module_runs(family):
    """The page's own example: a function with options, imported by every process."""
    pytest.importorskip("torch")
    text = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    assert len(text.splitlines()) < 30
    (family.folder / "mymodels.py").write_text(text)
    tree = {
        "problem": {"name": "mymodels:make", "data": "digits-10", "width": 16},
        "cluster": {"workers": 2},
        "algorithm": {"name": "gd", "step_size": 0.5},
        "stop": {"rounds": 3},
    }
    path = [str(family.folder), str(PAGE.parents[1])]
    done = family.run("run", family.spec(tree), PYTHONPATH=":".join(path))
    assert 0 == done.code, done.err
    (folder,) = family.runs()
    assert ((64 + 1) * 16 + (16 + 1) * 10,) == np.load(folder / "model.npy").shape
    assert 0 < read_summary(folder)["metrics"]["accuracy"] < 1


# A problem made by a function; these need no torch.


def quadratic(dim: int = 4):
    return netcomp.problems.QuadraticHomogeneous(dim=dim)


def nothing():
    return 3


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Make this file importable as a module."""
    (tmp_path / "minefield.py").write_text(Path(__file__).read_text())
    monkeypatch.syspath_prepend(tmp_path)
    yield "minefield"
    sys.modules.pop("minefield", None)


def parsed(name, **options):
    return Spec.parse({"problem": {"name": name, **options}}).problem_object()


def test_a_function_of_a_spec_makes_the_problem(mine):
    """Its arguments are the options of the table, a class works the same way."""
    assert netcomp.problems.QuadraticHomogeneous(dim=4) == parsed(f"{mine}:quadratic")
    assert netcomp.problems.QuadraticHomogeneous(dim=9) == parsed(f"{mine}:quadratic", dim=9)
    assert Cnn(width=3) == parsed("netcomp.problems.torch:Cnn", width=3, data="digits-10")


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("quadratic", {"dims": 9}, r"^problem: quadratic: got an unexpected keyword .*'dims'"),
        ("quadratic", {"dim": 0}, r"^problem\.dim: "),
        ("nothing", {}, r"^problem\.name: 'minefield:nothing' makes a int, no problem"),
        ("WORKERS", {}, r"^problem\.name: 'minefield:WORKERS' is no problem"),
        ("Path", {}, r"^problem\.name: 'minefield:Path' is no problem"),
        ("absent", {}, r"cannot import 'minefield:absent'"),
    ],
)
def test_what_makes_no_problem_is_refused(mine, name, options, text):
    """The field is named, and Python's own words where the arguments do not fit."""
    with pytest.raises(SpecError, match=text):
        parsed(f"{mine}:{name}", **options)
