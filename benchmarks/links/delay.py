"""A delay between two network namespaces, for kernels that have none (netem) of their own.

    python -m benchmarks.links.delay NAMESPACE ADDRESS NAMESPACE ADDRESS SECONDS

puts a TUN device into either namespace and hands every packet of one to the other so much later.
Prints a line when packets pass, and ends when its standard input does. Needs root.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

__all__ = ["DEVICE", "delayed"]

DEVICE: Final = "nctun"
_TUN: Final = "/dev/net/tun"
_CLONE_NEWNET: Final = 0x40000000
_TUNSETIFF: Final = 0x400454CA
_PLAIN: Final = 0x0001 | 0x1000
"""Packets of the internet protocol (IFF_TUN) with nothing in front of them (IFF_NO_PI)."""
_PACKET: Final = 1 << 16
_AT_ONCE: Final = 64
_LINUX: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def delayed(one: tuple[str, str], other: tuple[str, str], seconds: float) -> Iterator[None]:
    """Join two (namespace, address) by a line of so many seconds each way while it lasts."""
    ends = (*one, *other, str(seconds))
    command = (sys.executable, "-m", __name__, *ends)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as line:
        try:
            if line.stdout is None or not line.stdout.readline():
                raise OSError(f"no line between {one[0]} and {other[0]}")
            yield
        finally:
            line.terminate()


def _device(namespace: str, address: str, peer: str) -> int:
    """Return a TUN device of a namespace, which packets for `peer` go to."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        device = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _PLAIN))
        for change in (
            ("addr", "add", address, "peer", peer, "dev", DEVICE),
            ("link", "set", DEVICE, "up", "txqueuelen", "10000"),
        ):
            subprocess.run(("ip", *change), check=True)
        return device
    finally:
        _enter(here)
        os.close(here)
        os.close(there)


def _enter(namespace: int) -> None:
    if _LINUX.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _carry(ends: tuple[int, int], seconds: float) -> None:
    """Hand on packets, late, until standard input ends."""
    source = sys.stdin.fileno()
    under_way: dict[int, deque[tuple[float, bytes]]] = {end: deque() for end in ends}
    opposite = dict(zip(ends, reversed(ends), strict=True))
    while True:
        due = min((line[0][0] for line in under_way.values() if line), default=None)
        wait = None if due is None else max(0.0, due - monotonic())
        readable, _, _ = select.select([*ends, source], [], [], wait)
        if source in readable:
            return
        for end in readable:
            _take(end, under_way[opposite[end]], seconds)
        for end, line in under_way.items():
            while line and line[0][0] <= monotonic():
                os.write(end, line.popleft()[1])


def _take(end: int, line: deque[tuple[float, bytes]], seconds: float) -> None:
    for _ in range(_AT_ONCE):
        try:
            line.append((monotonic() + seconds, os.read(end, _PACKET)))
        except BlockingIOError:
            return


if __name__ == "__main__":
    _one, _first, _other, _second, _seconds = sys.argv[1:]
    _ends = (_device(_one, _first, _second), _device(_other, _second, _first))
    print("ready", flush=True)
    _carry(_ends, float(_seconds))
