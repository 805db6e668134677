"""Laws about vectors in and out: what arrives, in which form, decided by what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netcomp.compressors.base import Compressor, Payload
from netcomp.compressors.conformance.cases import Case, fresh
from netcomp.compressors.conformance.subject import Subject
from netcomp.compressors.notation import COMPRESSORS, parse_compressor
from netcomp.draw import Draw
from netcomp.errors import NotFinite, SpecError
from netcomp.laws import Broken, same_bits

__all__ = [
    "input_untouched",
    "key_decides",
    "key_matters",
    "not_finite",
    "notation",
    "resolve",
    "round_trip",
    "shape_and_dtype",
    "zero",
]

_DTYPES: Final = (np.float64, np.float32)
_KEYS: Final = 32


def resolve(subject: Subject) -> str:
    """Check that a resolved compressor resolves to itself; d = 1 is legal.

    A `SpecError` is no breach (k > d), as long as some size is left.
    """
    cases, refused = subject.resolved
    for case in cases:
        again = case.compressor.resolve(case.d, case.n)
        if again != case.compressor:
            raise Broken(f"{case}: resolved twice it is {again} instead of {case.compressor}")
        if case.compressor.workers not in (0, case.n):
            raise Broken(f"{case}: says it was made for {case.compressor.workers} workers")
    remark = f"{len(cases)} sizes"
    return f"{remark}; refused: {'; '.join(refused)}" if refused else remark


def round_trip(subject: Subject) -> str:
    """Check that `decode(parts)` is what `compress` returned, bit for bit.

    From bytes of its own, read-only, and by a copy of the compressor made before: nothing
    travels but the parts.
    """
    count = 0
    for case in subject.distinct:
        for dtype in _DTYPES:
            for name, worker, _, sent in case.payloads(dtype):
                heard = case.other.decode(fresh(sent.parts), case.d, case.key(worker))
                if difference := _difference(sent, heard):
                    raise Broken(f"{case}, {name}, {dtype.__name__}: {difference}")
                count += 1
    return f"{count} payloads decoded to the same bits"


def _difference(a: Payload, b: Payload) -> str:
    """Return in what two payloads differ, nothing where they do not."""
    if (a.dim, a.nbytes, a.paper_bits) != (b.dim, b.nbytes, b.paper_bits):
        return "dim, nbytes or paper_bits of the decoded payload differ"
    if (a.indices is None) != (b.indices is None):
        return "only one end has indices"
    if a.indices is not None and b.indices is not None and not same_bits(a.indices, b.indices):
        return "the indices differ"
    if not same_bits(a.values, b.values):
        return "the values differ"
    both = all(same_bits(a.dense(dtype), b.dense(dtype)) for dtype in _DTYPES)
    return "" if both else "dense() differs"


def shape_and_dtype(subject: Subject) -> str:
    """Check that float32 and float64 vectors decode to d finite values of the dtype asked for.

    `add_to(out, w)` adds w · dense() in the dtype of `out`, and `dense()` is a fresh array.
    """
    count = 0
    for case in subject.distinct:
        for dtype in _DTYPES:
            for name, _, v, payload in case.payloads(dtype):
                where = f"{case}, {name}, {dtype.__name__}"
                _well_formed(payload, case, where)
                for asked in _DTYPES:
                    _consistent(payload, v.astype(asked), where)
                count += 1
    return f"{count} payloads"


def _well_formed(payload: Payload, case: Case, where: str) -> None:
    if payload.dim != case.d:
        raise Broken(f"{where}: a payload of dimension {payload.dim}")
    if payload.values.dtype not in _DTYPES:
        raise Broken(f"{where}: values of dtype {payload.values.dtype}")
    if not np.isfinite(payload.values).all():
        raise Broken(f"{where}: a value that is not finite")
    shape = (case.d,)
    if payload.indices is not None:
        shape = payload.indices.shape
        kept = np.unique(payload.indices)
        inside = not kept.size or (kept[0] >= 0 and kept[-1] < case.d)
        if payload.indices.dtype != np.int64 or kept.size != payload.indices.size or not inside:
            raise Broken(f"{where}: indices that are not distinct int64 below d")
    if payload.values.shape != shape:
        raise Broken(f"{where}: values of shape {payload.values.shape} where {shape} belongs")


def _consistent(payload: Payload, out: NDArray[Any], where: str) -> None:
    dense = payload.dense(out.dtype)
    if dense.shape != out.shape or dense.dtype != out.dtype:
        raise Broken(f"{where}: dense() of shape {dense.shape} and dtype {dense.dtype}")
    expected = out + dense * 0.75
    payload.add_to(out, 0.75)
    if not np.array_equal(expected, out):  # of zeros the sign may differ
        raise Broken(f"{where}: add_to differs from dense() times the weight")
    dense += 1.0
    if not same_bits(dense, payload.dense(out.dtype) + out.dtype.type(1.0)):
        raise Broken(f"{where}: dense() is not a fresh array")


def input_untouched(subject: Subject) -> str:
    """Check that `compress` never writes into its vector, and takes one that is read-only."""
    count = 0
    for case in subject.distinct:
        for dtype in _DTYPES:
            for name, v in case.vectors.items():
                given = v.astype(dtype)
                before = given.copy()
                where = f"{case}, {name}, {dtype.__name__}"
                case.sent(name, given, case.key())
                if not same_bits(before, given):
                    raise Broken(f"{where}: the vector was changed")
                before.flags.writeable = False
                try:
                    case.sent(name, before, case.key())
                except ValueError as error:
                    raise Broken(f"{where}, read-only: {error}") from None
                count += 1
    return f"{count} vectors unchanged"


def key_decides(subject: Subject) -> str:
    """Check that vector and key decide the bytes, whatever was compressed in between."""
    count = 0
    for case in subject.distinct:
        for name, worker, v, first in case.payloads():
            case.sent(name, -v, case.key(worker, 7))
            for compressor in (case.compressor, case.other):
                again = compressor.compress(v, case.key(worker))
                if list(map(bytes, first.parts)) != list(map(bytes, again.parts)):
                    raise Broken(f"{case}, {name}: other bytes the second time")
                if not same_bits(first.dense(), again.dense()):
                    raise Broken(f"{case}, {name}: another dense() the second time")
            count += 1
    return f"{count} payloads repeated"


def key_matters(subject: Subject) -> str:
    """Check that random results differ with each part of the key: seed, round and so on.

    Looked at where at least half of 32 keys give results of their own. A worker's number
    need not matter to a `shared` compressor.
    """
    looked = 0
    for case in subject.distinct:
        every = [Draw(case.seed + t, t, t, case.key().direction, t % case.n) for t in range(_KEYS)]
        if _results(case, every) < _KEYS // 2:
            continue
        looked += 1
        for part, keys in _varied(case):
            if _results(case, keys) == 1:
                raise Broken(f"{case}: the same result whatever the key's {part}")
    return f"random at {looked} of {len(subject.distinct)} sizes"


def _varied(case: Case) -> Iterator[tuple[str, list[Draw]]]:
    key = case.key()
    yield "seed", [Draw(t, key.round, 0, key.direction, key.worker) for t in range(_KEYS)]
    yield "round", [key.at(round_=t) for t in range(_KEYS)]
    yield "sub-round", [key.at(sub=t) for t in range(_KEYS)]
    if not case.compressor.shared and case.n == 1 and not case.compressor.correlated:
        yield "worker", [key.at(worker=t) for t in range(_KEYS)]


def _results(case: Case, keys: list[Draw]) -> int:
    """Return how many different results the Gaussian vector has under the keys."""
    v = case.vectors["gaussian"]
    return len({case.compressor.compress(v, key).dense().tobytes() for key in keys})


def notation(subject: Subject) -> str:
    """Check that `str()`, as given and resolved, reads back to an equal compressor.

    Of a class that no text can name, only that `str()` is one line.
    """
    if not _reads_back(subject.compressor):
        return f"{str(subject.compressor)!r} is no notation"
    for case in subject.distinct:
        _reads_back(case.compressor, case)
    return str(subject.compressor)


def _reads_back(compressor: Compressor, case: Case | None = None) -> bool:
    """Return whether its text is a notation, and raise `Broken` where it is another's."""
    text = str(compressor)
    if "\n" in text:
        raise Broken(f"{text!r} has several lines")
    try:
        again = parse_compressor(text, imports=True)
        if case is not None:
            again = again.resolve(case.d, case.n)
    except SpecError as error:
        found = re.match(r"[a-z0-9-]+(?=[:(+]|$)", text)
        if found and found[0] in COMPRESSORS.names():
            raise Broken(f"{text!r} does not read back: {error}") from None
        return False
    if again != compressor or str(again) != text:
        raise Broken(f"{text!r} reads back to another compressor, {str(again)!r}")
    return True


