"""Links in network namespaces of our own: what must hold on any machine, however slow.

How close netcomp and the kernel are is a matter of figures: `make kernel-links`.
"""

import json
import math
import subprocess
import sys
from dataclasses import asdict

import pytest

from benchmarks.links.namespaces import FAR_SERVER, SERVER, missing, star
from benchmarks.links.transfers import Case, frame_bytes
from netcomp.link import WIRE_SHARE

REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=f"no namespaces of our own: {REASON}")

MBIT = 125_000.0
BURST = 16 * 1024
PAYLOAD = 300_000


def transfers(one, rate, send=math.inf, latency=0.0, host=SERVER):
    """Return the seconds of transfers down and up at once, one on each worker's link."""
    case = Case(
        connections=one.workers,
        rate=rate,
        ways=("down", "up"),
        repeats=1,
        payload=PAYLOAD,
        send=send,
        latency=latency,
        host=host,
        launchers=one.launchers,
    )
    command = (sys.executable, "-m", "benchmarks.links.kernel", "--case", json.dumps(asdict(case)))
    return json.loads(one.run_at_server(*command, seconds=60.0))


def test_neither_kernel_nor_netcomp_is_faster_than_its_line():
    """What is slowed takes at least its bytes at the rate, headers included; the kernel's
    bucket gives a burst on top.
    """
    line = 10 * MBIT
    least = frame_bytes(PAYLOAD) / (line * WIRE_SHARE)
    with star(1) as one:
        one.shape("10mbit", "10mbit")
        kernel = transfers(one, math.inf)
        one.shape(None, None)
        ours = transfers(one, line * WIRE_SHARE)
    for way in ("down", "up"):
        assert min(kernel[way]) >= least - 2 * BURST / line
        assert min(ours[way]) >= least - 1e-6


def test_a_shared_rate_is_kept_across_namespaces():
    """Two workers whose links carry more than the server sends: together at its rate."""
    with star(2) as one:
        ours = transfers(one, 20 * MBIT, send=10 * MBIT)
    assert (2, 2) == (len(ours["down"]), len(ours["up"]))
    assert max(ours["down"]) >= 2 * frame_bytes(PAYLOAD) / (10 * MBIT) - 1e-3


def test_nothing_arrives_before_its_delay():
    """Over a line that delays, and emulated: at least the delay each way, whatever the rate."""
    delay = 0.03
    with star(1) as one:
        with one.far(delay):
            kernel = transfers(one, math.inf, host=FAR_SERVER)
        ours = transfers(one, math.inf, latency=delay)
    assert delay <= min(*kernel["down"], *kernel["up"], *ours["down"], *ours["up"])


def test_nothing_is_left_behind():
    """A star can be made again under its own names, also after one in which a command failed."""
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError), star(1) as one:
            one.run_at_server("false", seconds=10.0)
