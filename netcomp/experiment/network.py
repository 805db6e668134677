"""The spec's [network]: what each worker's links are, and the server's own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from netcomp.draw import Direction, Draw
from netcomp.errors import SpecError
from netcomp.link import (
    WIRE_SHARE,
    Link,
    Port,
    Ports,
    Trace,
    format_rate,
    link_of,
    parse_rate,
    parse_seconds,
    parse_speed,
    profile,
)

__all__ = ["LinkSpec", "NetworkSpec", "ServerLinkSpec", "Table", "each"]

Each = str | list[str] | None
"""One value for all workers, or a list with one a worker."""

T = TypeVar("T", bound=BaseModel)
S = TypeVar("S", str, str | None)

_WORKERS: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)
_TRACE: Final = "trace:"
_WORDS: Final = {
    "uplink": "up",
    "downlink": "down",
    "latency": "latency",
    "uplink_latency": "latency up",
    "downlink_latency": "latency down",
    "jitter": "jitter",
}
"""What the links are called in titles."""


class Table(BaseModel):
    """A table of the spec: unknown keys are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LinkSpec(Table):
    """What one worker's links are where they differ from everybody's; keys as in [network]."""

    profile: str | None = None
    uplink: str | None = None
    downlink: str | None = None
    latency: str | None = None
    uplink_latency: str | None = None
    downlink_latency: str | None = None
    jitter: str | None = None


class ServerLinkSpec(Table):
    """The server's own rates, shared by the links of all workers."""

    receive: str = "unlimited"
    send: str = "unlimited"


class NetworkSpec(Table):
    """The emulated links: one value for all workers, or a list with one a worker.

    A worker's own table goes before what holds for all, a value that is given before the
    profile's. `latency` is one way and holds for each way that has none of its own.
    """

    profile: Each = None
    uplink: Each = None
    downlink: Each = None
    latency: Each = None
    uplink_latency: Each = None
    downlink_latency: Each = None
    jitter: Each = None
    worker: dict[str, LinkSpec] = {}
    server: ServerLinkSpec = ServerLinkSpec()
    overhead: Literal["goodput", "wire"] = "goodput"
    clock: Literal["real", "virtual"] = "real"

    def links(self, workers: int, seed: int) -> list[tuple[Link, Link]]:
        """Return (up, down) of every worker; raises `SpecError` naming the field.

        What is random is drawn by seed, direction and worker; traces are read here.
        """
        settled = self._settled(workers)
        files: dict[str, float | Trace] = {}
        return [self._links(one, worker, seed, files) for worker, one in enumerate(settled)]

    def ports(self, links: Sequence[tuple[Link, Link]]) -> Ports:
        """Return fresh ports of the server."""

        def port(rate: str, way: str, of: Sequence[Link]) -> Port | None:
            limit = parse_rate(rate, f"network.server.{way}") * self._share
            return None if math.isinf(limit) else Port(limit, of)

        return Ports(
            receive=port(self.server.receive, "receive", [up for up, _ in links]),
            send=port(self.server.send, "send", [down for _, down in links]),
        )

    def label(self) -> str:
        """Return the links in a few words, for titles."""

        def one(value: str | list[str]) -> str:
            return value if isinstance(value, str) else f"{value[0]} … {value[-1]}"

        if self == NetworkSpec(clock=self.clock):
            return "unlimited links"
        # Beside a profile only what goes before it.
        usual = {} if self.profile else {"uplink": "unlimited", "downlink": "unlimited"}
        if not (self.profile or self.uplink_latency or self.downlink_latency):
            usual["latency"] = "0 s"
        parts = [] if self.profile is None else [one(self.profile)]
        for key, words in _WORDS.items():
            value = getattr(self, key) or usual.get(key)
            if value is not None:
                parts.append(f"{one(value)} {words}")
        if self.worker:
            parts.append("some of their own")
        if self.server != ServerLinkSpec():
            parts.append(f"server {self.server.receive} in, {self.server.send} out")
        if self.overhead == "wire":
            parts.append("headers counted")
        return ", ".join(parts)

    def rates(self, links: Sequence[tuple[Link, Link]]) -> dict[str, list[str]]:
        """Return the rates of the workers' links by way, of traces their mean.

        As lists that could stand in [network]; ways in which all are alike are left out.
        """
        ways = {"uplink": [up for up, _ in links], "downlink": [down for _, down in links]}
        found = {way: [one.mean_rate / self._share for one in of] for way, of in ways.items()}
        return {
            way: [_exactly(rate) for rate in rates]
            for way, rates in found.items()
            if len(set(rates)) > 1
        }

    def anywhere(self) -> NetworkSpec:
        """Return the same links with whole paths of traces: as they are read in any folder."""
        own = {numbers: _placed(one) for numbers, one in self.worker.items()}
        return _placed(self).model_copy(update={"worker": own})

    @property
    def _share(self) -> float:
        return WIRE_SHARE if self.overhead == "wire" else 1.0

    def _settled(self, workers: int) -> list[dict[str, tuple[str, str]]]:
        """Return for every worker what was written for it: key → (field, text)."""
        settled: list[dict[str, tuple[str, str]]] = [{} for _ in range(workers)]
        for key in LinkSpec.model_fields:
            name = f"network.{key}"
            value = getattr(self, key)
            if value is not None:
                for one, pair in zip(settled, each(value, workers, name), strict=True):
                    one[key] = pair
        tables: dict[int, str] = {}
        for numbers, own in self.worker.items():
            for worker in _numbers(numbers, workers):
                if (other := tables.setdefault(worker, numbers)) != numbers:
                    reason = f"worker {worker} has a table already: network.worker.{other}"
                    raise SpecError(f"network.worker.{numbers}", reason)
                # A profile of one's own goes before the rates everybody has, and a latency
                # before each way's.
                if own.profile is not None:
                    settled[worker] = {}
                elif own.latency is not None:
                    for key in ("uplink_latency", "downlink_latency"):
                        settled[worker].pop(key, None)
                given = own.model_dump(exclude_none=True)
                named = {key: (f"network.worker.{numbers}.{key}", v) for key, v in given.items()}
                settled[worker] |= named
        for one in settled:
            _fill(one)
        return settled

    def _links(
        self,
        one: dict[str, tuple[str, str]],
        worker: int,
        seed: int,
        files: dict[str, float | Trace],
    ) -> tuple[Link, Link]:
        def seconds(*keys: str) -> float:
            field, text = next((one[key] for key in keys if key in one), ("", "0 s"))
            return parse_seconds(text, field)

        def way(key: str, direction: Direction) -> Link:
            field, text = one.get(key, (f"network.{key}", "unlimited"))
            draw = Draw(seed, direction=direction, worker=worker)
            speed = _speed(text, field, draw, files)
            link = link_of(speed, seconds(f"{key}_latency", "latency"), seconds("jitter"))
            return _scaled(link, self._share)

        return way("uplink", Direction.UP), way("downlink", Direction.DOWN)


