"""Splits: every row to one worker at most, nobody without rows, the same for everybody."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from netcomp.data import SPLITS, Dataset, SplitRule, equal, parse_split, shuffled
from netcomp.data.splits.labels import log_gammas
from netcomp.draw import Draw, Purpose
from netcomp.errors import DataError, SpecError, UnknownName

RULES = ["equal", "shuffled", "sorted", "by-label", "dirichlet:alpha=0.3", "clusters"]
EQUAL = RULES[:3]


def dataset(targets, features=None):
    targets = np.array(targets, dtype=np.float64)
    features = np.arange(3.0 * targets.size).reshape(-1, 3) if features is None else features
    return Dataset("toy", features, targets, "0")


def deal(notation, data, workers, seed=1):
    return parse_split(notation).deal(data, workers, Draw(seed))


def check(split, rows, workers):
    """Everybody has rows, nobody another's, and what nobody has is counted."""
    assert workers == len(split.parts)
    assert all(part.size and part.dtype == np.int64 for part in split.parts)
    dealt = np.concatenate(split.parts)
    assert rows - split.dropped == dealt.size == np.unique(dealt).size
    assert 0 <= dealt.min() <= dealt.max() < rows


@settings(deadline=None)
@given(
    st.sampled_from(RULES[:5]),
    st.integers(1, 40),
    st.integers(0, 120),
    st.integers(1, 3),
    st.integers(0, 2**64 - 1),
)
@example("dirichlet:alpha=1e-9", 40, 0, 1, 0)
@example("dirichlet:alpha=1e9", 7, 100, 3, 0)
def test_every_row_goes_to_one_worker_at_most(notation, workers, extra, labels, seed):
    """For any sizes; only the equal shares drop rows, and no more than they must."""
    rows = workers * labels + extra
    split = deal(notation, dataset(np.arange(rows) % labels), workers, seed)
    check(split, rows, workers)
    if notation in EQUAL:
        assert [rows // workers] * workers == [part.size for part in split.parts]
    assert (rows % workers if notation in EQUAL else 0) == split.dropped


@pytest.mark.parametrize("notation", RULES)
@pytest.mark.parametrize(("rows", "workers"), [(4, 5), (0, 1), (3, 0)])
def test_nobody_goes_without_rows(notation, rows, workers):
    """Fewer rows than workers, or no workers, is a mistake in the spec."""
    with pytest.raises(SpecError) as caught:
        deal(notation, dataset(np.arange(rows)), workers)
    assert "cluster.workers" == caught.value.field


@pytest.mark.parametrize("notation", RULES)
def test_a_split_is_the_same_at_every_worker(notation):
    """It depends on the seed, not on whose key it is; randomness depends on the seed."""
    data = dataset(np.arange(60) % 4, np.sin(np.arange(180.0)).reshape(60, 3))

    def parts(draw):
        split = parse_split(notation).deal(data, 4, draw)
        return split.digest("0"), [part.tolist() for part in split.parts]

    assert parts(Draw(1)) == parts(Draw(1, worker=3))
    if notation in ("shuffled", "dirichlet:alpha=0.3"):
        assert parts(Draw(1)) != parts(Draw(2))


def test_the_digest_tells_data_and_splits_apart():
    """Other data, another order or another border make another digest."""
    data = dataset([0, 1] * 6)
    splits = [deal(notation, data, n) for notation in EQUAL for n in (2, 3)]
    assert 7 == len({split.digest("0") for split in splits} | {splits[0].digest("1")})


# Orders


def test_equal_keeps_the_order_of_the_file():
    """Worker i gets the rows [i·m, (i+1)·m)."""
    split = equal(7, 3)
    assert [[0, 1], [2, 3], [4, 5]] == [part.tolist() for part in split.parts]
    assert 1 == split.dropped
    same = deal("equal", dataset(np.zeros(7)), 3)
    assert [part.tolist() for part in split.parts] == [part.tolist() for part in same.parts]


def test_shuffled_is_an_order():
    """All rows, in an order that the rule and the function agree on."""
    order = np.concatenate(shuffled(50, 5, Draw(1)).parts).tolist()
    assert list(range(50)) == sorted(order) != order
    ruled = deal("shuffled", dataset(np.zeros(50)), 5)
    assert order == np.concatenate(ruled.parts).tolist()


def test_sorted_goes_by_target_then_by_file():
    """Regression targets too."""
    split = deal("sorted", dataset([2.5, -1, 2.5, 0]), 2)
    assert [[1, 3], [0, 2]] == [part.tolist() for part in split.parts]


# Labels


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, [[0, 1, 2, 3, 4, 5, 6]]),
        (2, [[0, 2, 3, 4, 6], [1, 5]]),
        (3, [[0, 3, 6], [1, 5], [2, 4]]),
        (5, [[0, 3], [1], [2, 4], [6], [5]]),
    ],
)
def test_by_label_deals_label_after_label(workers, expected):
    """Label c goes to i ≡ c (mod C) in parts that differ by one row; c ≡ i (mod n) for few."""
    split = deal("by-label", dataset([1, 2, 3, 1, 3, 2, 1]), workers)
    assert expected == [part.tolist() for part in split.parts]


