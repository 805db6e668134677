"""Containers: what is dumped loads, the bytes are pinned, and hostile ones end in one error."""

import json
from base64 import b64decode
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.coding.varint import write_varint
from netcomp.compressors import Chain, Compressor, FloatFormat, Sparsifier, parse_compressor
from netcomp.compressors.container import LARGEST_DIMENSION, VERSION, dump, load
from netcomp.draw import Draw
from netcomp.errors import PayloadTooBig, RemoteProtocolError, SpecError
from support.notations import ALL_TEXTS, key, names, resolved
from support.payloads import (
    KEY,
    LARGE_NOTATIONS,
    NOTATIONS,
    PATH,
    D,
    N,
    digest,
    draw,
    entry,
    large_entry,
    vector,
)

GOLDEN = json.loads(PATH.read_text())
CONTAINERS, PARTS = 25_000, 75_000
seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)


def made(text, d=41, n=5, worker=1):
    compressor = resolved(text, d, n)
    v = np.random.default_rng(d).normal(size=d)
    return compressor, compressor.compress(v, key(worker))


@pytest.mark.parametrize("text", ALL_TEXTS)
@pytest.mark.parametrize(("d", "n"), [(1, 1), (3, 7), (41, 5), (4100, 3)])
def test_what_is_dumped_loads(text, d, n):
    """Load(dump(p)) is the same resolved compressor and the same payload, bit for bit."""
    compressor, payload = made(text, d, n, worker=n - 1)
    data = dump(payload, compressor, d)
    found, loaded = load(data, key(n - 1))
    assert compressor == found
    assert [bytes(part) for part in payload.parts] == [bytes(part) for part in loaded.parts]
    assert payload.dense().tobytes() == loaded.dense().tobytes()
    assert payload.paper_bits == loaded.paper_bits
    assert len(data) <= payload.nbytes + len(str(compressor)) + 20 + 5 * len(payload.parts)


# Golden


def test_every_name_has_its_golden_payloads():
    """The file is of today's version and has every registered name that netcomp comes with."""
    assert (VERSION, KEY, D, N) == tuple(GOLDEN[key] for key in ("version", "key", "d", "n"))
    assert vector().tolist() == GOLDEN["vector"]
    assert NOTATIONS == list(GOLDEN["payloads"])
    assert LARGE_NOTATIONS == list(GOLDEN["large"])
    assert set.union(*map(names, ALL_TEXTS)) <= set.union(*map(names, GOLDEN["payloads"]))


@pytest.mark.parametrize("text", GOLDEN["payloads"])
def test_the_encoder_gives_exactly_these_bytes(text):
    """A change of any byte is a new version of the format."""
    golden, found = GOLDEN["payloads"][text], entry(text)
    if "sketch" in text:
        # Its Gaussians may differ in the last bit between platforms, and so may what is sent.
        assert golden["resolved"] == found["resolved"]
        assert golden["container"][:-32] == found["container"][:-32]
        return
    assert golden == found


@pytest.mark.parametrize("text", GOLDEN["payloads"])
def test_the_decoder_reads_these_bytes(text):
    """A container written by any release of this version decodes to the same vector."""
    golden = GOLDEN["payloads"][text]
    compressor, payload = load(bytes.fromhex(golden["container"]), draw())
    assert golden["resolved"] == str(compressor)
    expected = [float.fromhex(x) for x in golden["dense"]]
    if "sketch" in text:
        np.testing.assert_allclose(payload.dense(), expected, rtol=1e-12)
    else:
        assert expected == payload.dense().tolist()


@pytest.mark.parametrize("text", GOLDEN["large"])
def test_the_encoder_gives_exactly_these_bytes_of_a_longer_vector(text):
    """Symbols in many lanes, positions by counting, gaps: the forms that messages have."""
    assert GOLDEN["large"][text] == large_entry(text)


