"""Wrong where bytes come that nobody wrote."""

import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from netcomp.errors import RemoteProtocolError
from support.bad_compressors.honest import Honest, breaks


@breaks("wrong-lengths")
class TakesAnyLength(Honest):
    def decode(self, parts, d, draw):
        size = self.max_bytes(d)
        whole = b"".join(map(bytes, parts))[:size].ljust(size, b"\0")
        return super().decode([memoryview(whole)], d, draw)


@breaks("wrong-lengths")
class IndexErrorOnTruncated(Honest):
    def decode(self, parts, d, draw):
        parts[0][self.max_bytes(d) - 1]
        return super().decode(parts, d, draw)


@breaks("hostile-bytes")
class DecodesNan(Honest):
    """Values as they come, NaN too."""

    def decode(self, parts, d, draw):
        try:
            return super().decode(parts, d, draw)
        except RemoteProtocolError:
            payload = super().compress(np.zeros(d), draw)
            if [part.nbytes for part in parts] != [payload.nbytes]:
                raise
            return replace(payload, held=np.frombuffer(parts[0], "<f4"), parts=tuple(parts))


@dataclass(frozen=True)
class Counted(Honest):
    """A first part of 4 bytes with the number of values, believed: a subclass says how."""

    text: ClassVar[str] = "identity"

    @property
    def parts(self):
        return 2

    def compress(self, v, draw):
        payload = super().compress(v, draw)
        count = memoryview(v.size.to_bytes(4, "little"))
        return replace(payload, parts=(count, *payload.parts))

    def decode(self, parts, d, draw):
        if len(parts) != 2 or parts[0].nbytes != 4:
            raise RemoteProtocolError("a count and values belong here")
        self.believe(int.from_bytes(parts[0], "little"))
        payload = super().decode(parts[1:], d, draw)
        return replace(payload, parts=tuple(parts))

    def believe(self, count):
        raise NotImplementedError

    def max_bytes(self, d):
        return super().max_bytes(d) + 4


@breaks("hostile-bytes")
class AllocatesWhatItIsTold(Counted):
    def believe(self, count):
        np.empty(min(count, 2**28), dtype=np.uint8)


@breaks("hostile-bytes")
class AllocatesAndRefuses(Counted):
    def believe(self, count):
        if np.empty(min(count, 2**28), dtype=np.uint8).size > 2**16:
            raise RemoteProtocolError("too many")


@breaks("hostile-bytes")
class KeepsWhatItIsTold(Counted):
    """A table for each length, made when it is first heard of."""

    @cached_property
    def tables(self):
        return {}

    def believe(self, count):
        self.tables.setdefault(count, np.empty(min(count, 2**28), dtype=np.uint8))


@lru_cache(maxsize=2)
def table(count):
    return np.empty(min(count, 2**28), dtype=np.uint8)


@breaks("hostile-bytes")
class KeepsItForAll(Counted):
    """The same outside itself, where copies of it find the table again."""

    def believe(self, count):
        table(count)


@lru_cache
def believable(count):
    return np.empty(min(count, 2**28), dtype=np.uint8).size <= 2**28


@breaks("hostile-bytes")
class RemembersForAll(Counted):
    """Keeps nothing but the answer, of each number once."""

    def believe(self, count):
        believable(count)


@breaks("hostile-bytes")
class RefusesAll(Honest):
    def decode(self, parts, d, draw):
        raise RemoteProtocolError("nothing is good enough")


@breaks("hostile-bytes")
class CrashesOnNumbers(Counted):
    def believe(self, count):
        bytearray(1)[count >> 20]


class HangsOnNumbers(Counted):
    """For a test of its own, which releases it when the kit has given up."""

    released: ClassVar[bool] = False

    def believe(self, count):
        while count > 2**30 and not self.released:
            pass


class AmongOthers(Counted):
    """For a test of its own: another thread of the process allocates in every hundredth decode."""

    calls: ClassVar[int] = 0

    def believe(self, count):
        AmongOthers.calls += 1
        if AmongOthers.calls % 100 == 0:
            other = threading.Thread(target=bytes, args=(2**24,))
            other.start()
            other.join()
