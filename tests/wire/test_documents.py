"""Documents from the network: every field is what it must be, or is named in the refusal."""

import math

import msgpack
import pytest
from pydantic import ValidationError

from netcomp.errors import RemoteProtocolError
from netcomp.link import MAX_STEPS, Link, Trace
from netcomp.wire.documents import (
    DOCUMENTS,
    Begin,
    Bye,
    Failure,
    Hello,
    Known,
    Late,
    Ready,
    Stop,
    Welcome,
    decode,
    encode,
    steps_of,
)
from netcomp.wire.frames import Frame, FrameKind, FrameParser

K = FrameKind
VALID = {
    K.HELLO: Hello(netcomp="0.1.0", worker=3),
    K.WELCOME: Welcome(
        worker=3,
        workers=10,
        run="2026-01-01-a",
        spec={"problem": {"name": "mushrooms", "lambda": 0.1}, "seed": 7, "list": [1, None, "x"]},
        rate=math.inf,
        latency=0.02,
        jitter=0.01,
        trace=[[0.5, 1000.0, 1.0, 0.0], [0.25, 500.0]],
    ),
    K.READY: Ready(
        dim=112,
        rows=800,
        dropped=4,
        digest="ab12",
        constants={"L": Known(value=2.5, origin="bound"), "mu": Known(value=0.1, origin="exact")},
        metrics=["accuracy"],
        layers=[100, 12],
    ),
    K.BEGIN: Begin(plan={"name": "gd", "gamma": 0.5}, max_down=9000, max_up=5000, max_probe=9001),
    K.STOP: Stop(reason="converged: ‖∇f(x)‖² ≤ ε"),
    K.BYE: Bye(
        sent={"data": 10, "control": 5},
        received={"data": 20, "control": 6},
        lag=Late(transfers=9, late=1, worst=0.1, total=0.2, seconds=3.0),
    ),
    K.ERROR: Failure(code=3, reason="a damaged HELLO frame"),
}
OPTIONAL = {(K.HELLO, "worker"), (K.READY, "dropped"), (K.READY, "metrics"), (K.READY, "layers")}
OPTIONAL |= {(K.WELCOME, "jitter"), (K.WELCOME, "trace"), (K.BYE, "lag")}
FIELDS = [(kind, name) for kind, model in DOCUMENTS.items() for name in model.model_fields]
MAY_BE_INFINITE = {"rate"}


def frame_of(kind, content):
    return Frame(kind, 0, b"", memoryview(msgpack.packb(content)))


