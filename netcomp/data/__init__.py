"""Data sets: LIBSVM files and built-in ones, and their division among workers."""

from netcomp.data.builtin import BUILTIN
from netcomp.data.dataset import Dataset, Matrix, Shard
from netcomp.data.libsvm import load_libsvm
from netcomp.data.locate import UnknownDataSet, load
from netcomp.data.splits import SPLITS, Split, SplitRule, equal, shuffled

__all__ = [
    "BUILTIN",
    "SPLITS",
    "Dataset",
    "Matrix",
    "Shard",
    "Split",
    "SplitRule",
    "UnknownDataSet",
    "equal",
    "load",
    "load_libsvm",
    "shuffled",
]
