"""Randomness as an argument: keyed streams that are derived, never continued.

A `Draw` is a key: (seed, round, sub-round, direction, worker). Asking it for a
`Purpose` gives a `Stream` of words that any party holding the key can repeat.
Nothing is ever stored between calls, so a resumed run, a repeated `downlink` and
the other end of a connection all see the same numbers, and indices that both
ends can derive are never sent.

The recipe (version 1; docs/randomness.md has test vectors):

1. key bytes = seed, round, sub, direction, worker, purpose as six unsigned 64-bit
   little-endian integers;
2. BLAKE2b of those 48 bytes with a 24-byte digest and the personalisation
   ``netcomp-draw-1`` gives three 64-bit little-endian words a, b, c;
3. SFC64 (Chris Doty-Humphrey, PractRand) starts from (a, b, c, counter 1); its
   first 12 outputs are dropped, the rest is the stream;
4. 32-bit words are the halves of 64-bit outputs, the low half first; a half left
   over at the end of one call is dropped.

numpy runs the generator (it promises stable bit streams); every step from words
to numbers is our own, because numpy does not promise stable `Generator` methods,
and exact but for `Stream.normals`.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALL", "MAX_BOUND", "MAX_SEED", "Direction", "Draw", "Purpose", "Stream"]

ALL: Final = 0xFFFF_FFFF
"""The worker number of a draw that all workers share."""

MAX_SEED: Final = 2**63
"""Every seed is below it."""

MAX_BOUND: Final = 2**31 - 1
"""The largest bound of `Stream.below`, hence the largest dimension."""

_PERSON = b"netcomp-draw-1"
_SEED_WORDS = 3
_CHUNK = 1 << 13
_DENSE = 8
"""Of more than one integer in this many, a mark each is faster than sorting."""
_KEY = struct.Struct("<6Q")
_HALF = np.uint64(32)
_WORD, _HALF_WORD = np.dtype("<u8"), np.dtype("<u4")


class Purpose(IntEnum):
    """What a stream is for. Two uses of one key must differ here."""

    COIN = 1
    PARTICIPATION = 2
    SPARSIFIER = 3
    QUANTIZER = 4
    MINIBATCH = 5
    INIT = 6
    JITTER = 7
    SPLIT = 8
    DATA = 9
    MODULE = 10
    LINK = 11


class Direction(IntEnum):
    """Which way the message travels that the randomness belongs to."""

    NONE = 0
    UP = 1
    DOWN = 2


class Draw(NamedTuple):
    """The key of a family of random streams, one a `Purpose`.

    `worker` is the stable number of a worker from 0, or `ALL` where every worker
    shares the outcome (coins, the permutation of perm-k).
    """

    seed: int
    round: int = 0
    sub: int = 0
    direction: Direction = Direction.NONE
    worker: int = ALL

    def at(
        self,
        *,
        round_: int | None = None,
        sub: int | None = None,
        direction: Direction | None = None,
        worker: int | None = None,
    ) -> Draw:
        """Return the key with the given parts replaced."""
        # Not `_replace`, which takes three times as long: a round asks for several keys a worker.
        return Draw(
            self.seed,
            self.round if round_ is None else round_,
            self.sub if sub is None else sub,
            self.direction if direction is None else direction,
            self.worker if worker is None else worker,
        )

    def shared(self) -> Draw:
        """Return the key all workers have in common."""
        return self if self.worker == ALL else self._replace(worker=ALL)

    def stream(self, purpose: Purpose) -> Stream:
        """Return the stream of this key for one purpose, from its beginning."""
        key = _KEY.pack(self.seed, self.round, self.sub, self.direction, self.worker, purpose)
        return Stream(key)

    def coin(self, probability: float) -> bool:
        """Toss the coin all workers of this round and direction share.

        True with the given probability, rounded to a multiple of 2⁻⁵³.
        """
        return _tossed(self.seed, self.round, self.sub, self.direction) < probability


@functools.lru_cache(maxsize=16)
def _tossed(seed: int, round_: int, sub: int, direction: Direction) -> float:
    """Return the uniform number of a round's coin: n workers, or slots, ask for the same one."""
    return Draw(seed, round_, sub, direction).stream(Purpose.COIN).uniform()


class _Seed(np.random.bit_generator.ISeedSequence):
    """Three words as they are: what SFC64 starts from with counter 1, then dropping 12 outputs."""

    __slots__ = ("_words",)

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> NDArray[np.uint64]:
        """Return them: three 64-bit words are what SFC64 asks for."""
        if n_words != _SEED_WORDS or np.dtype(dtype) != np.uint64:  # type: ignore[call-overload]
            raise NotImplementedError("SFC64 asks for three 64-bit words")
        return self._words


