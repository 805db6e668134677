"""What every compressor keeps: both ends decode the same, sizes, errors, hostile bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.coding.floats import FLOAT_FORMATS
from netcomp.compressors import COMPRESSORS, MAX_PARTS, parse_compressor
from netcomp.draw import ALL, Draw
from netcomp.errors import NotFinite, RemoteProtocolError, SpecError
from netcomp.wire import messages as wire
from support.notations import (
    ALL_TEXTS,
    ATOMS,
    DETERMINISTIC,
    EVERY_PAIR,
    FIXED_SIZE,
    HEAVY,
    PAIRED,
    PAIRS,
    QUANTIZERS,
    SPARSIFIERS,
    WRITTEN,
    key,
    names,
    resolved,
)

# d = 1, d < n, n | d, n ∤ d, and above a chunk of 4096.
SIZES = [(1, 3), (3, 7), (12, 4), (41, 5), (4100, 3)]
SIZES += [(1, 1), (7, 3), (9, 9)] if HEAVY else []

texts = pytest.mark.parametrize("text", ALL_TEXTS)
sizes = pytest.mark.parametrize(("d", "n"), SIZES)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Sizes and dtypes together: every size with one of the dtypes, one of them with both.
cases = pytest.mark.parametrize(
    ("d", "n", "dtype"),
    [(d, n, (np.float32, np.float64)[i % 2]) for i, (d, n) in enumerate(SIZES)]
    + [(41, 5, np.float32)],
)
seeded = settings(derandomize=True, deadline=None, max_examples=100 if HEAVY else 8, database=None)


def vector(d, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=d).astype(dtype)


def hand_over(parts):
    """Return the parts as another process has them: bytes of its own, read-only."""
    return [memoryview(bytes(part)) for part in parts]


def same_bits(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def test_the_list_is_complete():
    """Every registered name is tested, alone and, if it can be, with one counterpart or all."""
    assert set(COMPRESSORS.names()) == set.union(*map(names, ATOMS))
    halves = [pair.split("+") for pair in PAIRS]
    assert set(PAIRED) == {sparsifier for sparsifier, _ in halves}
    assert set(WRITTEN) == {quantizer for _, quantizer in halves} <= set(QUANTIZERS)
    assert set(PAIRS) <= set(EVERY_PAIR)
    assert len(PAIRED) * len(WRITTEN) == len(EVERY_PAIR)
    paired = {text.partition(":")[0] for text in PAIRED}
    assert paired == {text.partition(":")[0] for text in SPARSIFIERS}
    assert {"natural", "f16", "f32", "f64"} <= set(QUANTIZERS)


@texts
@cases
def test_the_receiver_decodes_what_the_sender_has(text, d, n, dtype):
    """decode(parts) equals the sender's payload bit for bit, for each worker's key."""
    compressor = resolved(text, d, n)
    for worker in range(min(n, 4)):
        sent = compressor.compress(vector(d, worker, dtype), key(worker))
        heard = compressor.decode(hand_over(sent.parts), d, key(worker))
        for as_type in (np.float32, np.float64):
            assert same_bits(sent.dense(as_type), heard.dense(as_type))
            assert (d,) == heard.dense(as_type).shape
        assert (d, sent.nbytes, sent.paper_bits) == (heard.dim, heard.nbytes, heard.paper_bits)
        assert (sent.indices is None) == (heard.indices is None)
        if sent.indices is not None:
            assert sent.indices.tolist() == heard.indices.tolist()


@texts
@cases
def test_add_to_is_the_dense_vector_times_the_weight(text, d, n, dtype):
    """add_to(out, w) equals out + w · dense, in the dtype of out."""
    payload = resolved(text, d, n).compress(vector(d), key())
    for weight in (1.0, -1.0, 1 / 3):
        out = vector(d, 1, dtype)
        expected = out + payload.dense(dtype) * weight
        payload.add_to(out, weight)
        assert same_bits(expected, out)


@texts
@cases
def test_zero_stays_zero_and_the_input_is_left_alone(text, d, n, dtype):
    """C(0) = 0, and compressing writes nothing into the vector."""
    compressor = resolved(text, d, n)
    zeros, v = np.zeros(d, dtype), vector(d, dtype=dtype)
    assert [0.0] * d == compressor.compress(zeros, key()).dense().tolist()
    before = v.copy()
    payload = compressor.compress(v, key())
    dense = payload.dense(dtype)
    dense += 1.0
    assert same_bits(before, v)
    assert not np.array_equal(dense, payload.dense(dtype))


@texts
@sizes
def test_the_key_decides_everything(text, d, n):
    """The same key gives the same bytes and indices, whatever else was compressed between."""
    compressor = resolved(text, d, n)
    first = compressor.compress(vector(d), key())
    compressor.compress(vector(d, 9), key(round_=7))
    again = compressor.compress(vector(d), key())
    assert [bytes(part) for part in first.parts] == [bytes(part) for part in again.parts]
    assert same_bits(first.dense(), again.dense())


@texts
def test_rounds_differ_where_there_is_randomness(text):
    """A random compressor gives different results in different rounds, another the same."""
    compressor = resolved(text, 41, 5)
    dense = {compressor.compress(vector(41), key(round_=t)).dense().tobytes() for t in range(8)}
    known = {"fcc", "layers", "scale"} | ({"round"} if "biased" in text else set())
    assert (len(dense) == 1) is (names(text) <= DETERMINISTIC | known)


@texts
@sizes
def test_sizes_are_as_announced(text, d, n):
    """No payload exceeds max_bytes, which fixed formats attain; paper bits average to paper_bits.

    Both averages are over the workers of a few rounds, so not for a number that varies freely.
    """
    compressor = resolved(text, d, n)
    payloads = [
        compressor.compress(vector(d), key(worker, round_))
        for worker in range(n)
        for round_ in range(3)
    ]
    largest = max(payload.nbytes for payload in payloads)
    assert largest <= compressor.max_bytes(d)
    if names(text) <= FIXED_SIZE and "bernoulli" not in text and "entropy" not in text:
        assert largest == compressor.max_bytes(d)
    assert all(payload.nbytes == sum(map(len, payload.parts)) for payload in payloads)
    assert max(len(payload.parts) for payload in payloads) <= compressor.parts <= MAX_PARTS
    if "bernoulli" in text:
        return
    kept = np.mean([np.count_nonzero(payload.dense()) for payload in payloads])
    assert kept <= compressor.density(d) * (1 + 1e-12)
    if "fcc" not in text:
        kept = np.mean([payload.values.size for payload in payloads])
        np.testing.assert_allclose(compressor.density(d), kept, rtol=1e-12)
    bits = np.mean([payload.paper_bits for payload in payloads])
    np.testing.assert_allclose(compressor.paper_bits(d), bits, rtol=1e-12)


@texts
@sizes
def test_a_resolved_notation_reads_back(text, d, n):
    """parse(str(c)) resolves to c again, and str is stable."""
    compressor = resolved(text, d, n)
    again = parse_compressor(str(compressor)).resolve(d, n)
    assert compressor == again
    assert str(compressor) == str(again)
    assert compressor == compressor.resolve(d, n)


@texts
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@dtypes
def test_a_vector_that_is_not_finite_is_refused(text, bad, dtype):
    """NotFinite names the first bad index, the worker and the round; kept or not."""
    compressor = resolved(text, 12, 4)
    v = vector(12, dtype=dtype)
    v[[5, 7]] = bad, np.inf
    with pytest.raises(NotFinite, match=r"index 5") as caught:
        compressor.compress(v, key(worker=3))
    assert (5, 3, 2) == (caught.value.index, caught.value.worker, caught.value.round)
    if not compressor.correlated:
        with pytest.raises(NotFinite, match="the server") as caught:
            compressor.compress(v, key(worker=ALL))
        assert caught.value.worker is None


@texts
def test_overflow_of_the_wire_format_names_the_coordinate(text):
    """A finite value that its format cannot carry is refused by coordinate, or not sent."""
    compressor = resolved(text, 12, 4)
    largest = 1e30 if "f64" in text else 1e5 if "f16" in text else 3e38
    for coordinate in range(12):
        v = np.zeros(12, np.float32 if "f64" not in text else np.float64)
        v[coordinate] = largest
        refusals = []
        try:
            assert np.isfinite(compressor.compress(v, key(worker=1)).dense()).all()
        except NotFinite as error:
            refusals = [(error.index, error.worker)]
        assert refusals in ([], [(coordinate, 1)])


@pytest.mark.parametrize("text", ["natural", "f16", "rand-k:12+natural", "top-k:1+f16"])
def test_what_cannot_be_carried_is_refused(text):
    """2¹²⁷ is too large for natural, 65520 for f16: refused, and not by a warning."""
    v = np.zeros(12)
    v[3] = 2.0**127 if "natural" in text else 65520.0
    with pytest.raises(NotFinite) as caught:
        resolved(text, 12, 4).compress(v, key())
    assert 3 == caught.value.index


@pytest.mark.parametrize("text", ["rand-k:13", "top-k:13", "sketch:13"])
def test_counts_outside_the_dimension_are_refused(text):
    """A count outside 1 … d is a SpecError with the parameter's name."""
    with pytest.raises(SpecError, match=r"outside 1\.\.d = 12") as caught:
        resolved(text, 12, 4)
    name = text.partition(":")[0]
    assert f"{name}.{'m' if name == 'sketch' else 'k'}" == caught.value.field


