"""sketch, fcc and scale: their formulas written out again, and their constants where attained."""

from dataclasses import dataclass

import numpy as np
import pytest

from netcomp.coding.varint import write_varint
from netcomp.compressors import All, Chain, Count, FastCompressed, Quantizer, RandK, Scaled, Sketch
from netcomp.draw import ALL, Purpose, Stream
from netcomp.errors import NotFinite, RemoteProtocolError
from support.notations import key, resolved

ERRORS = 5.0
DRAWS = 3000


def vector(d, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=d).astype(dtype)


def errors(compressor, v, draws=DRAWS):
    """Return the mean of ‖C(v)−v‖²/‖v‖², its half width, and the mean of C(v)."""
    dense = np.array([compressor.compress(v, key(1, t)).dense() for t in range(draws)])
    squares = ((dense - v) ** 2).sum(axis=1) / (v @ v)
    return squares.mean(), ERRORS * squares.std(ddof=1) / np.sqrt(draws), dense


# sketch


def gaussians(m, d, draw):
    """Return the m × d matrix, tile after tile, from the shared stream."""
    stream = draw.at(worker=ALL).stream(Purpose.SPARSIFIER)
    matrix = np.empty((m, d))
    size = min(16384, max(2048, d // 5))
    width = min(d, size)
    height = size // width
    for left in range(0, d, width):
        for top in range(0, m, height):
            tile = matrix[top : top + height, left : left + width]
            tile[:] = stream.normals(tile.size).reshape(tile.shape)
    return matrix


@pytest.mark.parametrize(
    ("m", "d"), [(1, 1), (3, 7), (5, 41), (9, 2048), (7, 2049), (99, 9000), (2, 90001)]
)
def test_sketch_is_core(m, d):
    """With p = Ξx as 32-bit floats, C(x) = Ξᵀp/m; the matrix is made whole here."""
    v, draw = vector(d), key(1)
    payload = resolved(f"sketch:{m}", d, 4).compress(v, draw)
    matrix = gaussians(m, d, draw)
    sent = np.frombuffer(payload.parts[0], "<f4")
    np.testing.assert_allclose(sent, matrix @ v, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(
        payload.dense(), matrix.T @ sent.astype(float) / m, rtol=1e-9, atol=1e-9
    )
    assert (4 * m, 32 * m) == (payload.nbytes, payload.paper_bits)


def test_sketch_draws_the_same_for_every_worker():
    """Workers 0, 1 and `ALL` use one matrix in a round, so their sketches may be added up."""
    compressor = resolved("sketch:5", 41, 4)
    sketches = [compressor.compress(vector(41), key(i)).parts[0] for i in (0, 1, ALL)]
    assert 1 == len({bytes(part) for part in sketches})
    assert compressor.shared
    for n in (1, 4):
        assert compressor.omega(41) == compressor.theta(41, n, "independent")


@pytest.mark.parametrize(("m", "d"), [(1, 1), (4, 6), (12, 12)])
def test_the_error_of_sketch_is_attained(m, d):
    """E‖C(x)−x‖² = (d + 1)/m · ‖x‖² for any x, and E C(x) = x."""
    compressor = resolved(f"sketch:{m}", d, 4)
    assert (d + 1) / m == compressor.omega(d)
    for v in (vector(d), np.eye(d)[0]):
        mean, width, dense = errors(compressor, v)
        assert abs(mean - compressor.omega(d)) <= width
        spread = ERRORS * dense.std(axis=0, ddof=1) / np.sqrt(DRAWS)
        assert (np.abs(dense.mean(axis=0) - v) <= spread).all()


def test_sketch_never_holds_the_matrix(monkeypatch):
    """No more than a tile of Gaussians is asked for at a time, and the sender asks twice."""
    asked = []
    original = Stream.normals

    def normals(self, count):
        asked.append(count)
        return original(self, count)

    monkeypatch.setattr(Stream, "normals", normals)
    m, d = 30, 50_000
    compressor = resolved(f"sketch:{m}", d, 4)
    payload = compressor.compress(vector(d), key())
    assert (2 * m * d, True) == (sum(asked), max(asked) <= 16384)
    compressor.decode(payload.parts, d, key())
    assert 3 * m * d == sum(asked)


def test_kept_gaussians_are_those_drawn_piece_by_piece(monkeypatch):
    """Whether a process draws a worker's Gaussians or has them, it gets the same bits."""
    compressor, keys = resolved("sketch:9", 5000, 4), [key(i) for i in range(4)]
    messages = [compressor.compress(vector(5000, i), draw) for i, draw in enumerate(keys)]
    decoded = [
        compressor.decode(message.parts, 5000, draw).values.tobytes()
        for message, draw in zip(messages, keys, strict=True)
    ]
    assert [message.values.tobytes() for message in messages] == decoded
    monkeypatch.setattr("netcomp.compressors.sketch._KEPT", 0)
    again = [compressor.compress(vector(5000, i), draw) for i, draw in enumerate(keys)]
    assert decoded == [message.values.tobytes() for message in again]
    assert [bytes(m.parts[0]) for m in messages] == [bytes(m.parts[0]) for m in again]


@pytest.mark.parametrize(("m", "drawn"), [(7, 1), (70, 4)])
def test_gaussians_are_drawn_once_a_round(m, drawn, monkeypatch):
    """Few of them by all, more by all but the first worker's message; each round has others.

    Of 70 · 300 the first sender draws twice, its message's reader once more, and all others
    together once.
    """
    asked = []
    original = Stream.normals

    def normals(self, count):
        asked.append(count)
        return original(self, count)

    monkeypatch.setattr(Stream, "normals", normals)
    compressor = resolved(f"sketch:{m}", 300, 4)
    for round_ in (901, 902):
        for worker in range(4):
            draw = key(worker, round_)
            compressor.decode(compressor.compress(vector(300), draw).parts, 300, draw)
    assert 2 * drawn * m * 300 == sum(asked)


def test_sketch_refuses_what_leaves_the_range_of_float32():
    """By the sender with the largest coordinate, by the receiver as the peer's fault."""
    compressor = resolved("sketch:2", 4, 1)
    with pytest.raises(NotFinite) as caught:
        compressor.compress(np.array([0.0, 1e300, 0, 0]), key())
    assert 1 == caught.value.index
    compressor, matrix = resolved("sketch:2", 40, 1), gaussians(2, 40, key())
    largest = abs(matrix).sum(axis=0).argmax()
    for bad in ([np.nan, 1], [np.inf, 1], 3.4e38 * np.sign(matrix[:, largest])):
        part = memoryview(np.array(bad, "<f4").tobytes())
        with pytest.raises(RemoteProtocolError, match="not finite"):
            compressor.decode([part], 40, key())


# fcc


@pytest.mark.parametrize("r", [1, 2, 4])
@pytest.mark.parametrize("inner", ["top-k:3+f64", "rand-k:3+natural", "natural", "perm-k+f32"])
@pytest.mark.parametrize("d", [12, 400])
def test_fcc_is_algorithm_1(r, inner, d):
    """c^r = C(v − v^r), v^(r+1) = v^r + c^r from v⁰ = 0, by hand; the result is v^R."""
    v, draw = vector(d), key(1)
    compressor = resolved(f"fcc:r={r}({inner})", d, 4)
    one, total, parts = resolved(inner, d, 4), np.zeros(d), []
    for i in range(r):
        payload = one.compress(v - total, draw.at(sub=64 + i))
        total += payload.dense()
        parts += [bytes(part) for part in payload.parts]
    whole = compressor.compress(v, draw)
    np.testing.assert_allclose(whole.dense(), total, rtol=1e-12, atol=1e-15)
    assert parts == [bytes(part) for some in compressor.messages(whole.parts) for part in some]
    sizes = b"".join(write_varint(len(part)) for part in parts)
    assert b"".join([bytes([len(parts) // r] * r), sizes, *parts]) == bytes(*whole.parts)


def test_long_parts_of_fcc_are_not_copied_together():
    """From 64 KiB on every part travels on its own, and reads back as well."""
    v = np.random.default_rng(1).normal(size=1 << 13).astype(np.float32)
    for d, count in ((1 << 13, 3), ((1 << 13) - 1, 1)):
        compressor = resolved("fcc:2(f32)", d, 1)
        payload = compressor.compress(v[:d], key())
        assert count == len(payload.parts)
        assert payload.nbytes <= compressor.max_bytes(d)
        decoded = compressor.decode(payload.parts, d, key())
        assert payload.dense().tolist() == decoded.dense().tolist()


def test_fcc_of_top_k_sends_the_largest_in_turn():
    """With exact values R messages of top-k are one top-(Rk), and δ = 1 − (1 − k/d)^R."""
    v = vector(40)
    three = resolved("fcc:3(top-k:2+f64)", 40, 1)
    assert (
        resolved("top-k:6+f64", 40, 1).compress(v, key()).dense().tolist()
        == three.compress(v, key()).dense().tolist()
    )
    np.testing.assert_allclose(three.delta(40), 1 - 0.95**3)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_the_error_of_fcc_is_attained(r):
    """Unscaled rand-k: exactly (1 − k/d)^R; natural of 4/3: at most ω^R, unbiased."""
    d = 8
    unscaled = resolved(f"fcc:{r}(rand-k:k=2,scaled=no+f64)", d, 1)
    mean, width, _ = errors(unscaled, np.ones(d))
    np.testing.assert_allclose(unscaled.delta(d), 1 - 0.75**r)
    assert abs(mean - (1 - unscaled.delta(d))) <= width + 1e-12
    natural = resolved(f"fcc:{r}(natural)", d, 1)
    assert natural.unbiased
    assert (1 / 8) ** r == natural.omega(d)
    v = np.full(d, 4 / 3)
    mean, width, dense = errors(natural, v)
    assert mean - width <= natural.omega(d)
    assert (abs(dense.mean(axis=0) - v) <= ERRORS * dense.std(axis=0) / np.sqrt(DRAWS)).all()


def test_fcc_with_one_key_for_all_messages_is_noticed(monkeypatch):
    """Were the messages' keys the same, rand-k would send the same coordinates again."""
    compressor = resolved("fcc:3(rand-k:k=2,scaled=no+f64)", 8, 1)
    monkeypatch.setattr("netcomp.compressors.fcc.message_key", lambda draw, _r: draw)
    mean, width, _ = errors(compressor, np.ones(8), 200)
    assert mean - width > 1 - compressor.delta(8)


def test_fcc_of_fcc_draws_from_keys_of_their_own():
    """Nested, every message has another sub-round."""
    nested = resolved("fcc:2(fcc:2(rand-k:k=2,scaled=no+f64))", 40, 1)
    payload = nested.compress(np.ones(40), key())
    flat = resolved("fcc:4(rand-k:k=2,scaled=no+f64)", 40, 1)
    assert flat.delta(40) == pytest.approx(nested.delta(40))
    # Four keys; with any two the same the dense vector would have at most 6.
    assert 6 < np.count_nonzero(payload.dense())
    assert payload.dense().tolist() == nested.decode(payload.parts, 40, key()).dense().tolist()


@pytest.mark.parametrize("counts", [[], [1, 1], [2, 2, 2], [1, 2, 3], [3, 2, 1], [0, 3, 3]])
@pytest.mark.parametrize("joined", [True, False])
def test_counts_that_do_not_add_up_are_refused(counts, joined):
    """What comes first must say how the parts are shared out, and rightly, in either form."""
    compressor = resolved("fcc:3(top-k:2)", 8, 1)
    whole = compressor.compress(vector(8), key()).parts
    parts = [part for some in compressor.messages(whole) for part in some]
    sizes = b"".join(write_varint(part.nbytes) for part in parts)
    forged = [memoryview(bytes(counts)), *parts]
    if joined:
        forged = [memoryview(b"".join([bytes(counts), sizes, *parts]))]
    if counts == [2, 2, 2]:
        compressor.decode(forged, 8, key())
        return
    with pytest.raises(RemoteProtocolError):
        compressor.decode(forged, 8, key())


@pytest.mark.parametrize("r", [1, 3])
def test_sizes_that_do_not_add_up_are_refused(r):
    """Cut off anywhere, longer by a byte, a size too large or of another part."""
    compressor = resolved(f"fcc:{r}(top-k:2+f64)", 8, 1)
    good = bytes(*compressor.compress(vector(8), key()).parts)
    forged = [good[:n] for n in range(len(good))] + [good + b"\0"]
    forged += [good[:at] + bytes([good[at] ^ 128]) + good[at + 1 :] for at in range(3 * r)]
    forged += [good[:r] + bytes([good[r] + 1, good[r + 1] - 1]) + good[r + 2 :]]
    for data in forged:
        with pytest.raises(RemoteProtocolError):
            compressor.decode([memoryview(data)], 8, key())


@pytest.mark.parametrize("collection", ["same", "independent"])
def test_theta_of_fcc(collection):
    """Independent: ω^R/n. One draw, or perm-k, whose leftovers differ by worker: ω^R."""
    natural = resolved("fcc:2(natural)", 8, 4)
    assert natural.theta(8, 4, collection) == 1 / 64 / (4 if collection == "independent" else 1)
    perm_k = resolved("fcc:2(perm-k)", 8, 4)
    assert 9 == perm_k.theta(8, 4, collection) == perm_k.omega(8)
    assert resolved("fcc:2(top-k:2)", 8, 4).theta(8, 4, collection) is None


# scale


@pytest.mark.parametrize("factor", [0.1, 0.25, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("inner", ["rand-k:3+f64", "rand-k:k=3,scaled=no+f64", "top-k:3+natural"])
def test_scale_is_the_factor_times_the_compressor(factor, inner):
    """The same bytes; λ times the vector; classes by Theorems 6 and 7."""
    d = 12
    scaled, plain = resolved(f"scale:{factor}({inner})", d, 1), resolved(inner, d, 1)
    v = vector(d)
    ours, theirs = scaled.compress(v, key()), plain.compress(v, key())
    assert [bytes(part) for part in theirs.parts] == [bytes(part) for part in ours.parts]
    np.testing.assert_allclose(ours.dense(), factor * theirs.dense(), rtol=1e-7)
    (alpha, beta), (gamma, beta2) = plain.b1(d), plain.b2(d)
    assert (factor**2 * alpha, factor * beta) == scaled.b1(d)
    assert (factor * gamma, factor * beta2) == scaled.b2(d)
    zeta = plain.zeta(d)
    if zeta is not None and zeta * factor < 2:
        np.testing.assert_allclose(scaled.b3(d), 1 / (factor * (2 - zeta * factor)))
    if factor == 1.0:
        assert plain.delta(d) == scaled.delta(d)
        assert plain.omega(d) == scaled.omega(d)
    elif zeta is not None:
        assert scaled.omega(d) is None
        assert (scaled.delta(d) is None) is (zeta * factor >= 2)


def test_the_error_of_scale_is_attained():
    """k/d times rand-k is rand-k unscaled: δ = k/d, and the error just that."""
    d = 12
    scaled = resolved("scale:0.25(rand-k:3+f64)", d, 1)
    np.testing.assert_allclose(scaled.delta(d), 1 / 4)
    unscaled = resolved("rand-k:k=3,scaled=no+f64", d, 1)
    v = vector(d)
    for t in range(10):
        expected = unscaled.compress(v, key(0, t)).dense()
        np.testing.assert_allclose(scaled.compress(v, key(0, t)).dense(), expected, rtol=1e-15)


@dataclass(frozen=True)
class Bare(Quantizer):
    """32-bit floats whose part is the memory of the values, the input's own where it can be."""

    def omega(self, m):
        return 0.0

    def max_bytes(self, m):
        return 4 * m

    def bits(self, m):
        return 32.0 * m

    def encode(self, values, draw):
        raw = values.astype(np.float32, copy=False)
        return (memoryview(raw).cast("B"),), raw

    def decode(self, parts, m):
        return np.frombuffer(parts[0], np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparsifier", [All(), RandK(Count("5"))])
def test_scale_writes_into_no_memory_but_its_own(dtype, sparsifier):
    """Neither the input nor the parts are scaled, though a payload's values may be either."""
    scaled, v = Scaled(0.5, Chain(sparsifier, Bare())), vector(41, dtype=dtype)
    before = v.copy()
    payload = scaled.compress(v, key())
    plain = scaled.inner.compress(v, key())
    assert before.tobytes() == v.tobytes()
    assert [bytes(part) for part in plain.parts] == [bytes(part) for part in payload.parts]
    assert (plain.values * np.float32(0.5)).tolist() == payload.values.tolist()
    part = memoryview(bytearray(payload.parts[0]))
    assert payload.values.tolist() == scaled.decode([part], 41, key()).values.tolist()
    assert bytes(payload.parts[0]) == bytes(part)


def test_scale_refuses_what_overflows():
    """By the sender with the coordinate, by the receiver as the peer's fault."""
    compressor = resolved("scale:1e10(top-k:1)", 4, 1)
    with pytest.raises(NotFinite) as caught:
        compressor.compress(np.array([0, 0, 1e30, 0]), key())
    assert 2 == caught.value.index
    parts = resolved("top-k:1", 4, 1).compress(np.array([0, 0, 1e30, 0]), key()).parts
    with pytest.raises(RemoteProtocolError, match="not finite"):
        compressor.decode(parts, 4, key())


def test_they_are_found_by_class():
    """What the notation builds are these classes."""
    assert isinstance(resolved("sketch:2", 4, 1), Sketch)
    assert isinstance(resolved("fcc:2(natural)", 4, 1), FastCompressed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", ["fcc:r=2(identity)", "fcc:r=2(f64)", "fcc:r=3(f32)"])
def test_a_message_is_not_wiped_by_what_it_leaves_over(text, dtype):
    """Of a vector that travels as it is nothing is left, and the receiver has it all."""
    v = np.arange(1, 8, dtype=dtype)
    compressor = resolved(text, 7, 3)
    payload = compressor.compress(v, key(0))
    assert v.tolist() == payload.dense().tolist()
    assert v.tolist() == compressor.decode(payload.parts, 7, key(0)).dense().tolist()
