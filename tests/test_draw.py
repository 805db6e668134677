"""Randomness: the recipe, its published vectors, independence of keys, uniformity."""

import itertools
import json
import math
import re
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from netcomp.compressors import PermK
from netcomp.draw import ALL, MAX_BOUND, Direction, Draw, Purpose, Stream
from support.recipe import PlainStream, plain_block

DOC = Path(__file__).parents[1] / "docs" / "randomness.md"
VECTORS = json.loads(re.search(r"```json\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)[1])
# A correct implementation fails a test of this kind for one choice of seeds in a million.
CONFIDENCE = 1 - 1e-6

seeded = settings(derandomize=True, deadline=None, max_examples=60, database=None)
words = st.integers(0, 2**64 - 1)
keys = st.tuples(
    words,
    words,
    words,
    st.sampled_from(Direction),
    st.integers(0, ALL),
    st.sampled_from(Purpose),
)


def stream(*key, purpose=Purpose.COIN):
    """Return the stream of seed, round, sub-round, direction, worker, purpose, or the first few."""
    *parts, purpose = key if len(key) == 6 else (*key, purpose)
    return Draw(*parts).stream(purpose)


@seeded
@given(keys, st.integers(0, 40))
def test_words_are_those_of_the_recipe_in_plain_integers(key, count):
    """BLAKE2b and SFC64 written out give the same 64-bit words, 32-bit words and uniforms."""
    assert PlainStream(*key).words64(count) == stream(*key).words64(count).tolist()
    assert PlainStream(*key).words32(count) == stream(*key).words32(count).tolist()
    assert PlainStream(*key).uniforms(count) == stream(*key).uniforms(count).tolist()


@seeded
@given(keys)
def test_one_uniform_number_after_the_other_is_what_uniforms_gives(key):
    """`uniform` three times is `uniforms(3)`."""
    one_by_one = stream(*key)
    assert stream(*key).uniforms(3).tolist() == [one_by_one.uniform() for _ in range(3)]


@seeded
@given(keys, st.one_of(st.integers(1, 50), st.integers(1, MAX_BOUND)), st.integers(0, 40))
def test_below_is_the_recipe(key, bound, count):
    """Lemire's rejection, word by word in Python integers, gives the same numbers."""
    assert PlainStream(*key).below(bound, count) == stream(*key).below(bound, count).tolist()


@seeded
@given(keys, st.integers(1, 80), st.data())
def test_distinct_is_the_recipe(key, bound, data):
    """A set filled one by one gives the same subset, above half the range its complement."""
    count = data.draw(st.integers(0, bound))
    expected = PlainStream(*key).distinct(bound, count)
    actual = stream(*key).distinct(bound, count)
    assert expected == actual.tolist()
    assert np.int64 == actual.dtype


def test_distinct_of_many_is_the_recipe():
    """Sorted or marked, in 16 bits or more, in one batch or several: no trace in the result."""
    sizes = [(100_000, 3000), (5000, 2500), (5000, 2501), (MAX_BOUND, 2000), (MAX_BOUND, 9000)]
    for bound, count in [*sizes, (100_000, 8333), (100_000, 8334), (65_536, 5000), (65_537, 5000)]:
        assert PlainStream(9).distinct(bound, count) == stream(9).distinct(bound, count).tolist()


def test_none_and_all_are_drawn_without_a_word():
    """Of an empty range too."""
    for bound, count in [(0, 0), (1, 0), (1, 1), (7, 0), (7, 7)]:
        assert list(range(count)) == stream(9).distinct(bound, count).tolist()


def test_distinct_refuses_a_bound_beyond_32_bits():
    """As `below` does: nothing wraps around."""
    with pytest.raises(ValueError, match=f"{MAX_BOUND + 1}"):
        stream(1).distinct(MAX_BOUND + 1, 5)


def _plain(vector):
    key, (call, arguments) = tuple(vector["key"].values()), (vector["call"], vector["arguments"])
    plain = PlainStream(*key)
    return plain_block(plain, *arguments) if call == "perm-k" else getattr(plain, call)(*arguments)


def _netcomp(vector):
    draw_key = vector["key"]
    draw = Draw(*list(draw_key.values())[:4], worker=draw_key["worker"])
    call, arguments = vector["call"], vector["arguments"]
    if call == "perm-k":
        d, n, worker = arguments
        return PermK(n).derive((), d, draw.at(worker=worker)).tolist()
    return getattr(draw.stream(draw_key["purpose"]), call)(*arguments).tolist()


def _published(vector):
    if vector["call"].startswith("words"):
        return [int(word, 16) for word in vector["result"]]
    if vector["call"] == "uniforms":
        return [float.fromhex(number) for number in vector["result"]]
    return vector["result"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['call']}-{v['arguments']}")
def test_published_vectors_hold(vector):
    """docs/randomness.md, the plain recipe and netcomp agree on every vector."""
    assert ["seed", "round", "sub", "direction", "worker", "purpose"] == list(vector["key"])
    assert _published(vector) == _plain(vector)
    assert _published(vector) == _netcomp(vector)


def test_published_vectors_cover_every_call_and_both_kinds_of_permutation():
    """No call of the recipe goes without a vector, the document names every purpose's number."""
    calls = {"words64", "words32", "uniforms", "below", "distinct", "perm-k"}
    assert calls == {vector["call"] for vector in VECTORS}
    sizes = [vector["arguments"][0] for vector in VECTORS if vector["call"] == "perm-k"]
    assert min(sizes) <= 4096 < max(sizes)
    text = DOC.read_text("utf-8")
    assert [] == [p.name for p in Purpose if f"{p.value} {p.name.lower()}" not in text]


def test_every_part_of_the_key_matters():
    """All purposes, directions, rounds, sub-rounds, workers and seeds give distinct streams."""
    seen = set()
    parts = itertools.product((0, 1, 2**63), range(4), range(3), Direction, (0, 1, 2, ALL), Purpose)
    combinations = list(parts)
    for seed, round_, sub, direction, worker, purpose in combinations:
        key = stream(seed, round_, sub, direction, worker, purpose)
        seen.update(key.words64(4).tolist())
    assert 4 * len(combinations) == len(seen)


def test_a_stream_starts_anew_each_time_it_is_asked_for():
    """Nothing is stored: the same key gives the same words, whatever was drawn in between."""
    draw = Draw(5, 3)
    first = draw.stream(Purpose.INIT).words64(5).tolist()
    draw.stream(Purpose.COIN).words64(100)
    assert first == draw.stream(Purpose.INIT).words64(5).tolist()


@seeded
@given(words, st.integers(1, 1000), st.lists(st.integers(0, 30), max_size=8))
def test_batches_leave_no_trace(seed, bound, sizes):
    """Several calls of words64, uniforms and below give what one call gives."""
    for name, *leading in (("words64",), ("uniforms",), ("below", bound)):
        one, many = stream(seed), stream(seed)
        pieces = [getattr(many, name)(*leading, size).tolist() for size in sizes]
        whole = getattr(one, name)(*leading, sum(sizes)).tolist()
        assert whole == list(itertools.chain(*pieces))


@seeded
@given(words, st.integers(2, 300), st.data())
def test_distinct_grows_with_its_count(seed, bound, data):
    """Up to half the range the subset of k − 1 lies in that of k, which holds one more."""
    k = data.draw(st.integers(1, max(1, bound // 2)))
    smaller, larger = (set(stream(seed).distinct(bound, m).tolist()) for m in (k - 1, k))
    assert smaller < larger <= set(range(bound))
    assert k == len(larger)


@pytest.mark.parametrize(("bound", "count"), [(6, 2), (6, 4), (5, 1), (7, 3), (8, 4)])
def test_distinct_is_a_uniform_subset(bound, count):
    """Chi-square over all subsets, 60 draws expected of each, at the stated confidence."""
    subsets = list(itertools.combinations(range(bound), count))
    draws = 60 * len(subsets)
    seen = Counter(
        tuple(stream(7, round_, purpose=Purpose.SPARSIFIER).distinct(bound, count).tolist())
        for round_ in range(draws)
    )
    assert set(seen) <= set(subsets)
    statistic = sum((seen[subset] - 60) ** 2 / 60 for subset in subsets)
    assert statistic < chi2.ppf(CONFIDENCE, len(subsets) - 1)


@pytest.mark.parametrize("bound", [2, 3, 10, 3 * 2**29])
def test_below_is_uniform(bound):
    """Chi-square over at most ten equal cells; 3·2²⁹ would be far off without rejection."""
    draws, cells = 30_000, min(bound, 6 if bound > 10 else bound)
    values = stream(11).below(bound, draws)
    seen = np.bincount(values * cells // bound, minlength=cells)
    expected = draws / cells
    assert ((seen - expected) ** 2 / expected).sum() < chi2.ppf(CONFIDENCE, cells - 1)


def test_coin_is_shared_by_workers_and_not_by_directions():
    """The workers of a round and direction see one coin; directions toss their own."""
    p = 0.37
    sides = []
    for direction in (Direction.UP, Direction.DOWN):
        side = []
        for round_ in range(200):
            key = Draw(3, round_, direction=direction)
            tosses = {key.at(worker=worker).coin(p) for worker in (0, 1, 17, ALL)}
            assert 1 == len(tosses)
            side += tosses
        sides.append(side)
    assert sides[0] != sides[1]


@pytest.mark.parametrize("p", [0.01, 0.25, 0.9])
def test_coin_has_its_probability(p):
    """The share of heads in 20 000 rounds lies within the binomial's interval."""
    heads = sum(Draw(1, round_, direction=Direction.UP).coin(p) for round_ in range(20_000))
    deviation = abs(heads - 20_000 * p) / math.sqrt(20_000 * p * (1 - p))
    assert deviation < 4.9  # two-sided 1e-6


def test_sure_and_impossible_coins():
    """With p = 1 a coin always falls heads, with p = 0 never."""
    draws = [Draw(1, round_) for round_ in range(100)]
    assert all(draw.coin(1.0) for draw in draws)
    assert not any(draw.coin(0.0) for draw in draws)


def test_normals_are_standard():
    """Mean 0, variance 1 and fourth moment 3 within five standard errors; odd counts too."""
    values = stream(2, purpose=Purpose.INIT).normals(40_001)
    assert 40_001 == values.size
    for power, moment, spread in ((1, 0.0, 1.0), (2, 1.0, 2.0), (4, 3.0, 96.0)):
        error = abs((values**power).mean() - moment)
        assert error < 5 * math.sqrt(spread / values.size)


@pytest.mark.parametrize("bound", [0, -1, MAX_BOUND + 1])
def test_below_refuses_bounds_outside_its_range(bound):
    """A bound outside 1 … 2³¹ − 1 is a ValueError naming it."""
    with pytest.raises(ValueError, match=f"{bound}"):
        stream(1).below(bound, 1)


@pytest.mark.parametrize(("bound", "count"), [(3, 4), (3, -1), (0, 1)])
def test_distinct_refuses_more_than_there_are(bound, count):
    """A count outside 0 … bound is a ValueError naming both."""
    with pytest.raises(ValueError, match=rf"{count} distinct integers below {bound}"):
        stream(1).distinct(bound, count)


@pytest.mark.parametrize("part", ["seed", "round", "sub", "worker"])
@pytest.mark.parametrize("value", [-1, 2**64])
def test_key_parts_outside_64_bits_are_refused(part, value):
    """A key part that does not fit is refused, never wrapped to another key."""
    with pytest.raises((ValueError, struct.error)):
        Draw(**{"seed": 1, part: value}).stream(Purpose.COIN)


def test_at_and_shared_replace_parts_of_the_key():
    """`at` replaces what it is given, zeros included; `shared` forgets the worker."""
    draw = Draw(1, 2, 3, Direction.UP, 4)
    assert Draw(1, 0, 3, Direction.UP, 4) == draw.at(round_=0)
    assert Draw(1, 2, 0, Direction.DOWN, 0) == draw.at(sub=0, direction=Direction.DOWN, worker=0)
    assert Draw(1, 2, 3, Direction.UP, ALL) == draw.shared()
    assert draw == draw.at()


def test_a_stream_needs_no_draw():
    """`Stream` of the 48 key bytes is what `Draw.stream` returns."""
    key = struct.pack("<6Q", 1, 2, 3, Direction.UP, 4, Purpose.JITTER)
    expected = stream(1, 2, 3, Direction.UP, 4, Purpose.JITTER).words64(3).tolist()
    assert expected == Stream(key).words64(3).tolist()
