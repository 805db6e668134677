"""What is done to data before and after they are split, and made-up data."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix, issparse

from netcomp.data import (
    CATALOGUE,
    GENERATORS,
    Dataset,
    Preparation,
    UnknownDataSet,
    data_folders,
    equal,
    load,
    parse_split,
)
from netcomp.data.synthetic import SHAPES
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.problems import Logistic
from support.held import held

FULL = np.array([[1.0, 0, 5, 0.1], [3, 0, 5, 0.1], [0, 4, 5, 0.1]])


def dataset(features=FULL, targets=(1, 2, 3), **options):
    return Dataset("toy", features, np.array(targets, dtype=np.float64), "0", **options)


def dense(matrix):
    return matrix.toarray() if issparse(matrix) else matrix


@pytest.mark.parametrize("sparse", [False, True])
def test_standardised_columns(sparse):
    """Mean 0 and variance 1 over all rows, constant columns 0, whatever their mean rounds to."""
    data = dataset(csr_matrix(FULL) if sparse else FULL)
    features = Preparation(standardise=True).rows(data).features
    assert isinstance(features, np.ndarray)
    np.testing.assert_allclose(features[:, :2].mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(features[:, :2].var(axis=0), 1, rtol=1e-14)
    assert [[0, 0]] * 3 == features[:, 2:].tolist()
    assert FULL.tolist() == dense(data.features).tolist()


@pytest.mark.parametrize("sparse", [False, True])
@given(values=arrays(np.float64, (6, 3), elements=st.sampled_from([0.0, 0.1, -3.0, 1e8])))
@settings(deadline=None)
def test_scaled_columns(sparse, values):
    """Every column is divided by its deviation, zeros stay zero, a constant one as it is."""
    data = dataset(csr_matrix(values) if sparse else values, [0] * 6)
    features = Preparation(standardise="scale").rows(data).features
    assert sparse == issparse(features)
    constant = values.max(axis=0) == values.min(axis=0)
    expected = values / np.where(constant, 1.0, values.std(axis=0))
    np.testing.assert_allclose(dense(features), expected, rtol=1e-12)
    assert (dense(features)[values == 0] == 0).all()


def test_large_sparse_data_are_not_made_dense():
    """real-sim would take 11 GiB; the error says so, and what keeps the zeros."""
    sparse = csr_matrix((72_309, 20_958))
    data = dataset(sparse, np.zeros(72_309))
    with pytest.raises(DataError, match=r'11\.3 GiB.*"scale"'):
        Preparation(standardise=True).rows(data)


@pytest.mark.parametrize("sparse", [False, True])
def test_features_widen(sparse):
    """Columns of zeros up to d; more than d are refused."""
    data = dataset(csr_matrix(FULL) if sparse else FULL)
    wide = Preparation(features=6).rows(data)
    assert (6, sparse) == (wide.dim, issparse(wide.features))
    assert np.pad(FULL, ((0, 0), (0, 2))).tolist() == dense(wide.features).tolist()
    assert data is Preparation(features=4).rows(data)
    with pytest.raises(DataError, match=r"4 features where problem\.features is 3"):
        Preparation(features=3).rows(data)


def test_classes_keep_their_rows():
    """In the order of the file, with the lines they stood in; a class without rows is an error."""
    data = dataset(line_of=lambda row: 10 + row)
    kept = Preparation(classes=(3, 1)).rows(data)
    assert [1, 3] == kept.targets.tolist()
    assert FULL[[0, 2]].tolist() == kept.features.tolist()
    assert [10, 12] == [kept.line_of(row) for row in (0, 1)]
    with pytest.raises(DataError, match="no row has the label 7"):
        Preparation(classes=(1, 7)).rows(data)


def test_positive_labels():
    """Those listed become +1, the others -1; they must not be all or none."""
    signs = Preparation(positive=(1, 3)).signs(dataset())
    assert [1, -1, 1] == signs.targets.tolist() == signs.signed().targets.tolist()
    for labels, which in (((1, 2, 3), "every"), ((9,), "no")):
        with pytest.raises(DataError, match=f"{which} row has a label of problem.positive"):
            Preparation(positive=labels).signs(dataset())


def test_labels_of_ones_own_rows():
    """Who sees a part only cannot say which of two labels is the smaller: they are ±1, or told."""
    own = dataset(targets=[1, 1, 1], partial=True)
    assert own is own.signed()
    with pytest.raises(DataError, match=r"own rows must be -1 and .1.*problem.positive.* found 2$"):
        dataset(targets=[2, 2, 2], partial=True).signed()
    told = Preparation(positive=(5,)).signs(dataset(targets=[2, 2, 2], partial=True))
    assert [-1, -1, -1] == told.signed().targets.tolist()


def test_the_digest_tells_preparations_apart():
    """Nothing done is the data's own digest; everything else is told apart."""
    data = dataset()
    ways = [
        Preparation(features=4),
        Preparation(classes=(1, 2)),
        Preparation(standardise=True),
        Preparation(standardise="scale"),
        Preparation(positive=(1,)),
    ]
    assert "0" == Preparation().digest(data)
    assert 5 == len({way.digest(data) for way in ways})


# Made-up data


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    """The size, entries a row and share of +1 of a published set; CSR with sorted indices."""
    shape = SHAPES[name]
    data = load(f"synthetic:like={name}")
    assert (shape.rows, shape.features) == (data.rows, data.dim)
    assert "csr" == data.features.format
    assert {shape.per_row} == {*np.diff(data.features.indptr)}
    assert data.features.has_canonical_format
    share = (data.signed().targets > 0).mean()
    assert shape.positive == pytest.approx(share, abs=1 / shape.rows)
    if name in CATALOGUE:
        assert (CATALOGUE[name].rows, CATALOGUE[name].features) == (data.rows, data.dim)


