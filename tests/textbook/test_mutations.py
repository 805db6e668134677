"""The twins can fail: one thing done wrong in a channel, and the comparison notices."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from netcomp.algorithms.composed import ComposedServer, ComposedWorker
from netcomp.channels import Dasha, ErrorFeedback, Marina, Memory, SingleMemory
from netcomp.compressors import PermK, RandK, Sketch
from netcomp.compressors.fcc import FastCompressed
from netcomp.draw import Purpose
from netcomp.roles import Kind
from textbook.rows import ROWS, planned, telling
from textbook.twins import is_noticed

WHERE = "nonconvex logistic"


class Around:
    """What stands in for a compressor."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def compress(self, v, draw):
        return self.inner.compress(v, draw)

    def decode(self, parts, d, draw):
        return self.inner.decode(parts, d, draw)


class SharedMasks(Around):
    """A compressor whose workers all draw from the key they share."""

    def compress(self, v, draw):
        return self.inner.compress(v, draw.shared())

    def decode(self, parts, d, draw):
        return self.inner.decode(parts, d, draw.shared())


class SameKey(Around):
    """A compressor that takes every draw of a round for the same one."""

    def compress(self, v, draw):
        return self.inner.compress(v, draw.at(sub=0))

    def decode(self, parts, d, draw):
        return self.inner.decode(parts, d, draw.at(sub=0))


@dataclass(frozen=True)
class Repeating(FastCompressed):
    """FCC that sends C of the vector R times, not of what is left over."""

    def compress(self, v, draw):
        payload = super().compress(v, draw)
        alone = [self.inner.compress(v, draw.at(sub=64 + r)) for r in range(self.r)]
        parts = (payload.parts[0], *(part for one in alone for part in one.parts))
        return self.decode(parts, v.size, draw)


@dataclass(frozen=True)
class OwnCoins(Marina):
    """A coin a listener, or a worker, instead of a coin a round."""

    def send(self, state, v, keys):
        said = {}
        for to, key in keys.items():
            coin = key.stream(Purpose.COIN).uniforms(1)[0] < self.p
            channel = Marina(self.compressor, self.plain, 1.0 if coin else 0.0)
            said |= channel.send(state, v, {to: key})[0]
        return said, v


@dataclass(frozen=True)
class DriftingPrevious(Marina):
    """v_prev is what the receiver holds, not the sender's true previous vector."""

    def send(self, state, v, keys):
        said, _ = super().send(state, v, keys)
        to, key = next(iter(keys.items()))
        if said[to].kind is Kind.FULL:
            return said, v
        return said, state + self.compressor.decode(said[to].parts, v.size, key).dense()


@dataclass(frozen=True)
class FrozenMemory(Memory):
    """h is never updated, at either end."""

    def send(self, state, v, keys):
        return super().send(state, v, keys)[0], state if state[0] is not None else (v,)

    def receive(self, state, audience):
        estimate, moved = super().receive(state, audience)
        return estimate, state if state[0] is not None else moved


@dataclass(frozen=True)
class DeafMemory(Memory):
    """The sender's h moves, the receiver's does not."""

    def receive(self, state, audience):
        return super().receive(state, audience)[0], state


@dataclass(frozen=True)
class OneMemory(Memory):
    """All listeners' memories move with every message."""

    def send(self, state, v, keys):
        said, moved = super().send(state, v, keys)
        newest = moved[max(keys)] if keys else state[0]
        return said, (newest,) * len(state)


@dataclass(frozen=True)
class Forgetful(ErrorFeedback):
    """e is dropped."""

    def send(self, state, v, keys):
        return super().send(state, v, keys)[0], state


@dataclass(frozen=True)
class Uncompensated(ErrorFeedback):
    """e is kept, but of the vector alone: what was left over before is lost."""

    def send(self, state, v, keys):
        said, errors = super().send(state, v, keys)
        return said, tuple(e - self.eta * old for e, old in zip(errors, state, strict=True))


@dataclass(frozen=True)
class StaleDasha(Dasha):
    """h stays what it was."""

    def send(self, state, v, keys):
        said, (h, g) = super().send(state, v, keys)
        return said, (h if state is None else state[0], g)


@dataclass(frozen=True)
class HeavySingle(SingleMemory):
    """The single memory moves by α Σ c, not by the mean."""

    def send(self, state, v, keys):
        said, (mean, last) = super().send(state, v, keys)
        return said, (state[0] + len(last) * (mean - state[0]), last)


