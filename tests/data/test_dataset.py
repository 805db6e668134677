"""Data sets: shards, labels, the built-in sets and finding them by name."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from netcomp.data import (
    BUILTIN,
    CATALOGUE,
    GENERATORS,
    Dataset,
    UnknownDataSet,
    data_folders,
    load,
    place_of,
)
from netcomp.errors import DataError, UnknownName


def dataset(targets, features=None):
    targets = np.array(targets, dtype=np.float64)
    features = np.eye(targets.size) if features is None else features
    return Dataset("toy", features, targets, "0")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_shard_has_the_rows_asked_for(sparse):
    """`take` keeps the order given, dense or sparse."""
    full = np.arange(12.0).reshape(4, 3)
    data = dataset([1, 2, 3, 4], csr_matrix(full) if sparse else full)
    shard = data.take(np.array([2, 0]))
    got = shard.features.toarray() if sparse else shard.features
    assert got.tolist() == full[[2, 0]].tolist()
    assert shard.targets.tolist() == [3.0, 1.0]
    assert shard.rows == 2


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1, 2], [3], []])
def test_consecutive_rows_are_no_copy(sparse, rows):
    """The same rows as by an index, in the data set's own memory."""
    full = np.arange(12.0).reshape(4, 3) % 5
    data = dataset([1, 2, 3, 4], csr_matrix(full) if sparse else full)
    shard = data.take(np.array(rows, dtype=np.int64))
    got = shard.features.toarray() if sparse else shard.features
    assert got.tolist() == full[rows].tolist()
    assert shard.targets.tolist() == [row + 1.0 for row in rows]
    mine, whole = (
        (shard.features.data, data.features.data) if sparse else (shard.features, data.features)
    )
    assert np.shares_memory(mine, whole) == bool(rows)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1, 2, 1], [-1, 1, -1]), ([0, 1, 1], [-1, 1, 1]), ([1, -1, 1], [1, -1, 1])],
)
def test_the_smaller_label_becomes_minus_one(labels, expected):
    """Two labels of any value become -1 and +1 in their order."""
    assert dataset(labels).signed().targets.tolist() == expected


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2], list(range(9))])
def test_labels_must_be_two(labels):
    """One class or three are refused, with the number found."""
    with pytest.raises(DataError, match=f"found {len(set(labels))} "):
        dataset(labels).signed()


@pytest.mark.parametrize("name", BUILTIN)
def test_built_in_sets_are_finite_float64(name):
    """Every built-in set has finite float64 rows, a name, a SHA-256 and the size it is said to."""
    data = load(name)
    assert (data.name, len(data.digest)) == (name, 64)
    assert data.features.dtype == data.targets.dtype == np.float64
    assert np.isfinite(data.features).all()
    assert data.features.shape == (data.targets.size, data.dim)
    assert (BUILTIN[name].rows, BUILTIN[name].features) == data.features.shape


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_standardised_features(name):
    """Every column has mean 0 and variance 1."""
    features = load(name).features
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features.var(axis=0), 1, rtol=1e-12)


def test_digits_are_odd_or_even():
    """The first ten rows are 0…9: labels alternate from -1, pixels lie in [0, 1]."""
    data = load("digits")
    assert data.targets[:10].tolist() == [-1.0, 1.0] * 5
    assert (data.features.min(), data.features.max()) == (0.0, 1.0)


def test_digits_pairs_are_pixels_and_products():
    """There are d = 64 + 64·65/2, features of one common scale, squared row norms 1 on average."""
    data, pixels = load("digits-pairs"), load("digits").features
    assert data.dim == 2144
    assert data.targets.tolist() == load("digits").targets.tolist()
    norms = np.sum(data.features**2, axis=1)
    np.testing.assert_allclose(norms.mean(), 1.0, rtol=1e-12)
    scale = np.linalg.norm(data.features[:, :64]) / np.linalg.norm(pixels)
    expected = scale * np.concatenate(
        [pixels[7], np.outer(pixels[7], pixels[7])[np.triu_indices(64)]]
    )
    np.testing.assert_allclose(data.features[7], expected, rtol=1e-12)


