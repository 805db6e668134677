"""How much memory some work holds at a time, as traced: the same on any machine."""

import tracemalloc

GOES = 3


def held(work, most, before=lambda: None):
    """Return what `work` returns, and the most bytes it held at a time.

    Other threads' memory is traced too, a test runner's for one, which handles its messages
    meanwhile: what is above `most` is measured again, and the least of three goes counts. `before`
    is called ahead of each, and forgets what the last one has left in a cache.
    """
    least = None
    for _ in range(GOES):
        before()
        result, peak = traced(work)
        least = peak if least is None else min(least, peak)
        if least <= most:
            break
    return result, least


def traced(work):
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
