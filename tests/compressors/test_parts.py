"""Quantizers of many parts: alone, with a sparsifier, inside scale and fcc."""

from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

import numpy as np
import pytest

from netcomp.compressors import (
    COMPRESSORS,
    MAX_PARTS,
    All,
    Chain,
    FastCompressed,
    FloatFormat,
    Layers,
    Part,
    Quantizer,
    Sizes,
    chain,
)
from netcomp.compressors.container import dump, load
from netcomp.compressors.quantizers import BFloat16
from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.roles import Chorus, Kind
from support.notations import QUANTIZERS, key, resolved


def normal(d):
    return np.random.default_rng(0).normal(size=d)


@dataclass(frozen=True)
class Doubled(FloatFormat):
    """A float format of somebody's that reads what it is sent in its own way."""

    def decode(self, parts, m):
        return 2.0 * super().decode(parts, m)


@dataclass(frozen=True)
class DoubledShort(BFloat16):
    """The same of another."""

    def decode(self, parts, m):
        return 2.0 * super().decode(parts, m)


@dataclass(frozen=True)
class Clipped(Chain):
    """A compressor of somebody's that does so."""

    def decode(self, parts, d, draw):
        payload = super().decode(parts, d, draw)
        return replace(payload, held=np.clip(payload.values, -1.0, 1.0))


@dataclass(frozen=True)
class Planes(Quantizer):
    """32-bit floats as four parts, a byte of all values each; of zeros one part less."""

    def __str__(self):
        return "planes"

    def omega(self, m):
        return 0.0

    def max_bytes(self, m):
        return 4 * m

    def bits(self, m):
        return 32.0 * m

    def encode(self, values, draw):
        raw = values.astype("<f4")
        planes = raw.view(np.uint8).reshape(-1, 4).T.copy()
        few = planes[1:] if not planes.any() else planes
        return tuple(memoryview(plane) for plane in few), raw

    def decode(self, parts, m):
        if [part.nbytes for part in parts] not in ([m] * 3, [m] * 4):
            raise RemoteProtocolError(f"{len(parts)} planes of {m} bytes")
        planes = np.zeros((4, m), np.uint8)
        planes[4 - len(parts) :] = [np.frombuffer(part, np.uint8) for part in parts]
        return planes.T.copy().view("<f4").ravel()


@dataclass(frozen=True)
class Announced(Planes):
    """Says what it never reaches."""

    parts = 9

    def __str__(self):
        return "announced"


@pytest.fixture
def planes(monkeypatch):
    """Put `planes` and `announced` into the notation."""
    entries = {"planes": Part(Planes, "four parts"), "announced": Part(Announced, "says nine")}
    monkeypatch.setattr(COMPRESSORS, "_entries", {**dict(COMPRESSORS.items()), **entries})


WRAPS = [
    "fcc:r=3({})",
    "scale:0.5({})",
    "fcc:r=2(scale:0.5({}))",
    "scale:2.0(fcc:r=2(fcc:r=2({})))",
]


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("chain", ["planes", "rand-k:5+planes", "top-k:5+planes", "perm-k+planes"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_quantizer_of_many_parts_works_inside(wrap, chain):
    """Whatever it writes, also where it does not say how many parts: bytes, container, limits."""
    d, compressor = 41, resolved(wrap.format(chain), 41, 4)
    for v in (normal(d), np.zeros(d)):
        payload = compressor.compress(v, key(1))
        assert len(payload.parts) <= compressor.parts <= MAX_PARTS
        assert payload.nbytes <= compressor.max_bytes(d)
        heard = compressor.decode(payload.parts, d, key(1))
        assert payload.dense().tobytes() == heard.dense().tobytes()
        found, loaded = load(dump(payload, compressor, d), key(1))
        assert (str(compressor), payload.paper_bits) == (str(found), loaded.paper_bits)
        assert payload.dense().tobytes() == loaded.dense().tobytes()


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize(
    ("text", "most", "count"),
    [
        ("planes", 15, 65),
        ("top-k:2+planes", 12, 66),
        ("announced", 7, 73),
        ("fcc:r=3(planes)", 4, 66),
    ],
)
def test_parts_are_counted_before_anything_is_sent(text, most, count):
    """One message more than fits into 64 parts is refused when the spec is resolved."""
    assert resolved(f"fcc:r={most}({text})", 8, 4).parts <= MAX_PARTS
    with pytest.raises(SpecError, match=f"r = {most + 1} makes {count} parts") as caught:
        resolved(f"fcc:r={most + 1}({text})", 8, 4)
    assert "fcc.r" == caught.value.field


@pytest.mark.parametrize("text", QUANTIZERS)
def test_what_is_built_in_announces_its_parts(text):
    """As many as encoding would tell, and so as many sizes as the payloads of `layers` have."""
    quantizer = resolved(text, 8, 1).quantizer
    assert chain._written(quantizer) == quantizer.parts


@dataclass(frozen=True)
class Counted(Planes):
    """Keeps the sizes of what it encoded."""

    encoded: list[int] = field(default_factory=list)

    def encode(self, values, draw):
        self.encoded.append(values.size)
        return super().encode(values, draw)


def test_parts_that_are_not_announced_are_found_out_once():
    """However often they are asked for: by layers once a layer and message."""
    quantizer = Counted()
    layers = Layers(Chain(All(), quantizer), Sizes((8,), again=True)).resolve(24, 1)
    for _ in range(3):
        body = layers.compress(normal(24), key()).parts
        assert layers.decode(body, 24, key()).dim == 24
    assert sorted([8] * 9 + [3] * 2) == sorted(quantizer.encoded)


@dataclass(frozen=True)
class MoreOfMany(Planes):
    """Four parts of up to eight values, of more eight: nothing tells before."""

    def encode(self, values, draw):
        parts, raw = super().encode(values, draw)
        return (parts if raw.size <= 8 else parts + parts), raw


def test_parts_nobody_expected_are_refused_by_the_sender():
    """A SpecError with the field and the count, not a message that the wire cannot carry."""
    compressor = FastCompressed(15, Chain(All(), MoreOfMany())).resolve(20, 1)
    assert 61 == compressor.parts
    with pytest.raises(SpecError, match=r"r = 15 makes [0-9]+ parts, more than 64") as caught:
        compressor.compress(normal(20), key())
    assert "fcc.r" == caught.value.field


@pytest.mark.parametrize(
    "compressor",
    [
        Chain(All(), FloatFormat("f32")),
        Chain(All(), BFloat16()),
        Chain(All(), Doubled("f32")),
        Chain(All(), DoubledShort()),
        Clipped(All(), FloatFormat("f32")),
    ],
    ids=repr,
)
def test_messages_are_added_up_as_their_own_class_decodes_them(compressor):
    """A class with a `decode` of its own does not inherit a shorter way past it."""
    vectors = [(3.0 * normal(40) / (1 + i)).astype(np.float32) for i in range(4)]
    payloads = [compressor.compress(v, key()) for v in vectors]
    ends = [*accumulate([part.nbytes for part in payloads[0].parts], initial=0)]
    reads = [b"".join(payload.parts) for payload in payloads]
    chorus = Chorus(Kind.VALUE, reads, [slice(*pair) for pair in pairwise(ends)])
    expected, found = np.zeros(40), np.zeros(40)
    for payload in payloads:
        compressor.decode(payload.parts, 40, key()).add_to(expected, 0.25)
    compressor.add_all(found, chorus, lambda _: key(), 0.25)
    assert expected.tobytes() == found.tobytes()
