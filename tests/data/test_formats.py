"""CSV, NPZ and idx files: read exactly, refused with file and line, row or array."""

import gzip
import struct
from codecs import BOM_UTF8

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from netcomp.data import load, load_csv, load_idx, load_npz
from netcomp.errors import DataError


def write(folder, content, name):
    path = folder / name
    path.write_bytes(content)
    return path


# CSV


@pytest.mark.parametrize(
    ("text", "features", "targets"),
    [
        (b"1,2,3\n4,5,6\n", [[1, 2], [4, 5]], [3, 6]),
        (b"1,2", [[1]], [2]),
        (b"a,b,c\n1,2,3\n", [[1, 2]], [3]),
        (b"a,Label,c\r\n1,2,3\r\n", [[1, 3]], [2]),
        (b'"y","a"\n\n-1e-3,"2.5"\n\n', [[2.5]], [-1e-3]),
        (BOM_UTF8 + b"target,a\r\n1,2\r\n", [[2]], [1]),
        (BOM_UTF8 + b"1,2\n", [[1]], [2]),
    ],
)
def test_a_csv_file_is_read(tmp_path, text, features, targets):
    """With names or without; the target is the last column unless a name says which."""
    path = write(tmp_path, text, "rows.csv")
    data = load_csv(path)
    assert (features, targets) == (data.features.tolist(), data.targets.tolist())
    assert data.features.dtype == data.targets.dtype == np.float64
    packed = load(str(write(tmp_path, gzip.compress(text), "rows.csv.gz")))
    assert data.digest == packed.digest
    assert features == packed.features.tolist()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"1,2\n3\n", 2, "1 cells, 2 in the lines before"),
        (b"1,2\n\n3,4,5\n", 3, "3 cells, 2 in the lines before"),
        (b"1,2\n3,four\n", 2, "cell 2 is 'four', which is no number"),
        (b"1,2\n3,\n", 2, "cell 2 is '', which is no number"),
        (b"1,2\n3,1_0\n", 2, "cell 2 is '1_0'"),
        (b"a,y\n1,2\nnan,4\n", 3, "cell 1 is nan, which is not finite"),
        (b"1,2\n-inf,2\n", 2, "not finite"),
        (b"1,x\n3,4\n", 1, "cell 2 is 'x', which is no number"),
        (b"1,2\n\xff,4\n", 2, "no number"),
        (b"y,label\n1,2\n", 1, "2 columns are called"),
        (b"a,b,c\n1,2\n", 1, "2 columns and 3 names"),
        (b"", None, "no rows"),
        (b"a,b\n", None, "no rows"),
        (b"1\n2\n", None, "two columns"),
        (BOM_UTF8, None, "no rows"),
        (b"a,y\r1,2\r", 1, "no CSV: new-line character seen in unquoted field$"),
        (b"a,y\n1,2\r3,4\n", 2, "no CSV: new-line character"),
        (b"1,2\n3,x\n" + b"0" * 140_000 + b",1\n", 2, "cell 2 is 'x'"),
        (b"1,2\n" + b"0" * 140_000 + b",x\n", 2, "no CSV: field larger than field limit"),
        (b"a,y\n" + b"0" * 140_000 + b",1\n", 2, "no CSV: field larger than field limit"),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_line(tmp_path, text, line, reason):
    path = write(tmp_path, text, "rows.csv")
    with pytest.raises(DataError, match=reason) as caught:
        load_csv(path)
    assert (str(path), line) == (caught.value.path, caught.value.line)


