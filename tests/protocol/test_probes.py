"""Probes: what workers measure, put together, and as a target of a run."""

import dataclasses

import numpy as np
import pytest

import netcomp
from netcomp.data import load
from netcomp.draw import Draw
from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.problems import LeastSquares, Logistic
from netcomp.protocol.goals import Goals
from netcomp.protocol.probes import ProbeSum, read_probe
from netcomp.results.readers import read_rounds
from netcomp.roles import Kind, Message
from netcomp.wire.documents import Ready
from support.cluster import in_memory, on_sockets

MODEL = np.zeros(3)


def answer(loss, *metrics, gradient=(1.0, 2.0, 3.0)):
    parts = (np.array([loss, *metrics], "<f8"), np.array(gradient))
    return Message(Kind.FULL, tuple(part.view(np.uint8).data for part in parts))


def ready(rows, *metrics):
    return Ready(dim=3, rows=rows, digest="", constants={}, metrics=[*metrics])


def combined(answers, told):
    """Take the answers in worker order."""
    found = ProbeSum(told, MODEL)
    for worker, message in sorted(answers.items()):
        found.hear(worker, message)
    return found.loss, found.gradient, found.metrics


def test_f_is_a_mean_over_workers_and_a_metric_one_over_rows():
    """Workers weigh alike in f and ∇f, by their numbers of rows in a metric."""
    answers = {
        1: answer(3.0, 1.0, gradient=(0.0, 0.0, 4.0)),
        0: answer(1.0, 0.5, gradient=(2.0, 0.0, 0.0)),
    }
    loss, gradient, metrics = combined(answers, [ready(30, "accuracy"), ready(10, "accuracy")])
    assert (2.0, [1.0, 0.0, 2.0], {"accuracy": 0.625}) == (loss, gradient.tolist(), metrics)


def test_without_rows_workers_weigh_alike():
    """As for f."""
    told = [ready(0, "accuracy")] * 2
    _, _, metrics = combined({0: answer(0.0, 1.0), 1: answer(0.0, 0.0)}, told)
    assert {"accuracy": 0.5} == metrics


def test_what_one_worker_does_not_measure_is_not_known():
    """The order of the names may differ too."""
    told = [ready(1, "accuracy", "margin"), ready(1, "margin")]
    _, _, metrics = combined({0: answer(0.0, 1.0, 2.0), 1: answer(0.0, 4.0)}, told)
    assert {"margin": 3.0} == metrics


@pytest.mark.parametrize(
    "parts",
    [
        (8, 24),
        (24, 24),
        (16,),
        (16, 24, 0),
        (16, 16),
        (15, 24),
        (0, 24),
        (),
    ],
)
def test_an_answer_of_another_size_is_refused(parts):
    """So many numbers as the worker announced, and a vector like the model."""
    message = Message(Kind.FULL, tuple(memoryview(bytes(size)) for size in parts))
    with pytest.raises(RemoteProtocolError, match="worker 2 answered a probe with parts of"):
        read_probe(message, ["accuracy"], 2, MODEL)


# Accuracy


@pytest.mark.parametrize("data", ["breast_cancer", "digits"])
def test_the_accuracy_of_a_linear_model_is_the_share_of_right_signs(data):
    """A prediction of exactly zero is wrong: at the starting point nothing is right."""
    problem = Logistic(bias=True)
    rows = problem.prepare(load(data))
    oracle = problem.oracle(rows.take(np.arange(200)), 0, 1, Draw(1))
    x = np.random.default_rng(1).normal(size=oracle.dim)
    guesses = np.sign(rows.features[:200] @ x[1:] + x[0])
    assert {"accuracy": np.mean(guesses == rows.targets[:200])} == oracle.metrics(x)
    assert {"accuracy": 0.0} == oracle.metrics(np.zeros(oracle.dim))


def test_a_problem_without_classes_measures_nothing():
    """Least squares: no name, no number."""
    oracle = LeastSquares().oracle(load("diabetes").take(np.arange(9)), 0, 1, Draw(1))
    assert ((), {}) == (oracle.metric_names, oracle.metrics(np.zeros(10)))


TREE = {
    "problem": {"name": "logistic", "data": "breast_cancer"},
    "cluster": {"workers": 3},
    "algorithm": {"name": "gd"},
    "stop": {"rounds": 200, "accuracy": 0.9},
    "record": {"every": 1},
}


def test_a_run_ends_where_the_accuracy_is_reached():
    """At the first probe with at least the target; every probe has it."""
    played = in_memory(TREE)
    seen = [record.metrics["accuracy"] for record in played.records]
    assert "accuracy" == played.outcome.stopped_by
    assert seen[-1] >= 0.9 > max(seen[:-1])
    over_tcp = on_sockets(TREE, 2)
    assert seen == [record.metrics["accuracy"] for record in over_tcp.records]
    problem = Logistic()
    rows = problem.prepare(load("breast_cancer")).take(np.arange(567))
    whole = problem.oracle(rows, 0, 1, Draw(1)).metrics(played.model)["accuracy"]
    assert whole == pytest.approx(seen[-1], rel=1e-12)


def test_it_is_in_all_that_a_run_leaves(tmp_path):
    """rounds.jsonl, the summary with its target, and the figure."""
    record = {"every": 1, "dir": str(tmp_path)}
    result = netcomp.run(TREE | {"network": {"clock": "virtual"}, "record": record})
    rows = read_rounds(result.run_dir)
    assert all(row["metrics"].keys() == {"accuracy"} for row in rows)
    assert rows[-1]["metrics"] == result.summary["metrics"]
    assert ("accuracy", 0.9, len(rows) - 1) == tuple(
        result.summary["target"][key] for key in ("name", "value", "round")
    )
    assert "metrics.png" in {path.name for path in result.plots}


def test_an_accuracy_nobody_measures_is_refused():
    """Before anything starts, and by the server when the workers are ready."""
    tree = TREE | {"problem": {"name": "quadratic-homogeneous"}}
    with pytest.raises(SpecError, match=r"^stop\.accuracy: quadratic-homogeneous measures no"):
        netcomp.run(tree)
    played = on_sockets(tree)
    assert "stop.accuracy" in str(played.outcome.error)


@pytest.mark.parametrize("accuracy", [0.0, 1.1, -1, "high"])
def test_an_accuracy_that_cannot_be_is_refused(accuracy):
    """A share of the rows."""
    with pytest.raises(SpecError, match=r"^stop\.accuracy: "):
        netcomp.Spec.parse(TREE | {"stop": {"accuracy": accuracy}})


def test_targets_in_the_order_of_precedence():
    """What is set, and which of several reached at once is told."""
    goals = Goals(loss=0.5, accuracy=0.75)
    assert {"loss": 0.5, "accuracy": 0.75} == goals.targets
    assert "loss" == goals.reached(0.4, 1.0, {"accuracy": 0.8})
    assert "accuracy" == goals.reached(0.6, 1.0, {"accuracy": 0.75})
    for metrics in ({}, {"accuracy": 0.7}, {"accuracy": float("nan")}):
        assert goals.reached(0.6, 1.0, metrics) is None
    assert goals.reached(0.6, 1.0) is None
    assert "accuracy" == dataclasses.replace(goals, loss=None).reached(9.0, 1.0, {"accuracy": 1.0})
