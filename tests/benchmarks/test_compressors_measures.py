"""How bytes, errors, memory and times are measured: through a real frame, turn by turn."""

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.compressors import coders, own
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.peers import timing
from netcomp.compressors import parse_compressor
from netcomp.draw import Draw
from support.measured import D, gaussian


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_real_frame_carries_the_payload(case):
    """The frame is read back and decoded; on the wire it is larger than the payload."""
    compressor = parse_compressor(case.notation).resolve(D, case.workers)
    figures = own.byte_figures(compressor, gaussian(), 2)
    assert figures["wire_bits"] > figures["payload_bits"]
    assert figures["limit_bits"] == pytest.approx(
        figures["index_limit_bits"]
        + figures["value_limit_bits"]
        + (figures["payload_bits"] - figures["index_bits"] - figures["value_bits"])
    )


def test_a_compressor_that_decodes_to_something_else_is_found(monkeypatch):
    compressor = parse_compressor("natural").resolve(D, 1)
    payload = compressor.compress(gaussian(), Draw(1))
    changed = SimpleNamespace(
        decode=lambda *_: compressor.compress(gaussian(), Draw(2)), max_bytes=compressor.max_bytes
    )
    with pytest.raises(ValueError, match="something else"):
        own.wire_bytes(changed, payload, Draw(1))


def test_exact_formats_have_no_error_and_top_k_leaves_the_small_ones():
    v = gaussian()
    energies = np.sort(v.astype(np.float64) ** 2)
    for notation, share in (
        ("identity", 0.0),
        ("top-k:k=100", energies[:-100].sum() / energies.sum()),
    ):
        compressor = parse_compressor(notation).resolve(D, 1)
        assert share == pytest.approx(own.byte_figures(compressor, v, 1)["error_share"])


def test_no_key_comes_twice():
    assert 50 == len(set(islice(own.keys(), 50)))


def test_memory_is_the_peak_of_one_call_over_the_vector():
    """A compressor that keeps an array twice the vector's size for a moment is seen to."""

    def compress(v, _draw):
        return np.zeros(2 * v.size, dtype=v.dtype)[: v.size // 2].copy()

    assert pytest.approx(2.5, abs=0.02) == own.peak_ratio(
        SimpleNamespace(compress=compress), gaussian(10**5)
    )


def test_coders_are_beside_their_limit():
    """Random symbols take their entropy at least, and little more than that and a table."""
    rows = coders.rows(5000, 1)
    assert {"trits", "bits 9", "gaps 1.0%", "ans levels s=4"} <= {row["coder"] for row in rows}
    for row in rows:
        bits, limit = row["bits"] * 5000, row["limit_bits"] * 5000
        assert limit <= bits * (1 + 1e-12)
        assert bits <= 1.06 * limit + 8 * 32


def test_a_ratio_is_the_median_over_turns_of_the_copys_time_over_the_works(monkeypatch):
    times = {"copy": [1.0, 2.0, 9.0], "encode": [10.0, 4.0, 30.0], "decode": [1.0, 1.0, 1.0]}
    monkeypatch.setattr(timing, "race", lambda works, _: {name: times[name] for name in works})
    row = timing.measure(gaussian(), bytes, len, 3)
    assert (2.0, 10.0, 0.3) == (row["copy_seconds"], row["encode_seconds"], row["encode_ratio"])
    assert (1.0, 2.0) == (row["decode_seconds"], row["decode_ratio"])
    assert timing.measure(gaussian(), bytes, None, 3)["decode_ratio"] is None


def test_every_work_is_timed_once_a_turn():
    times = timing.race({"a": lambda: None, "b": lambda: None}, 4)
    assert {"a": 4, "b": 4} == {name: len(own) for name, own in times.items()}