def test_a_cut_archive_names_the_line_it_ends_in(tmp_path):
    """What can be unpacked is counted: here all but the end of the last line."""
    lines = b"".join(b"%d,%d\n" % (k, k * k) for k in range(50_000))
    packed = gzip.compress(lines)
    path = write(tmp_path, packed[: len(packed) // 2], "rows.csv.gz")
    with pytest.raises(DataError, match="damaged") as caught:
        load_csv(path)
    assert 10_000 < caught.value.line < 40_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows", b"# none\n1 1:1\n\n2 1:1\n3 1:2\n4 1:1\n"),
        ("rows.csv", b"a,y\n1,1\n\n1,2\n2,3\n1,4\n"),
    ],
)
def test_a_third_label_is_named_with_its_line(tmp_path, name, text):
    """Labels that cannot become -1 and +1: which there are, and where the third one is."""
    path = write(tmp_path, text, name)
    with pytest.raises(DataError, match=r"found 4 \(1, 2, 3, 4\)") as caught:
        load(str(path)).signed()
    assert (str(path), 5) == (caught.value.path, caught.value.line)


# NPZ


def save(folder, **arrays):
    path = folder / "rows.npz"
    np.savez(path, **arrays)
    return path


FEATURES = np.array([[1.0, 0, 2], [0, 0, 3]])
SPARSE = csr_matrix(FEATURES)
PARTS = {
    "data": SPARSE.data,
    "indices": SPARSE.indices,
    "indptr": SPARSE.indptr,
    "shape": np.array(SPARSE.shape),
}
LABELS = np.array([1, -1])


def test_arrays_are_read_dense_or_sparse(tmp_path):
    """Of any numeric type; the digest is of the numbers."""
    dense = load(str(save(tmp_path, features=FEATURES.astype(np.int8), targets=LABELS)))
    assert (FEATURES.tolist(), [1, -1]) == (dense.features.tolist(), dense.targets.tolist())
    assert dense.features.dtype == dense.targets.dtype == np.float64
    again = load_npz(save(tmp_path, features=FEATURES, targets=LABELS * 1.0, other=LABELS))
    assert dense.digest == again.digest
    sparse = load_npz(save(tmp_path, targets=LABELS, **PARTS))
    assert "csr" == sparse.features.format
    assert FEATURES.tolist() == sparse.features.toarray().tolist()
    other = load_npz(save(tmp_path, targets=-LABELS, **PARTS))
    assert 3 == len({dense.digest, sparse.digest, other.digest})


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"features": FEATURES}, "no array 'targets'"),
        ({"targets": LABELS}, "no array 'data'"),
        ({"targets": LABELS, **PARTS, "shape": np.array([2])}, "make no CSR"),
        ({"features": FEATURES, "targets": np.array([1, 2, 3])}, r"\(2, 3\) and targets \(3,\)"),
        ({"features": LABELS, "targets": LABELS}, r"features \(2,\)"),
        ({"features": np.empty((0, 3)), "targets": np.empty(0)}, "hold nothing"),
        ({"features": FEATURES, "targets": np.array(["a", "b"])}, "'targets' is of <U1"),
        ({"features": FEATURES * 1j, "targets": LABELS}, "'features' is of complex"),
        ({"features": FEATURES, "targets": np.array([None, 1])}, "array 'targets': Object arrays"),
        ({"features": FEATURES, "targets": np.array([1, np.nan])}, "row 2: the target is nan"),
        ({"features": np.array([[1, 2], [3, np.inf]]), "targets": LABELS}, "row 2 has a value"),
        ({"targets": LABELS, **PARTS, "data": [1, np.nan, 2]}, "row 1 has a value"),
        ({"targets": LABELS, **PARTS, "indices": [0, 2, 3]}, "make no CSR"),
        ({"targets": LABELS, **PARTS, "indices": [0, -1, 2]}, "make no CSR"),
        ({"targets": LABELS, **PARTS, "indptr": [0, 9, 3]}, "make no CSR"),
        ({"targets": LABELS, **PARTS, "indices": [0.0, 2.0, 2.0]}, "'indices' is of float64"),
        ({"targets": LABELS, **PARTS, "indices": [2, 2, 2]}, "row 1 has an index twice"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, arrays, reason):
    """Objects, which would have to be unpickled, among them."""
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=reason) as caught:
        load_npz(path)
    assert str(path) == caught.value.path


