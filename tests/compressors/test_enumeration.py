"""Expectations over all outcomes of the real code: sparsifiers whose randomness is small.

What a sparsifier draws is replaced by each of its outcomes in turn; means over all of them
are then exact up to rounding. The same checks are run on sparsifiers that are wrong, and fail.
"""

import re
from itertools import combinations, permutations, product

import numpy as np
import pytest

from netcomp.compressors import (
    Adaptive,
    Bernoulli,
    Chances,
    PermK,
    RandK,
    bernoulli,
    perm_k,
    rand_k,
    sketch,
)
from netcomp.draw import ALL, Draw, Purpose, Stream
from netcomp.errors import SpecError
from support.notations import ALL_TEXTS, DETERMINISTIC, PAIRED, QUANTIZERS, key, names, resolved
from support.recipe import PlainStream, plain_block

VECTORS = [np.arange(1.0, 9.0), np.array([3.0, -1, 0, 2, -2, 0.5, 7, -4]), np.ones(8)]


class Fixed:
    """A permutation given as a list."""

    def __init__(self, order):
        self.order = np.array(order)

    def block(self, start, stop):
        return self.order[start:stop]


def outcomes(text, d, n, monkeypatch):
    """Yield (probability, key to compress with) with the randomness of `text` set to each."""
    name = re.match(r"[a-z-]+", text)[0]
    if name == "rand-k":
        k = resolved(text, d, n).sparsifier.k.value
        subsets = list(combinations(range(d), k))
        for kept in subsets:
            monkeypatch.setattr(Stream, "distinct", lambda _s, _d, _k, kept=kept: np.array(kept))
            yield 1 / len(subsets)
    elif name == "bernoulli":
        p = resolved(text, d, n).sparsifier.p.of(np.arange(d))
        for bits in product([False, True], repeat=d):
            kept = np.flatnonzero(bits)
            monkeypatch.setattr(bernoulli, "bernoulli_indices", lambda *_, kept=kept: kept)
            yield float(np.prod(np.where(bits, p, 1 - p)))
    elif text.startswith("perm-k:order=cyclic"):
        for turn in range(n):
            monkeypatch.setattr(perm_k, "_turn", lambda *_, turn=turn: turn)
            yield 1 / n
    elif name == "perm-k":
        orders = list(permutations(range(d))) if d >= n else [range(d)]
        seats = list(permutations(range(n)))
        for seat, order in product(seats, orders):
            drawn = np.array(seat), Fixed(order)
            monkeypatch.setattr(perm_k, "_permutations", lambda *_, drawn=drawn: drawn)
            yield 1 / (len(seats) * len(orders))


def moments(text, v, n, monkeypatch, worker=0):
    """Return E C(v), E‖C(v)‖²/‖v‖² and E‖C(v)−v‖²/‖v‖² over all outcomes."""
    compressor = resolved(text, v.size, n)
    mean, square, error, total = np.zeros(v.size), 0.0, 0.0, 0.0
    for share in outcomes(text, v.size, n, monkeypatch):
        dense = compressor.compress(v, key(worker)).dense()
        mean += share * dense
        square += share * (dense @ dense) / (v @ v)
        error += share * ((dense - v) @ (dense - v)) / (v @ v)
        total += share
    np.testing.assert_allclose(total, 1)
    return mean, square, error


