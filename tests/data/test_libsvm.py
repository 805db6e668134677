"""LIBSVM files: read exactly, refused with the number of the line."""

import bz2
import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.data import load_libsvm
from netcomp.errors import DataError

GOOD = b"1 1:0.5 3:2 # a comment\n\n-1\n+1 2:-1e-3\n"


def write(folder, content, name="rows"):
    path = folder / name
    path.write_bytes(content)
    return path


def test_rows_are_read_as_csr_float64(tmp_path):
    """Indices count from 1, comments and blank lines are no rows, a row may be empty."""
    data = load_libsvm(write(tmp_path, GOOD))
    assert data.features.format == "csr"
    assert data.features.dtype == np.float64
    assert data.features.toarray().tolist() == [[0.5, 0, 2], [0, 0, 0], [0, -1e-3, 0]]
    assert data.targets.tolist() == [1.0, -1.0, 1.0]
    assert (data.name, data.rows, data.dim) == ("rows", 3, 3)
    assert data.digest == hashlib.sha256(GOOD).hexdigest()


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_packed_file_is_the_same_data(tmp_path, suffix, pack):
    """Packing changes neither rows nor digest."""
    plain = load_libsvm(write(tmp_path, GOOD))
    packed = load_libsvm(write(tmp_path, pack(GOOD), f"rows{suffix}"))
    assert (packed.features != plain.features).nnz == 0
    assert packed.digest == plain.digest


BAD_LINES = {
    "no number for a label": b"spam 1:1",
    "no number for a value": b"1 1:eggs",
    "no colon": b"1 7",
    "no index": b"1 :1",
    "no value": b"1 1:",
    "index not whole": b"1 1.5:1",
    "index 0": b"1 0:1",
    "index negative": b"1 -2:1",
    "index far too large": b"1 99999999999999999999:1",
    "indices out of order": b"1 3:1 2:1",
    "index twice": b"1 2:1 2:1",
    "two labels": b"1,2 1:1",
    "not text": b"\xff\xfe\x00",
    "value not a number": b"1 1:nan",
    "value infinite": b"1 1:1e999",
    "label not a number": b"nan 1:1",
    "label infinite": b"-inf 1:1",
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 3), (1, 0), (6, 3), (7, 8)])
def test_a_malformed_line_is_named(tmp_path, bad, before, after):
    """Whatever is wrong, the error has the path and the line, counted from 1."""
    path = write(tmp_path, b"\n".join([b"1 1:1"] * before + [bad] + [b"2 2:1"] * after))
    with pytest.raises(DataError) as caught:
        load_libsvm(path)
    assert (caught.value.path, caught.value.line) == (str(path), before + 1)
    assert f"line {before + 1}" in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([b"1 1:1", b"", b"# x", b"1 0:1", b"1 1:inf"]), min_size=1))
def test_the_first_bad_line_is_the_one_named(tmp_path_factory, lines):
    """Of several bad lines the first; of none, a data set or a complaint about the whole."""
    path = write(tmp_path_factory.mktemp("lines"), b"\n".join(lines))
    bad = [k for k, line in enumerate(lines, 1) if line in {b"1 0:1", b"1 1:inf"}]
    if not bad and b"1 1:1" in lines:
        assert load_libsvm(path).rows == lines.count(b"1 1:1")
        return
    with pytest.raises(DataError) as caught:
        load_libsvm(path)
    assert caught.value.line == (bad[0] if bad else None)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment\n", b"1\n-1\n"])
def test_a_file_without_rows_or_features_is_refused(tmp_path, content):
    """Nothing to learn from is an error of the whole file."""
    with pytest.raises(DataError, match=r"no rows|no row") as caught:
        load_libsvm(write(tmp_path, content))
    assert caught.value.line is None


@pytest.mark.parametrize("name", ["rows.gz", "rows.bz2"])
@pytest.mark.parametrize(
    "content",
    [b"1 1:1\n", gzip.compress(GOOD, mtime=0)[:-9], bz2.compress(GOOD)[:-9]],
    ids=["no archive", "gzip", "bzip2"],
)
def test_a_damaged_archive_is_refused(tmp_path, name, content):
    """Plain text under a packed name and a cut archive are data errors, not crashes."""
    with pytest.raises(DataError, match="damaged"):
        load_libsvm(write(tmp_path, content, name))


def test_a_missing_file_is_named(tmp_path):
    """The error says which path there is nothing at."""
    with pytest.raises(DataError, match="no such file") as caught:
        load_libsvm(tmp_path / "absent")
    assert caught.value.path == str(tmp_path / "absent")


def test_a_folder_is_no_file(tmp_path):
    """A folder is refused as a data error."""
    with pytest.raises(DataError, match="cannot be read"):
        load_libsvm(tmp_path)