def test_what_is_no_npz_file_is_refused(tmp_path):
    """Text, one bare array, a cut archive, nothing."""
    whole = save(tmp_path, features=FEATURES, targets=LABELS).read_bytes()
    np.save(tmp_path / "bare.npy", FEATURES)
    bare = (tmp_path / "bare.npy").read_bytes()
    for content in (b"1 1:1\n", bare, whole[:-30], whole[:200], b""):
        with pytest.raises(DataError, match="not an NPZ file"):
            load_npz(write(tmp_path, content, "bad.npz"))
    with pytest.raises(DataError, match="no such file"):
        load_npz(tmp_path / "absent.npz")


# idx


def idx(shape, body, kind=8):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + body


IMAGES = idx((3, 2, 2), bytes([0, 255, 51, 102, *range(8)]))
CLASSES = idx((3,), bytes([7, 0, 9]))


def pair(folder, images=IMAGES, labels=CLASSES, suffix=""):
    return (
        write(folder, images, f"x-images-idx3-ubyte{suffix}"),
        write(folder, labels, f"x-labels-idx1-ubyte{suffix}"),
    )


def test_images_and_labels_are_read(tmp_path):
    """Pixels are divided by 255, labels kept; packed or not is the same data."""
    plain = load_idx(*pair(tmp_path))
    assert (3, 4) == plain.features.shape
    assert [0, 1, 0.2, 0.4] == plain.features[0].tolist()
    assert [7, 0, 9] == plain.targets.tolist()
    packed = pair(tmp_path, gzip.compress(IMAGES), gzip.compress(CLASSES), ".gz")
    assert plain.digest == load_idx(*packed).digest


def test_the_labels_lie_beside_the_images(tmp_path):
    """A path names the images, either file may be packed; without labels it is an error."""
    images, labels = pair(tmp_path)
    assert [7, 0, 9] == load(str(images)).targets.tolist()
    write(tmp_path, gzip.compress(CLASSES), f"{labels.name}.gz")
    labels.unlink()
    assert [7, 0, 9] == load(images.name, [tmp_path]).targets.tolist()
    (tmp_path / f"{labels.name}.gz").unlink()
    with pytest.raises(DataError, match="no labels, x-labels-idx1-ubyte"):
        load(str(images))


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [
        (
            IMAGES[:-1],
            CLASSES,
            "images.*11 bytes follow the header, which announces 3 × 2 × 2 = 12",
        ),
        (IMAGES + b"x", CLASSES, "images.*13 bytes follow"),
        (IMAGES, CLASSES[:-1], "labels.*2 bytes follow"),
        (IMAGES, idx((2,), b"ab"), "labels.*2 labels for 3 images"),
        (b"1 1:1", CLASSES, "images.*no idx file of unsigned bytes: it begins with 31 20 31 3a"),
        (b"", CLASSES, "begins with nothing"),
        (IMAGES[:9], CLASSES, "no idx file"),
        (idx((3, 2, 2), bytes(48), kind=13), CLASSES, "no idx file of unsigned bytes"),
        (idx((3, 1, 1, 1), bytes(3)), CLASSES, "no idx file"),
        (idx((2**31, 2**31, 2**31), b""), CLASSES, "announces 2147483648 × "),
        (idx((0, 2, 2), b""), idx((0,), b""), "no rows"),
        (CLASSES, CLASSES, r"images \(3,\) and labels \(3,\)"),
    ],
)
def test_bad_idx_files_are_refused(tmp_path, images, labels, reason):
    """Wrong magic, kind or size: the file is named, and what it holds."""
    with pytest.raises(DataError, match=reason):
        load_idx(*pair(tmp_path, images, labels))


def test_a_cut_idx_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"damaged \.gz") as caught:
        load_idx(*pair(tmp_path, gzip.compress(IMAGES)[:-9], gzip.compress(CLASSES), ".gz"))
    assert caught.value.line is None
