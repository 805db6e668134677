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
    ValidationError,
)

from netcomp.compressors import MAX_LAYERS
from netcomp.constants import Constant, Origin
from netcomp.errors import RemoteProtocolError
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
    "Ready",
    "Report",
    "Stop",
    "Welcome",
    "decode",
    "encode",
]

MAX_METRICS: Final = 16
"""The most numbers that a worker may measure beside f_i and its gradient."""

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

    `rate` (bytes/s) and `latency` (s) are the link the worker emulates: the rate of its
    uplink, paced at its send, and the downlink's latency, added at its receive.
    """

    worker: Annotated[int, Field(ge=0, lt=2**31)]
    workers: Annotated[int, Field(ge=1, lt=2**31)]
    run: Name
    spec: dict[str, Plain]
    rate: Annotated[float, Field(gt=0.0)]
    latency: Seconds


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


class Report(Document):
    """How long the answer took (s) and what the papers would count for it (bits).

    `elapsed` runs from the delivery of the downlink message to the uplink message's
    hand-over; what is neither computing nor compressing in it is waiting for a processor.
    """

    compute: Seconds
    compress: Seconds
    elapsed: Seconds
    paper_bits: Seconds


class Stop(Document):
    """The run is over."""

    reason: Text


class Bye(Document):
    """The worker's own counts of wire bytes by category, this frame excluded."""

    sent: dict[Name, Bytes]
    received: dict[Name, Bytes]


class Failure(Document):
    """Why this side ends the conversation."""

    code: Annotated[int, Field(ge=0, lt=256)]
    reason: Text


DOCUMENTS: Final[dict[FrameKind, type[Document]]] = {
    FrameKind.HELLO: Hello,
    FrameKind.WELCOME: Welcome,
    FrameKind.READY: Ready,
    FrameKind.BEGIN: Begin,
    FrameKind.REPORT: Report,
    FrameKind.STOP: Stop,
    FrameKind.BYE: Bye,
    FrameKind.ERROR: Failure,
}
_KINDS = {model: kind for kind, model in DOCUMENTS.items()}


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
