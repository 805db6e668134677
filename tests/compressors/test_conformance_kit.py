"""The conformance kit finds what is wrong, names the law, and finds nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netcomp.compressors import parse_compressor
from netcomp.compressors.conformance import LAWS, check_compressor, hostile
from netcomp.compressors.conformance.cases import Case
from netcomp.draw import Draw, Purpose
from netcomp.errors import SpecError
from netcomp.laws import evidence
from support.bad_compressors import CULPRITS, AmongOthers, HangsOnNumbers, Honest, MissingScale
from support.notations import ALL_TEXTS, BY_NAME, HEAVY

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
SMALL = {"dims": (1, 20), "workers": (3,)}


def broken(findings):
    return {finding.law: finding.detail for finding in findings if not finding.passed}


@pytest.mark.parametrize("text", ALL_TEXTS if HEAVY else [texts[0] for texts in BY_NAME.values()])
def test_every_registered_compressor_keeps_every_law(text):
    """One of each name; all that the tests know and every pair by `make heavy`."""
    sizes = SMALL if HEAVY else {"dims": (20,), "workers": (3,)}
    assert {} == broken(check_compressor(parse_compressor(text), **sizes))


def test_what_a_format_cannot_hold_is_no_fault():
    """Three times a heavy-tailed value leaves half precision: refused, and left out by the kit."""
    half = parse_compressor("perm-k+f16")
    own = half.resolve(20, 3)
    largest = Case(20, 3, own, own, half, seed=1).vectors["heavy-tailed"]
    assert np.finfo(np.float16).max / 3 < np.abs(largest).max()
    assert {} == broken(check_compressor(half, dims=(20,), workers=(3,)))


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_every_size_is_the_one_announced(text):
    """At dimensions where a size that depends on neither vector nor key shows."""
    laws = ["bytes", "paper-bits"]
    findings = check_compressor(parse_compressor(text), dims=(64, 1000), workers=(3,), laws=laws)
    assert {} == broken(findings)


@pytest.mark.parametrize(
    "text", ["fcc:r=3(natural)", "fcc:r=2(rand-k:25%)", "scale:0.5(fcc:r=2(sign))"]
)
@pytest.mark.parametrize("d", [64, 1000, 100_000])
def test_fcc_announces_room_for_lengths_and_no_more(text, d):
    """Three bytes for each part there may be, of messages that are all of one size."""
    compressor = parse_compressor(text).resolve(d, 1)
    sent = compressor.compress(np.random.default_rng(1).standard_normal(d), Draw(1, worker=0))
    assert not compressor.exact_bytes
    assert 0 <= compressor.max_bytes(d) - sent.nbytes <= 3 * compressor.parts


def test_somebody_elses_compressor_keeps_every_law():
    """A class of another module, at the sizes the kit takes unless told, if there is the time."""
    findings = check_compressor(Honest(), **({} if HEAVY else SMALL))
    assert {} == broken(findings)
    assert list(LAWS) == [finding.law for finding in findings]
    assert all(finding.detail for finding in findings)


@pytest.mark.parametrize("name", CULPRITS)
def test_what_is_wrong_is_found_by_the_law_that_names_it(name):
    """At d = 7, or what does not show there at d = 2 or d = 64."""
    culprit, law = CULPRITS[name]
    workers = (1, 3) if law == "key-matters" else (3,)
    for dims in ((7,), (2, 64)):
        (finding,) = check_compressor(culprit(), dims=dims, workers=workers, laws=[law])
        if not finding.passed:
            break
    assert not finding.passed
    assert finding.detail
    # A wrong compressor is wrong in what it does, not in how it is written.
    assert not finding.detail.startswith("raised TypeError")


def test_every_law_has_a_culprit():
    """No law is there that nothing breaks."""
    assert set(LAWS) == {law for _, law in CULPRITS.values()}


def test_what_is_wrong_does_not_hide_what_is_right():
    """A missing d/k is no fault of bytes, keys, errors or notation."""
    findings = check_compressor(MissingScale(), dims=(7,), workers=(3,))
    assert {"unbiased", "b1", "b2"} == set(broken(findings))


def test_a_decode_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(hostile, "_PATIENCE", 0.5)
    try:
        (finding,) = check_compressor(HangsOnNumbers(), dims=(7,), laws=["hostile-bytes"])
    finally:
        HangsOnNumbers.released = True
    assert not finding.passed
    assert "has not answered" in finding.detail


def test_memory_of_other_threads_is_not_held_against_a_decode():
    (finding,) = check_compressor(AmongOthers(), dims=(7,), workers=(3,), laws=["hostile-bytes"])
    assert finding.passed, finding.detail
    assert AmongOthers.calls > 500


def test_the_verdict_is_a_function_of_the_arguments():
    """Twice the same, remarks included; another seed draws other numbers."""
    compressor, sizes = parse_compressor("rand-k:25%+natural"), {"dims": (20,), "workers": (1,)}
    first, again = (check_compressor(compressor, **sizes) for _ in range(2))
    other = check_compressor(compressor, **sizes, seed=2, laws=["omega"])
    assert first == again
    assert other[0] not in first


@pytest.mark.parametrize(
    "wrong", [{"dims": ()}, {"dims": (0,)}, {"workers": (0,)}, {"confidence": 1.0}]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"dimensions|confidence"):
        check_compressor(Honest(), **wrong)


def test_a_compressor_of_no_size_cannot_be_checked():
    with pytest.raises(SpecError, match="no size can be resolved"):
        check_compressor(parse_compressor("rand-k:250"), dims=(7,))


def test_sizes_that_are_refused_are_told():
    (finding,) = check_compressor(parse_compressor("top-k:3"), dims=(2, 7), laws=["resolve"])
    assert finding.passed
    assert "d = 2, n = 1: top-k.k" in finding.detail


# Evidence

RARE = 1000
"""One in so many draws is so large: the mean is 1, and 40 draws seldom show it."""


def rare(rng, count):
    return np.where(rng.random(count) < 1 / RARE, float(RARE), 0.0)


def test_evidence_against_what_is_true_is_seldom_strong():
    """Of 2000 samples of a true claim, at most a twentieth has an e-value of 20; none 10⁶."""
    rng = np.random.default_rng(1)
    skewed = [rare(rng, 400) for _ in range(2000)]
    for logs in (
        [evidence.above(x, 1.0) for x in skewed],
        [evidence.below(x, 1.0, float(RARE)) for x in skewed],
        [evidence.nonzero(x[:, None] - 1.0, RARE - 1.0, 0.0)[0] for x in skewed],
    ):
        assert np.mean(np.array(logs) >= np.log(20)) <= 0.05
        assert max(logs) < np.log(1e6)


def test_evidence_against_what_is_false_grows():
    """A bound a tenth too small, and a bias of a third of the deviation, are found."""
    rng = np.random.default_rng(2)
    squares = rng.chisquare(8, 2000) / 8
    assert evidence.above(squares, 0.9) > np.log(1e6) > 0 > evidence.above(squares, 1.1)
    assert evidence.below(squares, 1.1, 8.0) > np.log(20) > 0 > evidence.below(squares, 0.9, 8.0)
    normal = rng.normal(size=(2000, 2)) + np.array([0.0, 1 / 3])
    fair, biased = evidence.nonzero(normal, 1.0 + 1 / 9, 0.0)
    assert biased > np.log(1e6) > 0 > fair


# Bytes


def test_mutations_alter_payloads():
    """Nearly every mutation of a payload is another payload, in each of the ways there are."""
    valid = [[bytes(range(64)), b"abc"]]
    stream = Draw(2).stream(Purpose.INIT)
    found = [hostile.mutated(valid, stream) for _ in range(500)]
    altered = [parts != valid[0] for parts, _ in found]
    assert np.mean(altered) > 0.8
    assert set(hostile._WAYS) == {way for _, way in found}


# The command

MINE = """
from dataclasses import dataclass
from support.bad_compressors import Honest