@pytest.mark.parametrize("text", ATOMS)
def test_what_is_no_vector_of_floats_is_refused(text):
    """Integers, of which a factor would be cut off, and more than one dimension."""
    compressor = resolved(text, 12, 4)
    for wrong in (np.ones(12, dtype=np.int64), np.ones((3, 4)), np.ones((12, 1)), np.array(1.0)):
        with pytest.raises(ValueError, match="a vector of floats belongs here"):
            compressor.compress(wrong, key())


@pytest.mark.parametrize(("text", "count"), [("fcc:r=32(natural)", 65), ("fcc:r=22(top-k:1)", 67)])
def test_more_parts_than_a_message_carries_are_refused(text, count):
    """The parts of r messages and one for their counts must fit into 64; one less message does."""
    with pytest.raises(SpecError, match=f"makes {count} parts, more than 64") as caught:
        resolved(text, 12, 4)
    assert "fcc.r" == caught.value.field
    fewer = text.replace("r=32", "r=31").replace("r=22", "r=21")
    assert resolved(fewer, 12, 4).parts <= MAX_PARTS == wire.MAX_PARTS


def test_more_gaussians_than_minutes_allow_are_refused():
    """A sketch of more than 2³⁴ Gaussians is refused before any is drawn."""
    with pytest.raises(SpecError, match="Gaussians") as caught:
        resolved("sketch:m=1000000", 10**6, 4)
    assert "sketch.m" == caught.value.field


