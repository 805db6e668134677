"""Data sets: read from files, built in, made up or fetched; prepared, and split among workers."""

from netcomp.data.arrays import load_npz
from netcomp.data.builtin import BUILTIN
from netcomp.data.catalogue import CATALOGUE, Known, Remote
from netcomp.data.dataset import MOST_ENTRIES, Dataset, Matrix, Shard, dense
from netcomp.data.fetch import FetchError, fetch
from netcomp.data.folders import cache_folder, candidates, data_folders
from netcomp.data.idx import load_idx
from netcomp.data.libsvm import load_libsvm
from netcomp.data.locate import (
    Place,
    UnknownDataSet,
    check_name,
    find,
    load,
    needs_no_file,
    place_of,
)
from netcomp.data.notation import head_of
from netcomp.data.preprocess import Preparation
from netcomp.data.splits import (
    SPLITS,
    FromFile,
    Own,
    Split,
    SplitRule,
    equal,
    parse_split,
    shuffled,
)
from netcomp.data.synthetic import GENERATORS
from netcomp.data.tables import load_csv

__all__ = [
    "BUILTIN",
    "CATALOGUE",
    "GENERATORS",
    "MOST_ENTRIES",
    "SPLITS",
    "Dataset",
    "FetchError",
    "FromFile",
    "Known",
    "Matrix",
    "Own",
    "Place",
    "Preparation",
    "Remote",
    "Shard",
    "Split",
    "SplitRule",
    "UnknownDataSet",
    "cache_folder",
    "candidates",
    "check_name",
    "data_folders",
    "dense",
    "equal",
    "fetch",
    "find",
    "head_of",
    "load",
    "load_csv",
    "load_idx",
    "load_libsvm",
    "load_npz",
    "needs_no_file",
    "parse_split",
    "place_of",
    "shuffled",
]