@pytest.mark.parametrize("text", GOLDEN["large"])
def test_the_decoder_reads_these_bytes_of_a_longer_vector(text):
    golden = GOLDEN["large"][text]
    compressor, payload = load(b64decode(golden["container"]), draw())
    assert golden["resolved"] == str(compressor)
    assert golden["dense"] == digest(payload)


# What is refused


def container(notation="rand-k:k=2+f32", d=4, n=0, sizes=(8,), body=bytes(8), head=b"NCPL\x01"):
    raw = notation if isinstance(notation, bytes) else notation.encode()
    numbers = b"".join(write_varint(number) for number in (d, n, len(sizes), *sizes))
    return head + write_varint(len(raw)) + raw + numbers + body


def test_the_layout_is_as_documented():
    """Magic, version, notation, d, n, sizes, parts: written here by hand, and it loads."""
    compressor, payload = load(container(), key())
    assert ("rand-k:k=2+f32", [0.0] * 4) == (str(compressor), payload.dense().tolist())
    assert container() == dump(payload, compressor, 4)


WRONG = {
    "empty": b"",
    "another magic": container(head=b"NCPX\x01"),
    "another version": container(head=b"NCPL\x02"),
    "no version": b"NCPL",
    "cut": container()[:-1],
    "longer": container() + b"\0",
    "no such name": container("rank-k:k=2+f32"),
    "a class": container("os:system"),
    "a class of ours": container("netcomp.compressors:RandK:k=2"),
    "not UTF-8": container(b"\xff\xfe"),
    "not resolved": container("rand-k:k=50%+f32"),
    "k above d": container("rand-k:k=5+f32", sizes=(20,), body=bytes(20)),
    "short for": container("rand-k:2+f32"),
    "no format": container("rand-k:k=2"),
    "d = 0": container(d=0),
    "d too large": container(d=LARGEST_DIMENSION + 1),
    "d far too large": container("f32", d=2**62),
    "n where none belongs": container(n=3),
    "no n": container("perm-k+f32", n=0, sizes=(16,), body=bytes(16)),
    "n too large": container("perm-k+f32", n=2**40, sizes=(0,), body=b""),
    "too many parts": container("f32", sizes=(1,) * 65, body=bytes(65)),
    "sizes beyond the end": container(sizes=(2**62, 8)),
    "sizes short of the end": container(sizes=(7,)),
    "a notation beyond the end": b"NCPL\x01" + write_varint(900) + b"f32",
    "a notation far beyond the end": b"NCPL\x01" + write_varint(2**62),
    "parentheses": container("fcc:r=1(" * 200 + "f32" + ")" * 200),
    "a worker the key does not have": container("perm-k+f32", n=2, sizes=(8,)),
    "many Gaussians": container("sketch:m=100000", d=2**20, sizes=(400000,), body=bytes(400000)),
    "many parts": container("fcc:r=63(natural)", d=8, sizes=(), body=b""),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_container_is_refused(what):
    """Each of these is a RemoteProtocolError, before any memory for d or a size is taken."""
    with pytest.raises(RemoteProtocolError):
        load(WRONG[what], key(worker=3))


def test_a_limit_of_ones_own():
    """`largest` bounds d, whatever is announced."""
    with pytest.raises(PayloadTooBig) as caught:
        load(container(d=1000), key(), largest=999)
    assert (1000, 999) == (caught.value.size, caught.value.limit)


@dataclass(frozen=True)
class First(Sparsifier):
    """Keeps the first coordinate; of another package than netcomp."""

    unbiased = False

    def select(self, v, draw):
        return np.array([0])

    def derive(self, parts, d, draw):
        return np.array([0])

    def scale(self, d):
        return 1.0

    def most(self, d):
        return 1

    def density(self, d):
        return 1.0

    def omega(self, d):
        return None


def test_what_nobody_else_could_load_is_not_dumped():
    """Unresolved, of another dimension, or of a class that is not registered."""
    compressor, payload = made("rand-k:25%")
    with pytest.raises(SpecError, match="read back"):
        dump(payload, parse_compressor("rand-k:25%"), 41)
    with pytest.raises(ValueError, match="dimension 41"):
        dump(payload, compressor, 40)
    own: Compressor = Chain(First(), FloatFormat())
    with pytest.raises(SpecError, match="not imported here"):
        dump(own.compress(np.ones(3), key()), own, 3)


# Hostile bytes


def edits(seed, count):
    """Return `count` lists of one to three edits, as (way, position, value, length)."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, [6, 2**20, 256, 2**8], (count, 3, 4)).tolist()
    return [of_one[:n] for of_one, n in zip(numbers, rng.integers(1, 4, count), strict=True)]


def mutated(data, how, others):
    """Return data with a few bytes set, cut, repeated, inserted, or joined to another's."""
    raw = bytearray(data)
    for way, position, value, length in how:
        at, size = position % (len(raw) + 1), 1 + length % 8
        if way == 3:
            del raw[at : at + size]
        elif way == 4:
            raw[at:at] = (value * (2 * length + 1) % 2**64).to_bytes(8, "little")[:size]
        elif way == 5:
            raw[at:] = others[position % len(others)][at:]
        elif raw:
            at %= len(raw)
            raw[at] = value if way < 2 else raw[at] ^ 1 << value % 8
    return bytes(raw)


def sound(compressor, payload, d, draw):
    """Assert that a payload is one: finite, of dimension d, and the same when it travels again."""
    dense = payload.dense()
    assert (d, (d,)) == (payload.dim, dense.shape)
    assert np.isfinite(dense).all()
    if payload.indices is not None:
        assert len(set(payload.indices.tolist())) == payload.values.size
    again = compressor.decode(payload.parts, d, draw)
    assert dense.tobytes() == again.dense().tobytes()
    assert payload.paper_bits == again.paper_bits


def test_mutated_containers_decode_or_are_refused():
    """25,000 mutations: a payload of an announced dimension, or RemoteProtocolError; no other."""
    valid = []
    for text in ALL_TEXTS:
        for d, n in ((1, 2), (12, 4), (41, 5)):
            compressor, payload = made(text, d, n)
            valid.append(dump(payload, compressor, d))
    accepted, draw = 0, key(1)
    for i, how in enumerate(edits(11, CONTAINERS)):
        data = mutated(valid[i % len(valid)], how, valid)
        try:
            compressor, payload = load(data, draw, largest=5000)
        except RemoteProtocolError:
            continue
        accepted += 1
        sound(compressor, payload, payload.dim, draw)
        assert compressor == load(dump(payload, compressor, payload.dim), draw, largest=5000)[0]
    # Values and signs may be anything, so a good part of the mutations is still a payload.
    assert 500 < accepted < CONTAINERS


def test_mutated_parts_decode_or_are_refused():
    """75,000 mutations of the parts alone, which get past no header: the same."""
    made_of = [(*made(text, d, n), d) for text in ALL_TEXTS for d, n in ((12, 4), (41, 5))]
    valid = [[bytes(part) for part in payload.parts] for _, payload, _ in made_of]
    accepted, draw = 0, key(1)
    for i, how in enumerate(edits(12, PARTS)):
        (compressor, _, d), parts = made_of[i % len(valid)], list(valid[i % len(valid)])
        # What another compressor's part would have had in its place, of the same dimension or not.
        others = [*parts, *valid[(i + how[0][1]) % len(valid)]]
        at = how[0][1] % len(parts)
        parts[at] = mutated(parts[at], how, others)
        try:
            payload = compressor.decode([memoryview(part) for part in parts], d, draw)
        except RemoteProtocolError:
            continue
        accepted += 1
        sound(compressor, payload, d, draw)
    assert 500 < accepted < PARTS


@seeded
@given(st.binary(max_size=60))
def test_any_bytes_at_all_are_refused(data):
    """Bytes from nowhere, with and without the magic in front."""
    for raw in (data, b"NCPL\x01" + data):
        with pytest.raises(RemoteProtocolError):
            load(raw, Draw(1, worker=0))