def test_by_label_says_which_label_is_too_small():
    with pytest.raises(SpecError, match="1 rows of label 2 for 2 workers"):
        deal("by-label", dataset([1, 1, 1, 2]), 4)


@pytest.mark.parametrize("notation", ["by-label", "dirichlet:1"])
def test_targets_that_are_no_labels_are_refused(notation):
    with pytest.raises(SpecError, match="no whole numbers"):
        deal(notation, dataset([0.5, 1.5]), 2)


def test_a_small_alpha_gives_a_label_to_one_worker_and_a_large_one_to_all():
    """The limits NEOLITHIC names: concentration as α → 0, equal shares as α → ∞."""
    data = dataset(np.repeat([0, 1], 1000))

    def sizes(alpha):
        parts = deal(f"dirichlet:{alpha}", data, 5).parts
        return [[np.sum(data.targets[part] == label) for part in parts] for label in (0, 1)]

    for counts in sizes(1e-4):
        assert 995 <= max(counts)
    assert all(199 <= count <= 201 for counts in sizes(1e10) for count in counts)


def test_a_dirichlet_split_stays_what_it_was():
    """The recipe is fixed: a seed means these rows."""
    split = deal("dirichlet:alpha=0.5", dataset(np.arange(12) % 2), 3, seed=7)
    assert GOLDEN == [part.tolist() for part in split.parts]


GOLDEN = [[11], [2, 8, 10], [0, 1, 3, 4, 5, 6, 7, 9]]


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 7.5])
def test_gammas_are_gamma_distributed(alpha):
    """By Kolmogorov and Smirnov's test on the logarithms, which a wrong recipe would fail."""
    logs = log_gammas(Draw(3).stream(Purpose.SPLIT), alpha, 4000)
    assert 4000 == logs.size
    assert 1e-3 < stats.kstest(logs, stats.loggamma(alpha).cdf).pvalue


def test_tiny_alphas_do_not_underflow():
    """Gamma deviates of α = 1e-6 are zero in floating point, their logarithms are not."""
    logs = log_gammas(Draw(3).stream(Purpose.SPLIT), 1e-6, 100)
    assert np.isfinite(logs).all()
    assert logs.max() < -700


# Clusters


@pytest.mark.parametrize("sparse", [False, True])
def test_clusters_are_found(sparse):
    """Rows that lie together go to one worker, all of them."""
    centres = np.eye(4) * 100
    features = np.vstack([centres + np.eye(4) * shift for shift in (0, 1, 2)])
    data = dataset(np.zeros(12), csr_matrix(features) if sparse else features)
    split = deal("clusters", data, 4)
    assert [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]] == sorted(
        part.tolist() for part in split.parts
    )


@pytest.mark.parametrize(("rows", "columns"), [(9, 2), (120, 130)])
def test_equal_rows_leave_nobody_empty(rows, columns):
    """Fewer distinct rows than clusters, wide or not: everybody gets a row all the same."""
    check(deal("clusters", dataset(np.zeros(rows), np.ones((rows, columns))), 7), rows, 7)


# Files


def write(folder, text):
    path = folder / "owners"
    path.write_text(text)
    return path


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_a_file_says_whose_a_row_is(tmp_path, end):
    """Line j is the worker of row j."""
    path = write(tmp_path, (end or "\n").join("201220") + end)
    split = deal(f"file:{path}", dataset(np.zeros(6)), 3)
    assert [[1, 5], [2], [0, 3, 4]] == [part.tolist() for part in split.parts]
    assert 0 == split.dropped


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("0\n1\n", 2, "2 lines for the 3 rows of toy"),
        ("0\n1\n1\n0\n", 4, "4 lines for the 3 rows of toy"),
        ("0\n2\n1\n", 2, "worker 2 where there are 2, from 0 to 1"),
        ("0\n-1\n1\n", 2, "'-1' is no worker number"),
        ("0\n1.0\n1\n", 2, "'1.0' is no worker number"),
        ("0\n1\nx\n", 3, "'x' is no worker number"),
        ("0\n\n1\n", 2, "'' is no worker number"),
        ("0\n1\n" + "9" * 5000, 3, "where there are 2"),
        ("", 1, "'' is no worker number"),
        ("0\n0\n0\n", 3, "worker 1 of 2 gets no row"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, line, reason):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=reason) as caught:
        deal(f"file:{path}", dataset(np.zeros(3)), 2)
    assert (str(path), line) == (caught.value.path, caught.value.line)


