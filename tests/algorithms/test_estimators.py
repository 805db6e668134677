"""What an estimator asks of a worker's rows, and that it estimates the gradient."""

from itertools import product

import numpy as np
import pytest

from netcomp.algorithms.estimators import (
    LooplessSvrg,
    TwoPoint,
    read_estimator,
)
from netcomp.compressors.count import Count
from netcomp.draw import Direction, Draw, Purpose
from netcomp.roles import Batch
from support.cases import logistic


class Asked:
    """An oracle that notes the batches it is asked for; ∇f_i(z) = z."""

    rows = 10

    def __init__(self):
        self.batches = []

    def gradient(self, x, batch=None):
        self.batches.append(batch)
        return x.copy()


KEY = Draw(3, round=5, direction=Direction.UP, worker=2)


def asked(text, state=None, key=KEY, z=1.0):
    oracle = Asked()
    read_estimator(text).gradient(state, oracle, np.full(2, z), key)
    return oracle.batches


def test_batches_are_drawn_from_the_workers_key():
    """One batch a gradient, R of different sub-rounds accumulated, one at both points."""
    assert [None] == asked("full") == asked("two-point:b=3")
    assert [Batch(3, KEY)] == asked("minibatch:b=3")
    assert [Batch(3, KEY, replace=True)] == asked("minibatch:b=3,replace")
    assert [Batch(3, KEY.at(sub=r)) for r in range(4)] == asked("accumulate:r=4,b=3")
    assert [Batch(6, KEY)] == asked("two-point:b=3,whole=6")
    oracle = Asked()
    z = np.ones(2)
    assert [2.0, 2.0] == TwoPoint(Count("3")).change(oracle, 3 * z, z, KEY).tolist()
    assert [Batch(3, KEY)] * 2 == oracle.batches


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_svrg_asks_for_all_rows_when_its_point_moves(p):
    """Two gradients over one batch, and the full one at first and after a coin of 1."""
    svrg, oracle, z = LooplessSvrg(Count("3"), p), Asked(), np.ones(2)
    estimate, state = svrg.gradient(None, oracle, z, KEY)
    whole = [None] if p else []
    assert [None, Batch(3, KEY), Batch(3, KEY), *whole] == oracle.batches
    assert [1.0, 1.0] == estimate.tolist()
    oracle.batches.clear()
    svrg.gradient(state, oracle, 2 * z, KEY)
    assert [Batch(3, KEY), Batch(3, KEY), *whole] == oracle.batches


@pytest.mark.parametrize("text", ["minibatch:b=3", "accumulate:r=2,b=3", "svrg:b=3,p=0.5"])
def test_estimates_are_unbiased(text):
    """The mean over many rounds' keys is ∇f_i, to the accuracy their number allows."""
    oracle = logistic(4, 1).oracles[0]
    z, y = np.ones(4), np.zeros(4)
    state = (y, oracle.gradient(y)) if text.startswith("svrg") else None
    estimator, rounds = read_estimator(text), 4000
    found = np.array(
        [estimator.gradient(state, oracle, z, KEY.at(round_=t))[0] for t in range(rounds)]
    )
    spread = found.std(axis=0) / rounds**0.5
    assert (np.abs(found.mean(axis=0) - oracle.gradient(z)) < 6 * spread).all()


def test_every_use_of_a_round_has_a_stream_of_its_own():
    """Coins, participation, sparsifiers and minibatches of either direction never coincide.

    Nor do the draws of a worker drawn again, the accumulated batches and svrg's coin.
    """
    keys = {}
    for worker, sub in product(range(3), range(3)):
        key = Draw(1, 7, sub, Direction.UP, worker)
        for purpose in (Purpose.SPARSIFIER, Purpose.QUANTIZER, Purpose.MINIBATCH):
            keys[f"up {worker} {sub} {purpose.name}"] = key.stream(purpose)
        for purpose in (Purpose.SPARSIFIER, Purpose.QUANTIZER):
            down = key.at(direction=Direction.DOWN)
            keys[f"down {worker} {sub} {purpose.name}"] = down.stream(purpose)
    shared = Draw(1, 7)
    keys["broadcast"] = shared.at(direction=Direction.DOWN).stream(Purpose.SPARSIFIER)
    keys["up coin"] = shared.at(direction=Direction.UP).stream(Purpose.COIN)
    keys["down coin"] = shared.at(direction=Direction.DOWN).stream(Purpose.COIN)
    keys["svrg coin"] = shared.stream(Purpose.COIN)
    keys["participation"] = shared.stream(Purpose.PARTICIPATION)
    keys["next round's"] = Draw(1, 8).stream(Purpose.PARTICIPATION)
    first = {name: tuple(stream.words64(2)) for name, stream in keys.items()}
    assert len(first) == len(set(first.values()))


def test_svrgs_coin_is_the_workers_and_marinas_are_the_directions():
    """One svrg coin a round for all workers, independent of both directions' coins."""
    tosses = {
        direction: [Draw(1, t, direction=direction).coin(0.5) for t in range(64)]
        for direction in Direction
    }
    assert 3 == len({tuple(found) for found in tosses.values()})
    svrg = LooplessSvrg(Count("1"), 0.5)
    for worker in range(3):
        moved = []
        for t in range(64):
            key = Draw(1, t, direction=Direction.UP, worker=worker)
            state = np.zeros(2), np.zeros(2)
            _, (y, _) = svrg.gradient(state, Asked(), np.ones(2), key)
            moved.append(bool(y.any()))
        assert tosses[Direction.NONE] == moved
