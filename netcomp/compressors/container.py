"""A payload on its own, for files and other programs: it says what it is.

docs/wire-format.md has the layout: magic, version, the resolved compressor in full notation,
d, n, the parts' sizes and the parts. Not in it: the key, which the reader must have, because
what both ends can derive is never written. A reader believes nothing: the notation may name
registered compressors only, and every size is compared with the bytes there are, and d and n with
limits, before memory is taken.
"""

from __future__ import annotations

from typing import Final

from netcomp.coding.varint import read_varint, write_varint
from netcomp.compressors.base import MAX_PARTS, Compressor, Payload
from netcomp.compressors.notation import parse_compressor
from netcomp.draw import MAX_BOUND, Draw
from netcomp.errors import PayloadTooBig, RemoteProtocolError, SpecError

__all__ = ["LARGEST_DIMENSION", "VERSION", "dump", "load"]

VERSION: Final = 1
"""Raised with every change of the layout or of what a payload's bytes mean."""

LARGEST_DIMENSION: Final = 1 << 27
"""The largest d that `load` accepts unless told otherwise."""

_MAGIC: Final = b"NCPL"
_LONGEST_NOTATION: Final = 1000
_MOST_WORKERS: Final = 1 << 20


def dump(payload: Payload, compressor: Compressor, d: int) -> bytes:
    """Return the container of what the resolved `compressor` made in dimension d.

    Raises ValueError for a payload of another dimension, `SpecError` for a compressor that
    no other program could find: one that is not made of registered names or not resolved.
    """
    if payload.dim != d:
        raise ValueError(f"a payload of dimension {payload.dim} where d = {d}")
    notation = str(compressor)
    n = compressor.workers
    if parse_compressor(notation).resolve(d, max(n, 1)) != compressor:
        raise SpecError("compressor", f"{notation!r} does not read back as the one it was made by")
    text = notation.encode()
    sizes = [part.nbytes for part in payload.parts]
    numbers = b"".join(write_varint(number) for number in (d, n, len(sizes), *sizes))
    head = _MAGIC + bytes([VERSION]) + write_varint(len(text)) + text + numbers
    return head + b"".join(payload.parts)


def load(
    data: bytes | bytearray | memoryview, draw: Draw, *, largest: int = LARGEST_DIMENSION
) -> tuple[Compressor, Payload]:
    """Return the compressor and the payload of a container; `draw` is the sender's key.

    The payload refers to the memory of `data`. Raises `RemoteProtocolError` where the bytes
    cannot be a container or its payload, `PayloadTooBig` where d is above `largest`. Memory is
    bounded by a multiple of `largest` and of `data`, and so is time but for `sketch`: its m·d
    Gaussians, at most 2³⁴, are drawn, where `data` holds m numbers.
    """
    view = memoryview(data).toreadonly().cast("B")
    if bytes(view[:4]) != _MAGIC:
        raise RemoteProtocolError("not a container of a payload")
    if bytes(view[4:5]) != bytes([VERSION]):
        raise RemoteProtocolError(f"a container of a version other than {VERSION}")
    length, at = read_varint(view, 5)
    if length > min(_LONGEST_NOTATION, len(view) - at):
        raise RemoteProtocolError(f"a notation of {length} bytes announced")
    raw, at = bytes(view[at : at + length]), at + length
    d, at = read_varint(view, at)
    n, at = read_varint(view, at)
    compressor = _compressor(raw, d, n, min(largest, MAX_BOUND))
    parts = _parts(view, at)
    try:
        return compressor, compressor.decode(parts, d, draw)
    except SpecError as error:
        raise RemoteProtocolError(f"a payload this key cannot decode: {error}") from error


def _compressor(raw: bytes, d: int, n: int, largest: int) -> Compressor:
    if not 1 <= d <= largest:
        raise PayloadTooBig(d, largest)
    if n > _MOST_WORKERS:
        raise PayloadTooBig(n, _MOST_WORKERS)
    try:
        text = raw.decode()
        compressor = parse_compressor(text).resolve(d, max(n, 1))
    except (UnicodeDecodeError, SpecError) as error:
        raise RemoteProtocolError(f"a container of an unknown compressor: {error}") from error
    # One spelling each: what is not resolved, or has an n that says nothing, is refused.
    if str(compressor) != text or compressor.workers != n:
        raise RemoteProtocolError(f"a container of {text!r}, which is not a resolved compressor")
    return compressor


def _parts(view: memoryview, at: int) -> list[memoryview]:
    count, at = read_varint(view, at)
    if count > MAX_PARTS:
        raise RemoteProtocolError(f"{count} parts announced")
    sizes = []
    for _ in range(count):
        size, at = read_varint(view, at)
        sizes.append(size)
    if sum(sizes) != len(view) - at:
        raise RemoteProtocolError(f"{sum(sizes)} bytes announced, {len(view) - at} there")
    parts = []
    for size in sizes:
        parts.append(view[at : at + size])
        at += size
    return parts