def refusal(kind, content):
    """Return the text with which a document is refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(frame_of(kind, content))
    text = str(caught.value)
    assert text.startswith(f"a {kind.name} frame with ")
    return text.removeprefix(f"a {kind.name} frame with ")


def changed(kind, name, value):
    return VALID[kind].model_dump() | {name: value}


def field_names(annotated):
    """Return the fields whose valid value is of one of these types."""
    return [(kind, name) for kind, name in FIELDS if type(getattr(VALID[kind], name)) in annotated]


def test_every_document_is_tried_here():
    """A new document or field comes with its examples."""
    assert set(DOCUMENTS) == set(VALID)
    assert {kind: type(content) for kind, content in VALID.items()} == DOCUMENTS


@pytest.mark.parametrize("kind", VALID)
def test_a_document_arrives_as_it_was_sent(kind):
    """Encoding, cutting and decoding give an equal document in the same round."""
    stream = b"".join(encode(VALID[kind], 9).buffers)
    (frame,) = FrameParser({kind: 4096}).feed(stream)
    assert (kind, 9, VALID[kind]) == (frame.kind, frame.round, decode(frame))


@pytest.mark.parametrize("kind", VALID)
def test_an_unknown_field_is_refused(kind):
    """Nothing is silently ignored."""
    assert refusal(kind, changed(kind, "surprise", 1)).startswith("surprise: ")


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_missing_field_is_named(kind, name):
    """Every field is needed, but for those with a documented default."""
    content = VALID[kind].model_dump()
    del content[name]
    if (kind, name) in OPTIONAL:
        found = decode(frame_of(kind, content)).model_dump()
        found.pop(name, None)
        assert content == found
    else:
        assert refusal(kind, content).startswith(f"{name}: ")


@pytest.mark.parametrize(
    "wrong", [None, True, "text", b"bytes", 1.5, -1.5, 7, [], [1], {}, {"a": "b"}]
)
@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_value_of_another_type_is_named(kind, name, wrong):
    """Types are exact: no text for a number, no number for a text, no true for 1, no float
    for an integer; only an integer may stand for a float.
    """
    right = getattr(VALID[kind], name)
    same_type = type(wrong) is type(right) or (type(wrong), type(right)) == (int, float)
    accepted = (
        same_type and wrong != -1.5 and not (wrong == {"a": "b"} and name not in {"spec", "plan"})
    )
    accepted = accepted and not (wrong == [1] and name in {"metrics", "trace"})
    or_none = {(K.HELLO, "worker"), (K.BYE, "lag")}
    accepted = accepted or (wrong is None and (kind, name) in or_none)
    if accepted:
        assert wrong == getattr(decode(frame_of(kind, changed(kind, name, wrong))), name)
    elif wrong == b"bytes":
        with pytest.raises(RemoteProtocolError):
            decode(frame_of(kind, changed(kind, name, wrong)))
    else:
        assert refusal(kind, changed(kind, name, wrong)).startswith(name)


@pytest.mark.parametrize(("kind", "name"), field_names({int, float}))
def test_a_negative_number_is_named(kind, name):
    """No count, size, time or number of ours is negative."""
    for wrong in (-1, -(2**63)):
        assert refusal(kind, changed(kind, name, wrong)).startswith(f"{name}: ")


@pytest.mark.parametrize(("kind", "name"), field_names({float}))
def test_what_is_no_finite_number_is_named(kind, name):
    """NaN and −∞ are refused everywhere, ∞ but for a rate, where it says "unlimited"."""
    for wrong in (math.nan, -math.inf, math.inf):
        if wrong == math.inf and name in MAY_BE_INFINITE:
            assert wrong == getattr(decode(frame_of(kind, changed(kind, name, wrong))), name)
        else:
            assert refusal(kind, changed(kind, name, wrong)).startswith(f"{name}: ")


@pytest.mark.parametrize(("kind", "name"), field_names({int}))
def test_an_integer_beyond_its_range_is_named(kind, name):
    """Every integer has an upper bound below what msgpack can say."""
    assert refusal(kind, changed(kind, name, 2**64 - 1)).startswith(f"{name}: ")


@pytest.mark.parametrize(("kind", "name"), field_names({str}))
def test_a_long_text_is_named(kind, name):
    """Every text has an upper bound."""
    assert refusal(kind, changed(kind, name, "x" * 2001)).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("kind", "name", "wrong", "field"),
    [
        (K.WELCOME, "workers", 0, "workers"),
        (K.WELCOME, "rate", 0.0, "rate"),
        (K.READY, "dim", 0, "dim"),
        (K.READY, "constants", {"L": math.nan}, "constants.L"),
        (K.READY, "constants", {"L": math.inf}, "constants.L"),
        (K.READY, "constants", {"L": "2"}, "constants.L"),
        (K.READY, "constants", {"x" * 101: 1.0}, "constants." + "x" * 101),
        (K.BYE, "sent", {"data": -1}, "sent.data"),
        (K.BYE, "received", {"data": 2**63}, "received.data"),
        (K.BYE, "received", {"data": 1.0}, "received.data"),
        (K.ERROR, "code", 256, "code"),
    ],
)
def test_limits_of_single_fields(kind, name, wrong, field):
    """Entries of a map are named with their key."""
    assert refusal(kind, changed(kind, name, wrong)).startswith(field)


@pytest.mark.parametrize(("kind", "name"), [(K.WELCOME, "spec"), (K.BEGIN, "plan")])
def test_free_tables_hold_what_json_can_say(kind, name):
    """Spec and plan are free in form, but not in what they hold nor in how deep they go."""
    deep = 1
    for _ in range(500):
        deep = {"a": deep}
    for wrong in ({"a": b""}, {"a": {"b": [b""]}}, {"a": deep}):
        assert refusal(kind, changed(kind, name, wrong)).startswith(f"{name}.a")


def test_a_refusal_does_not_repeat_what_was_sent():
    """A hostile key or value does not fill the log."""
    for content in ({"x" * 3000: 1}, {"netcomp": 5, "y" * 4000: "z" * 4000}):
        assert len(refusal(K.HELLO, content)) < 400


def test_our_own_documents_are_checked_as_well():
    """A document that could not be read cannot be made, and none is changed afterwards."""
    with pytest.raises(ValidationError):
        Hello(netcomp="0.1.0", worker=-1)
    with pytest.raises(ValidationError):
        VALID[K.STOP].reason = "another"


# Links


@pytest.mark.parametrize("steps", [1, 2047, 2048, 2049, MAX_STEPS])
def test_a_trace_arrives_as_it_was_sent_and_fits(steps):
    """Number for number, up to the longest there may be, and within the limit of WELCOME."""
    trace = Trace((0.1,) * steps, tuple(float(rate) + 0.1 for rate in range(steps)))
    sent = VALID[K.WELCOME].model_copy(update={"trace": steps_of(trace)})
    (frame,) = FrameParser({K.WELCOME: 1 << 20}).feed(b"".join(encode(sent).buffers))
    assert trace == decode(frame).up.trace


def test_jitter_and_trace_are_left_out_where_there_is_none():
    """The documents of a plain link have the fields they always had."""
    plain = VALID[K.WELCOME].model_copy(update={"trace": [], "jitter": 0.0})
    assert {"jitter", "trace"}.isdisjoint(plain.model_dump())
    assert Link(plain.rate) == plain.up
    assert Link(latency=0.02, jitter=0.01) == VALID[K.WELCOME].down


@pytest.mark.parametrize("trace", [[[1.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[], [1.0, 1.0, 1.0]]])
def test_a_trace_that_is_none_is_refused(trace):
    welcome = VALID[K.WELCOME].model_copy(update={"trace": trace})
    with pytest.raises(RemoteProtocolError, match="WELCOME frame with trace"):
        _ = welcome.up


@pytest.mark.parametrize("trace", [[[1.0] * 4097], [[1.0, 1.0]] * 33, [[-1.0, 1.0]]])
def test_a_trace_beyond_its_limits_is_refused(trace):
    with pytest.raises(RemoteProtocolError, match="WELCOME"):
        decode(frame_of(K.WELCOME, changed(K.WELCOME, "trace", trace)))
