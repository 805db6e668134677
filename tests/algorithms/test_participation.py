"""Who takes part: whose the draws are, and how often."""

from itertools import product

import numpy as np

from netcomp.algorithms.participation import Everybody, Independent, Uniform
from netcomp.draw import ALL, Direction, Draw, Purpose

KEY = Draw(3, round=5, direction=Direction.UP, worker=2)


def test_everybody_hears_and_speaks():
    """All: every worker, with the key it was given."""
    assert [0, 1, 2] == [*Everybody().hearers(3, Draw(1))]
    assert ([KEY], 3, 1.0) == (Everybody().keys(3, 2, KEY), Everybody().speakers(3), 1.0)


def draws_of(n, r, t, seed=0):
    """Return the worker of each of the r draws of a round."""
    found = {}
    for worker in range(n):
        key = Draw(seed, t, direction=Direction.UP, worker=worker)
        for one in Uniform(r).keys(n, worker, key):
            assert key == one.at(sub=0)
            found[one.sub] = worker
    assert [*range(r)] == sorted(found)
    return tuple(found[j] for j in range(r))


def test_whose_the_draws_are_does_not_depend_on_what_was_asked_before():
    """Rounds, seeds and sizes in turn give what each gives alone: the first r words of its key."""
    cases = [(3, 7, 1, 0), (3, 7, 2, 0), (4, 7, 1, 0), (3, 6, 1, 0), (3, 7, 1, 5)]
    alone = [
        Draw(seed, t).stream(Purpose.PARTICIPATION).below(n, r).tolist() for n, r, t, seed in cases
    ]
    for _ in range(2):
        assert alone == [[*draws_of(*case)] for case in cases]


def test_uniform_draws_are_uniform_over_all_sequences():
    """R draws with replacement: each of the n^r sequences equally often, duplicates included."""
    n, r, rounds = 3, 2, 9000
    counts = np.zeros((n, n))
    for t in range(rounds):
        counts[draws_of(n, r, t)] += 1
    expected = rounds / n**r
    spread = (expected * (1 - 1 / n**r)) ** 0.5
    assert (np.abs(counts - expected) < 5.5 * spread).all()


def test_uniform_divides_by_its_draws_and_all_hear():
    """R messages in all, of as many senders as there were draws; more draws than workers too."""
    assert 5 == Uniform(5).speakers(3)
    assert [0, 1, 2] == [*Uniform(1).hearers(3, Draw(1))]
    for t in range(50):
        assert 7 == len(draws_of(3, 7, t))


def test_each_subset_of_workers_is_there_with_its_probability():
    """Independent: P(S) = p^|S| (1 − p)^(n − |S|), the empty set included."""
    n, p, rounds = 3, 0.3, 9000
    part, counts = Independent(p), {}
    for t in range(rounds):
        here = tuple(part.hearers(n, Draw(5, t)))
        counts[here] = counts.get(here, 0) + 1
    for bits in product([0, 1], repeat=n):
        here = tuple(i for i in range(n) if bits[i])
        chance = p ** len(here) * (1 - p) ** (n - len(here))
        spread = (rounds * chance * (1 - chance)) ** 0.5
        assert abs(counts.get(here, 0) - rounds * chance) < 5.5 * spread
    assert (0.3, 3) == (part.share, part.speakers(3))


def test_who_is_there_is_known_to_both_ends():
    """Any key of the round gives the same workers: the server's, a worker's, either direction's."""
    for t in range(20):
        expected = Independent(0.5).hearers(9, Draw(1, t))
        for direction, worker in product(Direction, (ALL, 0, 5)):
            key = Draw(1, t, 0, direction, worker)
            assert expected == Independent(0.5).hearers(9, key)
    assert [*range(9)] == Independent(1.0).hearers(9, Draw(1))
