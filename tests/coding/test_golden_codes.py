"""Codes of every form, pinned: what is written today, and what any later reader must read.

tests/golden/coded.json has the bytes, tests/support/coded.py the inputs.
"""

import json
from base64 import b64decode
from hashlib import sha256

import numpy as np
import pytest

from coding import plain
from netcomp.coding import ans, few, gaps
from netcomp.coding.ans import decode_sparse, decode_symbols, encode_sparse, encode_symbols
from netcomp.coding.few import decode_few, encode_few
from netcomp.coding.gaps import MAX_DIMENSION, decode_indices, encode_indices
from netcomp.errors import RemoteProtocolError
from support.coded import (
    LAST_DIVISOR,
    LAST_WRITTEN,
    LONG,
    MOSTLY,
    PATH,
    PLAIN,
    POSITIONS,
    SYMBOLS,
    UNUSUAL,
    arrayed,
    divisor,
    indices_of,
    positions_and_symbols,
)

GOLDEN = json.loads(PATH.read_text())


def golden(section, name):
    return b64decode(GOLDEN[section][name])


def test_the_file_has_the_cases_and_no_others():
    forms = {str(form) for form in (*UNUSUAL, *range(1, LAST_WRITTEN + 1))}
    cases = {"symbols": SYMBOLS, "long": LONG, "few": POSITIONS, "sets": forms}
    assert {section: set(names) for section, names in cases.items()} == {
        section: set(entries) for section, entries in GOLDEN.items()
    }


# Symbols


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols_give_these_bytes_and_these_bytes_the_symbols(name):
    symbols, alphabet = SYMBOLS[name]
    data, given = golden("symbols", name), arrayed(symbols, alphabet)
    assert data == encode_symbols(given, alphabet)
    decoded = decode_symbols(data, given.size, alphabet)
    assert given.dtype == decoded.dtype
    assert symbols == decoded.tolist()


@pytest.mark.parametrize("name", SYMBOLS)
def test_by_position_the_bytes_and_the_symbols_are_the_same(name):
    symbols, alphabet = SYMBOLS[name]
    data, given = golden("symbols", name), arrayed(symbols, alphabet)
    positions = np.flatnonzero(given)
    assert data == encode_sparse(positions, given[positions], given.size, alphabet)
    found = decode_sparse(data, given.size, alphabet)
    if found is not None:
        assert positions.tolist() == found[0].tolist()
        assert given[positions].tolist() == found[1].tolist()


@pytest.mark.parametrize("name", PLAIN | MOSTLY)
def test_the_docstrings_are_enough_to_read_these_symbols(name):
    symbols, alphabet = SYMBOLS[name]
    assert symbols == plain.symbols(golden("symbols", name), len(symbols), alphabet)


@pytest.mark.parametrize("name", LONG)
def test_long_messages_have_this_digest_and_come_back(name):
    symbols, alphabet = LONG[name]()
    symbols = arrayed(symbols, alphabet)
    data = encode_symbols(symbols, alphabet)
    assert GOLDEN["long"][name] == sha256(data).hexdigest()
    np.testing.assert_array_equal(symbols, decode_symbols(data, symbols.size, alphabet))


def unknown(decode, bodies, *sizes):
    """Assert that no form of this byte is known, whatever follows."""
    for body in bodies:
        with pytest.raises(RemoteProtocolError, match="unknown form"):
            decode(body, *sizes)


def test_every_first_byte_of_symbols_has_a_case_or_is_refused():
    """256 bytes, three of them without a meaning: who gives them one adds a case."""
    written = {golden("symbols", name)[0] for name in SYMBOLS}
    assert {ans._RAW, ans._SAME, *ans._SIZES} == {byte for byte in written if byte < ans._MOSTLY}
    missing = set(range(256)) - written
    assert {5, 6, 7} == missing
    for byte in missing:
        bodies = [bytes([byte]) + golden("symbols", name)[1:] for name in PLAIN]
        unknown(decode_symbols, bodies, 500, 256)


def lanes_and_precision(data):
    """Return (the number of lanes, the table's precision) of symbols in a form of rANS."""
    return plain.varint(plain.table(data[1:])[2])[0], data[1]


def test_every_form_of_rans_has_few_lanes_and_many_of_bytes_and_of_words():
    """On both sides of the eight lanes up to which groups are done one by one."""
    coded = [(golden("symbols", name), alphabet) for name, (_, alphabet) in PLAIN.items()]
    coded = [(data, alphabet) for data, alphabet in coded if data[0] in ans._SIZES]
    found = {(data[0], lanes_and_precision(data)[0] > 8) for data, _ in coded}
    assert {(mode, many) for mode in ans._SIZES for many in (False, True)} == found
    found = {(data[0], alphabet > 256) for data, alphabet in coded}
    assert {(mode, wide) for mode in ans._SIZES for wide in (False, True)} == found
    lanes, precisions = zip(*(lanes_and_precision(data) for data, _ in coded), strict=True)
    assert {8, 9} <= set(lanes)
    assert {12, 16} == set(precisions)


def inside(data):
    """Return (the form of the positions, that of the others) of symbols that mostly are one."""
    rest, bare = data[1:], data[0] % 2 == 1
    if data[0] >= ans._MOSTLY_LONG:
        _, rest = plain.varint(rest)
    _, rest = plain.varint(rest)
    if bare:
        return rest[0], ans._RAW
    n, rest = plain.varint(rest)
    return rest[0], rest[len(rest) - n]


