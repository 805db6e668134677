"""Sparse data of the size of rcv1 stay sparse: memory counted by the allocator, never timed."""

import tracemalloc

import numpy as np
import pytest

from benchmarks.gradients import MEMORY_GOAL, peak, size_of, sparse_data
from netcomp.data import equal
from netcomp.draw import Draw
from netcomp.problems import Logistic
from netcomp.roles import Batch


@pytest.fixture(scope="module")
def data():
    return sparse_data(20_000, 47_000, 75)


def test_dealing_the_data_and_gradients_take_twice_the_data_at_most(data):
    """All workers' shards, a full gradient each and a small batch, the data set included."""
    assert peak(data) <= MEMORY_GOAL * size_of(data)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scattered", [False, True])
def test_a_gradient_takes_vectors_alone(data, bias, scattered):
    """A few of length d and m; neither a bias column nor a transpose copies the rows."""
    problem = Logistic(bias=bias, l2=1e-3)
    part = equal(data.rows, 4).parts[1]
    part = np.random.default_rng(0).permutation(part) if scattered else part
    oracle = problem.oracle(data.take(part), 1, 4, Draw(0))
    x = np.ones(oracle.dim)
    oracle.gradient(x)
    vectors = 8 * (4 * oracle.dim + 10 * oracle.rows)
    for batch in (None, Batch(10, Draw(1)), Batch(10, Draw(1), replace=True)):
        tracemalloc.start()
        oracle.gradient(x, batch)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < vectors + 50_000


def test_constants_of_wide_data_take_no_matrix(data):
    """d² numbers would be 17 GB: Lanczos needs some twenty vectors, row norms the squares."""
    problem = Logistic()
    parts = equal(data.rows, 4).parts
    own = [problem.oracle(data.take(part), i, 4, Draw(0)) for i, part in enumerate(parts)]
    tracemalloc.start()
    local, joint = dict(own[0].constants), problem.joint(own)
    assert {"L", "calL", "L_sample", "sigma_sq"} == set(local)
    assert joint["L"].value < local["L_sample"].value
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < size_of(data) + 30 * 8 * 47_000
