"""Every registered problem keeps every law, and the kit finds what is wrong with one."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netcomp.data import load
from netcomp.errors import DataError, SpecError
from netcomp.problems import PROBLEMS, LeastSquares, QuadraticHomogeneous
from netcomp.problems.conformance import LAWS, check_problem
from support import bad_problems
from support.bad_problems import CULPRITS, Honest

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

MORE = {
    "bias": True,
    "l2": 0.3,
    "smoothness": "row-norm",
    "noise": 2.0,
    "linear": "own",
}
"""Options beside the defaults, for the problems that have them."""

NOWHERE = {"zero-chain", "autoencoder"}
"""Of all that know f* these do not say where it is: it is not attained, or at no one point."""


def small(name, options):
    """Return a problem, of dimension 7 and of 12 rows where it has such options."""
    kind = PROBLEMS.get(name)
    fields = kind.model_fields
    chosen = {"dim": 7, "rows": 12} | options
    return kind(**{key: value for key, value in chosen.items() if key in fields})


def broken(findings):
    return {finding.law: finding.detail for finding in findings if not finding.passed}


@pytest.mark.parametrize("options", [{}, MORE], ids=["default", "more"])
@pytest.mark.parametrize("name", PROBLEMS.names())
def test_every_registered_problem_keeps_every_law(name, options):
    problem, data = small(name, options), None
    if name == "cnn":  # which wants square pictures
        pytest.importorskip("torch")
        data = load("digits-10")
    try:
        findings = check_problem(problem, data=data)
    except SpecError:  # of problems that are made for so many workers only
        findings = check_problem(problem, data=data, workers=(21, 28))
    assert {} == broken(findings)
    details = {finding.law: finding.detail for finding in findings}
    assert (name in NOWHERE) == (details["minimum"] == "known")


@pytest.mark.parametrize("smoothness", ["spectral", "row-norm"])
@pytest.mark.parametrize("name", ["logistic", "nonconvex-logistic", "least-squares"])
def test_they_keep_them_on_real_data(name, smoothness):
    """64 features of 40 rows a worker: fewer rows than columns."""
    problem = PROBLEMS.get(name)(smoothness=smoothness)
    assert {} == broken(check_problem(problem, data=load("digits"), workers=(2,)))


def test_somebody_elses_problem_keeps_every_law():
    findings = check_problem(Honest())
    assert {} == broken(findings)
    assert list(LAWS) == [finding.law for finding in findings]
    assert all(finding.detail for finding in findings)


@pytest.mark.parametrize("name", CULPRITS)
def test_what_is_wrong_is_found_by_the_law_that_names_it(name):
    culprit = getattr(bad_problems, name)()
    (finding,) = check_problem(culprit, laws=[CULPRITS[name]])
    assert not finding.passed
    assert finding.detail


def test_every_law_has_a_culprit():
    """No law is there that nothing breaks."""
    assert set(LAWS) == set(CULPRITS.values())


def test_what_is_wrong_does_not_hide_what_is_right():
    """Too small an L_pm is no fault of gradients, batches and other constants."""
    assert {"similarity"} == set(broken(check_problem(bad_problems.JointL_pm())))


def test_the_verdict_is_a_function_of_the_arguments():
    """Twice the same, remarks included; another seed has other points."""
    problem = QuadraticHomogeneous(dim=4, noise=1.0)
    first, again = (check_problem(problem) for _ in range(2))
    assert first == again
    wrong = bad_problems.JointL_pm()
    details = {broken(check_problem(wrong, seed=seed))["similarity"] for seed in (1, 2)}
    assert 2 == len(details)


@pytest.mark.parametrize("wrong", [{"workers": ()}, {"workers": (0,)}, {"confidence": 1.0}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"workers|confidence"):
        check_problem(LeastSquares(), **wrong)


class Pairs(QuadraticHomogeneous):
    """For even numbers of workers."""

    def oracle(self, shard, worker, workers, draw):
        if workers % 2:
            raise SpecError("cluster.workers", "must be even")
        return super().oracle(shard, worker, workers, draw)


def test_numbers_of_workers_that_are_refused_are_told():
    (finding,) = check_problem(Pairs(dim=3), workers=(2, 3), laws=["start"])
    assert finding.passed
    assert "n = 3: cluster.workers: must be even" in finding.detail
    with pytest.raises(SpecError, match="no number of workers will do"):
        check_problem(Pairs(dim=3))


def test_data_that_do_not_suit_the_problem_are_refused():
    with pytest.raises(DataError, match="two distinct labels"):
        check_problem(PROBLEMS.get("logistic")(), data=load("diabetes"))


# The command

MINE = """
from support.bad_problems import Honest, JointL

class Mine(Honest):
    pass

class Wrong(JointL):
    pass

def made():
    return Mine()
"""


def check(folder, *args):
    """Run the command in a folder that has a module of the user's."""
    (folder / "mine.py").write_text(MINE)
    command = [sys.executable, "-m", "netcomp", "check", "problem", *args]
    tests = Path(__file__).parents[1]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": f"{tests}:{tests.parent}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_prints_every_law(tmp_path):
    done = check(tmp_path, "logistic", "--data", "breast_cancer", "--workers", "2")
    assert (0, "") == (done.returncode, done.stderr)
    assert [*LAWS, "logistic:"] == [
        line.split()[0] for line in done.stdout.splitlines()[1:] if line[0] != " "
    ]
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(
    ("name", "failed"), [("Mine", []), ("made", []), ("Wrong", ["smoothness"])]
)
def test_check_takes_a_class_or_a_function_and_says_so_in_json(tmp_path, name, failed):
    done = check(tmp_path, f"mine:{name}", "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert (bool(failed), "") == (bool(done.returncode), done.stderr)
    assert (f"mine:{name}", not failed) == (told["problem"], told["passed"])
    assert failed == [finding["law"] for finding in told["findings"] if not finding["passed"]]
    assert list(LAWS) == [finding["law"] for finding in told["findings"]]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["logistik"], "unknown problem 'logistik'"),
        (["mine:Other"], "mine:Other"),
        (["netcomp.problems:Problem"], "cannot be made"),
        (["json:loads"], "loads: missing a required argument: 's'"),
        (["json:decoder"], "problem.name: 'json:decoder' is no problem"),
        (["pathlib:Path"], "problem.name: 'pathlib:Path' is no problem"),
        (["logistic", "--data", "diabetes"], "two distinct labels"),
        (["quadratic-homogeneous", "--data", "digits"], "makes its own data"),
        (["logistic", "--dim", "5"], "--dim"),
        (["logistic", "--workers", "0"], "--workers"),
    ],
)
def test_check_refuses_what_it_cannot_check(tmp_path, args, told):
    done = check(tmp_path, *args)
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert told in done.stderr


def test_every_law_is_in_the_documentation():
    text = PAGE.read_text().partition("# Conformance of a problem")[2]
    rows = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    assert list(LAWS) == rows
