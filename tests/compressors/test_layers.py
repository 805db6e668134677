"""Layers: each compressed on its own, with keys of their own; sizes, constants, hostile bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.compressors import MAX_LAYERS, Layers, Payload, Sizes, parse_compressor, with_layers
from netcomp.errors import NotFinite, RemoteProtocolError, SpecError
from support.notations import key, resolved

SIZES = (7, 1, 30, 2)
D = sum(SIZES)
LISTED = "/".join(map(str, SIZES))
INNER = ["identity", "top-k:20%", "rand-k:d/n", "natural", "perm-k", "qsgd:s=4", "sketch:m=50%"]
seeded = settings(derandomize=True, deadline=None, max_examples=200, database=None)


def layered(inner, n=3, sizes=LISTED):
    return resolved(f"layers:sizes={sizes}({inner})", D, n)


def vector(seed=1, d=D):
    return np.random.default_rng(seed).normal(size=d)


def pieces(v, sizes=SIZES):
    return np.split(v, np.cumsum(sizes)[:-1])


def sub(layer, of=0):
    """Return layer's own key, as docs/randomness.md has it."""
    return key().at(sub=128 * (4096 * of + layer) + 127)


@pytest.mark.parametrize("inner", INNER)
def test_every_layer_is_what_its_compressor_makes_of_it(inner):
    """Coordinates, bytes and bits are those of the layers alone, each with its key."""
    compressor, v = layered(inner), vector()
    payload = compressor.compress(v, key())
    alone = [
        resolved(inner, size, 3).compress(piece, sub(layer))
        for layer, (size, piece) in enumerate(zip(SIZES, pieces(v), strict=True))
    ]
    assert np.concatenate([one.dense() for one in alone]).tolist() == payload.dense().tolist()
    assert sum(one.paper_bits for one in alone) == payload.paper_bits
    told = sum(len(one.parts) for one in alone)
    assert 0 <= payload.nbytes - sum(one.nbytes for one in alone) - told <= 3 * len(SIZES)
    assert payload.nbytes <= compressor.max_bytes(D)


@pytest.mark.parametrize("inner", INNER)
def test_the_receiver_makes_the_same(inner):
    """Decoding gives the sender's vector bit for bit, and `add_to` adds it."""
    compressor = layered(inner)
    payload = compressor.compress(vector(), key())
    (body,) = (bytes(part) for part in payload.parts)
    found = compressor.decode([memoryview(body)], D, key())
    assert payload.dense().tobytes() == found.dense().tobytes()
    out = np.ones(D)
    found.add_to(out, 2.0)
    np.testing.assert_array_equal(1.0 + 2.0 * payload.dense(), out)


@pytest.mark.parametrize("inner", ["natural", "sign", "top-k:20%+sign", "ternary"])
def test_nothing_is_decoded_for_a_sender_that_does_not_ask(inner, monkeypatch):
    """As of a vector that is not cut: the values are made when they are first asked for."""
    asked = []
    values = Payload.values.fget
    monkeypatch.setattr(Payload, "values", property(lambda self: asked.append(1) or values(self)))
    payload = layered(inner).compress(vector(), key())
    assert [] == asked
    payload.dense()
    assert 1 + len(SIZES) == len(asked)


def test_a_tenth_of_every_layer_is_not_a_tenth_of_all():
    """Top-k per tensor keeps small coordinates of a small layer; whole-vector top-k does not."""
    v = np.concatenate([np.arange(1.0, 11.0), 1000 * np.arange(1.0, 11.0)])
    by_layer = resolved("layers:sizes=10/10(top-k:10%)", 20, 1).compress(v, key())
    assert [9, 19] == by_layer.indices.tolist()
    assert [18, 19] == resolved("top-k:10%", 20, 1).compress(v, key()).indices.tolist()


def test_layers_draw_apart_from_each_other_and_from_messages_of_fcc():
    """No two equal layers share a choice; neither do nested sub-rounds of either kind."""
    compressor = resolved("layers:sizes=50/...(rand-k:k=5)", 400, 1)
    kept = compressor.compress(np.ones(400), key()).indices.reshape(8, 5) % 50
    assert 8 == len({tuple(row) for row in kept.tolist()})
    level = list(range(64))
    subs = set(level)
    for _ in range(2):
        fcc = [s * 128 + 64 + r for s in level[:64] for r in range(63)]
        layers = [(s * 4096 + layer) * 128 + 127 for s in level[:64] for layer in range(50)]
        new = {*fcc, *layers}
        assert len(new) == len(fcc) + len(layers)
        assert not new & subs
        subs |= new
        level = [fcc[0], layers[0], fcc[-1], layers[-1]]


# Constants


def test_constants_are_the_worst_of_the_layers():
    """ω and θ the largest, δ the smallest; densities and bits add up."""
    compressor = layered("rand-k:50%")
    each = [resolved("rand-k:50%", size, 3) for size in SIZES]
    omegas = [one.omega(size) for one, size in zip(each, SIZES, strict=True)]
    assert max(omegas) == compressor.omega(D)
    assert max(omegas) / 3 == compressor.theta(D, 3, "independent")
    assert sum(one.density(size) for one, size in zip(each, SIZES, strict=True)) == (
        compressor.density(D)
    )
    assert 2 / 10 == resolved("layers:sizes=10/3(top-k:20%)", 13, 1).delta(13)
    assert layered("top-k:20%").omega(D) is None
    assert (0.2, 1.0) == resolved("layers:sizes=10/3(top-k:20%)", 13, 1).b2(13)


