"""The kit's expectations over all outcomes: exact where it says so, and never said wrongly."""

import math
import pickle
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, count, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.compressors import Chain, FloatFormat, Sparsifier, parse_compressor
from netcomp.compressors.conformance import check_compressor, samples
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.outcomes import Outcomes, every_outcome
from netcomp.compressors.conformance.samples import sampled
from netcomp.draw import Draw, Purpose
from netcomp.laws import Broken
from support.bad_compressors import CULPRITS
from support.bad_compressors.constants import TwoPercentTooMuch
from support.bad_compressors.honest import Changed, Honest

MANY = 10_000
KEY = Draw(1, round=2, worker=0)
CALLS = count()
TREES = st.recursive(st.just(()), lambda tree: st.lists(tree, min_size=1, max_size=4), max_leaves=9)


def case(text, d, n=1):
    compressor = parse_compressor(text).resolve(d, n)
    return Case(d, n, compressor, compressor, parse_compressor(text), seed=1)


def looked(subject, name, workers, most):
    return sampled(subject, [name], workers, lambda _: most)


def exact(subject, name, workers, most=200):
    """Return all outcomes, which come after as many draws as there may be outcomes."""
    first, second = looked(subject, name, workers, most)
    assert (None, most) == (first.share, first.square.size)
    return second


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


def whatever(read):
    """Return what can be read, or something else: as somebody who catches everything does."""
    try:
        return read()
    except Exception:  # noqa: BLE001
        return 7


@dataclass(frozen=True)
class Hidden(Sparsifier):
    """One coordinate, by a generator of somebody's that starts from the key in some way."""

    way: str

    def derive(self, parts, d, draw):
        start = {
            "seed": lambda: [draw.seed, draw.round],
            "round": lambda: draw.round,
            "unpacked": lambda: [int(part) for part in draw],
            "star": lambda: [*draw],
            "index": lambda: draw[1],
            "tuple": lambda: [int(part) for part in tuple(draw)],
            "hash": lambda: abs(hash(draw)),
            "text": lambda: list(str(draw).encode()),
            "formatted": lambda: list(f"{draw}".encode()),
            "replaced": lambda: draw._replace(worker=0).round,
            "array": lambda: [int(part) for part in np.array(draw)],
            "added": lambda: [int(part) for part in draw.__add__((3,))],
            "percent": lambda: list("%d/%d/%d/%d/%d".__mod__(draw).encode()),
            "calls": lambda: next(CALLS),
            "pointers": lambda: list(np.array(draw).tobytes()),
            "arithmetic": lambda: whatever(lambda: draw.seed * 1000 + draw.round),
            "method": lambda: whatever(lambda: list(draw.round.to_bytes(8, "little"))),
            "pickled": lambda: list(pickle.dumps(tuple(draw))),
        }[self.way]()
        return np.random.default_rng(start).integers(d, size=1)

    def select(self, v, draw):
        return self.derive((), v.size, draw)

    def scale(self, d):
        return float(d)

    def most(self, d):
        return 1

    def density(self, d):
        return 1.0

    def omega(self, d):
        return d - 1.0


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


# Samples


@pytest.mark.parametrize("d", [1, 2, 7, 16])
def test_rand_k_is_what_its_lemma_says(d):
    """E C(v) = v and E‖C(v)‖² = d/k ‖v‖², to the last digits."""
    subject = case("rand-k:2+f64" if d > 1 else "rand-k:1+f64", d)
    k = min(d, 2)
    for name in subject.vectors:
        sample = exact(subject, name, [0])
        assert math.comb(d, k) == sample.share.size
        assert sample.share.sum() == pytest.approx(1, rel=1e-12)
        assert sample.mean(sample.square) == pytest.approx(d / k, rel=1e-12)
        np.testing.assert_allclose(sample.mean(sample.shifts), 0, atol=1e-12)


@pytest.mark.parametrize("d", [2, 4])
def test_the_mean_of_independent_workers(d):
    """θ = ω/n with equality, over the outcomes of all three."""
    subject = case("rand-k:1+f64", d, 3)
    sample = exact(subject, "gaussian", range(3))
    assert d**3 == sample.share.size
    assert sample.mean(sample.distance()) == pytest.approx((d - 1) / 3, rel=1e-12)


def test_workers_who_share_a_draw():
    """Blocks in cyclic order: n outcomes for all, and in each of them the mean is the vector."""
    subject = case("perm-k:order=cyclic+f64", 7, 3)
    sample = exact(subject, "gaussian", range(3))
    assert 3 == sample.share.size
    assert np.abs(sample.shifts).max() < 1e-15


@pytest.mark.parametrize("text", ["natural", "bernoulli:p=0.5", "sketch:m=2", "rand-k:1+ternary"])
def test_other_randomness_is_drawn(text):
    (sample,) = looked(case(text, 4), "gaussian", [0], 50)
    assert sample.share is None
    assert 50 == sample.square.size


