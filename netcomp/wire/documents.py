"""The documents of the conversation and what each field must be.

Every document that comes from the network is validated here before anything looks at it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from netcomp.compressors import MAX_LAYERS
from netcomp.constants import Constant, Origin
from netcomp.errors import RemoteProtocolError, SpecError
from netcomp.link import MAX_STEPS, Link, Trace
from netcomp.wire.frames import Frame, FrameKind
from netcomp.wire.messages import Outgoing, document, read_document

__all__ = [
    "DOCUMENTS",
    "MAX_METRICS",
    "Begin",
    "Bye",
    "Document",
    "Failure",
    "Hello",
    "Late",
    "Ready",
    "Stop",
    "Welcome",
    "decode",
    "encode",
    "steps_of",
]

MAX_METRICS: Final = 16
"""The most numbers that a worker may measure beside f_i and its gradient."""

_RUN: Final = 2048
"""Steps of a trace in one array: no container of a document has more than 4096 entries."""

_RUNS = Field(max_length=MAX_STEPS // _RUN)

Bytes = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(max_length=100)]
# Validated as JSON's values, no bytes and no endless nesting; who reads it knows the types.
Plain = Annotated[Any, GetPydanticSchema(lambda _source, handler: handler(JsonValue))]


class Document(BaseModel):
    """A document frame's content: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Hello(Document):
    """A slot introduces itself; `worker` is the number it wants, None for any."""

    netcomp: Name
    worker: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class Welcome(Document):
    """The server's answer: who the slot is and the spec it is to load its data by.

    `rate` (bytes/s), `latency` and `jitter` (s) are the link the worker emulates: the rate of
    its uplink, paced at its send, and the downlink's delay, added at its receive. `trace`
    holds the steps of an uplink whose rate changes, in runs of at most 2048: duration in s,
    rate in bytes/s, duration, rate, … Jitter and trace are left out where there is none.
    """

    worker: Annotated[int, Field(ge=0, lt=2**31)]
    workers: Annotated[int, Field(ge=1, lt=2**31)]
    run: Name
    spec: dict[str, Plain]
    rate: Annotated[float, Field(gt=0.0)]
    latency: Seconds
    jitter: Seconds = 0.0
    trace: Annotated[list[Annotated[list[Seconds], Field(max_length=2 * _RUN)]], _RUNS] = []

    @property
    def up(self) -> Link:
        """The uplink as the worker paces it; raises `RemoteProtocolError` for no trace."""
        if not self.trace:
            return Link(self.rate)
        steps = [number for run in self.trace for number in run]
        try:
            return Link(trace=Trace(tuple(steps[::2]), tuple(steps[1::2])))
        except SpecError as error:
            raise RemoteProtocolError(f"a WELCOME frame with {error}") from None

    @property
    def down(self) -> Link:
        """The downlink as the worker delays it."""
        return Link(latency=self.latency, jitter=self.jitter)

    @model_serializer(mode="wrap")
    def _brief(self, content: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(content(self), "jitter", "trace")


class Known(Document):
    """One constant of a worker's function, and where it comes from."""

    value: Annotated[float, Field(allow_inf_nan=False)]
    origin: Origin


class Ready(Document):
    """What the worker loaded: dimension d, its rows, a digest of the data, its constants.

    `metrics` names the numbers that follow f_i in its answers to probes, in their order;
    `layers` are the sizes of the tensors x is made of, in order, empty where it is one vector.
    """

    dim: Annotated[int, Field(ge=1, lt=2**31)]
    rows: Bytes
    dropped: Bytes = 0
    digest: Name
    constants: dict[Name, Known]
    metrics: Annotated[list[Name], Field(max_length=MAX_METRICS)] = []
    layers: Annotated[list[Size], Field(max_length=MAX_LAYERS)] = []

    @property
    def known(self) -> dict[str, Constant]:
        """Return the worker's constants as the theorems' steps are computed from."""
        return {name: Constant(one.value, one.origin) for name, one in self.constants.items()}


class Begin(Document):
    """The resolved plan both ends compose their roles from, and the agreed body sizes (bytes)."""

    plan: dict[str, Plain]
    max_down: Bytes
    max_up: Bytes
    max_probe: Bytes


class Stop(Document):
    """The run is over."""

    reason: Text


class Late(Document):
    """How late the worker's end of its emulated links was: the fields of `Lag`."""

    transfers: Bytes
    late: Bytes
    worst: Seconds
    total: Seconds
    seconds: Seconds


class Bye(Document):
    """The worker's own counts of wire bytes by category, this frame excluded.

    `lag` says how late its end of the emulated links was; left out where nothing was emulated.
    """

    sent: dict[Name, Bytes]
    received: dict[Name, Bytes]
    lag: Late | None = None

    @model_serializer(mode="wrap")
    def _brief(self, content: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(content(self), "lag")


class Failure(Document):
    """Why this side ends the conversation."""

    code: Annotated[int, Field(ge=0, lt=256)]
    reason: Text


DOCUMENTS: Final[dict[FrameKind, type[Document]]] = {
    FrameKind.HELLO: Hello,
    FrameKind.WELCOME: Welcome,
    FrameKind.READY: Ready,
    FrameKind.BEGIN: Begin,
    FrameKind.STOP: Stop,
    FrameKind.BYE: Bye,
    FrameKind.ERROR: Failure,
}
_KINDS = {model: kind for kind, model in DOCUMENTS.items()}


def steps_of(trace: Trace | None) -> list[list[float]]:
    """Return the steps of a trace as WELCOME carries them, none for none."""
    if trace is None:
        return []
    flat = [number for step in zip(trace.seconds, trace.rates, strict=True) for number in step]
    return [flat[at : at + 2 * _RUN] for at in range(0, len(flat), 2 * _RUN)]


def _without(content: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a document without those of its fields that say nothing."""
    return {key: value for key, value in content.items() if value or key not in names}


def encode(content: Document, round_: int = 0) -> Outgoing:
    """Return the frame that carries a document."""
    return document(_KINDS[type(content)], round_, content.model_dump())


def decode(frame: Frame) -> Document:
    """Return the validated document; raises `RemoteProtocolError` naming the bad field."""
    try:
        return DOCUMENTS[frame.kind].model_validate(read_document(frame))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # A key of the peer's own making may be as long as the frame.
        field = ".".join(str(part) for part in first["loc"])[:200]
        raise RemoteProtocolError(
            f"a {frame.kind.name} frame with {field or 'its map'}: {first['msg']}"
        ) from None