def test_a_file_is_found_by_path_and_in_folders(tmp_path):
    """A path works as it is, a bare name in the first folder that has it."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, label in ((first, 1), (second, 2)):
        folder.mkdir()
        (folder / "rows").write_text(f"{label} 1:1\n")
    assert load(str(second / "rows")).targets.tolist() == [2.0]
    assert load("rows", [tmp_path, first, second]).targets.tolist() == [1.0]


def test_loads_are_shared_until_the_file_changes(tmp_path):
    """The same file gives the same object; a changed one is read again."""
    path = tmp_path / "rows"
    path.write_text("1 1:1\n")
    before = load(str(path))
    assert load("rows", [tmp_path]) is before
    path.write_text("1 1:1\n1 1:2\n")
    assert load(str(path)).rows == 2


def test_an_unknown_name_says_where_it_was_sought(tmp_path):
    """The error lists the built-in names and the folders searched."""
    with pytest.raises(UnknownDataSet) as caught:
        load("digit", [tmp_path])
    assert isinstance(caught.value, UnknownName)
    assert caught.value.known == tuple(sorted([*BUILTIN, *CATALOGUE, *GENERATORS]))
    assert caught.value.folders == (tmp_path,)
    assert "did you mean 'digits'" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_known_name_without_its_files_is_not_suggested_instead_of_itself(tmp_path):
    """What was typed is right: only how to get the files is told."""
    with pytest.raises(UnknownDataSet, match="data fetch a9a") as caught:
        load("a9a", [tmp_path])
    assert "did you mean" not in str(caught.value)


def test_a_path_without_a_file_is_a_data_error(tmp_path):
    """Something with a separator can only be a path."""
    with pytest.raises(DataError, match="no such file"):
        load(str(tmp_path / "absent"))


@pytest.mark.parametrize(
    "used",
    [
        "import netcomp.data, netcomp.problems",
        "from netcomp.cli.data import list_command; list_command()",
    ],
)
def test_importing_and_listing_are_cheap(used):
    """Neither package imports scikit-learn or scipy before they are needed, nor does a list."""
    code = f"import sys; {used}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert not {"sklearn", "scipy"} & set(run.stdout.split())


def test_a_published_name_is_verified(tmp_path):
    """Another file of that name is refused with both digests; its path is anybody's."""
    (tmp_path / "a9a").write_text("1 1:1\n-1 2:1\n")
    with pytest.raises(DataError, match="not the published a9a") as caught:
        load("a9a", [tmp_path])
    assert CATALOGUE["a9a"].digest in str(caught.value)
    assert load(str(tmp_path / "a9a")).digest in str(caught.value)


def test_a_published_set_that_is_not_there_can_be_fetched(tmp_path):
    """The error says how."""
    with pytest.raises(UnknownDataSet, match="`netcomp data fetch mnist` downloads it"):
        load("mnist", [tmp_path])


@pytest.mark.parametrize(("below", "suffix"), [("", ""), ("mnist", ".gz")])
def test_the_files_of_a_published_set_are_found(tmp_path, below, suffix):
    """In a folder or its own subfolder, packed or not; all of them or none."""
    known = CATALOGUE["mnist"]
    (tmp_path / below).mkdir(exist_ok=True)
    names = [remote.name.removesuffix(".gz") + suffix for remote in known.files]
    paths = tuple(tmp_path / below / name for name in names)
    paths[0].touch()
    assert place_of(known, [tmp_path]) is None
    paths[1].touch()
    assert place_of(known, [tmp_path]).paths == paths


def test_the_cache_comes_last(monkeypatch, tmp_path):
    """NETCOMP_CACHE, else XDG_CACHE_HOME, else the home; after the folders of NETCOMP_DATA."""
    monkeypatch.setenv("NETCOMP_DATA", f"/one{os.pathsep}{os.pathsep}/two")
    monkeypatch.delenv("NETCOMP_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert [str(path) for path in data_folders()] == ["/one", "/two", "/home/me/.cache/netcomp"]
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(data_folders()[-1]) == "/caches/netcomp"
    monkeypatch.setenv("NETCOMP_CACHE", str(tmp_path))
    assert data_folders()[-1] == tmp_path