def zero(subject: Subject) -> str:
    """Check that C(0) = 0, which U(ω) and B(δ) imply; without either, that it is finite."""
    for case in subject.distinct:
        omega, delta = case.compressor.omega(case.d), case.compressor.delta(case.d)
        for dtype in _DTYPES:
            for worker in range(case.n):
                image = case.compressor.compress(np.zeros(case.d, dtype), case.key(worker)).dense()
                if not np.isfinite(image).all():
                    raise Broken(f"{case}: C(0) is not finite")
                if image.any() and not omega is delta is None:
                    raise Broken(f"{case}: C(0) is not 0, which its constants exclude")
    return f"{len(subject.distinct)} sizes"


def not_finite(subject: Subject) -> str:
    """Check that NaN or infinity, kept or not, is `NotFinite` with its index, worker and round."""
    count = 0
    for case in subject.distinct:
        for dtype in _DTYPES:
            for index in sorted({0, case.d // 2, case.d - 1}):
                for bad in (np.nan, np.inf, -np.inf):
                    v = case.vectors["gaussian"].astype(dtype)
                    v[index], v[-1] = bad, (bad if index == case.d - 1 else np.inf)
                    for worker in range(case.n):
                        _refused(case, v, worker, index)
                        count += 1
    return f"{count} vectors refused"


def _refused(case: Case, v: NDArray[Any], worker: int, index: int) -> None:
    where = f"{case}, worker {worker}, {v.dtype}, {v[index]} at {index}"
    try:
        case.compressor.compress(v, case.key(worker, 3))
    except NotFinite as error:
        if (error.index, error.worker, error.round) != (index, worker, 3):
            told = f"index {error.index}, worker {error.worker}, round {error.round}"
            raise Broken(f"{where}, in round 3: NotFinite told of {told}") from None
    except Exception as error:  # noqa: BLE001 — any other exception is what is looked for
        raise Broken(f"{where}: {type(error).__name__} instead of NotFinite") from None
    else:
        raise Broken(f"{where}: accepted")
