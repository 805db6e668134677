"""Symbols at their entropy: exact, near the limit, and safe to read from strangers."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coding import plain
from coding.mutations import DAMAGED, mutations, refused
from netcomp.coding.ans import (
    MAX_ALPHABET,
    decode_sparse,
    decode_symbols,
    encode_sparse,
    encode_symbols,
)
from netcomp.coding.model import normalised, write_table
from netcomp.coding.rans import fewest_lanes
from netcomp.coding.varint import write_varint
from netcomp.errors import RemoteProtocolError


def entropy(symbols):
    """Return the empirical entropy of all symbols in bytes."""
    counts = np.bincount(symbols)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.log2(symbols.size / counts))) / 8


def skewed(count, p, seed=0):
    """Return the levels of qsgd with s = 1: 1 mostly, 0 and 2 with probability p/2 each."""
    rng = np.random.default_rng((count, seed))
    return np.where(rng.random(count) < p, 2 * rng.integers(0, 2, count), 1).astype(np.uint8)


def levels(count, s, seed=0):
    """Return Gaussian values rounded at random to 2s + 1 levels."""
    rng = np.random.default_rng((count, s, seed))
    rounded = np.floor(rng.normal(size=count) * s / 4 + rng.random(count)) + s
    return np.clip(rounded, 0, 2 * s).astype(np.uint8 if s < 128 else np.uint16)


def exponents(count, seed=0):
    values = np.random.default_rng((count, seed)).normal(size=count).astype(np.float32)
    return (values.view(np.uint32) >> 23).astype(np.uint8) & 127


def round_trip(symbols, alphabet):
    data = encode_symbols(symbols, alphabet)
    decoded = decode_symbols(data, symbols.size, alphabet)
    assert decoded.dtype == (np.uint8 if alphabet <= 256 else np.uint16)
    np.testing.assert_array_equal(symbols, decoded)
    return data


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(0, 400), st.floats(0.01, 8), st.integers(0, 999))
def test_round_trip_and_the_plain_decoder(alphabet, count, skew, seed):
    """Any length, alphabet and skew; the docstrings are enough to read it."""
    uniform = np.random.default_rng(seed).random(count)
    symbols = (uniform**skew * alphabet).astype(np.uint8 if alphabet <= 256 else np.uint16)
    data = round_trip(symbols, alphabet)
    assert symbols.tolist() == plain.symbols(data, count, alphabet)
    assert len(data) <= 1 + -(-count * (alphabet - 1).bit_length() // 8)


SOURCES = {
    "qsgd 0.8 %": (lambda n: skewed(n, 0.008), 3),
    "qsgd 3 %": (lambda n: skewed(n, 0.03), 3),
    "qsgd 11 %": (lambda n: skewed(n, 0.11), 3),
    "qsgd 14 %": (lambda n: skewed(n, 0.14), 3),
    "qsgd 60 %": (lambda n: skewed(n, 0.6), 3),
    "levels 4": (lambda n: levels(n, 4), 9),
    "levels 16": (lambda n: levels(n, 16), 33),
    "levels 100": (lambda n: levels(n, 100), 201),
    "levels 400": (lambda n: levels(n, 400), 801),
    "exponents": (exponents, 256),
    "uniform": (lambda n: levels(n, 3) % 4 + 4 * (np.arange(n) % 64).astype(np.uint8), 256),
}
COUNTS = [10_000, 10_001, 99_999, 600_003]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("source", SOURCES)
def test_sizes_are_near_the_entropy(source, count):
    """At most 1.02 × the empirical entropy + the table + 32 bytes."""
    draw, alphabet = SOURCES[source]
    symbols = draw(count)
    table = write_table(np.bincount(symbols, minlength=alphabet))[0]
    size = len(round_trip(symbols, alphabet))
    assert size <= 1.02 * entropy(symbols) + len(table) + 32


@pytest.mark.parametrize("p", [0.004, 0.008, 0.02, 0.05, 0.1])
def test_very_skewed_sources_are_within_half_a_percent_and_ten_bytes(p):
    """Also without a table, at the entropies of qsgd with one level."""
    for seed in range(10):
        symbols = skewed(10_000, p, seed)
        assert len(round_trip(symbols, 3)) <= 1.01 * entropy(symbols) + 8


@pytest.mark.parametrize("alphabet", [2, 5, 65, 256, 257, MAX_ALPHABET])
def test_noise_is_written_as_it_is(alphabet):
    symbols = np.random.default_rng(alphabet).integers(0, alphabet, 5000)
    symbols = symbols.astype(np.uint8 if alphabet <= 256 else np.uint16)
    size = len(round_trip(symbols, alphabet))
    assert size <= 1 + -(-symbols.size * (alphabet - 1).bit_length() // 8)


@pytest.mark.parametrize("symbol", [0, 58, 59, 255])
def test_one_symbol_and_nearly_one(symbol):
    symbols = np.full(70_000, symbol, dtype=np.uint8)
    assert 3 >= len(round_trip(symbols, 256))
    symbols[[5, 69_999]] = symbol ^ 1, symbol ^ 2
    assert 14 >= len(round_trip(symbols, 256))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 4097])
@pytest.mark.parametrize("alphabet", [1, 2, 256, 257, 60_000])
def test_few_symbols(count, alphabet):
    symbols = np.random.default_rng(count).integers(0, alphabet, count) // 3
    round_trip(symbols.astype(np.uint8 if alphabet <= 256 else np.uint16), alphabet)


@pytest.mark.parametrize("p", [0.001, 0.008, 0.05, 0.2, 0.9])
@pytest.mark.parametrize("alphabet", [2, 3, 33, 300])
@pytest.mark.parametrize("count", [1, 90, 10_000, 300_001])
def test_sparse_symbols_are_written_and_read_by_position(count, alphabet, p):
    """The same bytes as without; what most of are not zero has no positions."""
    rng = np.random.default_rng(count)
    positions = np.flatnonzero(rng.random(count) < p)
    others = rng.integers(1, alphabet, positions.size)
    symbols = np.zeros(count, np.uint8 if alphabet <= 256 else np.uint16)
    symbols[positions] = others
    data = encode_sparse(positions, symbols[positions], count, alphabet)
    assert encode_symbols(symbols, alphabet) == data
    np.testing.assert_array_equal(symbols, decode_symbols(data, count, alphabet))
    found = decode_sparse(data, count, alphabet)
    assert (found is None) is not (data[0] in {8, 9} or data[0] >= 128)
    if found is not None:
        assert positions.tolist() == found[0].tolist()
        assert others.tolist() == found[1].tolist()


@pytest.mark.parametrize("p", [0.002, 0.004, 0.008, 0.02])
def test_a_few_levels_cost_two_bytes_more_on_average(p):
    """At d = 10⁴ a message of qsgd with one level has 25 to 250 bytes: 1 % and two more."""
    over = []
    for seed in range(20):
        symbols = (skewed(10_000, p, seed) + 2) % 3
        over.append(len(round_trip(symbols, 3)) - 1.01 * entropy(symbols))
    assert np.mean(over) <= 2


@pytest.mark.parametrize(("position", "symbol"), [(1, 0), (1, 3), (5, 1), (-1, 1)])
def test_sparse_symbols_out_of_range_are_not_written(position, symbol):
    with pytest.raises(ValueError, match="not"):
        encode_sparse(np.array([0, position]), np.array([1, symbol]), 5, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70_000), st.integers(1, 60), st.integers(0, 99))
def test_lanes_and_groups_need_not_divide_the_count(count, s, seed):
    round_trip(levels(count, s, seed), 2 * s + 1)


@given(st.lists(st.integers(1, 2**28), min_size=1, max_size=300))
def test_frequencies_are_those_of_the_docstring(weights):
    frequencies = normalised(np.array(weights))
    assert plain.normalised(weights) == frequencies.tolist()
    assert frequencies.sum() == 1 << 16
    assert frequencies.min() >= 1


def test_frequencies_of_many_rare_symbols():
    """More than 2^16 would fit is taken from those that have more than 1."""
    weights = np.ones(60_000, dtype=np.int64)
    weights[:10] = 10**9
    frequencies = normalised(weights)
    assert (1 << 16, 1) == (frequencies.sum(), frequencies.min())


@pytest.mark.parametrize(("alphabet", "symbol"), [(1, 1), (3, 3), (256, 300), (300, 300)])
def test_symbols_outside_the_alphabet_are_not_written(alphabet, symbol):
    with pytest.raises(ValueError, match="not below"):
        encode_symbols(np.array([0, symbol], dtype=np.uint16), alphabet)


@pytest.mark.parametrize("alphabet", [0, MAX_ALPHABET + 1])
def test_alphabets_out_of_range(alphabet):
    with pytest.raises(ValueError, match="65536 symbols"):
        encode_symbols(np.zeros(1, np.uint8), alphabet)


VALID = [
    (levels(50, 3) % 4, 4),
    (np.full(300, 7, np.uint8), 9),
    (skewed(400, 0.05), 3),
    (np.where(skewed(900, 0.08) == 1, 200, levels(900, 20)).astype(np.uint8), 256),
    (levels(600, 2), 5),
    (levels(601, 12), 25),
    (levels(999, 90), 200),
    ((skewed(700, 0.02) + 2) % 3, 3),
    (np.where(skewed(5000, 0.01) == 1, 0, 1 + levels(5000, 140)).astype(np.uint16), 300),
    (np.where(np.arange(800) % 5 > 0, 290, levels(800, 4)).astype(np.uint16), 300),
]


def test_damage_gives_symbols_or_the_error():
    """All forms: plain, repeated, mostly one, groups of 1, 2 and 4, two bytes."""
    valid = [encode_symbols(symbols, alphabet) for symbols, alphabet in VALID]
    assert {0, 1, 2, 3, 4} <= {data[0] for data in valid}
    accepted = 0
    for which, data in mutations(valid, DAMAGED, seed=7):
        (symbols, alphabet) = VALID[which]
        if not refused(lambda: decode_symbols(data, symbols.size, alphabet)):  # noqa: B023
            decoded = decode_symbols(data, symbols.size, alphabet)
            assert (symbols.shape, symbols.dtype) == (decoded.shape, decoded.dtype)
            assert decoded.max() < alphabet
            accepted += 1
    assert 0 < accepted < DAMAGED / 2


@pytest.mark.parametrize("which", range(len(VALID)))
def test_a_wrong_count_is_refused(which):
    """Except where more of the most frequent symbol would be just as well."""
    symbols, alphabet = VALID[which]
    data = encode_symbols(symbols, alphabet)
    for count in (0, symbols.size // 2, symbols.size - 9, symbols.size + 9, 10**6):
        if not refused(lambda c=count: decode_symbols(data, c, alphabet)):
            assert data[0] == 1 or data[0] >= 8
            assert (count,) == decode_symbols(data, count, alphabet).shape


@pytest.mark.parametrize("mode", range(256))
def test_forged_headers_cost_no_memory_beyond_the_symbols(mode):
    """Tables have at most 2^16 entries of 8 bytes, a few at a time."""
    count = 100_000
    tail = bytes([12, 1, 0, 1, 0xFF, 0x1F, 0]) + bytes([255] * 40)
    tracemalloc.start()
    try:
        refused(lambda: decode_symbols(bytes([mode]) + tail, count, 256))
        assert tracemalloc.get_traced_memory()[1] < 3 * count + 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mode", [3, 4])
def test_groups_of_too_many_symbols_are_refused_before_their_table_is_made(mode):
    alphabet = 256
    head = bytes([mode]) + write_table(np.full(alphabet, 1000))[0] + b"\x01"
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="groups"):
            decode_symbols(head + b"\x00\x00\x01\x00", 1000, alphabet)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lanes", [0, 1, fewest_lanes(10**7) - 1, 10**7 + 1, 2**40])
def test_lanes_that_would_take_too_many_steps_are_refused(lanes):
    head = b"\x02" + write_table(np.array([5, 5]))[0] + write_varint(lanes)
    with pytest.raises(RemoteProtocolError, match="lanes"):
        decode_symbols(head + bytes(10_000), 10**7, 2)


GOLDEN = [
    ([], 5, "00"),
    ([0], 1, "00"),
    ([0, 3, 1, 2, 2], 4, "003680"),
    ([7] * 40, 9, "0107"),
    ([1] * 50 + [0, 2] + [1] * 50, 3, "0b020e203040"),
    ([200] * 40 + [254] + [200] * 40, 256, "7fc801017e50fd"),
    (
        [1, 0] * 100 + [2, 0, 0] * 60,
        4,
        (
            "040c010002c312b50885050170aecb01efac58ade3af7aacdbae43aba7afecae72acf1aa32adc2ac"
            "41ae41ab57b0c5aefbaf547d7d7f794ea34e1a4ee64a994f744dcf4b21e372e3c0e3bfe4cbe360e3"
        ),
    ),
    (
        [i * i % 17 % 11 for i in range(150)],
        20,
        (
            "040c03000201010201f401cf03d707bb07eb03ea03cf0301e801150b81becadbacf815785e6d11a4"
            "2b4977ef7021b44aee0173beea3d240facf8e4605e6d2d497880702173cd8ec2ef01ce3d"
        ),
    ),
    (
        [i * i % 23 + 40 for i in range(150)],
        256,
        (
            "030c06280401000101020102000100be01e202e202e202e202e202e202e202e202e202e202e20201"
            "ee00f5ec49c3ea84f4bb60354313103470b2018be6e0ed0047d7bbf86abca435b30c3da5bdb34a8b"
            "5fc103511ad718fac06fd948bf0ceca4544d396f19c14d50b55b81c3"
        ),
    ),
    ([0] * 30 + [2] + [0] * 40 + [1] + [0] * 9, 3, "82ed59"),
    (
        [i * i % 7 + 250 for i in range(150)],
        300,
        (
            "040c02fa01020100d7049609f908960901390f0100d6a55ac2d1292e0f106606e4779e78a58cc269"
            "29f70eba6549e45f9e76a58ac2c32908a5"
        ),
    ),
]


@pytest.mark.parametrize(("symbols", "alphabet", "text"), GOLDEN)
def test_golden(symbols, alphabet, text):
    given_symbols = np.array(symbols, dtype=np.uint8 if alphabet <= 256 else np.uint16)
    assert text == encode_symbols(given_symbols, alphabet).hex()
    assert symbols == plain.symbols(bytes.fromhex(text), len(symbols), alphabet)