def check(text, d, n, monkeypatch, worker=0):
    """Unbiased with E‖C(v)−v‖² = ω‖v‖²; or E C(v) = δv, E‖C(v)‖² = δ‖v‖²: Lemmas 8 and 9."""
    compressor = resolved(text, d, n)
    for v in VECTORS:
        mean, square, error = moments(text, v[:d], n, monkeypatch, worker)
        omega, delta = compressor.omega(d), compressor.delta(d)
        if omega is not None:
            np.testing.assert_allclose(mean, v[:d], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(error, omega, rtol=1e-12)
        else:
            np.testing.assert_allclose(mean, delta * v[:d], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(error, 1 - delta, rtol=1e-12)
            np.testing.assert_allclose(square, delta, rtol=1e-12)
            assert (delta, 1.0) == compressor.b1(d) == compressor.b2(d)
            assert 1 / delta == compressor.b3(d)


SMALL = [
    *(("rand-k:2+f64", d, 1) for d in (2, 3, 6, 8)),
    *(("rand-k:5+f64", d, 1) for d in (5, 7)),
    *(("rand-k:k=3,scaled=no+f64", d, 1) for d in (3, 5, 8)),
    *((f"bernoulli:p={p}+f64", 6, 1) for p in (0.1, 0.5, 1.0)),
    *((f"bernoulli:p={p},scaled=yes+f64", 6, 1) for p in (0.1, 0.5, 1.0)),
    *(("perm-k+f64", d, n) for d, n in [(4, 2), (4, 3), (5, 2), (3, 3), (2, 3), (2, 4), (1, 3)]),
    *(("perm-k:order=cyclic+f64", d, n) for d in (1, 2, 3, 5, 7, 8) for n in (1, 2, 3, 4, 5, 7)),
]


@pytest.mark.parametrize(("text", "d", "n"), SMALL)
def test_expectations_over_all_outcomes(text, d, n, monkeypatch):
    """The class constants are attained, by every worker."""
    for worker in range(n):
        check(text, d, n, monkeypatch, worker)


MUTANTS = {
    "rand-k without d/k": ("rand-k:2+f64", 6, 1, RandK, "scale", lambda *_: 1.0),
    "rand-k with d/k where unscaled": (
        *("rand-k:k=2,scaled=no+f64", 6, 1, RandK, "scale", lambda *_: 3.0),
    ),
    "rand-k with ω of k/d": ("rand-k:2+f64", 6, 1, RandK, "omega", lambda *_: 6 / 2),
    "bernoulli without 1/p": (
        *("bernoulli:p=0.5,scaled=yes+f64", 6, 1, Bernoulli, "scale", lambda *_: 1.0),
    ),
    "bernoulli's δ": ("bernoulli:p=0.5+f64", 6, 1, Bernoulli, "delta", lambda *_: 0.4),
    "perm-k without n": ("perm-k+f64", 4, 2, PermK, "scale", lambda *_: 1.0),
    "cyclic without n": ("perm-k:order=cyclic+f64", 4, 2, PermK, "scale", lambda *_: 1.0),
    "d < n: n instead of n/q": ("perm-k+f64", 2, 4, PermK, "scale", lambda *_: 4.0),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_sparsifier_is_noticed(mutant, monkeypatch):
    """The check above fails for each of these."""
    text, d, n, kind, method, wrong = MUTANTS[mutant]
    check(text, d, n, monkeypatch)
    monkeypatch.setattr(kind, method, wrong)
    with pytest.raises(AssertionError):
        check(text, d, n, monkeypatch)


@pytest.mark.parametrize(("d", "n"), [(4, 3), (5, 2)])
def test_fixed_blocks_are_biased_where_n_does_not_divide_d(d, n, monkeypatch):
    """Without the dealing of the blocks, worker 0 has E C(v) = n⌊d/n⌋/d · v ≠ v."""
    v = VECTORS[0][:d]
    compressor = resolved("perm-k+f64", d, n)
    mean, count = np.zeros(d), 0
    for order in permutations(range(d)):
        drawn = np.arange(n), Fixed(order)
        monkeypatch.setattr(perm_k, "_permutations", lambda *_, drawn=drawn: drawn)
        mean += compressor.compress(v, key(0)).dense()
        count += 1
    np.testing.assert_allclose(mean / count, n * (d // n) / d * v)
    assert not np.allclose(mean / count, v)
    unturned = resolved("perm-k:order=cyclic+f64", d, n)
    monkeypatch.setattr(perm_k, "_turn", lambda *_: 0)
    assert not np.allclose(unturned.compress(v, key(0)).dense(), v)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 11])
@pytest.mark.parametrize("text", ["perm-k+f64", "perm-k:order=cyclic+f64"])
def test_the_workers_parts_make_up_the_vector(text, d, n):
    """θ = 0: (1/n) Σ C_i(v) = v in every round, n | d or not, d < n included."""
    compressor, v = resolved(text, d, n), VECTORS[0][:d]
    assert 0 == compressor.theta(d, n, "independent")
    for t in range(5):
        total = sum(compressor.compress(v, key(i, t)).dense() for i in range(n))
        np.testing.assert_allclose(total / n, v, rtol=1e-15)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_the_turn_is_the_published_recipe(n):
    """With r = below(n, 1) of the shared stream, worker i has block (i + r) mod n."""
    d = 20
    compressor = resolved("perm-k:order=cyclic", d, n)
    for t in range(20):
        for worker in range(n):
            draw = key(worker, t)
            parts = (draw.seed, draw.round, draw.sub, draw.direction, ALL, Purpose.SPARSIFIER)
            seat = (worker + PlainStream(*parts).below(n, 1)[0]) % n
            expected = list(range(seat * d // n, (seat + 1) * d // n))
            assert expected == compressor.compress(np.ones(d), draw).indices.tolist()
            draw_perm = resolved("perm-k", d, n).compress(np.ones(d), draw).indices.tolist()
            assert plain_block(PlainStream(*parts), d, n, worker) == draw_perm


@pytest.mark.parametrize("p", ["0.9/0.2/0.5/...", "0.25/1/0.125/0.5/0.75"])
@pytest.mark.parametrize("scaled", [True, False])
def test_bernoulli_with_a_probability_for_each(p, scaled, monkeypatch):
    """E C(v)_i = v_i scaled, p_i v_i if not; the bound is attained at the least likely one."""
    text, d = f"bernoulli:p={p}{',scaled=yes' if scaled else ''}+f64", 5
    compressor = resolved(text, d, 1)
    chances = np.array(
        [float(p.split("/")[min(i, p.count("/") - p.count("..."))]) for i in range(d)]
    )
    least = int(np.argmin(chances))
    q = chances[least]
    for v in (np.array([3.0, -1.0, 2.0, 0.5, -4.0]), np.eye(d)[least]):
        mean, _, error = moments(text, v, 1, monkeypatch)
        np.testing.assert_allclose(mean, v if scaled else chances * v, rtol=1e-12, atol=1e-12)
        each = 1 / chances - 1 if scaled else 1 - chances
        np.testing.assert_allclose(error, each @ v**2 / (v @ v), rtol=1e-12)
        bound = 1 / q - 1 if scaled else 1 - q
        assert error <= bound * (1 + 1e-12)
    np.testing.assert_allclose(error, bound, rtol=1e-12)
    expected = (1 / q - 1, None) if scaled else (None, q)
    assert expected == (compressor.omega(d), compressor.delta(d))
    assert chances.sum() == pytest.approx(compressor.density(d))


def test_one_factor_for_different_probabilities_is_noticed(monkeypatch):
    """The mean is not the vector any more."""
    text, v = "bernoulli:p=0.25/0.5/...,scaled=yes+f64", np.arange(1.0, 6.0)
    monkeypatch.setattr(Bernoulli, "varies", False)
    mean, _, _ = moments(text, v, 1, monkeypatch)
    assert mean.tolist() == pytest.approx([1.0, 4.0, 6.0, 8.0, 10.0])


def test_a_list_of_another_length_is_refused():
    """Unless its last probability is repeated."""
    with pytest.raises(SpecError, match=r"bernoulli\.p: 2 probabilities where d = 3"):
        resolved("bernoulli:p=0.5/0.1", 3, 1)
    assert 0.5 == resolved("bernoulli:p=0.5/0.1/...", 1, 1).density(1)


class Quarters:
    """A stream whose 16-bit words are 0 … 65535 once each, and whose uniforms are given."""

    def __init__(self, uniform):
        self.uniform = uniform
        self.at = 0
        self.words = np.arange(1 << 16, dtype="<u2").view("<u8")

    def words64(self, count):
        self.at += count
        return self.words[self.at - count : self.at]

    def uniforms(self, count):
        return np.full(count, self.uniform)


@pytest.mark.parametrize("p", [1.0, 0.5, 0.3, 0.1, 1e-3, 1e-7, 2.0**-16, 1 - 2.0**-20])
def test_bernoulli_keeps_with_probability_p_exactly(p):
    """Of all 16-bit words T are kept and one is undecided, with probability f: (T + f)/2¹⁶ = p."""
    chances = Chances((p,))
    counts = [
        bernoulli.bernoulli_indices(Quarters(u), 1 << 16, chances).size for u in (0.0, 1 - 2.0**-53)
    ]
    threshold, fraction = divmod(p * 2**16, 1)
    assert [threshold + (fraction > 0), threshold] == counts
    for u, more in ((fraction, 0), (np.nextafter(fraction, 0), 1)):
        if fraction:
            assert (
                threshold + more == bernoulli.bernoulli_indices(Quarters(u), 1 << 16, chances).size
            )


@pytest.mark.parametrize("d", [1, 5, 70_001])
@pytest.mark.parametrize("p", [[0.3], [1e-5], [1.0], [0.3, 1.0, 1e-5, 0.7], [1.0, 0.3]])
def test_bernoulli_is_the_published_recipe(d, p):
    """Quarters of words, then uniforms for the undecided, in plain integers."""
    plain = PlainStream(7, purpose=Purpose.SPARSIFIER)
    chances = [divmod((p + [p[-1]] * d)[i] * 2**16, 1) for i in range(d)]
    words = plain.words64((d + 3) // 4)
    quarters = [word >> shift & 0xFFFF for word in words for shift in (0, 16, 32, 48)][:d]
    ties = [i for i, u in enumerate(quarters) if u == chances[i][0]]
    uniforms = plain.uniforms(len(ties))
    chosen = [i for i, u in zip(ties, uniforms, strict=True) if u < chances[i][1]]
    expected = sorted([i for i, u in enumerate(quarters) if u < chances[i][0]] + chosen)
    asked = Chances(tuple(p), again=len(p) > 1)
    actual = bernoulli.bernoulli_indices(Draw(7).stream(Purpose.SPARSIFIER), d, asked)
    assert expected == actual.tolist()


@pytest.mark.parametrize(
    "v", [[8.0, -1, 0, 4, -2, 0.5, 0.5, 0], [1.0] * 8, [0, 0, 16.0, 0], [-4.0, 0, 8, 4, 0, 0]]
)
def test_adaptive_over_all_outcomes(v, monkeypatch):
    """P(i) = |v_i|/‖v‖₁ exactly, and Lemma 10: the constants hold, with equality for v = e.

    ‖v‖₁ is a power of two and every partial sum a multiple of its 32nd part, so 32 values of
    the uniform stand for all. A value just below the next is the same outcome.
    """
    v = np.array(v)
    d, norm1, norm2 = v.size, np.abs(v).sum(), v @ v
    compressor = resolved("adaptive+f64", d, 1)
    drawn = []
    for u in np.arange(32) / 32:
        for uniform in (u, np.nextafter(u + 1 / 32, 0)):
            monkeypatch.setattr(
                Stream, "uniforms", lambda _s, count, uniform=uniform: np.full(count, uniform)
            )
            drawn.append(compressor.compress(v, key()))
    chosen = np.array([payload.indices[0] for payload in drawn])
    assert (np.abs(v) / norm1).tolist() == (np.bincount(chosen, minlength=d) / 64).tolist()
    mean = np.mean([payload.dense() for payload in drawn], axis=0)
    square = np.mean([payload.dense() @ payload.dense() for payload in drawn])
    (alpha, beta), (gamma, _), delta = compressor.b1(d), compressor.b2(d), compressor.delta(d)
    assert (1 / d, 1.0, 1 / d, 1 / d) == (alpha, beta, gamma, delta)
    assert alpha * norm2 <= square == beta * (mean @ v)
    assert norm2 - 2 * mean @ v + square <= (1 - delta) * norm2 + 1e-12
    if len(set(v.tolist())) == 1:
        assert alpha * norm2 == square


@pytest.mark.parametrize("d", [1, 100, 200_003])
def test_adaptive_never_chooses_a_zero(d):
    """Whatever the uniform, over chunks too; of the zero vector coordinate 0 is sent."""
    v = np.zeros(d, np.float32)
    assert [0] == Adaptive().select(v, key()).tolist()
    places = [d // 3, d // 2, d - 1]
    v[places] = 1e-30, 3e38, -2e38
    for u in (0.0, 1e-300, 0.3, 0.7, 1 - 2.0**-53):
        assert rand_k._proportional(v, u) in places
        assert rand_k._proportional(v.astype(np.float64) * 1e269, u) in places
    assert rand_k._proportional(v, 1 - 2.0**-53) == d - 1


def asked(text, monkeypatch):
    """Return the (key, purpose) that one message of `text` draws from, in their order."""
    found = []
    original = Draw.stream

    def stream(self, purpose):
        found.append((self, purpose))
        return original(self, purpose)

    compressor = resolved(text, 41, 5)
    perm_k._permutations.cache_clear()
    sketch._kept.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(Draw, "stream", stream)
        compressor.compress(np.arange(1.0, 42.0), key(1))
    # Where a quantizer's parts are counted, samples are encoded with a key that is no message's.
    return [(draw, purpose) for draw, purpose in found if draw.seed == key(1).seed]


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_every_part_draws_from_a_stream_of_its_own(text, monkeypatch):
    """No (key, purpose) serves two parts of a message; only what is shared loses the worker.

    One stream for sparsifier and quantizer would bias a chain, one for two messages of fcc
    would have the second repeat the choices of the first.
    """
    streams = asked(text, monkeypatch)
    assert len(streams) == len(set(streams))
    shared = "perm-k" in text or "sketch" in text
    for draw, purpose in streams:
        assert purpose in {Purpose.SPARSIFIER, Purpose.QUANTIZER}
        assert draw.at(sub=0) == key(ALL if shared and purpose is Purpose.SPARSIFIER else 1)


@pytest.mark.parametrize("sparsifier", PAIRED)
@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_sparsifier_and_quantizer_share_no_stream(sparsifier, quantizer, monkeypatch):
    """Each asks for the streams of its own purpose, alone and together."""
    alone = {purpose for _, purpose in asked(quantizer, monkeypatch)}
    assert alone == (
        set() if names(quantizer) & DETERMINISTIC or "biased" in quantizer else {Purpose.QUANTIZER}
    )
    chosen = {purpose for _, purpose in asked(f"{sparsifier}+f64", monkeypatch)}
    assert chosen == (set() if names(sparsifier) <= DETERMINISTIC else {Purpose.SPARSIFIER})
    pair = [purpose for _, purpose in asked(f"{sparsifier}+{quantizer}", monkeypatch)]
    assert sorted(alone | chosen) == sorted(pair)
