"""What holds for all tests."""

import multiprocessing
import threading

import pytest
from hypothesis import settings

# No verdict depends on how fast the machine is, on chance, or on what an earlier run has found.
settings.register_profile("netcomp", deadline=None, derandomize=True, database=None)
settings.load_profile("netcomp")


@pytest.fixture(autouse=True)
def _nothing_left_behind():
    """Hold each test to ending what it starts: a thread left over keeps pytest from ending."""
    before = set(threading.enumerate())
    yield
    left = [each for each in threading.enumerate() if each not in before and not each.daemon]
    assert ([], []) == (left, multiprocessing.active_children())
