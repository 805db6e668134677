"""Sets and arrangements as whole numbers: as few bits as counting allows.

The combinatorial number system (D. H. Lehmer, "The machine tools of combinatorics", 1964): k
positions p₁ < … < p_k below n are Σᵢ C(pᵢ, i), i = 1 … k, a number below C(n, k), and every such
number is one set. An arrangement of k symbols below m is, value by value: with r places left (k at
first), value v < m − 1 takes c of them, and which is a set; value m − 1 takes what is left, and
where nothing is left nothing follows.

What is written is one number: the counts c as fields of ⌈log2(r + 1)⌉ bits, the first one lowest,
and above them the digits d₀ + b₀·(d₁ + b₁·(d₂ + …)) of the sets, bⱼ the number of sets there are
of such a size. It has as many bytes, lowest first, as the largest one with these counts needs. So
no byte can be missing: what was cut off cannot have been below a count without its being missed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from netcomp.errors import RemoteProtocolError

__all__ = ["Reader", "arrangement", "joined", "rank", "unrank"]

Digit = tuple[int, int]
"""(digit, base)."""

_DENSE = 8


def rank(positions: Sequence[int]) -> int:
    """Return the number of a set, given in increasing order."""
    if not positions or positions[-1] >= _DENSE * len(positions):
        return sum(math.comb(p, i) for i, p in enumerate(positions, 1))
    number, i, wanted = 0, len(positions), set(positions)
    ways = math.comb(positions[-1], i)
    # Below the first position nothing is left to count, and position 0 counts for nothing.
    for p in range(positions[-1], max(positions[0] - 1, 0), -1):
        if p in wanted:
            number += ways
        ways, i = _below(ways, p, i, taken=p in wanted)
    return number


def _below(ways: int, p: int, i: int, *, taken: bool) -> tuple[int, int]:
    """Return (C(p − 1, j), j) from C(p, i), where p is one of the set or not: no new product."""
    return (ways * i // p, i - 1) if taken else (ways * (p - i) // p, i)


def _above(ways: int, p: int, i: int) -> int:
    """Return C(p + 1, i) from C(p, i), p ≥ i − 1, likewise."""
    return ways * (p + 1) // (p + 1 - i) if ways else 1


def unrank(number: int, k: int, n: int) -> list[int]:
    """Return the k positions below `n` whose number is `number` < C(n, k)."""
    if k == 0:
        return []
    return (_scanned if n <= _DENSE * k else _estimated)(number, k, n)


def _scanned(number: int, k: int, n: int) -> list[int]:
    """Go down from n − 1, a multiplication a position: for sets that are dense."""
    out, p, i = [], n - 1, k
    ways = math.comb(p, i)
    while ways and i:
        taken = ways <= number
        if taken:
            number -= ways
            out.append(p)
        ways, i = _below(ways, p, i, taken=taken)
        p -= 1
    # As many are left as there are places, or none.
    return [*range(i), *out[::-1]]


def _estimated(number: int, k: int, n: int) -> list[int]:
    """Solve C(p, i) ≤ number for p, i from k down; the estimate is hardly ever off."""
    out = []
    for i in range(k, 0, -1):
        p = i - 1
        if number:
            # C(p, i) is near (p − (i − 1)/2)^i / i!.
            root = 2.0 ** ((math.log2(number) + math.lgamma(i + 1) / math.log(2)) / i)
            p = min(max(int(root + (i - 1) / 2), i - 1), n - 1)
        ways = math.comb(p, i)
        while ways > number:
            ways = ways * (p - i) // p
            p -= 1
        while p < n - 1 and (above := _above(ways, p, i)) <= number:
            ways, p = above, p + 1
        number -= ways
        out.append(p)
    return out[::-1]


def arrangement(symbols: Sequence[int], m: int) -> tuple[list[Digit], list[Digit]]:
    """Return the (count, size of its field) and the digits of a sequence of symbols below `m`."""
    counts, digits, left = [], [], list(symbols)
    for value in range(m - 1):
        if not left:
            break
        places = [at for at, symbol in enumerate(left) if symbol == value]
        counts.append((len(places), 1 << len(left).bit_length()))
        digits.append((rank(places), math.comb(len(left), len(places))))
        left = [symbol for symbol in left if symbol != value]
    return counts, digits


def joined(digits: Iterable[Digit]) -> bytes:
    """Return the bytes of counts and digits, in this order."""
    number, ways = 0, 1
    for digit, base in reversed(list(digits)):
        number, ways = number * base + digit, ways * base
    return number.to_bytes(_bytes(ways), "little")


def _bytes(ways: int) -> int:
    return -(-(ways - 1).bit_length() // 8)


class Reader:
    """Takes counts and digits out of bytes that `joined` made."""

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._number = int.from_bytes(data, "little")
        self._ways = 1

    def take(self, base: int) -> int:
        """Return the next digit."""
        self._number, digit = divmod(self._number, base)
        self._ways *= base
        return digit

    def counts(self, k: int, m: int) -> list[int]:
        """Return the counts of an arrangement of k symbols below `m`.

        Raises RemoteProtocolError for one that is larger than what is left.
        """
        out, left = [], k
        for _ in range(m - 1):
            if not left:
                break
            out.append(self.take(1 << left.bit_length()))
            left -= out[-1]
            if left < 0:
                raise RemoteProtocolError("more symbols than places")
        return out

    def arrangement(self, k: int, m: int, counts: Sequence[int]) -> list[int]:
        """Return the k symbols below `m` that have these counts."""
        out, left = [m - 1] * k, list(range(k))
        for value, count in enumerate(counts):
            places = set(unrank(self.take(math.comb(len(left), count)), count, len(left)))
            for at in places:
                out[left[at]] = value
            left = [place for at, place in enumerate(left) if at not in places]
        return out

    def end(self) -> None:
        """Raise RemoteProtocolError where something is left, or bytes are too many or too few."""
        if self._number or self._size != _bytes(self._ways):
            raise RemoteProtocolError("a number of a wrong length or size")