def test_perm_k_is_refused_as_one_message_for_all():
    """Without a worker's number, or with one that does not exist, perm-k has no part to give."""
    compressor = resolved("perm-k", 12, 4)
    for worker in (ALL, 4):
        with pytest.raises(SpecError, match="one message for all"):
            compressor.compress(vector(12), key(worker=worker))


@texts
@pytest.mark.parametrize(("d", "n"), [(12, 4), (3, 7)])
def test_wrong_lengths_are_the_peers_fault(text, d, n):
    """A part missing, added, cut or longer by any byte is a RemoteProtocolError."""
    compressor = resolved(text, d, n)
    for worker in range(n):
        parts = hand_over(compressor.compress(vector(d), key(worker)).parts)
        wrong = [[], parts[:-1], [*parts, memoryview(b"")], [*parts, parts[0]]]
        for i, part in enumerate(parts):
            others = (part[:-1], memoryview(bytes(part) + b"\0"), memoryview(bytes(part) * 2))
            wrong += [[*parts[:i], other, *parts[i + 1 :]] for other in others]
        for other in wrong:
            if list(map(bytes, other)) != list(map(bytes, parts)):
                with pytest.raises(RemoteProtocolError):
                    compressor.decode(other, d, key(worker))


@texts
@seeded
@given(data=st.data())
def test_hostile_bytes_raise_nothing_else(text, data):
    """Any parts at all decode to a payload of dimension d, or raise RemoteProtocolError."""
    d, n = data.draw(st.sampled_from([(1, 1), (5, 2), (12, 4), (3, 7)]))
    compressor, worker = resolved(text, d, n), data.draw(st.integers(0, n - 1))
    parts = [bytearray(part) for part in compressor.compress(vector(d), key(worker)).parts]
    for part in parts:
        for _ in range(data.draw(st.integers(0, 3)) if part else 0):
            part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        parts = data.draw(st.lists(st.one_of(st.sampled_from(parts), st.binary(max_size=60))))
    try:
        payload = compressor.decode(hand_over(parts), d, key(worker))
    except RemoteProtocolError:
        return
    out = np.zeros(d)
    payload.add_to(out)
    assert (d,) == payload.dense().shape
    assert payload.indices is None or len(set(payload.indices.tolist())) == payload.values.size