def test_every_form_of_the_others_has_a_case():
    """Those that are written without their first byte too, and positions as gaps and fields."""
    found = [inside(golden("symbols", name)) for name in MOSTLY]
    positions, others = map(set, zip(*found, strict=True))
    assert {ans._RAW, ans._SAME, *ans._SIZES} == others
    assert gaps._FIXED in positions
    assert {form for form in positions if form <= LAST_DIVISOR}


# Few positions


@pytest.mark.parametrize("name", POSITIONS)
def test_few_positions_give_these_bytes_and_these_bytes_the_positions(name):
    k, n, m = POSITIONS[name]
    positions, symbols = positions_and_symbols(k, n, m)
    data = golden("few", name)
    assert data == encode_few(positions, symbols, m, n)
    found = decode_few(data, m, k, n)
    assert (positions.tolist(), symbols.tolist()) == tuple(part.tolist() for part in found)
    if n <= 1000:
        expected = list(zip(positions.tolist(), symbols.tolist(), strict=True))
        assert expected == plain.few(data, k, n, m)


def test_few_positions_have_cases_on_both_sides_of_what_they_depend_on():
    """Numbers and gaps, gaps with fields and without, the most positions and symbols."""
    ks, _, ms = zip(*POSITIONS.values(), strict=True)
    assert {1, few._RANKED, few._RANKED + 1, few.MAX_FEW} <= set(ks)
    assert {1, few.MAX_SYMBOLS} <= set(ms)
    coded = [(k, n) for k, n, _ in POSITIONS.values() if k > few._RANKED]
    assert {True, False} == {few._parameter(k, n) == 0 for k, n in coded}
    assert {f"few: {k}" for k in (127, 128, few._RANKED, few.MAX_FEW)} <= set(SYMBOLS)


# Sets of indices

SETS = {int(form): entry for form, entry in GOLDEN["sets"].items()}
# Nearly d indices are made for these.
COMPLEMENTS = [form for form, entry in SETS.items() if entry["d"] <= 1 << 17]


def checked(data, indices, d):
    """Assert that a set gives these bytes, and these bytes the set."""
    assert data == encode_indices(indices, d).tobytes()
    np.testing.assert_array_equal(indices, decode_indices(data, indices.size, d))


@pytest.mark.parametrize("form", SETS)
def test_sets_give_these_bytes_and_these_bytes_the_sets(form):
    entry = SETS[form]
    data, d = b64decode(entry["bytes"]), entry["d"]
    indices = indices_of(form, entry["k"], d, entry["seed"])
    assert form == data[0]
    checked(data, indices, d)
    assert indices.tolist() == plain.indices(data, indices.size, d)


@pytest.mark.parametrize("form", COMPLEMENTS)
def test_all_other_indices_give_the_same_bytes_but_for_the_first(form):
    entry = SETS[form]
    data, d = b64decode(entry["bytes"]), entry["d"]
    others = np.setdiff1d(np.arange(d), indices_of(form, entry["k"], d, entry["seed"]))
    checked(bytes([form and form + 128]) + data[1:], others, d)


def test_bitmaps_of_few_indices_are_read_all_the_same():
    """Written by hand, because no writer has a use for them: {0, 2, 3, 9} of 10, and the others."""
    chosen, others = [0, 2, 3, 9], [1, 4, 5, 6, 7, 8]
    assert chosen == decode_indices(bytes.fromhex("7fb040"), 4, 10).tolist()
    assert others == decode_indices(bytes.fromhex("ffb040"), 6, 10).tolist()


READ_ONLY = {113: "0000002880", 116: "0000001480", 120: "0000000a80"}


@pytest.mark.parametrize("form", range(LAST_WRITTEN + 1, LAST_DIVISOR + 1))
def test_divisors_that_are_never_the_best_are_read_all_the_same(form):
    """The index 5 alone: a field of ⌊log2 M⌋ bits and no zeros, written by hand."""
    tail = READ_ONLY[max(first for first in READ_ONLY if first <= form)]
    data = bytes([form]) + bytes.fromhex(tail)
    assert [5] == decode_indices(data, 1, MAX_DIMENSION).tolist()
    assert [5] == plain.indices(data, 1, MAX_DIMENSION)


def test_every_first_byte_of_a_set_has_a_case_or_is_refused():
    """With 128 added too; only divisors that need more than 2^17 coordinates have none there."""
    written = {b64decode(entry["bytes"])[0] for entry in SETS.values()}
    divisors = range(1, gaps._LAST_DIVISOR + 1)
    known = {gaps._TRIVIAL, gaps._FIXED, gaps._BITMAP, *divisors}
    assert known == written | set(range(LAST_WRITTEN + 1, LAST_DIVISOR + 1))
    small = {form for form in divisors if 20 * divisor(form) <= 1 << 17}
    assert {gaps._TRIVIAL, gaps._FIXED, gaps._BITMAP} | small <= set(COMPLEMENTS)
    for byte in set(range(128)) - known:
        tails = [b64decode(entry["bytes"])[1:] for entry in SETS.values()]
        unknown(decode_indices, [bytes([byte]) + tail for tail in tails], 12, 1000)
        unknown(decode_indices, [bytes([byte + 128]) + tail for tail in tails], 988, 1000)
    unknown(decode_indices, [bytes([gaps._COMPLEMENT])], 988, 1000)