def test_what_draws_nothing_has_one_outcome():
    sample = exact(case("top-k:1+sign", 1000), "gaussian", [0], 50)
    assert [1.0] == sample.share.tolist()


@dataclass(frozen=True)
class Spoilt(Changed):
    """Not a number in one case of twenty."""

    bad: int = 0
    text = "identity"

    def change(self, payload, draw):
        (case,) = stream(draw).below(20, 1)
        return payload if case != self.bad else replace(payload, held=payload.values * np.nan)


def test_an_outcome_that_breaks_a_law_is_found_though_it_is_not_drawn():
    keys = [case("identity", 4).key(0, t) for t in range(20)]
    bad = min(set(range(20)) - {int(stream(key).below(20, 1)[0]) for key in keys})
    spoilt = Spoilt(bad=bad)
    resolved = spoilt.resolve(4, 1)
    with pytest.raises(Broken, match="not finite"):
        looked(Case(4, 1, resolved, resolved, spoilt, seed=1), "gaussian", [0], len(keys))


def test_outcomes_that_nobody_draws_are_no_outcomes(monkeypatch):
    """Where the rows of the draws are others, the draws are all there is."""
    subject = case("rand-k:1+f64", 4)
    assert 4 == exact(subject, "gaussian", [0]).share.size
    monkeypatch.setattr(Outcomes, "agree", lambda *_: False)
    assert [None] == [one.share for one in looked(subject, "gaussian", [0], 50)]


def test_one_vector_of_which_they_are_no_outcomes_is_enough():
    """A zero row says nothing: of one coordinate in a thousand hardly any draw is another."""
    hidden = Chain(Hidden("calls"), FloatFormat())
    own = hidden.resolve(1000, 1)
    subject = Case(1000, 1, own, own, hidden, seed=1)
    found = sampled(subject, ["one-hot", "gaussian"], [0], lambda _: 24)
    assert [None, None] == [one.share for one in found]


def test_a_bias_that_draws_do_not_show_is_found(monkeypatch):
    """Two percent, of a compressor whose ω is 2.5: over all outcomes, not over 800 draws."""
    assert CULPRITS["TwoPercentTooMuch"] == (TwoPercentTooMuch, "unbiased")

    def verdict():
        (finding,) = check_compressor(
            TwoPercentTooMuch(), dims=(7,), workers=(1,), laws=["unbiased"]
        )
        return finding

    assert not verdict().passed
    assert "over all outcomes (21)" in verdict().detail
    monkeypatch.setattr(samples, "every_outcome", lambda *_: None)
    assert verdict().passed


def test_a_factor_is_not_hidden_by_the_variance(monkeypatch):
    """Rounding may move E C(v) by a 256th of E‖C(v)‖, not of √(1 + ω), which is 8 times that."""
    monkeypatch.setattr(TwoPercentTooMuch, "text", "rand-k:1")
    sizes = {"dims": (64,), "workers": (1,)}
    (finding,) = check_compressor(TwoPercentTooMuch(), **sizes, laws=["unbiased"])
    assert "over all outcomes (64)" in finding.detail
    assert not finding.passed


@dataclass(frozen=True)
class Rotated(Honest):
    """Half precision in another basis, Haar's: no coordinate errs by a share of itself."""

    text = "f16"

    def turned(self, v):
        low, high = v.reshape(2, -1)
        return np.concatenate([low + high, low - high]) / math.sqrt(2.0)

    def compress(self, v, draw):
        payload = super().compress(self.turned(v.astype(np.float64)), draw)
        return replace(payload, held=self.turned(payload.dense()))

    def decode(self, parts, d, draw):
        payload = super().decode(parts, d, draw)
        return replace(payload, held=self.turned(payload.dense()))


@dataclass(frozen=True)
class Locked(Honest):
    """With a lock that cannot be copied, made at the first message."""

    @cached_property
    def lock(self):
        return threading.Lock()

    def compress(self, v, draw):
        with self.lock:
            return super().compress(v, draw)


@pytest.mark.parametrize(
    ("compressor", "dims"),
    [
        (Rotated(), (2, 8, 64)),
        (Locked(), (4,)),
        (parse_compressor("fcc:r=2(rand-k:1+bf16)"), (8, 13)),
    ],
    ids=str,
)
def test_honest_compressors_are_not_accused(compressor, dims):
    """Who rounds in another basis, cannot be copied once used, or rounds twice and amplifies it."""
    laws = ["round-trip", "density", "unbiased", "omega", "delta", "b1", "b2", "theta"]
    findings = check_compressor(compressor, dims=dims, workers=(1,), laws=laws)
    assert [] == [finding for finding in findings if not finding.passed]