@dataclass(frozen=True)
class LateReset(SingleMemory):
    """A reset gives H̄ after this round's message, not before it."""

    def send(self, state, v, keys):
        said, moved = super().send(state, v, keys)
        late = moved[0].astype("<f8").view(np.uint8).data
        for to, message in said.items():
            if message.kind is Kind.RESET:
                said[to] = message._replace(parts=(late, *message.parts[1:]))
        return said, moved


def changed(parts, way, kind=None, compressor=None, **numbers):
    """Return the composition with one channel's class, compressor or number exchanged."""
    channel = getattr(parts, way)
    fields = dict(vars(channel)) | numbers
    if compressor is not None:
        fields["compressor"] = compressor(channel.compressor)
    return replace(parts, **{way: (kind or type(channel))(**fields)})


def repeating(inner):
    return Repeating(inner.r, inner.inner)


UP, DOWN = {"way": "up"}, {"way": "down"}
M3 = ROWS["m3", "given"]
INDEPENDENT = ROWS["marina-p", "independent"]
CHANNELS = {
    **{
        f"shared masks: {name}": (name, None, UP | {"compressor": SharedMasks})
        for name in [
            *("cgd", "dcgd", "qsgd", "diana", "vr-diana", "dasha", "marina", "vr-marina", "m3"),
            *("vr-marina-online", "pp-marina", "ef21-p+dcgd", "artemis", "artemis-nd-direct"),
            *("artemis-nd-memory", "artemis-nd-update", "dore", "mcm", "rand-mcm", "rand-mcm-g"),
            *("mcm-pp", "rand-mcm-pp", "rand-mcm-pp-single", "rand-mcm-pp-reset"),
        ]
    },
    **{
        f"shared masks down: {name}": (name, options, DOWN | {"compressor": SharedMasks})
        for name, options in {
            "marina-p": INDEPENDENT,
            "rand-mcm": None,
            "rand-mcm-g": None,
            "rand-mcm-pp": None,
            "rand-mcm-pp-single": None,
            "rand-mcm-pp-reset": None,
        }.items()
    },
    "one key for all draws: pp-marina": (
        "pp-marina",
        ROWS["pp-marina", "r > n"],
        UP | {"compressor": SameKey},
    ),
    "own coins: marina": ("marina", ROWS["marina", "given p"], UP | {"kind": OwnCoins}),
    "own coins: marina-p": ("marina-p", INDEPENDENT, DOWN | {"kind": OwnCoins}),
    "own coins: m3 down": ("m3", M3, DOWN | {"kind": OwnCoins}),
    "own coins: m3 up": ("m3", M3, UP | {"kind": OwnCoins}),
    **{
        f"v_prev drifts: {name}": (name, options, way | {"kind": DriftingPrevious})
        for name, options, way in [
            ("marina", None, UP),
            ("marina-p", INDEPENDENT, DOWN),
            ("m3", M3, UP),
            ("m3", M3, DOWN),
            ("artemis-nd-update", None, DOWN),
        ]
    },
    **{
        f"h {kind.__name__}: {name} {way['way']}": (name, None, way | {"kind": kind})
        for kind in (FrozenMemory, DeafMemory)
        for name, way in [
            *((name, UP) for name in ("diana", "vr-diana", "artemis", "dore", "mcm", "ef21")),
            *((name, UP) for name in ("rand-mcm", "mcm-pp", "rand-mcm-pp", "ef21-bc")),
            *((name, UP) for name in ("rand-mcm-g", "rand-mcm-pp-single", "artemis-nd-memory")),
            *((name, DOWN) for name in ("mcm", "rand-mcm", "rand-mcm-g", "mcm-pp", "rand-mcm-pp")),
            *((name, DOWN) for name in ("ef21-p", "ef21-p+dcgd", "ef21-bc", "artemis-nd-memory")),
        ]
    },
    **{
        f"alpha: {name} {way['way']}": (name, None, way | {"alpha": 0.123})
        for name, way in [
            *((name, UP) for name in ("diana", "vr-diana", "artemis", "dore", "mcm", "ef21")),
            *((name, DOWN) for name in ("mcm", "rand-mcm", "mcm-pp", "rand-mcm-pp", "ef21-p")),
            *((name, DOWN) for name in ("rand-mcm-pp-single", "rand-mcm-pp-reset", "ef21-bc")),
        ]
    },
    **{
        f"one memory for all: {name}": (name, None, DOWN | {"kind": OneMemory})
        for name in ("rand-mcm", "rand-mcm-g", "rand-mcm-pp")
    },
    **{
        f"e {kind.__name__}: {name} {way['way']}": (name, None, way | {"kind": kind})
        for kind in (Forgetful, Uncompensated)
        for name, way in [
            *((name, UP) for name in ("ec-sgd", "mem-sgd", "signsgd-ef", "double-squeeze")),
            *((name, UP) for name in ("neolithic", "neolithic-uni")),
            *((name, DOWN) for name in ("double-squeeze", "neolithic", "dore")),
        ]
    },
    "all of the error: dore": ("dore", None, DOWN | {"eta": 1.0}),
    "momentum dropped: dasha": ("dasha", None, UP | {"a": 0.0}),
    "h stale: dasha": ("dasha", None, UP | {"kind": StaleDasha}),
    "coin ignored: marina": ("marina", None, UP | {"p": 0.0}),
    "coin ignored: vr-marina": ("vr-marina", None, UP | {"p": 0.0}),
    "coin ignored: pp-marina": ("pp-marina", None, UP | {"p": 0.0}),
    "H̄ by the sum": ("rand-mcm-pp-single", None, DOWN | {"kind": HeavySingle}),
    "no reset": ("rand-mcm-pp-reset", None, DOWN | {"reset": 0}),
    "a reset too many": ("rand-mcm-pp-single", None, DOWN | {"reset": 9}),
    "a reset of the next H̄": ("rand-mcm-pp-reset", None, DOWN | {"kind": LateReset}),
    "the vector R times: neolithic": ("neolithic", None, UP | {"compressor": repeating}),
    "the vector R times: neolithic down": ("neolithic", None, DOWN | {"compressor": repeating}),
}


