"""A vector made of layers, each compressed on its own: top-k per tensor, quantizers by buckets.

`layers(top-k:1%)` keeps 1 % of every tensor of a model, not of all its coordinates; the sizes
come from the problem. `layers:sizes=150/16/2400(…)` says them; a list that ends in `...` repeats
its last size until d is covered, cutting the last layer short, so `layers:sizes=512/...(qsgd:s=4)`
quantizes by buckets of 512 coordinates, each with a norm of its own, as in D. Alistarh,
D. Grubic, J. Li, R. Tomioka, M. Vojnovic, "QSGD: Communication-Efficient SGD via Gradient
Quantization and Encoding", NIPS 2017.

Counts are relative to the layer: 1 % and d/n are of its own size. Constants: squared norms add up
over the layers, so ω and θ are the largest of the layers', δ the smallest, and (α, β) and (γ, β)
the smallest first with the largest second one.

Layer l draws from the sub-round (s·4096 + l)·128 + 127 of a key of sub-round s. The payload is
one part: the sizes of the layers' parts, then these one after the other. A layer has as many
sizes as its compressor has parts at most, each little-endian, in as few bytes as 1 more than the
layer's largest payload takes: 1 more than the part's bytes, 0 for a part that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import Collection, Compressor, Payload, require_vector
from netcomp.compressors.notation import parse_compressor
from netcomp.compressors.quantizers import only_part
from netcomp.compressors.wrappers import Around
from netcomp.draw import Draw
from netcomp.errors import NotFinite, RemoteProtocolError, SpecError

__all__ = ["MAX_LAYERS", "Layers", "Sizes", "with_layers"]

MAX_LAYERS: Final = 4096
"""The most layers a vector may be cut into."""

_AGAIN: Final = "..."
_SIZE: Final = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the layers in order: "150/16/2400"; "512/..." repeats the last one."""

    values: tuple[int, ...]
    again: bool = False

    @classmethod
    def parse(cls, text: str) -> Sizes:
        """Check the notation; raises ValueError saying what would be right."""
        pieces = text.split("/")
        again = len(pieces) > 1 and pieces[-1] == _AGAIN
        pieces = pieces[:-1] if again else pieces
        if not all(_SIZE.fullmatch(piece) for piece in pieces):
            raise ValueError("expected sizes as 150/16/2400, or 512/... for as many as it takes")
        if len(pieces) > MAX_LAYERS:
            raise ValueError(f"{len(pieces)} layers are more than {MAX_LAYERS}")
        return cls(tuple(map(int, pieces)), again)

    def __str__(self) -> str:
        return "/".join([*map(str, self.values), *[_AGAIN] * self.again])

    def of(self, d: int) -> tuple[int, ...]:
        """Return the sizes of the layers of d coordinates; raises `SpecError`."""
        listed, last = sum(self.values), self.values[-1]
        if not self.again:
            if listed != d:
                raise SpecError("layers.sizes", f"they add up to {listed} where d = {d}")
            return self.values
        more = -(-max(0, d - listed) // last)
        if len(self.values) + more > MAX_LAYERS:
            raise SpecError("layers.sizes", f"{self} cuts d = {d} into more than {MAX_LAYERS}")
        ends = accumulate([*self.values, *[last] * more])
        # Where d ends within the list, the rest of it is left out.
        starts = [0]
        for end in ends:
            if starts[-1] < d:
                starts.append(min(end, d))
        return tuple(np.diff(starts).tolist())


@dataclass(frozen=True)
class Layers(Around):
    """A compressor for each layer on its own; `sizes` None asks the problem (`with_layers`).

    `inner` is kept as written, because its counts differ from layer to layer; `each` are those
    of a resolved compressor, one a layer, and `n` the number of workers if it matters to them.
    """

    inner: Compressor
    sizes: Sizes | None = None
    each: tuple[Compressor, ...] = ()
    n: int = 0

    def __post_init__(self) -> None:
        inside: Any = self.inner
        while inside is not None:
            if isinstance(inside, Layers):
                raise SpecError("layers", "a layer is not cut into layers again")
            inside = getattr(inside, "inner", None)

    def __str__(self) -> str:
        return f"layers{'' if self.sizes is None else f':sizes={self.sizes}'}({self.inner})"

    @property
    def workers(self) -> int:
        return self.n

    @property
    def exact_bytes(self) -> bool:
        return all(compressor.exact_bytes for compressor in self.each)

    def resolve(self, d: int, n: int) -> Self:
        if self.sizes is None:
            raise SpecError("layers.sizes", "the problem has no layers: say their sizes")
        sizes = self.sizes.of(d)
        kinds = {size: self._resolved(size, n) for size in {*sizes}}
        alone = n == 1 or kinds == {size: self._resolved(size, 1) for size in kinds}
        return replace(self, each=tuple(kinds[size] for size in sizes), n=0 if alone else n)

    def _resolved(self, size: int, n: int) -> Compressor:
        try:
            return self.inner.resolve(size, n)
        except SpecError as error:
            raise SpecError(error.field, f"in a layer of {size}: {error.reason}") from None

    def compress(self, v: NDArray[Any], draw: Draw) -> Payload:
        require_vector(v)
        payloads, head = [], bytearray()
        for layer, (start, size, compressor) in enumerate(self._layers(v.size)):
            try:
                payload = compressor.compress(v[start : start + size], _sub(draw, layer))
            except NotFinite as error:
                raise NotFinite(start + error.index, error.worker, error.round) from None
            slots, width = _slots(compressor, size)
            told = [1 + part.nbytes for part in payload.parts] + [0] * (slots - len(payload.parts))
            head += b"".join(number.to_bytes(width, "little") for number in told)
            payloads.append(payload)
        body = b"".join([head, *(part for payload in payloads for part in payload.parts)])
        return _joined(payloads, v.size, memoryview(body))

    def decode(self, parts: Sequence[memoryview], d: int, draw: Draw) -> Payload:
        body, payloads = only_part(parts), []
        for layer, (compressor, size, own) in enumerate(self._cut(body, d)):
            payloads.append(compressor.decode(own, size, _sub(draw, layer)))
        return _joined(payloads, d, body)

    def _cut(self, body: memoryview, d: int) -> Iterator[tuple[Compressor, int, list[memoryview]]]:
        """Yield every layer's compressor, size and parts; raises `RemoteProtocolError`."""
        layers = self._layers(d)
        heads = [_slots(compressor, size) for _, size, compressor in layers]
        at = sum(slots * width for slots, width in heads)
        if body.nbytes < at:
            raise RemoteProtocolError(f"{body.nbytes} bytes where the sizes alone take {at}")
        told = 0
        for (_, size, compressor), (slots, width) in zip(layers, heads, strict=True):
            raw = [body[told + i * width : told + (i + 1) * width] for i in range(slots)]
            numbers = [int.from_bytes(piece, "little") for piece in raw]
            told += slots * width
            own = []
            for number in numbers[: numbers.index(0) if 0 in numbers else slots]:
                own.append(body[at : at + number - 1])
                at += number - 1
            if any(numbers[len(own) :]) or at > body.nbytes:
                raise RemoteProtocolError("sizes of layers that do not fit together")
            yield compressor, size, own
        if at != body.nbytes:
            raise RemoteProtocolError(f"{body.nbytes - at} bytes behind the last layer")

    def _layers(self, d: int) -> list[tuple[int, int, Compressor]]:
        """Return (start, size, compressor) of every layer; ValueError unless resolved for d."""
        if self.sizes is None or not self.each:
            raise ValueError(f"{self} is not resolved")
        sizes = self.sizes.of(d)
        starts = accumulate(sizes, initial=0)
        return [*zip([*starts][:-1], sizes, self.each, strict=True)]

    def max_bytes(self, d: int) -> int:
        layers = self._layers(d)
        heads = (_slots(compressor, size) for _, size, compressor in layers)
        bodies = (compressor.max_bytes(size) for _, size, compressor in layers)
        return sum(slots * width for slots, width in heads) + sum(bodies)

    def paper_bits(self, d: int) -> float:
        return sum(compressor.paper_bits(size) for _, size, compressor in self._layers(d))

    def density(self, d: int) -> float:
        return sum(compressor.density(size) for _, size, compressor in self._layers(d))

    def omega(self, d: int) -> float | None:
        return _worst(max, [c.omega(size) for _, size, c in self._layers(d)])

    def delta(self, d: int) -> float | None:
        return _worst(min, [c.delta(size) for _, size, c in self._layers(d)])

    def theta(self, d: int, n: int, collection: Collection) -> float | None:
        return _worst(max, [c.theta(size, n, collection) for _, size, c in self._layers(d)])

    def b1(self, d: int) -> tuple[float, float] | None:
        return _pair([c.b1(size) for _, size, c in self._layers(d)])

    def b2(self, d: int) -> tuple[float, float] | None:
        return _pair([c.b2(size) for _, size, c in self._layers(d)])


def with_layers(
    notation: str,
    layers: Sequence[int],
    *,
    values: str = "f32",
    field: str = "compressor",
    imports: bool = False,
) -> str:
    """Return the notation with the problem's layers where `layers` is written without sizes.

    `values`, `field` and `imports` are those of `parse_compressor`. Without layers the notation
    stays as it is, and cannot be resolved. Raises `SpecError` naming `field` where it is wrong.
    """
    compressor = parse_compressor(notation, values=values, field=field, imports=imports)
    known = Sizes(tuple(layers)) if layers else None

    def filled(one: Any) -> Any:
        if isinstance(one, Layers):
            return replace(one, sizes=one.sizes or known)
        inner = getattr(one, "inner", None)
        return one if inner is None else replace(one, inner=filled(inner))

    told = filled(compressor)
    return notation if told == compressor else str(told)


def _sub(draw: Draw, layer: int) -> Draw:
    return draw.at(sub=(draw.sub * MAX_LAYERS + layer) * 128 + 127)


def _slots(compressor: Compressor, size: int) -> tuple[int, int]:
    """Return how many sizes are told of a layer, and in how many bytes each."""
    return compressor.parts, ((compressor.max_bytes(size) + 1).bit_length() + 7) // 8


def _joined(payloads: Sequence[Payload], d: int, body: memoryview) -> Payload:
    """Return the layers' payloads as one: sparse unless every layer is dense."""
    bits = sum(payload.paper_bits for payload in payloads)
    indices = None
    if any(payload.indices is not None for payload in payloads):
        starts = accumulate((payload.dim for payload in payloads), initial=0)
        indices = np.concatenate(
            [
                np.arange(start, start + payload.dim)
                if payload.indices is None
                else payload.indices + start
                for start, payload in zip(starts, payloads, strict=False)
            ]
        )

    def values() -> NDArray[np.floating[Any]]:
        return np.concatenate([payload.values for payload in payloads])

    return Payload(d, indices, values, (body,), bits)


def _worst(of: Any, constants: Sequence[float | None]) -> float | None:
    known = [constant for constant in constants if constant is not None]
    worst: float | None = of(known) if len(known) == len(constants) else None
    return worst


def _pair(pairs: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None
    return min(first for first, _ in known), max(second for _, second in known)
