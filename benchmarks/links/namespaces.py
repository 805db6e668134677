"""A star of network namespaces: a server and workers on a bridge, shaped by the kernel or not.

It needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN), iproute2, and a kernel with namespaces, veth and
bridges; `missing` says what there is not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.links.delay import delayed

__all__ = ["FAR_SERVER", "SERVER", "Star", "missing", "star"]

SERVER = "10.79.0.1"
FAR_SERVER, _FAR_WORKER = "10.80.0.1", "10.80.0.2"
"""The addresses of server and first worker over a line that delays."""
_BURST = 16 * 1024
_SECONDS = 20


class Star:
    """The namespaces of one server and `workers` workers; made by `star`."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._prefix = f"nc{os.getpid()}"

    @property
    def server(self) -> str:
        """The server's namespace."""
        return f"{self._prefix}-s"

    def worker(self, number: int) -> str:
        """Return the namespace of a worker, numbered from 0."""
        return f"{self._prefix}-w{number}"

    @property
    def launchers(self) -> tuple[tuple[str, ...], ...]:
        """What a command is preceded by to run as each worker."""
        return tuple(_inside(self.worker(number)) for number in range(self.workers))

    def run_at_server(self, *command: str, seconds: float) -> str:
        """Run a command in the server's namespace and return what it prints."""
        return subprocess.run(
            [*_inside(self.server), *command],
            check=True,
            timeout=seconds,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def shape(self, up: str | None, down: str | None) -> None:
        """Put a token bucket on each worker's way out, and on the server's; rates as tc's."""
        for number in range(self.workers):
            _tbf(self.worker(number), up)
        _tbf(self.server, down)

    def share(self, total: str, each: str) -> None:
        """Let the server send at `total` in all, and a fair part but at most `each` to a worker."""
        where = ("dev", "eth0")
        self.shape(None, None)
        _tc(self.server, "qdisc", "add", *where, "root", "handle", "1:", "htb", "default", "99")
        bursts = ("burst", str(_BURST), "cburst", str(_BURST))
        _tc(
            *(self.server, "class", "add", *where, "parent", "1:", "classid", "1:1"),
            *("htb", "rate", total, "ceil", total, *bursts),
        )
        for number in range(self.workers):
            _tc(
                *(self.server, "class", "add", *where, "parent", "1:1"),
                *("classid", f"1:{10 + number}", "htb", "rate", "1mbit", "ceil", each, *bursts),
            )
            _tc(
                *(self.server, "filter", "add", *where, "parent", "1:", "protocol", "ip", "u32"),
                *("match", "ip", "dst", f"10.79.0.{number + 2}/32", "flowid", f"1:{10 + number}"),
            )

    @contextmanager
    def far(self, seconds: float) -> Iterator[None]:
        """Let the server be at FAR_SERVER for the first worker, so many seconds away."""
        with delayed((self.server, FAR_SERVER), (self.worker(0), _FAR_WORKER), seconds):
            yield

    def up(self) -> None:
        """Make the namespaces."""
        bridge = f"{self._prefix}-b"
        _ip("netns", "add", bridge)
        _ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", bridge, "link", "set", "br0", "up")
        names = [self.server, *(self.worker(number) for number in range(self.workers))]
        for index, name in enumerate(names):
            _ip("netns", "add", name)
            peer = ("peer", "name", f"p{index}", "netns", bridge)
            _ip("link", "add", "eth0", "netns", name, "type", "veth", *peer)
            _ip("-n", bridge, "link", "set", f"p{index}", "master", "br0", "up")
            _ip("-n", name, "addr", "add", f"10.79.0.{index + 1}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            setting = "/proc/sys/net/ipv4/tcp_congestion_control"
            _command(*_inside(name), "sh", "-c", f"echo reno > {setting}")

    def down(self) -> None:
        """Remove what is there of them."""
        workers = (self.worker(number) for number in range(self.workers))
        for name in (f"{self._prefix}-b", self.server, *workers):
            with suppress(subprocess.SubprocessError):
                _ip("netns", "del", name)


@contextmanager
def star(workers: int) -> Iterator[Star]:
    """Make a star; afterwards nothing of it is left."""
    one = Star(workers)
    try:
        one.up()
        yield one
    finally:
        one.down()


def missing() -> str:
    """Return what keeps this machine from making and shaping namespaces, empty if nothing."""
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            return f"no {tool}: iproute2 is not installed"
    if os.geteuid() != 0:
        return "not root"
    try:
        with star(1) as one:
            one.shape("1mbit", "1mbit")
            one.share("2mbit", "1mbit")
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd)}: {error.stderr.strip()}"
    return ""


def _inside(name: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", name)


def _tbf(name: str, rate: str | None) -> None:
    with suppress(subprocess.CalledProcessError):
        _tc(name, "qdisc", "del", "dev", "eth0", "root")
    if rate is not None:
        # A queue that holds a whole message: what is compared is pacing, not loss.
        bucket = ("rate", rate, "burst", str(_BURST), "limit", "4000000")
        _tc(name, "qdisc", "add", "dev", "eth0", "root", "tbf", *bucket)


def _tc(name: str, *arguments: str) -> None:
    _command("tc", "-n", name, *arguments)


def _ip(*arguments: str) -> None:
    _command("ip", *arguments)


def _command(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS, capture_output=True, text=True)
