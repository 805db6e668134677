"""The recipe of docs/randomness.md in plain Python integers: no numpy, no netcomp."""

import hashlib
from collections.abc import Iterator
from itertools import islice

MASK32, MASK64 = 2**32 - 1, 2**64 - 1


class PlainStream:
    """Steps 1 to 4: BLAKE2b of the key, then SFC64 written out."""

    def __init__(self, *key: int, purpose: int = 1) -> None:
        """Take seed, round, sub-round, direction, worker and purpose, or the seed alone."""
        parts = key if len(key) == 6 else (key[0], 0, 0, 0, MASK32, purpose)
        words = b"".join(int(part).to_bytes(8, "little") for part in parts)
        digest = hashlib.blake2b(words, digest_size=24, person=b"netcomp-draw-1").digest()
        self.a, self.b, self.c = (
            int.from_bytes(digest[start : start + 8], "little") for start in (0, 8, 16)
        )
        self.counter = 1
        self.words64(12)

    def _next(self) -> int:
        word = (self.a + self.b + self.counter) & MASK64
        self.counter = (self.counter + 1) & MASK64
        self.a = self.b ^ (self.b >> 11)
        self.b = (self.c + (self.c << 3)) & MASK64
        self.c = (((self.c << 24) | (self.c >> 40)) + word) & MASK64
        return word

    def words64(self, count: int) -> list[int]:
        return [self._next() for _ in range(count)]

    def words32(self, count: int) -> list[int]:
        words = self.words64((count + 1) // 2)
        return [half for word in words for half in (word & MASK32, word >> 32)][:count]

    def uniforms(self, count: int) -> list[float]:
        return [(word >> 11) / 2**53 for word in self.words64(count)]

    def _below(self, bound: int) -> Iterator[int]:
        while True:
            product = (self._next() >> 32) * bound
            if product & MASK32 >= 2**32 % bound:
                yield product >> 32

    def below(self, bound: int, count: int) -> list[int]:
        return list(islice(self._below(bound), count))

    def distinct(self, bound: int, count: int) -> list[int]:
        if 2 * count > bound:
            return sorted(set(range(bound)) - set(self.distinct(bound, bound - count)))
        found: set[int] = set()
        source = self._below(bound)
        while len(found) < count:
            found.add(next(source))
        return sorted(found)


def plain_permutation(d: int, stream: PlainStream) -> list[int]:
    """Return the images of 0 … d−1: sorted words up to 4096, a Feistel network above."""
    if d <= 4096:
        words = stream.words64(d)
        return sorted(range(d), key=lambda position: words[position])
    width = 2 ** ((d - 1).bit_length() // 2)
    height = -(-d // width)
    tables = [stream.below(bound, count) for bound, count in ((height, width), (width, height)) * 2]

    def walk(x: int) -> int:
        x = _feistel(x, width, height, tables)
        while x >= d:
            x = _feistel(x, width, height, tables)
        return x

    return [walk(position) for position in range(d)]


def _feistel(x: int, width: int, height: int, tables: list[list[int]]) -> int:
    j, i = divmod(x, width)
    for f, g in (tables[:2], tables[2:]):
        j = (j + f[i]) % height
        i ^= g[j]
    return j * width + i


def plain_block(stream: PlainStream, d: int, n: int, worker: int) -> list[int]:
    """Return the coordinates perm-k gives to one worker, in the order they travel in."""
    seat = plain_permutation(n, stream)[worker]
    if d < n:
        coordinate = seat // (n // d)
        return [coordinate] if coordinate < d else []
    return plain_permutation(d, stream)[seat * d // n : (seat + 1) * d // n]
