"""Compiled loops write the same bytes as numpy, and only where they are wanted."""

import sys

import numpy as np
import pytest

from netcomp.coding import compiled, floats
from netcomp.coding.floats import NATURAL_LIMIT, natural_encode
from netcomp.draw import Draw, Purpose


def stream():
    return Draw(3, 1, worker=2).stream(Purpose.QUANTIZER)


def encoded(values, monkeypatch, switch):
    monkeypatch.setenv(compiled.SWITCH, switch)
    exponents, signs = natural_encode(values, stream())
    return exponents.tobytes(), signs.tobytes()


def values(count):
    """Return float32 of all sizes that are allowed, zeros of both signs and subnormals."""
    rng = np.random.default_rng(count)
    bits = rng.integers(0, 0x7F00_0000, count, dtype=np.uint32) | rng.integers(
        0, 2, count, dtype=np.uint32
    ) << np.uint32(31)
    bits[: count // 9] &= np.uint32(0x80FF_FFFF)
    bits[:3] = 0, 1 << 31, 1
    return bits.view(np.float32)[:count]


@pytest.mark.parametrize("count", [3, 8, 131_071, 131_072, 300_001])
@pytest.mark.parametrize("writable", [True, False])
def test_the_same_bytes(count, writable, monkeypatch):
    """Exponents and signs are those of numpy, bit for bit."""
    pytest.importorskip("numba")
    monkeypatch.setattr(compiled, "WORTH", 1)
    v = values(count)
    v.flags.writeable = writable
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    assert compiled.natural_loop(count) is not None
    assert encoded(v, monkeypatch, "0") == encoded(v, monkeypatch, "1")


@pytest.mark.parametrize("bad", [NATURAL_LIMIT, -NATURAL_LIMIT, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("switch", ["0", "1"])
def test_the_same_refusals(bad, switch, monkeypatch):
    """Whoever does it, a magnitude of 2¹²⁷ or more, infinity and NaN are refused."""
    monkeypatch.setattr(compiled, "WORTH", 1)
    v = values(70_000)
    v[69_999] = bad
    with pytest.raises(ValueError, match="2¹²⁷"):
        encoded(v, monkeypatch, switch)


def test_short_vectors_and_the_switch_leave_numba_out(monkeypatch):
    """Below the size that is worth it, or switched off, nothing is even looked for."""
    monkeypatch.setattr(compiled, "_compiled_natural", lambda: pytest.fail("looked for"))
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    assert compiled.natural_loop(compiled.WORTH - 1) is None
    monkeypatch.setenv(compiled.SWITCH, "0")
    assert compiled.natural_loop(compiled.WORTH) is None


@pytest.mark.parametrize("error", [ModuleNotFoundError, ImportError])
def test_without_numba_numpy_does_it(error, monkeypatch):
    """Where numba is not installed, or cannot be imported, there is no loop, and no error."""

    def refuse(name):
        raise error(f"{name} needs another numpy")

    monkeypatch.setattr(compiled, "import_module", refuse)
    assert compiled._compiled_natural.__wrapped__() is None


def test_a_folder_named_numba_is_none(tmp_path, monkeypatch):
    """An empty one in the working folder can be imported, and has nothing in it."""
    (tmp_path / "numba").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    try:
        assert compiled._compiled_natural.__wrapped__() is None
    finally:
        sys.modules.pop("numba", None)


def test_the_size_of_pieces_changes_no_byte(monkeypatch):
    """All random bytes are drawn before the numbers that decide where these do not."""
    v = values(200_003)
    expected = encoded(v, monkeypatch, "0")
    monkeypatch.setattr(floats, "_CHUNK", 1 << 10)
    assert expected == encoded(v, monkeypatch, "0")
