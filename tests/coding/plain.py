"""Slow decoders written from the docstrings of netcomp.coding alone, a coordinate at a time."""

from __future__ import annotations

from itertools import product
from math import ceil, comb, log2


def bit_string(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def fields(data: bytes, count: int, width: int) -> tuple[list[int], bytes]:
    """Return (the values, the bytes after them)."""
    bits, size = bit_string(data), -(-count * width // 8)
    return [int(bits[i * width : (i + 1) * width], 2) for i in range(count)], data[size:]


def varint(data: bytes) -> tuple[int, bytes]:
    value = shift = 0
    for at, byte in enumerate(data):
        value += (byte % 128) << shift
        shift += 7
        if byte < 128:
            return value, data[at + 1 :]
    raise ValueError(data)


def indices(data: bytes, k: int, d: int) -> list[int]:
    """Follow the module docstring of gaps, line by line."""
    form, rest = data[0], data[1:]
    if form == 0:
        return list(range(k))
    if form >= 128:
        absent = indices(bytes([form - 128]) + rest, d - k, d)
        return [i for i in range(d) if i not in set(absent)]
    if form == 126:
        return fields(rest, k, (d - 1).bit_length())[0]
    if form == 127:
        return [i for i, bit in enumerate(bit_string(rest)) if bit == "1"]
    M = form if form < 4 else (4 + form % 4) << (form // 4 - 1)
    w = M.bit_length() - 1
    r = [0] * k
    if w:
        r, rest = fields(rest, k, w)
    if M != 2**w:
        t = 2 ** (w + 1) - M
        long = [i for i in range(k) if r[i] >= t]
        extra, rest = fields(rest, len(long), 1)
        for i, bit in zip(long, extra, strict=True):
            r[i] = 2 * r[i] + bit - t
    q = [len(zeros) for zeros in bit_string(rest).split("1")[:k]]
    out, last = [], -1
    for i in range(k):
        last += q[i] * M + r[i] + 1
        out.append(last)
    return out


def subset(number: int, k: int, n: int) -> list[int]:
    """Follow the module docstring of ranks: the largest position is the largest p that fits."""
    out = []
    for i in range(k, 0, -1):
        out.append(max(p for p in range(n) if comb(p, i) <= number))
        number -= comb(out[-1], i)
    return out[::-1]


def few(data: bytes, k: int, n: int, m: int) -> list[tuple[int, int]]:
    """Follow the module docstrings of few and ranks, line by line: (position, symbol)."""
    positions = None
    if k > 192:
        positions, data = rice(data, k, n)
    number, left, counts = int.from_bytes(data, "little"), k, []
    while left and len(counts) < m - 1:
        number, c = divmod(number, 2 ** ceil(log2(left + 1)))
        counts.append(c)
        left -= c
    if positions is None:
        number, which = divmod(number, comb(n, k))
        positions = subset(which, k, n)
    symbols, places = [m - 1] * k, list(range(k))
    for value, c in enumerate(counts):
        number, which = divmod(number, comb(len(places), c))
        for place in [places[at] for at in subset(which, c, len(places))]:
            symbols[place] = value
            places.remove(place)
    assert number == 0
    return list(zip(positions, symbols, strict=True))


def rice(data: bytes, k: int, n: int) -> tuple[list[int], bytes]:
    """Return (the positions, the bytes after them)."""
    w = max([w for w in range(32) if 2**w * 128 * k <= 123 * (n - k)], default=0)
    bits = bit_string(data)
    out, last, at = [], -1, k * w
    for i in range(k):
        r, q = int("0" + bits[i * w : (i + 1) * w], 2), bits.index("1", at) - at
        at += q + 1
        last += 1 + q * 2**w + r
        out.append(last)
    return out, data[-(-at // 8) :]


def normalised(weights: list[int]) -> list[int]:
    f = [max(1, w * 2**16 // sum(weights)) for w in weights]
    e, s = sum(f) - 2**16, sum(f) - len(f)
    if e > 0:
        f = [x - -(-e * (x - 1) // s) for x in f]
    largest = sorted(range(len(f)), key=lambda i: (-weights[i], i))
    for i in largest[: 2**16 - sum(f)]:
        f[i] += 1
    return f


def table(data: bytes) -> tuple[list[int], list[int], bytes]:
    """Return (the symbols, their frequencies of sum 2^16, the bytes after the table)."""
    B, rest = data[0], data[1:]
    R, rest = varint(rest)
    present, at = [], 0
    for _ in range(R):
        gap, rest = varint(rest)
        length, rest = varint(rest)
        present += range(at + gap, at + gap + length + 1)
        at += gap + length + 1
    f = []
    for _ in present:
        value, rest = varint(rest)
        f.append((value + 1) << (16 - B))
    return present, f, rest


def symbols(data: bytes, count: int, alphabet: int) -> list[int]:
    """Follow the module docstring of ans, line by line."""
    mode, rest = data[0], data[1:]
    if mode == 0:
        width = (alphabet - 1).bit_length()
        return fields(rest, count, width)[0] if width else [0] * count
    if mode == 1:
        return [varint(rest)[0]] * count
    if mode >= 128:
        k = mode - 128
        if k == 0:
            k, rest = varint(rest)
            k += 128
        out = [0] * count
        for i, s in few(rest, k, count, alphabet - 1):
            out[i] = s + 1
        return out
    if mode >= 8:
        c, b = divmod(mode - 8, 2)
        if mode >= 126:
            c, rest = varint(rest)
        k, rest = varint(rest)
        n = -(-k * (alphabet - 2).bit_length() // 8)
        if b:
            tail = b"\x00" + rest[len(rest) - n :]
        else:
            n, rest = varint(rest)
            tail = rest[len(rest) - n :]
        others = symbols(tail, k, alphabet - 1)
        out = [c] * count
        for i, s in zip(indices(rest[: len(rest) - n], k, count), others, strict=True):
            out[i] = s + (s >= c)
        return out
    return rans(rest, count, {2: 1, 3: 2, 4: 4}[mode])


def rans(data: bytes, count: int, G: int) -> list[int]:
    present, f, rest = table(data)
    size = 1
    while size < G:
        f = normalised([a * b for a in f for b in f])
        size *= 2
    group = list(product(present, repeat=G))
    L, rest = varint(rest)
    x = [int.from_bytes(rest[4 * i : 4 * i + 4], "little") for i in range(L)]
    words = rest[4 * L :]
    slot = [(i, c) for i in range(len(f)) for c in range(f[i])]
    out: list[int] = []
    groups = -(-count // G)
    for t in range(0, groups - L, L):
        lanes = range(min(L, groups - L - t))
        for lane in lanes:
            number, bias = slot[x[lane] % 2**16]
            out += group[number]
            x[lane] = f[number] * (x[lane] >> 16) + bias
        for lane in lanes:
            if x[lane] < 2**16:
                x[lane] = (x[lane] << 16) + int.from_bytes(words[:2], "little")
                words = words[2:]
    assert not words
    for state in x:
        out += group[state - 2**16]
    return out[:count]