def test_one_layer_is_the_compressor_itself():
    """All constants, and all coordinates but for the key."""
    for text in INNER:
        alone, layer = resolved(text, D, 3), layered(text, sizes=str(D))
        for name in ("omega", "delta", "b1", "b2", "density", "paper_bits"):
            assert getattr(alone, name)(D) == getattr(layer, name)(D), (text, name)
        assert alone.correlated == layer.correlated
        expected = alone.compress(vector(), sub(0)).dense()
        assert expected.tolist() == layer.compress(vector(), key()).dense().tolist()


@pytest.mark.parametrize(("inner", "n"), [("rand-k:d/n", 3), ("perm-k", 3), ("top-k:20%", 0)])
def test_the_number_of_workers_is_kept_where_it_matters(inner, n):
    """As containers need it."""
    assert n == layered(inner).workers


# Sizes


@pytest.mark.parametrize(
    ("text", "d", "sizes"),
    [
        ("7", 7, (7,)),
        ("3/4", 7, (3, 4)),
        ("3/...", 7, (3, 3, 1)),
        ("3/...", 6, (3, 3)),
        ("3/...", 1, (1,)),
        ("5/1/2/...", 10, (5, 1, 2, 2)),
        ("5/1/2/...", 6, (5, 1)),
        ("5/1/2/...", 3, (3,)),
        ("1/...", MAX_LAYERS, (1,) * MAX_LAYERS),
    ],
)
def test_sizes_cover_the_vector(text, d, sizes):
    """A list, or one whose last size repeats; the last layer is cut where d ends."""
    parsed = Sizes.parse(text)
    assert text == str(parsed)
    assert sizes == parsed.of(d)


@pytest.mark.parametrize(
    ("text", "d", "reason"),
    [
        ("layers:sizes=3/4(f32)", 8, "add up to 7 where d = 8"),
        ("layers:sizes=3/4(f32)", 6, "add up to 7 where d = 6"),
        ("layers:sizes=1/...(f32)", MAX_LAYERS + 1, "more than 4096"),
        ("layers:sizes=1/...(f32)", 10**9, "more than 4096"),
        ("layers(f32)", 8, "the problem has no layers"),
        ("layers:sizes=2/6(top-k:k=3)", 8, "in a layer of 2: k = 3 is outside"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(text, d, reason):
    """The field is named, before anything is compressed."""
    with pytest.raises(SpecError, match=reason):
        parse_compressor(text).resolve(d, 2)


@pytest.mark.parametrize(
    "text",
    [
        *("layers:sizes=(f32)", "layers:sizes=0/3(f32)", "layers:sizes=.../3(f32)"),
        *("layers:sizes=3//4(f32)", "layers:sizes=...(f32)", "layers:sizes=-3(f32)"),
        *("layers:sizes=3", "layers", "layers(layers(f32))", "layers(scale:0.5(layers(f32)))"),
        f"layers:sizes={'/'.join(['1'] * 4097)}(f32)",
    ],
)
def test_what_is_no_notation_of_layers_is_refused(text):
    """Sizes that are none, no compressor inside, layers in layers."""
    with pytest.raises(SpecError, match=r"^compressor: "):
        parse_compressor(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layers(top-k:1%)", "layers:sizes=5/3(top-k:k=1%+f64)"),
        ("fcc:r=2(layers(natural))", "fcc:r=2(layers:sizes=5/3(natural))"),
        ("layers:sizes=4/4(natural)", "layers:sizes=4/4(natural)"),
        ("top-k:1%", "top-k:1%"),
    ],
)
def test_the_problems_layers_are_written_in(text, told):
    """Where sizes are not said; other notations stay as they were written."""
    assert told == with_layers(text, (5, 3), values="f64")
    assert text == with_layers(text, ()) or "layers(" in text


# What is refused


def test_a_bad_value_is_told_by_its_place_in_the_vector():
    """NotFinite counts from the beginning of the vector."""
    v = vector()
    v[9] = np.nan
    with pytest.raises(NotFinite, match="index 9"):
        layered("top-k:20%").compress(v, key())


def test_parts_that_do_not_add_up_are_refused():
    """One byte more or less, no part, two, a size behind an absent one, an absent layer."""
    compressor = layered("top-k:50%")
    (part,) = compressor.compress(vector(), key()).parts
    raw = bytes(part)
    skipped = bytes([0, *raw[1:]])
    for wrong in ([], [raw, raw], [raw[:-1]], [raw + b"\0"], [raw[:3]], [b""], [skipped]):
        with pytest.raises(RemoteProtocolError):
            compressor.decode([memoryview(one) for one in wrong], D, key())


@seeded
@given(data=st.data())
def test_hostile_bytes_raise_nothing_else(data):
    """Any bytes decode to a vector of dimension d or are a RemoteProtocolError."""
    compressor = layered(data.draw(st.sampled_from(INNER)))
    raw = bytearray(compressor.compress(vector(), key()).parts[0])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    try:
        payload = compressor.decode([memoryview(bytes(raw))], D, key())
    except RemoteProtocolError:
        return
    assert (D,) == payload.dense().shape


def test_an_unresolved_one_is_not_asked():
    """Constants and bytes are those of layers that are known."""
    unresolved = parse_compressor("layers:sizes=3/4(f32)")
    assert isinstance(unresolved, Layers)
    with pytest.raises(ValueError, match="not resolved"):
        unresolved.max_bytes(7)