def test_a_file_is_found_among_the_data(tmp_path, monkeypatch):
    """In a folder of NETCOMP_DATA, or its subfolder splits; else the error names both."""
    monkeypatch.setenv("NETCOMP_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"split file.*NETCOMP_DATA.*splits"):
        deal("file:owners", dataset(np.zeros(2)), 2)
    (tmp_path / "splits").mkdir()
    write(tmp_path / "splits", "1\n0\n")
    split = deal("file:owners", dataset(np.zeros(2)), 2)
    assert [[1], [0]] == [part.tolist() for part in split.parts]


# Notation


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dirichlet", r"alpha=… is missing"),
        ("dirichlet:alpha=0", "alpha: .*greater than 0"),
        ("dirichlet:nan", "alpha"),
        ("dirichlet:a=1", "no parameter 'a'; known: alpha"),
        ("dirichlet:1,alpha=2", "alpha is given twice"),
        ("dirichlet:1,2", "'2' is not of the form key=value"),
        ("equal:3", "'3' is not of the form key=value"),
        ("file", "path=… is missing"),
        ("no.such.module:Rule", "cannot import"),
        ("collections:Counter", "no split rule"),
        ("netcomp.data.splits.base:SplitRule", "SplitRule' does not define deal"),
        (f"{__name__}:Rotated", "by=… is missing"),
        (f"{__name__}:Rotated:by=x", "by: .*not 'x'"),
        (f"{__name__}:Rotated:size=1", "no parameter 'size'; known: by"),
    ],
)
def test_a_mistake_in_the_notation_is_named(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        parse_split(text)
    assert "problem.split" == caught.value.field


@pytest.mark.parametrize("text", ["dirichle", "dirichlett:alpha=0.5", "dirichlett:0.5"])
def test_an_unknown_rule_is_named_with_those_that_are(text):
    with pytest.raises(UnknownName, match="did you mean 'dirichlet'") as caught:
        parse_split(text)
    assert tuple(SPLITS.names()) == caught.value.known


def test_a_parameter_may_be_without_its_key():
    assert parse_split("dirichlet:alpha=0.5") == parse_split("dirichlet:0.5")
    assert parse_split("file:path=a,b=c") == parse_split("file:a,b=c")


class Reversed(SplitRule):
    """A rule of somebody's own."""

    def deal(self, data, workers, draw):
        return equal(data.rows, workers)


class Rotated(Reversed):
    """A rule with a parameter that is needed."""

    by: int


def test_a_rule_of_ones_own_is_imported():
    """With its parameters, written like those of the others."""
    assert isinstance(parse_split(f"{__name__}:Reversed"), Reversed)
    for notation in ("by=2", "2"):
        assert Rotated(by=2) == parse_split(f"{__name__}:Rotated:{notation}")


@pytest.mark.parametrize(("name", "said"), [("Counter", "is no split rule"), ("Rule", None)])
def test_a_package_can_only_add_rules(monkeypatch, name, said):
    """What an entry point names is checked when it is asked for."""
    value = {"Counter": "collections:Counter", "Rule": f"{__name__}:Reversed"}[name]
    points = [EntryPoint("theirs", value, "netcomp.splits")]
    monkeypatch.setattr("netcomp.registry.entry_points", lambda group: points)
    monkeypatch.setattr(SPLITS, "_plugins", None)
    monkeypatch.setattr(SPLITS, "_entries", dict(SPLITS._entries))
    if said is None:
        assert isinstance(parse_split("theirs"), Reversed)
        return
    with pytest.raises(SpecError, match=f"problem.split: 'theirs' {said}"):
        parse_split("theirs")


def test_own_rows_are_all_of_them_and_only_for_those_who_have_them():
    """Every worker keeps its whole file; a data set everybody has cannot be anybody's own."""
    data = dataset([1, -1, 1])
    with pytest.raises(SpecError, match="--data"):
        deal("own", data, 2)
    own = Dataset("toy", data.features, data.targets, "0", partial=True)
    assert [0, 1, 2] == deal("own", own, 2).parts[1].tolist()
