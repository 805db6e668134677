"""The server's memory is a small multiple of one vector, however many workers there are."""

import json
import os
import sys

import pytest

# A server process that tells its memory before the run and its peak after it.
SERVER = """
import json, re, sys
from pathlib import Path
import numpy, netcomp
from netcomp.experiment.run import execute
from netcomp.experiment.spec import Spec
import netcomp.experiment.build, netcomp.experiment.recorder

def status(key):
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{key}:\\s+(\\d+) kB", text, re.M)[1])

tree = json.loads(sys.argv[1])
execute(Spec.parse({**tree, "problem": {**tree["problem"], "dim": 1000}}), keep=False)
base = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
result = execute(Spec.parse(tree), keep=False)
assert result.error is None, result.error
print(json.dumps({"base": base, "peak": status("VmHWM"), "summary": result.summary}))
"""
LIMIT = 6
# Else the allocator of some systems keeps freed vectors for the next ones, how many being chance.
RETURNED = {"MALLOC_MMAP_THRESHOLD_": str(2**16)}


def tree(dim):
    return {
        "problem": {"name": "quadratic-scaled-identity", "dim": dim},
        "cluster": {"workers": 2, "processes": 2},
        "algorithm": {"name": "gd", "dtype": "f32", "values": "f32"},
        "stop": {"rounds": 4},
        "record": {"every": 2},
    }


def measured(family, dim):
    done = family.run(argv=[sys.executable, "-c", SERVER, json.dumps(tree(dim))], **RETURNED)
    assert 0 == done.code, done.err
    figures = json.loads(done.out.splitlines()[-1])
    vector = 4 * dim
    figures["above"] = (figures["peak"] - figures["base"]) / vector
    figures["whole"] = figures["peak"] / vector
    told = (
        f"d = {dim:.0e}: {figures['base'] / 1e6:.0f} MB before, {figures['peak'] / 1e6:.0f} MB at"
        f" the peak: {figures['above']:.2f} vectors more; in all {figures['whole']:.2f}"
    )
    print(told)  # noqa: T201 — pytest -rP shows it
    assert dim == figures["summary"]["dim"]
    assert figures["summary"]["consistent"]
    return figures


needs_proc = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux's memory accounts"
)


@needs_proc
def test_a_million(family):
    """Of 10^6 coordinates: at its peak the server holds at most six vectors more than before."""
    assert measured(family, 10**6)["above"] <= LIMIT


@needs_proc
@pytest.mark.skipif("NETCOMP_HEAVY" not in os.environ, reason="set NETCOMP_HEAVY=1")
def test_ten_millions(family):
    """Of 10^7: the same, and even with interpreter and libraries it is below nine."""
    figures = measured(family, 10**7)

    assert figures["above"] <= LIMIT
    assert figures["whole"] <= 9