def each(value: str | list[str], workers: int, field: str) -> list[tuple[str, str]]:
    """Return (field, text) for every worker; raises `SpecError` for a list of another length."""
    if isinstance(value, str):
        return [(field, value)] * workers
    if len(value) != workers:
        raise SpecError(field, f"{len(value)} values for {workers} workers")
    return [(f"{field}[{index}]", one) for index, one in enumerate(value)]


def _numbers(text: str, workers: int) -> range:
    """Read "3" or "3-5", the keys of [network.worker]."""
    match = _WORKERS.fullmatch(text)
    field = f"network.worker.{text[:64]}"
    if match is None:
        raise SpecError(field, "a worker is a number, several are first-last: 3, 4-7")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise SpecError(field, f"several are first-last: {last}-{first}")
    if last >= workers:
        raise SpecError(field, f"the workers are 0 to {workers - 1}")
    return range(first, last + 1)


def _fill(one: dict[str, tuple[str, str]]) -> None:
    """Put the profile's values where nothing else was written."""
    if "profile" not in one:
        return
    field, name = one["profile"]
    known = profile(name, field)
    for key in ("uplink", "downlink", "latency", "jitter"):
        one.setdefault(key, (field, getattr(known, key)))


def _speed(text: str, field: str, draw: Draw, files: dict[str, float | Trace]) -> float | Trace:
    """Return a rate or a trace; a file that many workers share is read once."""
    if not text.startswith(_TRACE):
        return parse_speed(text, field, draw)
    if text not in files:
        files[text] = parse_speed(text, field, draw)
    return files[text]


def _placed(table: T) -> T:
    """Return a table with whole paths where its speeds are traces."""
    placed: dict[str, Each] = {}
    for way in ("uplink", "downlink"):
        speed: Each = getattr(table, way)
        placed[way] = [_whole(one) for one in speed] if isinstance(speed, list) else _whole(speed)
    return table.model_copy(update=placed)


def _whole(speed: S) -> S | str:
    """Return a speed with the whole path where it is a trace."""
    if speed is None or not speed.startswith(_TRACE) or speed == _TRACE:
        return speed
    return f"{_TRACE}{Path(speed.removeprefix(_TRACE)).absolute()}"


def _exactly(rate: float) -> str:
    """Return a rate as it is read again, with a prefix where that loses nothing."""
    text = format_rate(rate)
    return text if parse_rate(text, "") == rate else f"{8 * rate!r} bit/s"


def _scaled(link: Link, share: float) -> Link:
    if share == 1.0:
        return link
    if link.trace is not None:
        return replace(link, trace=link.trace.scaled(share))
    return replace(link, rate=link.rate * share)
