"""The conformance kit of algorithms finds what is wrong, names the law, and nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest

from netcomp.algorithms import ALGORITHMS, CHANNELS, Choice, SideChoice, compose
from netcomp.algorithms.conformance import (
    LAWS,
    LAWS_OF_ROLES,
    Pair,
    check_algorithm,
    check_roles,
)
from netcomp.algorithms.conformance.images import copied, frozen, image
from netcomp.algorithms.conformance.subject import planned
from netcomp.errors import LocalProtocolError
from netcomp.roles import Kind, Message
from netcomp.wire.loopback import carried
from support import bad_algorithms
from support.bad_algorithms import CULPRITS, HONEST

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def broken(findings):
    return {finding.law: finding.detail for finding in findings if not finding.passed}


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_every_algorithm_keeps_every_law(name):
    """One size of each entry; the laws of n = 1 and d = 1 bring theirs."""
    findings = check_algorithm(ALGORITHMS.get(name), carry=carried, dims=(7,), workers=(3,))
    assert {} == broken(findings)


def test_only_a_sketch_is_not_asked_whether_it_is_gd():
    """Of every other name the compressors can be replaced by none."""
    asked = {}
    for name, entry in ALGORITHMS.items():
        (finding,) = check_algorithm(entry, carry=carried, dims=(2,), workers=(2,), laws=["gd"])
        asked[name] = finding.detail
    assert ["core"] == [name for name, detail in asked.items() if "1e-12" not in detail]
    assert "not asked" in asked["core"]


def test_somebody_elses_roles_keep_every_law():
    """At the sizes the kit takes unless told, as an entry and as a pair of roles."""
    findings = check_algorithm(HONEST, carry=carried)
    assert {} == broken(findings)
    assert list(LAWS) == [finding.law for finding in findings]
    assert all(finding.detail for finding in findings)

    def make(d, n):
        return Pair.of(compose(planned(HONEST, d, n), imports=True), d)

    alone = check_roles(make, carry=carried)
    assert list(LAWS_OF_ROLES) == [finding.law for finding in alone]
    assert {} == broken(alone)


@pytest.mark.parametrize("name", CULPRITS)
def test_what_is_wrong_is_found_by_the_law_that_names_it(name):
    culprit = getattr(bad_algorithms, name).entry
    laws = [CULPRITS[name]]
    (finding,) = check_algorithm(culprit, carry=carried, dims=(12,), workers=(3,), laws=laws)
    assert not finding.passed
    assert finding.detail


def test_every_law_has_a_culprit():
    """No law is there that nothing breaks."""
    assert set(LAWS) == set(CULPRITS.values())


def test_what_is_wrong_does_not_hide_what_is_right():
    """A model that begins elsewhere is pure, resumes, and fits the wire."""
    culprit = bad_algorithms.WrongStart.entry
    findings = check_algorithm(culprit, carry=carried, dims=(12,), workers=(3,))
    assert {"start", "gd"} == set(broken(findings))


def test_the_verdict_is_a_function_of_the_arguments():
    entry, size = ALGORITHMS.get("marina"), {"dims": (7,), "workers": (2,)}
    first, again = (check_algorithm(entry, carry=carried, **size) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("wrong", [{"dims": ()}, {"dims": (0,)}, {"workers": (0,)}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="dimensions"):
        check_algorithm(HONEST, carry=carried, **wrong)


def test_every_law_is_in_the_documentation():
    page = PAGE.read_text().split("\n# Conformance of ")[1]
    assert list(LAWS) == re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)


# States looked at from outside


def test_an_image_tells_every_bit():
    """−0.0 is not 0.0, NaN is itself, float32 is not float64, and a copy has the same image."""
    state = {"x": np.array([0.0, np.nan]), "said": {1: Message(Kind.VALUE, (memoryview(b"ab"),))}}
    assert image(state) == image(copied(state))
    others = (np.array([-0.0, np.nan]), np.array([0.0, np.nan], np.float32), np.zeros(3))
    for other in others:
        assert image(state) != image(state | {"x": other})


def test_a_frozen_view_freezes_what_it_views():
    base = np.zeros(4)
    frozen(Message(Kind.VALUE, (memoryview(base.view(np.uint8)),)))
    with pytest.raises(ValueError, match="read-only"):
        base[0] = 1.0


def test_what_is_carried_arrives():
    """Kind and parts, read-only; no paper bits. What cannot be sent is the sender's fault."""
    message = Message(Kind.DELTA, (memoryview(b"abc"), memoryview(b"")), 24.0)
    heard = carried(message, 7)
    assert (Kind.DELTA, [b"abc", b""], 0.0) == (
        heard.kind,
        [bytes(part) for part in heard.parts],
        heard.paper_bits,
    )
    with pytest.raises(LocalProtocolError):
        carried(Message(Kind.DELTA, (memoryview(b""),) * 65), 7)
    with pytest.raises(LocalProtocolError, match="not flat bytes"):
        carried(Message(Kind.VALUE, (memoryview(np.zeros(2)),)), 7)


# Parts by name


def test_channels_are_named_with_their_parameters():
    """In the order in which a refusal lists them; a class is built from the fields it has."""
    params = {name: kind.params for name, kind in CHANNELS.items()}
    assert params == {
        "dasha": ("alpha",),
        "direct": (),
        "error-feedback": ("eta",),
        "marina": ("p",),
        "memory": ("alpha",),
        "single-memory": ("alpha", "reset"),
    }


def test_perm_k_to_a_single_worker_is_its_own_part():
    """With n = 1 and p < 1: the change is compressed, and it is all of it."""
    entry = ALGORITHMS.get("marina-p")
    choice = Choice(down=SideChoice(p=0.01))
    parts = compose(planned(entry, 5, 1, choice))
    pair = Pair.of(parts, 5)
    findings = check_roles(lambda d, n: pair, carry=carried, dims=(5,), workers=(1,))
    assert {} == {law: said for law, said in broken(findings).items() if law != "resume"}