@pytest.mark.parametrize("form", [0, 126, 127, 128 + 126])
@pytest.mark.parametrize(
    "fields", [[0, 1, 12], [0, 1, 15], [3, 2, 5], [3, 3, 5], [5, 4, 3], [0, 0, 0], [15] * 3]
)
def test_stray_indices_are_refused(fields, form):
    """Indices of top-k that are not below d, repeat or do not increase are refused."""
    compressor = resolved("top-k:3", 12, 4)
    parts = hand_over(compressor.compress(vector(12), key()).parts)
    nibbles = [*fields, 0]
    raw = bytes([form, nibbles[0] | nibbles[1] << 4, nibbles[2] | nibbles[3] << 4])
    parts[0] = memoryview(raw)
    with pytest.raises(RemoteProtocolError):
        compressor.decode(parts, 12, key())


@pytest.mark.parametrize(("d", "index"), [(12, 12), (12, 255), (300, 300), (300, 65535)])
def test_a_stray_index_of_adaptive_is_refused(d, index):
    """The one index of adaptive must be below d."""
    compressor = resolved("adaptive", d, 4)
    parts = hand_over(compressor.compress(vector(d), key()).parts)
    parts[0] = memoryview(index.to_bytes(len(parts[0]), "little"))
    with pytest.raises(RemoteProtocolError, match=f"index {index}"):
        compressor.decode(parts, d, key())


def test_top_k_takes_the_largest_and_of_equal_ones_the_first():
    """The k largest magnitudes in increasing order of index; ties go to the lower index."""
    v = np.array([1.0, -3.0, 2.0, 3.0, -2.0, 2.0])
    payload = resolved("top-k:3", 6, 1).compress(v, key())
    assert [1, 2, 3] == payload.indices.tolist()
    assert [0.0, -3.0, 2.0, 3.0, 0.0, 0.0] == payload.dense().tolist()


def test_identity_carries_its_format_exactly():
    """Identity in f64 returns a float64 vector itself, in f32 and f16 its rounding."""
    v = vector(41)
    for name, dtype in (("f64", np.float64), ("f32", np.float32), ("f16", np.float16)):
        expected = v.astype(dtype).astype(np.float64)
        assert same_bits(expected, resolved(name, 41, 1).compress(v, key()).dense())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("values", ["f64", "f32", "f16"])
def test_values_that_no_sender_writes_are_refused(values, bad):
    """NaN and infinity in a float payload are the peer's fault, told as such."""
    compressor = parse_compressor(f"rand-k:k=3+{values}").resolve(10, 2)
    part = np.array([1.0, bad, 2.0], dtype=FLOAT_FORMATS[values]).view(np.uint8).data
    with pytest.raises(RemoteProtocolError, match="not finite"):
        compressor.decode([part], 10, Draw(1, worker=0))
