"""What the kit's laws of expectations look at: draws, and all outcomes where they can be listed."""

import math
import threading
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest

from netcomp.compressors import Chain, FloatFormat, parse_compressor
from netcomp.compressors.conformance import check_compressor, samples
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.outcomes import Outcomes
from netcomp.compressors.conformance.samples import sampled
from netcomp.draw import Purpose
from netcomp.laws import Broken
from support.bad_compressors import CULPRITS
from support.bad_compressors.constants import TwoPercentTooMuch
from support.bad_compressors.honest import Changed, Honest
from support.hidden import Hidden


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


def stream(key):
    return key.stream(Purpose.SPARSIFIER)


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