@dataclass(frozen=True)
class Mine(Honest):
    fewer: int = 0

    def max_bytes(self, d):
        return super().max_bytes(d) - self.fewer
"""


def check(folder, *args):
    """Run the command in a folder that has a module of the user's."""
    (folder / "mine.py").write_text(MINE)
    command = [sys.executable, "-m", "netcomp", "check", "compressor", *args]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[1:3])), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_prints_every_law(tmp_path):
    done = check(tmp_path, "rand-k:k=2", "--dim", "2", "--dim", "5", "--workers", "1")
    assert (0, "") == (done.returncode, done.stderr)
    assert [*LAWS, "rand-k:k=2:"] == [
        line.split()[0] for line in done.stdout.splitlines()[1:] if line[0] != " "
    ]
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(("more", "code"), [("", 0), (":fewer=1", 1)])
def test_check_takes_a_class_and_says_so_in_json(tmp_path, more, code):
    done = check(tmp_path, f"mine:Mine{more}", "--dim", "70", "--workers", "1", "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert (code, "") == (done.returncode, done.stderr)
    assert (f"mine:Mine{more}", code == 0) == (told["compressor"], told["passed"])
    failed = [finding["law"] for finding in told["findings"] if not finding["passed"]]
    assert (["bytes"] if code else []) == failed
    assert list(LAWS) == [finding["law"] for finding in told["findings"]]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["rand-q"], "unknown compressor 'rand-q'"),
        (["mine:Other"], "mine:Other"),
        (["netcomp.compressors:Compressor"], "does not define compress, "),
        (["rand-k:9", "--dim", "5"], "outside 1..d = 5"),
        (["identity", "--dim", "0"], "--dim"),
    ],
)
def test_check_refuses_what_it_cannot_check(tmp_path, args, told):
    done = check(tmp_path, *args)
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert told in done.stderr


def test_every_law_is_in_the_documentation():
    (section,) = re.findall(r"^## Laws\n(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)
    assert list(LAWS) == rows
