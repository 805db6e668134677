"""All outcomes of what is drawn, listed where they can be, and never where they cannot."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.compressors import Chain, FloatFormat
from netcomp.compressors.conformance import check_compressor
from netcomp.compressors.conformance.outcomes import every_outcome
from netcomp.draw import Draw, Purpose
from support.hidden import Hidden

MANY = 10_000
KEY = Draw(1, round=2, worker=0)
TREES = st.recursive(st.just(()), lambda tree: st.lists(tree, min_size=1, max_size=4), max_leaves=9)


def drawn(ask, most=MANY):
    """Return the outcomes of what `ask` makes of a key, each with its probability."""
    found = every_outcome(lambda played: np.array(ask(played(KEY)), dtype=float), most)
    if found is None:
        return None
    assert found.fault is None
    return list(zip(found.rows.tolist(), found.shares.tolist(), strict=True))


def stream(key):
    return key.stream(Purpose.SPARSIFIER)


def test_integers_below_a_bound():
    """All pairs, equally likely, and no pair twice."""
    found = drawn(lambda key: stream(key).below(3, 2))
    assert [list(pair) for pair in product(range(3), repeat=2)] == [pair for pair, _ in found]
    assert {1 / 9} == {share for _, share in found}


@pytest.mark.parametrize(("d", "k"), [(1, 0), (1, 1), (5, 0), (5, 2), (5, 3), (5, 5)])
def test_distinct_integers(d, k):
    """All subsets, in order as the real ones."""
    found = drawn(lambda key: stream(key).distinct(d, k))
    assert [list(subset) for subset in combinations(range(d), k)] == [s for s, _ in found]
    assert {1 / math.comb(d, k)} == {share for _, share in found}


def leaves(tree, share=Fraction(1), way=()):
    if not tree:
        yield list(way), share
    for i, one in enumerate(tree):
        yield from leaves(one, share / len(tree), (*way, i))


def walked(tree, source):
    way = []
    while tree:
        (i,) = source.below(len(tree), 1)
        tree = tree[i]
        way.append(int(i))
    return way


@given(TREES)
def test_what_is_drawn_may_depend_on_what_was(tree):
    """Every leaf of a tree of choices once, with the product of its choices' probabilities."""
    longest = max(len(way) for way, _ in leaves(tree))
    found = drawn(lambda key: np.resize([*walked(tree, stream(key)), *[-1] * longest], longest))
    expected = [([*way, *[-1] * (longest - len(way))], float(p)) for way, p in leaves(tree)]
    assert expected == [(way, pytest.approx(share)) for way, share in found]


def test_one_stream_repeats_itself_and_others_do_not():
    """Of the same key and purpose the same integers; of another worker or purpose others."""

    def ask(key):
        keys = [key, key, key.at(worker=1), key.shared(), key.at(worker=5).shared()]
        first = [stream(one).below(2, 1)[0] for one in keys]
        return [*first, key.stream(Purpose.QUANTIZER).below(2, 1)[0]]

    found = [bits for bits, _ in drawn(ask)]
    assert 2**4 == len(found)
    assert all(bits[0] == bits[1] and bits[3] == bits[4] for bits in found)
    assert 2**4 == len({tuple(bits) for bits in found})


WAYS = [
    *("seed", "round", "unpacked", "star", "index", "tuple", "hash", "text", "formatted"),
    *("replaced", "array", "added", "percent", "pickled", "pointers", "arithmetic", "method"),
]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_drawn_in_another_way_is_not_taken_for_certain(way):
    """Its one outcome would be biased; draws say that it is not."""
    assert drawn(lambda key: Hidden(way).derive((), 4, key)) is None
    compressor = Chain(Hidden(way), FloatFormat())
    sizes = {"dims": (4,), "workers": (1,)}
    findings = check_compressor(compressor, **sizes, laws=["unbiased", "omega", "theta"])
    assert [True] * 3 == [finding.passed for finding in findings]


@pytest.mark.parametrize(
    "ask",
    [
        lambda source: source.words64(1),
        lambda source: source.words32(1),
        lambda source: source.uniforms(1),
        lambda source: [source.uniform()],
        lambda source: source.normals(1),
        lambda source: source.below(MANY + 1, 1),
        lambda source: source.below(100, 3),
        lambda source: source.distinct(10**6, 10**5),
        lambda source: source.distinct(20, 10),
        lambda source: source.below(0, 1),
        lambda source: source.distinct(2, 3),
    ],
)
def test_what_cannot_be_listed(ask):
    """Words and numbers of the line, too many integers, and what the real one refuses."""
    assert drawn(lambda key: ask(stream(key))) is None


def test_what_is_the_same_in_every_round_cannot_be_listed():
    assert drawn(lambda key: stream(key.at(round_=0)).below(2, 1)) is None


def test_a_refusal_that_is_swallowed_counts():
    """Of somebody's who asks in another way when one fails."""

    def ask(key):
        try:
            return np.random.default_rng(key.seed).integers(2, size=1)
        except Exception:  # noqa: BLE001 — as somebody's does
            return stream(key).below(2, 1)

    assert drawn(ask) is None


def test_what_remembers_a_key_is_not_taken_for_certain():
    """It asks no stream for the second outcome; and real keys may be compared to it later."""
    last = [None, None]

    def ask(key):
        if last[0] != key:
            last[:] = key, stream(key).below(2, 1)
        return last[1]

    assert drawn(ask) is None
    assert last[0] != KEY
    assert KEY != last[0]


def test_choices_are_of_who_asks():
    """Two streams asked in one order and then in the other, as by two threads."""
    turns = iter([0, 1] * MANY)

    def ask(key):
        keys = [key.at(sub=1), key.at(sub=2)]
        return [stream(one).below(2, 1)[0] for one in (keys if next(turns) else keys[::-1])]

    assert drawn(ask) is None


def test_fewer_choices_than_the_time_before_are_not_trusted():
    calls = iter(range(MANY))
    assert drawn(lambda key: stream(key).below(2, 1) if next(calls) < 1 else [1.0]) is None


def test_the_same_words_in_two_ways_cannot_be_listed():
    """They are not independent, whatever they are."""

    def ask(key):
        return [stream(key).below(2, 1)[0], stream(key).below(3, 1)[0]]

    assert drawn(ask) is None


def test_the_real_streams_agree():
    """In 3000 draws each outcome comes as often as it is said to."""

    def ask(key):
        source = stream(key)
        (count,) = source.below(3, 1)
        return np.resize([*source.distinct(4, int(count)), -1, -1, -1], 3)

    found = drawn(ask)
    seen = [ask(KEY.at(round_=t)).tolist() for t in range(3000)]
    for outcome, share in found:
        assert seen.count(outcome) == pytest.approx(3000 * share, abs=5 * math.sqrt(3000 * share))
    assert len(seen) == sum(seen.count(outcome) for outcome, _ in found)
