"""What the compressors' benchmark measures: every compressor, vectors made and real ones."""

import numpy as np
import pytest

from benchmarks.compressors import vectors as made
from benchmarks.compressors.cases import CASES
from benchmarks.compressors.vectors import BUILT_IN, gradient, vectors
from netcomp.compressors import COMPRESSORS
from netcomp.data import load


def test_every_registered_compressor_is_measured():
    text = " ".join(case.notation for case in CASES).replace("+", " ").replace("(", " ")
    measured = {word.partition(":")[0].strip(")") for word in text.split()}
    assert set(COMPRESSORS.names()) <= measured


def test_no_case_is_measured_twice():
    assert len(CASES) == len({str(case) for case in CASES})


def test_a_gradients_block_is_the_logistic_gradient_over_its_own_rows():
    """At x = 0 every slope is −y/2, so the first block is −(1/2m) Σ y_r a_r of its batch."""
    data = load("digits").signed()
    rows = np.random.default_rng(2).choice(data.rows, 64, replace=False, shuffle=False)
    block = -(data.targets[rows] / 2 / 64) @ data.features[rows]
    assert block == pytest.approx(gradient(data, 100)[: data.dim], abs=1e-7)


def test_a_longer_gradient_repeats_no_block_and_is_cut_off_where_asked():
    data = load("digits")
    d = 50 * data.dim + 7
    found = gradient(data, d)
    blocks = found[: 50 * data.dim].reshape(50, data.dim)
    assert (d, 50) == (found.size, len(np.unique(blocks, axis=0)))
    assert gradient(data, 100).tobytes() == found[:100].tobytes()


def test_real_data_of_a_folder_is_measured_too_where_it_is_there(tmp_path, monkeypatch):
    # Another name: under the published one only the published rows are read.
    monkeypatch.setattr(made, "FROM_FILE", "toy")
    built_in = ["gaussian", "laplace", f"gradient {BUILT_IN}"]
    assert built_in == [name for name, _ in vectors(50, [])]
    lines = [f"{(-1) ** i} {1 + i % 5}:1 7:{i}\n" for i in range(40)]
    (tmp_path / "toy").write_text("".join(lines))
    found = dict(vectors(50, [tmp_path]))
    assert [*built_in, "gradient toy"] == list(found)
    for v in found.values():
        assert (np.float32, 50) == (v.dtype, v.size)
        assert v.any()