@pytest.mark.parametrize("mutation", CHANNELS)
def test_a_wrong_channel_is_noticed(mutation):
    """The comparison fails, or the other end refuses, when one thing is done wrong."""
    name, options, change = CHANNELS[mutation]
    plan, parts = planned(name, WHERE, telling(name) if options is None else options)
    assert is_noticed(plan, changed(parts, **change), WHERE)


SCALED = [
    *(("dcgd", RandK, ROWS["dcgd", "rand-k"]), ("diana", RandK, ROWS["diana", "rand-k"])),
    *((name, RandK, None) for name in ("vr-diana", "dasha", "vr-marina", "pp-marina", "artemis")),
    *((name, RandK, None) for name in ("mcm", "rand-mcm", "mcm-pp", "rand-mcm-pp", "dore")),
    *((name, RandK, None) for name in ("artemis-nd-direct", "rand-mcm-pp-reset", "ef21-p+dcgd")),
    *(("marina", RandK, ROWS["marina", "rand-k"]), ("m3", RandK, {}), ("m3", PermK, {})),
    *(("marina", PermK, ROWS["marina", "perm-k"]), ("dcgd", PermK, ROWS["dcgd", "perm-k"])),
    ("marina-p", PermK, ROWS["marina-p", "perm-k"]),
]


@pytest.mark.parametrize("where", ["quadratic", WHERE])
@pytest.mark.parametrize(("name", "sparsifier", "options"), SCALED)
def test_a_missing_scale_is_noticed(name, sparsifier, options, where, monkeypatch):
    """The comparison fails when rand-k lacks its d/k or perm-k its n."""
    plan, parts = planned(name, where, telling(name) if options is None else options)
    monkeypatch.setattr(sparsifier, "scale", lambda _self, _d: 1.0)
    assert is_noticed(plan, parts, where)


def test_a_sum_of_sketches_is_noticed(monkeypatch):
    """CORE forwards the mean of the workers' products, not their sum."""
    plan, parts = planned("core", WHERE, telling("core"))
    mean = Sketch.averaged
    monkeypatch.setattr(
        Sketch, "averaged", lambda self, payloads: mean(self, [*payloads, payloads[0]])
    )
    assert is_noticed(plan, parts, WHERE)


def test_nothing_is_noticed_where_nothing_is_wrong():
    """The stand-ins themselves change nothing: an unbroken one passes."""
    plan, parts = planned("dcgd", WHERE, ROWS["dcgd", "rand-k"])
    assert not is_noticed(plan, changed(parts, "up", compressor=Around), WHERE)
    assert not is_noticed(plan, parts, WHERE, roles=(ComposedServer, ComposedWorker))
    assert not is_noticed(plan, replace(parts, up=replace(parts.up)), WHERE)