class Stream:
    """A sequence of random words and the exact ways netcomp turns them into numbers."""

    __slots__ = ("_bits",)

    def __init__(self, key: bytes) -> None:
        digest = hashlib.blake2b(key, digest_size=8 * _SEED_WORDS, person=_PERSON).digest()
        # Not through `state`: that seeds first, from hashes of hashes, ten times as long.
        seed = _Seed(np.frombuffer(digest, _WORD).astype(np.uint64, copy=False))
        self._bits = np.random.SFC64(seed)  # type: ignore[arg-type]

    def words64(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` 64-bit words."""
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        return raw

    def words32(self, count: int) -> NDArray[np.uint32]:
        """Return the next `count` 32-bit words (low half of each output first)."""
        raw = self.words64((count + 1) // 2)
        return raw.astype(_WORD, copy=False).view(_HALF_WORD)[:count]

    def uniform(self) -> float:
        """Return the next number of `uniforms` without an array around it."""
        word: int = self._bits.random_raw()
        return (word >> 11) * 2.0**-53

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Return `count` multiples of 2⁻⁵³, uniform in [0, 1): the top 53 bits of a word."""
        words = self.words64(count)
        words >>= np.uint64(11)
        values = words.astype(np.float64)
        values *= 2.0**-53
        return values

    def normals(self, count: int) -> NDArray[np.float64]:
        """Return `count` standard normal deviates (Box and Muller, pairs cos then sin).

        The logarithm and the cosine may differ in the last bit between platforms. Problem
        data and `sketch` take that; what two ends must have in common, as indices, may not
        depend on them.
        """
        pairs = (count + 1) // 2
        radius, angle = self.uniforms(2 * pairs).reshape(2, pairs)
        np.log1p(np.negative(radius, out=radius), out=radius)
        radius *= -2.0
        np.sqrt(radius, out=radius)
        angle *= 2.0 * np.pi
        out = np.empty((2, pairs))
        for row, wave in zip(out, (np.cos, np.sin), strict=True):
            # Row by row: numpy copies the radii where they are multiplied with both at once.
            np.multiply(wave(angle, out=row), radius, out=row)
        return out.ravel()[:count]

    def below(self, bound: int, count: int) -> NDArray[np.int64]:
        """Return `count` integers, exactly uniform on [0, bound) (Lemire's rejection).

        The top 32 bits w of each word give the product w · bound; its high half is
        the result unless its low half is below 2³² mod bound, in which case the word
        is skipped. Raises ValueError unless 1 ≤ bound ≤ `MAX_BOUND`.
        """
        found = [self._some_below(bound, count)]
        missing = count - found[0].size
        while missing > 0:
            found.append(self._some_below(bound, missing))
            missing -= found[-1].size
        return np.concatenate(found).astype(np.int64)

    def _some_below(self, bound: int, count: int) -> NDArray[np.uint32]:
        """Return what the next `count` words give for `below`: `count` integers or fewer."""
        if not 1 <= bound <= MAX_BOUND:
            raise ValueError(f"bound must be in 1..{MAX_BOUND}, not {bound}")
        if count <= _CHUNK:
            return self._chunk_below(bound, count)
        # By chunks: fresh memory for all the words would cost more time than drawing them.
        out = np.empty(count, dtype=np.uint32)
        found = 0
        for start in range(0, count, _CHUNK):
            kept = self._chunk_below(bound, min(_CHUNK, count - start))
            out[found : found + kept.size] = kept
            found += kept.size
        return out[:found]

    def _chunk_below(self, bound: int, count: int) -> NDArray[np.uint32]:
        products = self.words64(count)
        products >>= _HALF
        products *= np.uint64(bound)
        halves = products.astype(_WORD, copy=False).view(_HALF_WORD)
        rejected = halves[::2] < 2**32 % bound
        high = halves[1::2]
        # Hardly ever one: taking all is far cheaper than choosing.
        return high[~rejected] if np.count_nonzero(rejected) else high

    def distinct(self, bound: int, count: int) -> NDArray[np.int64]:
        """Return the first `count` distinct integers of the `below` sequence, sorted.

        That is a uniform `count`-subset of [0, bound). Above half the range the
        complement is drawn instead. Raises ValueError unless count ≤ bound.
        """
        if not 0 <= count <= bound:
            raise ValueError(f"cannot draw {count} distinct integers below {bound}")
        if count in (0, bound):
            return np.arange(count, dtype=np.int64)
        # Never more draws at a time than are missing, so that there are never too many.
        if count > bound // _DENSE:
            marked, fewer = np.zeros(bound, dtype=bool), min(count, bound - count)
            missing = fewer
            while missing > 0:
                marked[self._some_below(bound, missing)] = True
                missing = fewer - int(np.count_nonzero(marked))
            return np.flatnonzero(marked if fewer == count else ~marked)
        values = np.sort(self._some_below(bound, count))
        while True:
            values = _without_repeats(values)
            if values.size == count:
                return values.astype(np.int64)
            more = np.sort(self._some_below(bound, count - values.size))
            # Two runs in order, which this kind of sorting finds and merges.
            values = np.concatenate([values, more])
            values.sort(kind="stable")


def _without_repeats(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return sorted values each once."""
    new = values[1:] != values[:-1]
    return values if np.count_nonzero(new) == new.size else values[np.concatenate(([True], new))]