def test_rows_of_rcv1_are_never_made_dense():
    """Shard, gradient and L_i at d = 47,236 take a few megabytes where dense rows take 380."""
    data, most = load("synthetic:like=rcv1").signed(), 40e6

    def used():
        shard = data.take(equal(data.rows, 20).parts[0])
        oracle = Logistic(bias=True).oracle(shard, 0, 20, Draw(1))
        return shard, oracle.gradient(np.zeros(47_237)), oracle.constants["L"].value

    (shard, gradient, bound), peak = held(used, most)
    assert 1012 * 74 == shard.features.nnz
    assert gradient.any()
    assert 0.25 < bound < 1
    assert peak < most


def test_made_up_data_follow_their_model():
    """Least squares on little noise find a solution that explains the targets."""
    data = load("synthetic:500,features=20,task=regression,noise=0.01")
    assert np.ndarray is type(data.features)
    residual = np.linalg.lstsq(data.features, data.targets, rcond=None)[1] / data.rows
    assert 0.5e-4 < residual[0] < 2e-4


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_local_models_differ(task):
    """Each worker's rows follow a solution of their own (NEOLITHIC, Section 5.1)."""
    data = load(f"local-models:workers=3,rows=2000,features=4,task={task}")
    assert (6000, 4) == data.features.shape
    shards = [data.take(part) for part in equal(6000, 3).parts]
    fits = [np.linalg.lstsq(s.features, s.targets, rcond=None)[0] for s in shards]
    assert min(np.linalg.norm(fits[i] - fits[i - 1]) for i in range(3)) > 0.1
    if task == "regression":
        left = [s.targets - s.features @ fit for s, fit in zip(shards, fits, strict=True)]
        np.testing.assert_allclose(np.std(left, axis=1), 0.1, rtol=0.1)
    else:
        assert {-1.0, 1.0} == {*data.targets}


def test_the_same_notation_is_the_same_data():
    """The digest is that of all parameters, however written; another seed is another set."""
    one = load("synthetic:10,features=3")
    same = load("synthetic:features=3,rows=10,seed=1")
    assert one.digest == same.digest
    assert one.features.tolist() == same.features.tolist()
    assert one.digest != load("synthetic:10,features=3,seed=2").digest
    assert one.digest != load("local-models:1,rows=10,features=3").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("synthetic", "rows=… is missing"),
        ("synthetic:like=iris", "no known shape; known: mushrooms"),
        ("synthetic:rows=0,features=3", "rows: .*greater than or equal to 1"),
        ("synthetic:rows=9,features=3,density=2", "density"),
        ("synthetic:rows=9,features=3,color=2", "no parameter 'color'; known: rows"),
        ("synthetic:rows=1000000000,features=1000", "at most 134217728"),
        ("local-models:rows=1000000000", "at most 134217728"),
        ("local-models:task=ranking", "task: .*'regression'"),
    ],
)
def test_a_mistake_in_a_generator_is_named(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        load(text)
    assert "problem.data" == caught.value.field


def test_one_row_and_one_feature_are_legal():
    for name in GENERATORS:
        data = load(f"{name}:rows=1,features=1")
        assert np.isfinite(data.features).all()
        assert 1 == data.dim


# The papers' data, where they are


def real(name):
    try:
        return load(name, data_folders())
    except UnknownDataSet:
        pytest.skip(f"the data set {name} is not in NETCOMP_DATA")


def split_of(name):
    wanted = f"mcm-{name}-n20.txt"
    folders = [Path(part) for part in os.environ.get("NETCOMP_DATA", "").split(os.pathsep) if part]
    if not any((folder / "splits" / wanted).is_file() for folder in folders):
        pytest.skip(f"the split {wanted} is not in NETCOMP_DATA")
    return parse_split(f"file:{wanted}")


@pytest.mark.parametrize("name", CATALOGUE)
def test_known_sets_are_what_they_are_said_to_be(name):
    """Rows, features and digest."""
    data, entry = real(name), CATALOGUE[name]
    assert (entry.rows, entry.features, name) == (data.rows, data.dim, data.name)
    assert entry.digest == data.digest


@pytest.mark.parametrize(
    ("name", "expected"), [("a9a", 11.697), ("phishing", 9.745), ("w8a", 43.82)]
)
def test_the_setting_of_mcm(name, expected):
    """Its L = mean of ‖X_iᵀX_i‖_F/(4 n_i) over its clusters, standardised, with the bias column."""
    data = Preparation(standardise=True).rows(real(name))
    parts = split_of(name).deal(data, 20, Draw(1)).parts
    norms = []
    for part in parts:
        rows = np.column_stack([np.ones(part.size), data.features[part]])
        norms.append(np.linalg.norm(rows.T @ rows) / (4 * part.size))
    assert expected == pytest.approx(np.mean(norms), rel=1e-4)


def test_digits_of_mnist():
    """Pixels in [0, 1], labels 0 … 9, which a problem of two classes refuses unless told."""
    data = real("mnist-test")
    assert (0.0, 1.0) == (data.features.min(), data.features.max())
    assert 980 == (data.targets == 0).sum()
    with pytest.raises(DataError, match=r"found 10 \(0, 1, 2, 3, 4, …\).*problem.classes"):
        data.signed()
    pair = Preparation(classes=(3, 8)).rows(data).signed()
    assert (1984, 974) == (pair.rows, (pair.targets > 0).sum())
