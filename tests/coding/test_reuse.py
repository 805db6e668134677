"""Memory of long vectors is used again, and never while somebody can still see it."""

import threading

import numpy as np
import pytest

from netcomp.coding import reuse
from netcomp.coding.reuse import empty_float32

SIZE = 1 << 10


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """As if vectors of this length were long; what is spare now stays out of it."""
    monkeypatch.setattr(reuse, "_LEAST", 4 * SIZE)
    monkeypatch.setattr(reuse, "_spare", [])


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_that_was_let_go_is_used_again():
    """The next vector of the length stands where the last one stood."""
    first = empty_float32(SIZE)
    before = address(first)
    del first
    assert before == address(empty_float32(SIZE))


@pytest.mark.parametrize(
    "seen",
    [
        lambda out: out,
        lambda out: out[3:],
        lambda out: out.reshape(-1, 8)[:2, 1],
        lambda out: out[:7].view(np.uint32),
        lambda out: memoryview(out[5:]),
        lambda out: np.frombuffer(out.data, np.uint8)[1:3],
    ],
)
def test_memory_in_sight_is_left_alone(seen):
    """A view of a view, of another type or through a buffer, keeps its block."""
    out = empty_float32(SIZE)
    out[:] = 1.0
    view = seen(out)
    del out
    kept = bytes(view)
    others = [empty_float32(SIZE) for _ in range(3)]
    for other in others:
        other[:] = -2.0
    assert kept == bytes(view)
    assert 3 == len({address(other) for other in others})


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE + 1, 2 * SIZE])
def test_any_length_is_writable(size):
    """Short ones, and those of another length than the block that is spare."""
    empty_float32(SIZE)
    out = empty_float32(size)
    out[:] = 1.0
    assert (size, np.float32) == (out.size, out.dtype)
    assert size == np.count_nonzero(out)


def test_one_block_is_kept_and_none_above_the_limit(monkeypatch):
    """Whatever was in use at a time."""
    several = [empty_float32(SIZE) for _ in range(4)]
    several.clear()
    assert 1 == len(reuse._spare)
    monkeypatch.setattr(reuse, "_MOST", 8 * SIZE)
    reuse._spare.clear()
    empty_float32(2 * SIZE + 1)
    assert [] == reuse._spare


def test_threads_never_share_a_block():
    """Each thread finds what it wrote, however the others take and let go."""
    wrong = []

    def work(mark):
        for _ in range(300):
            out = empty_float32(SIZE)
            out[:] = mark
            if not (out == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(float(mark),)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
